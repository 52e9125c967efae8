// Copyright The Countersign Authors.
// SPDX-License-Identifier: Apache-2.0

package apiserver

import "testing"

const (
	keysPolicy  = "keys-guard.countersign.dev"
	probePolicy = "probe-guard.countersign.dev"
)

const (
	trustedKeysText = `
apiVersion: v1
kind: ConfigMap
metadata: {name: countersign-trusted-keys}
data: {keys.json: "{}"}
`
	signingKeyText = `
apiVersion: v1
kind: Secret
metadata: {name: countersign-signing-key-b}
data: {signing.key: eA==}
`
)

// keysStage has the ConfigMap of trusted keys and one private key.
func keysStage(t *testing.T) *stage {
	s := newStage(t)
	s.put(t, "operator", object(t, trustedKeysText))
	a := object(t, signingKeyText)
	a.SetName("countersign-signing-key-a")
	s.put(t, "operator", a)
	return s
}

func keysRules() []rule {
	elsewhere := "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: countersign-trusted}"
	return []rule{{
		policy: keysPolicy,
		row:    "sec/53",
		says:   " which says or holds by which key votes are proven",
		refused: []attempt{
			{what: "a key of one's own is trusted", who: "admin", on: "configmaps/countersign-trusted-keys", change: set("data", map[string]any{"keys.json": "mine"})},
			{what: "by a tenant", who: "robot", on: "configmaps/countersign-trusted-keys", change: set("data", map[string]any{"keys.json": "mine"})},
			{what: "as binary data", who: "admin", on: "configmaps/countersign-trusted-keys", change: set("binaryData", map[string]any{"more.json": "eA=="})},
			{what: "no key is trusted", who: "admin", on: "configmaps/countersign-trusted-keys", change: drop("data")},
			{what: "a key of one's own is signed with", who: "admin", on: "secrets/countersign-signing-key-a", change: set("data", map[string]any{"signing.key": "eQ=="})},
			{what: "a key of one's own is put in place", who: "admin", create: signingKeyText, not: []string{"create with generateName"}},
		},
		admitted: []attempt{
			{what: "by the operator", who: "operator", on: "configmaps/countersign-trusted-keys", change: set("data", map[string]any{"keys.json": "next"})},
			{what: "made by the operator", who: "operator", create: signingKeyText},
			{what: "a rotation is asked for", who: "admin", on: "configmaps/countersign-trusted-keys", change: annotate("countersign.dev/rotate", "now")},
			{what: "a key is deleted, which is to lose it", who: "admin", on: "secrets/countersign-signing-key-a"},
			{what: "another ConfigMap", who: "dev", create: elsewhere},
		},
	}}
}

func TestKeysPolicy(t *testing.T) {
	s := keysStage(t)
	for _, r := range keysRules() {
		t.Run(r.says, func(t *testing.T) { s.run(t, r) })
	}
}

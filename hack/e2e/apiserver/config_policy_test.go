// Copyright The Countersign Authors.
// SPDX-License-Identifier: Apache-2.0

package apiserver

import (
	"fmt"
	"testing"
)

const (
	configPolicy = "config-guard.countersign.dev"
	copyName     = "shop-settings-0123456789abcdef0123456789abcdef"
)

// configText is a ConfigMap or Secret as the operator makes copies.
func configText(kind, name, more string) string {
	return fmt.Sprintf(`
apiVersion: v1
kind: %s
metadata: {name: %s, labels: {countersign.dev/release: shop}, annotations: {countersign.dev/copy-of: settings}}
immutable: true
%s
`, kind, name, more)
}

// configStage has copies of Release shop, one that a Release has given back, and
// objects that are nobody's.
func configStage(t *testing.T) *stage {
	s := newStage(t)
	for _, name := range []string{"generic-garbage-collector", "namespace-controller"} {
		s.actors[name] = s.account(t, "system:serviceaccount:kube-system:"+name)
	}
	s.put(t, "operator", object(t, configText("ConfigMap", copyName, "data: {a: b}")))
	s.put(t, "operator", object(t, configText("Secret", copyName, "stringData: {a: b}")))
	s.put(t, "operator", object(t, configText("ConfigMap", "returned", "data: {a: b}")))
	s.alter(t, "operator", "configmaps/returned", label("countersign.dev/release", ""))
	for _, kind := range []string{"ConfigMap", "Secret"} {
		s.put(t, "dev", object(t, transform(configText(kind, "own", ""), all(drop("metadata.labels"), drop("metadata.annotations"), drop("immutable")))))
	}
	return s
}

func TestConfigPolicy(t *testing.T) {
	s := configStage(t)
	for _, r := range configRules() {
		t.Run(r.says, func(t *testing.T) { s.run(t, r) })
	}
}

func configRules() []rule {
	own := func(kind string) string {
		return transform(configText(kind, "made", ""), all(drop("metadata.labels"), drop("metadata.annotations")))
	}
	const release = "countersign.dev/release"
	return []rule{{
		policy: configPolicy, row: "sec/11",
		says: ", a copy that the Pods of Release ",
		refused: []attempt{
			{row: "sec/11 sec/13", what: "the label of a copy is stripped", who: "dev", on: "configmaps/" + copyName, change: label(release, "")},
			{what: "a copy is put under another Release", who: "dev", on: "secrets/" + copyName, change: label(release, "other")},
			{what: "an annotation of a copy", who: "admin", on: "configmaps/" + copyName, change: annotate("countersign.dev/copy-of", "other")},
			{row: "sec/11 sec/19", what: "an owner that can be deleted", who: "dev", on: "secrets/" + copyName, change: set("metadata.ownerReferences", owners)},
			{what: "a ConfigMap's copy is deleted", who: "dev", on: "configmaps/" + copyName},
			{what: "a Secret's copy is deleted", who: "admin", on: "secrets/" + copyName},
			{what: "a copy is made", who: "dev", create: configText("ConfigMap", "made", "data: {a: evil}")},
			{what: "a copy of a Secret is made", who: "robot", create: configText("Secret", "made", "stringData: {a: evil}")},
			{what: "an object of one's own is made a copy", who: "dev", on: "configmaps/own", change: label(release, "shop")},
		},
		admitted: []attempt{
			{what: "made by the operator", who: "operator", create: configText("ConfigMap", "made", "data: {a: b}")},
			{what: "deleted by the operator", who: "operator", on: "secrets/" + copyName},
			{what: "given back by the operator", who: "operator", on: "configmaps/" + copyName, change: label(release, "")},
			{what: "deleted with its owner", who: "generic-garbage-collector", on: "configmaps/" + copyName},
			{what: "deleted with its namespace", who: "namespace-controller", on: "secrets/" + copyName},
			{what: "one's own", who: "dev", on: "configmaps/own", change: set("data", map[string]any{"a": "c"})},
			{what: "one's own is deleted", who: "dev", on: "secrets/own"},
			{what: "one's own is made", who: "dev", create: own("Secret")},
			{what: "one that was given back is deleted", who: "dev", on: "configmaps/returned"},
		},
	}, {
		policy: configPolicy, row: "sec/41",
		says: "the operator writes no ",
		refused: []attempt{
			{what: "another ConfigMap is made", who: "operator", create: own("ConfigMap")},
			{what: "another Secret is made", who: "operator", create: own("Secret")},
			{what: "a copy that could change", who: "operator", create: transform(configText("Secret", "made", ""), drop("immutable"))},
			{what: "somebody's Secret", who: "operator", on: "secrets/own", change: annotate("a", "b")},
			{what: "somebody's ConfigMap becomes a copy", who: "operator", on: "configmaps/own", change: label(release, "shop")},
			{what: "somebody's Secret is deleted", who: "operator", on: "secrets/own"},
		},
		admitted: []attempt{
			{what: "a copy of a Secret", who: "operator", create: configText("Secret", "made", "stringData: {a: b}")},
			{what: "a copy is deleted", who: "operator", on: "configmaps/" + copyName},
		},
	}}
}

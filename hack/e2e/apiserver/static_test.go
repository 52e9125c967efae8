// Copyright The Countersign Authors.
// SPDX-License-Identifier: Apache-2.0

package apiserver

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/countersign/countersign/hack/cluster/local"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/client-go/rest"
)

const (
	gatePolicy   = "gate.countersign.static.k8s.io"
	ownersPolicy = "owners.countersign.static.k8s.io"
	systemPolicy = "system.countersign.static.k8s.io"
)

// TestStaticPolicies starts a control plane that reads config/static, as one who
// runs their own can, and tries to take the gate away with all rights.
func TestStaticPolicies(t *testing.T) {
	w := staticWorld(t)
	gate := w.staticStage(t, "")
	for _, r := range slices.Concat(gateRules(), ownerRules(), namespaceRules()) {
		t.Run(r.says, func(t *testing.T) { gate.run(t, r) })
	}
	system := w.staticStage(t, systemNamespace)
	system.setSystem(t)
	for _, r := range systemRules() {
		t.Run(r.says, func(t *testing.T) { system.run(t, r) })
	}
	t.Run("sec/56 commands in the operator's Pod", func(t *testing.T) {
		for _, sub := range []string{"exec", "attach", "portforward"} {
			err := system.connect(t, system.actors["admin"], "operator-1", sub)
			refused(t, sub, err, systemPolicy, "where the keys of the gate are")
		}
	})
}

// staticWorld is a control plane of its own: what it reads cannot be taken away
// from it for other tests.
func staticWorld(t *testing.T) *world {
	t.Helper()
	if testing.Short() {
		t.Skip("starts a real API server")
	}
	raw, err := os.ReadFile(filepath.Join(configDirectory, "static", "admission.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	policies, err := filepath.Abs(filepath.Join(configDirectory, "static", "policies"))
	if err != nil {
		t.Fatal(err)
	}
	const installed = "/etc/kubernetes/countersign/policies"
	if !strings.Contains(string(raw), installed) {
		t.Fatalf("config/static/admission.yaml does not name %s", installed)
	}
	file := filepath.Join(t.TempDir(), "admission.yaml")
	if err := os.WriteFile(file, []byte(strings.Replace(string(raw), installed, policies, 1)), 0o600); err != nil {
		t.Fatal(err)
	}
	w := &world{
		options:   local.Options{APIServerArgs: []string{"--admission-control-config-file=" + file}},
		installer: tokenOf("carol", "system:masters", "countersign:installers"),
		extra: func(t testing.TB, w *world) {
			w.install(t, manifests(t, "webhook"))
		},
	}
	t.Cleanup(func() {
		if err := w.stop(); err != nil {
			t.Error(err)
		}
	})
	return w.start(t)
}

// tokenOf is somebody whom the API server knows by a token of their own.
func tokenOf(user string, groups ...string) *rest.ImpersonationConfig {
	return &rest.ImpersonationConfig{UserName: user, Groups: groups,
		Extra: map[string][]string{"authentication.kubernetes.io/credential-id": {"JTI=" + user}}}
}

func (w *world) staticStage(t *testing.T, namespace string) *stage {
	t.Helper()
	s := &stage{world: w, namespace: namespace, actors: map[string]*actor{"installer": w.admin}}
	s.actors["admin"] = w.as(t, "admin")
	for name, who := range map[string]*rest.ImpersonationConfig{
		"operator":                tokenOf(operatorUser, "system:masters", "system:serviceaccounts"),
		"webhook":                 tokenOf(webhookUser, "system:masters", "system:serviceaccounts"),
		"owner":                   tokenOf("carol", "system:masters", "countersign:policy-owners"),
		"somebody with a token":   tokenOf("dana", "system:masters"),
		"impersonating installer": {UserName: "carol", Groups: []string{"system:masters", "countersign:installers"}},
		"impersonating owner":     {UserName: "carol", Groups: []string{"system:masters", "countersign:policy-owners"}},
		"controller":              tokenOf("system:serviceaccount:kube-system:replicaset-controller", "system:masters"),
		"garbage collector":       tokenOf("system:serviceaccount:kube-system:generic-garbage-collector", "system:masters"),
	} {
		s.actors[name] = w.impersonating(t, "admin", *who)
	}
	return s
}

// webhookField changes a field of the first webhook.
func webhookField(path string, value any) func(*unstructured.Unstructured) {
	return func(o *unstructured.Unstructured) {
		list, _, err := unstructured.NestedSlice(o.Object, "webhooks")
		if err != nil {
			panic(err)
		}
		if err := unstructured.SetNestedField(list[0].(map[string]any), value, fields(path)...); err != nil {
			panic(err)
		}
		set("webhooks", list)(o)
	}
}

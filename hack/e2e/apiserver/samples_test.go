// Copyright The Countersign Authors.
// SPDX-License-Identifier: Apache-2.0

package apiserver

import (
	"slices"
	"sync"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/client-go/rest"
)

// TestSamples: what a first user applies is admitted and can be voted on.
func TestSamples(t *testing.T) {
	w := whole.start(t)
	w.operator.tellLog(t)
	w.install(t, manifests(t, "samples"))
	s := &shop{world: w, namespace: "shop", people: map[string]*actor{"alice": w.as(t, "alice"), "bob": w.as(t, "bob")}}
	// Pods of nodes that only pretend answer no check, so nothing is switched.
	digest := s.awaitCandidate(t)
	s.mustVote(t, "alice", digest)
	s.mustVote(t, "bob", digest)
}

// TestManifestsAreClean sends everything in config/ as kubectl would, and wants
// neither unknown fields nor warnings, such as those of Pod Security.
func TestManifestsAreClean(t *testing.T) {
	w := policies.start(t)
	for _, part := range []string{"crd", "rbac", "policy", "webhook", "manager"} {
		t.Run(part, func(t *testing.T) {
			config, err := w.plane.Config("admin")
			if err != nil {
				t.Fatal(err)
			}
			heard := &warnings{}
			admin := newActor(t, "admin", config)
			admin.hear(t, heard)
			for _, o := range manifests(t, part) {
				_, err := admin.of(o).Apply(within(t), o.GetName(), o, metav1.ApplyOptions{FieldManager: "install", Force: true, DryRun: dryRun})
				if err != nil {
					t.Errorf("%s %s: %v", o.GetKind(), o.GetName(), err)
				}
			}
			for _, text := range heard.all() {
				t.Errorf("the API server warns: %s", text)
			}
		})
	}
}

// warnings collects what the API server says beside its answers.
type warnings struct {
	mu    sync.Mutex
	texts []string
}

var _ rest.WarningHandler = &warnings{}

func (w *warnings) HandleWarningHeader(_ int, _, text string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.texts = append(w.texts, text)
}

func (w *warnings) all() []string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return slices.Clone(w.texts)
}

// TestPoliciesTypeCheck reads what Kubernetes finds in the expressions, such as
// a field that the kind does not have. It looks only at policies that name
// versions, so copies are checked that do, and that are bound to nothing.
func TestPoliciesTypeCheck(t *testing.T) {
	w := whole.start(t)
	for _, o := range append(manifests(t, "policy"), wrongPolicy()) {
		if o.GetKind() != "ValidatingAdmissionPolicy" {
			continue
		}
		named := o.DeepCopy()
		named.SetName("typed." + o.GetName())
		nameVersions(t, named)
		w.install(t, []*unstructured.Unstructured{named})
		found := w.typeCheck(t, named)
		w.delete(t, named)
		if o.GetName() == "wrong" {
			if len(found) == 0 {
				t.Error("a wrong field is not found, so this test proves nothing")
			}
			continue
		}
		for _, warning := range found {
			t.Errorf("%s: %v", o.GetName(), warning)
		}
	}
}

func wrongPolicy() *unstructured.Unstructured {
	wrong := canary("wrong")[0]
	set("spec.validations", []any{map[string]any{"expression": "object.date == 'x'"}})(wrong)
	return wrong
}

func nameVersions(t *testing.T, policy *unstructured.Unstructured) {
	t.Helper()
	rules, _, err := unstructured.NestedSlice(policy.Object, "spec", "matchConstraints", "resourceRules")
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range rules {
		rule := r.(map[string]any)
		rule["apiVersions"] = []any{"v1"}
		if rule["apiGroups"].([]any)[0] == "countersign.dev" {
			rule["apiVersions"] = []any{"v1alpha1"}
		}
	}
	set("spec.matchConstraints.resourceRules", rules)(policy)
}

// typeCheck waits for the findings of the controller that checks policies.
func (w *world) typeCheck(t *testing.T, o *unstructured.Unstructured) (found []any) {
	t.Helper()
	eventually(t, o.GetName()+" is checked", func() string {
		got, err := w.admin.of(o).Get(within(t), o.GetName(), metav1.GetOptions{})
		if err != nil {
			return err.Error()
		}
		if seen, _, _ := unstructured.NestedInt64(got.Object, "status", "observedGeneration"); seen != got.GetGeneration() {
			return "its status is of an earlier generation"
		}
		found, _, _ = unstructured.NestedSlice(got.Object, "status", "typeChecking", "expressionWarnings")
		return ""
	})
	return found
}

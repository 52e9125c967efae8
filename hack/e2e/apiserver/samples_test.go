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

// TestPoliciesTypeCheck reads what Kubernetes found in the expressions, such as
// a field that the kind does not have.
func TestPoliciesTypeCheck(t *testing.T) {
	w := whole.start(t)
	for _, o := range manifests(t, "policy") {
		if o.GetKind() != "ValidatingAdmissionPolicy" {
			continue
		}
		eventually(t, o.GetName()+" is checked", func() string {
			got, err := w.admin.of(o).Get(within(t), o.GetName(), metav1.GetOptions{})
			if err != nil {
				return err.Error()
			}
			if seen, _, _ := unstructured.NestedInt64(got.Object, "status", "observedGeneration"); seen != got.GetGeneration() {
				return "its status is of an earlier generation"
			}
			found, _, _ := unstructured.NestedSlice(got.Object, "status", "typeChecking", "expressionWarnings")
			for _, warning := range found {
				t.Errorf("%s: %v", o.GetName(), warning)
			}
			return ""
		})
	}
}

// Copyright The Countersign Authors.
// SPDX-License-Identifier: Apache-2.0

package apiserver

import (
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/dynamic"
)

// TestApproversChangeNothing: who is bound to release-approver alone annotates and
// pauses, and changes nothing else of the spec.
func TestApproversChangeNothing(t *testing.T) {
	s := openShop(t)
	s.mustApply(t, "dev", s.manifest(t, "v1"))
	s.awaitTested(t)
	spec := func(field string, value any) map[string]any {
		return map[string]any{"spec": map[string]any{field: value}}
	}
	for field, value := range map[string]any{
		"template": map[string]any{"metadata": map[string]any{"annotations": map[string]any{"by": "alice"}}},
		"services": []any{map[string]any{"name": "other"}}, "checks": map[string]any{}, "config": map[string]any{"configMaps": []any{map[string]any{"name": "a"}}},
		"observeSeconds": 7, "minReadySeconds": 7, "keepIdleSeconds": 7, "progressDeadlineSeconds": 77, "irreversible": true,
		"replicas": 7, "previewReplicas": 1, "revisionHistoryLimit": 7, "disruptionBudget": map[string]any{"maxUnavailable": 1},
	} {
		t.Run("refused: "+field, func(t *testing.T) {
			refused(t, "an approver changes "+field, s.patch(t, "alice", spec(field, value)),
				"release-votes.countersign.dev", "alice@example.com may annotate and pause Release shop", "kubectl create rolebinding release-authors -n "+s.namespace+" --clusterrole=release-author --user=alice@example.com")
		})
	}
	rel, err := s.people["alice"].resource("releases", s.namespace).Get(within(t), shopName, metav1.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	for what, try := range map[string]func(dynamic.ResourceInterface) error{
		"update": func(r dynamic.ResourceInterface) error {
			_, err := r.Update(within(t), rel, metav1.UpdateOptions{})
			return err
		},
		"delete": func(r dynamic.ResourceInterface) error { return r.Delete(within(t), shopName, metav1.DeleteOptions{}) },
		"create": func(r dynamic.ResourceInterface) error {
			again := s.manifest(t, "v1")
			again.SetName("again")
			_, err := r.Create(within(t), again, metav1.CreateOptions{})
			return err
		},
		"scale": func(r dynamic.ResourceInterface) error {
			_, err := r.Patch(within(t), shopName, types.MergePatchType, []byte(`{"spec":{"replicas":7}}`), metav1.PatchOptions{}, "scale")
			return err
		},
		"status": func(r dynamic.ResourceInterface) error {
			_, err := r.Patch(within(t), shopName, types.MergePatchType, []byte(`{"status":{"phase":"Stable"}}`), metav1.PatchOptions{}, "status")
			return err
		},
	} {
		t.Run("refused: "+what, func(t *testing.T) {
			refused(t, "an approver: "+what, try(s.people["alice"].resource("releases", s.namespace)), "alice@example.com", "cannot")
		})
	}
	for _, paused := range []bool{true, false} {
		if err := s.patch(t, "alice", spec("paused", paused)); err != nil {
			t.Errorf("an approver sets paused to %t: %v", paused, err)
		}
	}
	s.mustVote(t, "alice", s.awaitTested(t))
	if err := s.patch(t, "dev", spec("observeSeconds", 7)); err != nil {
		t.Errorf("an author changes the spec: %v", err)
	}
}

// TestAuditor: the role reads what an account of a release rests on, no Secret, and
// writes nothing.
func TestAuditor(t *testing.T) {
	s := openShop(t)
	s.mustApply(t, "dev", s.manifest(t, "v1"))
	s.awaitCandidate(t)
	s.install(t, []*unstructured.Unstructured{
		object(t, "apiVersion: v1\nkind: ServiceAccount\nmetadata: {name: auditor, namespace: "+s.namespace+"}"),
		object(t, "apiVersion: rbac.authorization.k8s.io/v1\nkind: ClusterRoleBinding\nmetadata: {name: auditor-"+s.namespace+"}\n"+
			"roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: auditor}\nsubjects: [{kind: ServiceAccount, name: auditor, namespace: "+s.namespace+"}]"),
	})
	auditor := s.asAccount(t, s.namespace, "auditor")
	s.people["auditor"] = auditor
	for _, resource := range []string{
		"releases", "deployments", "controllerrevisions", "services", "events",
		"approvalpolicies", "validatingadmissionpolicies", "validatingadmissionpolicybindings", "mutatingwebhookconfigurations", "clusterroles", "clusterrolebindings", "rolebindings",
	} {
		if _, err := auditor.resource(resource, "").List(within(t), metav1.ListOptions{}); err != nil {
			t.Errorf("it does not read %s: %v", resource, err)
		}
	}
	if _, err := auditor.resource("configmaps", systemNamespace).Get(within(t), "countersign-trusted-keys", metav1.GetOptions{}); err != nil {
		t.Errorf("it does not read the keys that signatures are verified with: %v", err)
	}
	_, err := auditor.resource("secrets", systemNamespace).List(within(t), metav1.ListOptions{})
	refused(t, "the auditor reads Secrets", err, "cannot list resource \"secrets\"")
	refused(t, "the auditor annotates", s.annotate(t, "auditor", "note", "seen"), "cannot patch resource \"releases\"")
}

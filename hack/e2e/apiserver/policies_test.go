// Copyright The Countersign Authors.
// SPDX-License-Identifier: Apache-2.0

package apiserver

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/countersign/countersign/api/v1alpha1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"
)

// TestPolicyExamples: what docs/policies.md shows is admitted with all that is
// reviewed, and so is the policy that an install begins with.
func TestPolicyExamples(t *testing.T) {
	w := whole.start(t)
	raw, err := os.ReadFile(filepath.Join(configDirectory, "default", "policy.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	for _, o := range append(manifests(t, "samples/policies"), documents(t, raw)...) {
		_, err := w.admin.of(o).Apply(within(t), o.GetName(), o, metav1.ApplyOptions{FieldManager: "install", Force: true, DryRun: dryRun})
		if err != nil {
			t.Errorf("%s %s: %v", o.GetKind(), o.GetName(), err)
		}
	}
}

// TestPolicyReview: the owners of a policy hear what is wrong with it.
func TestPolicyReview(t *testing.T) {
	w := whole.start(t)
	bad := all(drop("spec.rules"), windows("allow", window("0 9 30 2 *", "8h")))
	o := object(t, policyText)
	bad(o)
	_, err := w.admin.of(o).Create(within(t), o, metav1.CreateOptions{DryRun: dryRun})
	refused(t, "a window that never opens", err, "nothing could ever be let through under ApprovalPolicy checked", "windows never open")
}

// TestPolicyAtTheGate: rules by RBAC, a hold, and who lost the right to approve.
func TestPolicyAtTheGate(t *testing.T) {
	s := openShop(t)
	s.operator.tellLog(t)
	s.repolicy(t, `[{"op":"replace","path":"/spec/rules","value":[{"name":"owner","count":1,"rbac":true}]},{"op":"add","path":"/spec/hold","value":"INC-1"}]`)
	s.grant(t, "dana")
	s.mustApply(t, "dev", s.manifest(t, "v1"))
	digest := s.awaitTested(t)
	t.Run("sec/33 only whom RBAC lets approve does", func(t *testing.T) {
		refused(t, "mallory, whom nothing lets", s.vote(t, "mallory", "mallory", digest), "no rule names", s.namespace+"/owner")
		refused(t, "admin, who may do everything", s.vote(t, "admin", "admin", digest), "")
		s.mustVote(t, "dana", digest)
	})
	s.await(t, "it is held", func(r *v1alpha1.Release) bool {
		return r.Status.Approvals == "1/1" && strings.Contains(r.Status.WaitingFor, "stops the line: INC-1")
	})
	t.Run("sec/33 who lost the right does not count", func(t *testing.T) {
		if err := s.admin.resource("rolebindings", s.namespace).Delete(within(t), "owners", metav1.DeleteOptions{}); err != nil {
			t.Fatal(err)
		}
		s.repolicy(t, `[{"op":"remove","path":"/spec/hold"}]`)
		s.await(t, "the vote does not count", func(r *v1alpha1.Release) bool { return r.Status.Approvals == "0/1" })
		if got := s.selector(t); got == "blue" {
			t.Errorf("Service shop leads to %q", got)
		}
		s.grant(t, "dana")
		s.touch(t)
		s.awaitActive(t, digest)
	})
}

// repolicy patches the policy of the namespace.
func (s *shop) repolicy(t *testing.T, patch string) {
	t.Helper()
	_, err := s.admin.resource("approvalpolicies", "").Patch(within(t), s.namespace, types.JSONPatchType, []byte(patch), metav1.PatchOptions{})
	if err != nil {
		t.Fatal(err)
	}
}

// grant lets somebody approve under rule owner of the namespace's policy.
func (s *shop) grant(t *testing.T, who string) {
	t.Helper()
	s.install(t, []*unstructured.Unstructured{
		object(t, "apiVersion: rbac.authorization.k8s.io/v1\nkind: Role\nmetadata: {name: owner, namespace: "+s.namespace+"}\n"+
			"rules: [{apiGroups: [countersign.dev], resources: [approvalrules], resourceNames: ["+s.namespace+".owner], verbs: [approve]}]"),
		object(t, "apiVersion: rbac.authorization.k8s.io/v1\nkind: RoleBinding\nmetadata: {name: owners, namespace: "+s.namespace+"}\n"+
			"roleRef: {apiGroup: rbac.authorization.k8s.io, kind: Role, name: owner}\n"+
			"subjects: [{apiGroup: rbac.authorization.k8s.io, kind: User, name: "+email(who)+"}]"),
	})
}

// touch lets the operator look again.
func (s *shop) touch(t *testing.T) {
	t.Helper()
	if err := s.annotate(t, "dev", "example.com/touched", "yes"); err != nil {
		t.Fatal(err)
	}
}

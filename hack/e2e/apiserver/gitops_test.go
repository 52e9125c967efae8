// Copyright The Countersign Authors.
// SPDX-License-Identifier: Apache-2.0

package apiserver

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/countersign/countersign/api/v1alpha1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"
)

// TestGitOps: a sync neither fails nor loses votes, however the tool writes.
func TestGitOps(t *testing.T) {
	for _, manager := range []string{"argocd-controller", "kustomize-controller"} {
		t.Run("sec/24 D22 a sync by "+manager, func(t *testing.T) {
			s := openShop(t)
			s.people["dev"] = s.people["bot"] // all content comes from the bot
			s.oneMore(t)
			git := []*unstructured.Unstructured{s.manifest(t, "v1"), s.serviceInGit(t)}
			s.sync(t, manager, git)
			digest := s.awaitCandidate(t)
			if err := s.vote(t, "alice", "alice", digest); err != nil {
				t.Fatalf("alice votes: %v", err)
			}
			s.sync(t, manager, git)
			s.stripKubectl(t, manager)
			s.sync(t, manager, git)
			s.keptVote(t, "a sync", digest)
			s.replace(t, git[0])
			s.keptVote(t, "a replace", digest)
			s.sync(t, manager, git)
			s.mustVote(t, "bob", digest)
			// Nobody knows for whom the bot writes, so a third person has to agree.
			s.await(t, "sec/51 one person more is asked for", func(r *v1alpha1.Release) bool {
				return r.Status.Approvals == "2/3" && strings.Contains(r.Status.WaitingFor, "unknownAuthor")
			})
			s.mustVote(t, "carol", digest)
			s.awaitActive(t, digest)
			s.sync(t, manager, git)
			if got := s.selector(t); got != "blue" {
				t.Errorf("after a sync Service shop leads to %q", got)
			}
			s.awaitStable(t)
			git[0] = s.manifest(t, "v2")
			s.sync(t, manager, git)
			if next := s.awaitCandidate(t); next == digest {
				t.Error("the candidate is what is active")
			}
		})
	}
}

// oneMore lets carol approve besides, so that there are three who can.
func (s *shop) oneMore(t *testing.T) {
	t.Helper()
	s.people["carol"] = s.as(t, "carol")
	s.allow(t, s.namespace, "release-approver", "group:product")
	patch := `[{"op":"add","path":"/spec/rules/0/users","value":["` + email("carol") + `"]}]`
	_, err := s.admin.resource("approvalpolicies", "").Patch(within(t), s.namespace, types.JSONPatchType, []byte(patch), metav1.PatchOptions{})
	if err != nil {
		t.Fatal(err)
	}
}

func (s *shop) serviceInGit(t *testing.T) *unstructured.Unstructured {
	return object(t, "apiVersion: v1\nkind: Service\nmetadata: {name: shop, namespace: "+s.namespace+", labels: {team: shop}}\n"+
		"spec: {ports: [{name: http, port: 80, targetPort: 8080}]}")
}

// sync applies what is in Git, as a dry-run first.
func (s *shop) sync(t *testing.T, manager string, git []*unstructured.Unstructured) {
	t.Helper()
	for _, o := range git {
		for _, dry := range [][]string{dryRun, nil} {
			_, err := s.people["bot"].of(o).Apply(within(t), o.GetName(), o, metav1.ApplyOptions{FieldManager: manager, Force: true, DryRun: dry})
			if err != nil {
				t.Fatalf("%s syncs %s: %v", manager, o.GetKind(), err)
			}
		}
	}
}

// stripKubectl makes the tool the owner of what kubectl wrote, as Flux does
// before it applies, so that the next sync drops what is not in Git.
func (s *shop) stripKubectl(t *testing.T, manager string) {
	t.Helper()
	o, err := s.admin.resource("releases", s.namespace).Get(within(t), shopName, metav1.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	entries := o.GetManagedFields()
	taken := 0
	for i := range entries {
		if entries[i].Manager == "kubectl-annotate" {
			entries[i].Manager, entries[i].Operation = manager+"-taken", metav1.ManagedFieldsOperationApply
			taken++
		}
	}
	if taken == 0 {
		t.Fatal("kubectl owns nothing")
	}
	raw, err := json.Marshal([]map[string]any{{"op": "replace", "path": "/metadata/managedFields", "value": entries}})
	if err != nil {
		t.Fatal(err)
	}
	client := s.people["bot"].resource("releases", s.namespace)
	if _, err := client.Patch(within(t), shopName, types.JSONPatchType, raw, metav1.PatchOptions{FieldManager: manager}); err != nil {
		t.Fatalf("take over what kubectl owns: %v", err)
	}
	_, err = client.Apply(within(t), shopName, s.manifest(t, "v1"), metav1.ApplyOptions{FieldManager: manager + "-taken", Force: true})
	if err != nil {
		t.Fatalf("drop what kubectl owned: %v", err)
	}
}

// replace is kubectl replace, or Argo CD with Replace=true.
func (s *shop) replace(t *testing.T, o *unstructured.Unstructured) {
	t.Helper()
	if _, err := s.people["bot"].of(o).Update(within(t), withVersion(o, s.release(t).ResourceVersion), metav1.UpdateOptions{}); err != nil {
		t.Fatalf("replace: %v", err)
	}
}

func withVersion(o *unstructured.Unstructured, version string) *unstructured.Unstructured {
	o = o.DeepCopy()
	o.SetResourceVersion(version)
	return o
}

func (s *shop) keptVote(t *testing.T, what, digest string) {
	t.Helper()
	rel := s.release(t)
	if rel.Annotations[v1alpha1.VotePrefix+"alice"] != digest || rel.Annotations[v1alpha1.ReceiptPrefix+"alice"] == "" {
		t.Errorf("%s lost alice's vote: %v", what, rel.Annotations)
	}
	if rel.Annotations[v1alpha1.AuthorsReceiptAnnotation] == "" {
		t.Errorf("%s lost the record of authors: %v", what, rel.Annotations)
	}
	if len(rel.Finalizers) != 1 {
		t.Errorf("%s lost the finalizer: %v", what, rel.Finalizers)
	}
}

// TestSelectorInGit: a sync that brings a selector is refused, and with the
// policies gone the operator does not fight for ever.
func TestSelectorInGit(t *testing.T) {
	s := openShop(t)
	s.promote(t, "v1")
	s.awaitStable(t)
	git := s.serviceInGit(t)
	set("spec.selector", map[string]any{"app": "shop"})(git)
	sync := func() error {
		_, err := s.people["bot"].of(git).Apply(within(t), git.GetName(), git, metav1.ApplyOptions{FieldManager: "argocd-controller", Force: true})
		return err
	}
	t.Run("sec/49 D23 it is refused", func(t *testing.T) {
		refused(t, "a sync", sync(), "cannot change the selector of Service shop", "take spec.selector out of your manifest")
	})
	s.withoutPolicies(t)
	t.Run("sec/49 D23 who insists is named", func(t *testing.T) {
		s.await(t, "the Release stalls", func(r *v1alpha1.Release) bool {
			if err := sync(); err != nil {
				t.Fatal(err)
			}
			for _, c := range r.Status.Conditions {
				if c.Type == v1alpha1.ConditionStalled && c.Reason == v1alpha1.ReasonSelectorConflict {
					return true
				}
			}
			return false
		})
	})
}

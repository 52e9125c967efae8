// Copyright The Countersign Authors.
// SPDX-License-Identifier: Apache-2.0

package apiserver

import (
	"slices"
	"testing"

	"github.com/countersign/countersign/api/v1alpha1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

// TestRevisionHistory: what was let through is kept, and is gone back to on request
// when no colour holds it any more, unless its record was changed.
func TestRevisionHistory(t *testing.T) {
	s := openShop(t)
	limit := set("spec.revisionHistoryLimit", int64(2))
	var digests []string
	for _, version := range []string{"v1", "v2", "v3", "v4"} {
		digests = append(digests, s.promote(t, version, limit).Status.Active.Digest)
		s.awaitStable(t)
	}
	rel := s.await(t, "as many are kept as should be", func(r *v1alpha1.Release) bool { return len(r.Status.Kept) == 3 })
	var kept []string
	for _, k := range rel.Status.Kept {
		kept = append(kept, k.Digest)
	}
	if want := []string{digests[3], digests[2], digests[1]}; !slices.Equal(kept, want) {
		t.Fatalf("kept is %q, want %q", kept, want)
	}
	eventually(t, "as many records are there", func() string {
		if n := len(s.records(t)); n != 3 {
			return "there are " + string(rune('0'+n))
		}
		return ""
	})
	active := digests[3]
	refused(t, "dev asks for what is not kept any more", s.annotate(t, "dev", v1alpha1.RollbackAnnotation, active+"/"+digests[0]), "is not about what is there now")
	if err := s.annotate(t, "dev", v1alpha1.RollbackAnnotation, active+"/"+digests[1]); err != nil {
		t.Fatal(err)
	}
	back := s.awaitActive(t, digests[1])
	if h := back.Status.History[0]; h.Reason != v1alpha1.SwitchRollback || h.AskedBy != email("dev") {
		t.Errorf("on record is %+v", h)
	}
	d, err := s.admin.resource("deployments", s.namespace).Get(within(t), "shop-"+s.selector(t), metav1.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	containers, _, _ := unstructured.NestedSlice(d.Object, "spec", "template", "spec", "containers")
	if got := containers[0].(map[string]any)["image"]; got != "countersign.local/demoapp:v2" {
		t.Errorf("traffic is led to %v, want v2", got)
	}
	s.await(t, "what was gone back from is not tried again", func(r *v1alpha1.Release) bool { return r.Status.Phase == v1alpha1.PhaseHalted })
	t.Run("a record that somebody put in its place is not gone back to", s.forgedRecord)
}

func (s *shop) records(t *testing.T) []unstructured.Unstructured {
	t.Helper()
	list, err := s.admin.resource("controllerrevisions", s.namespace).List(within(t), metav1.ListOptions{LabelSelector: v1alpha1.ReleaseLabel + "=" + shopName})
	if err != nil {
		t.Fatal(err)
	}
	return list.Items
}

func (s *shop) forgedRecord(t *testing.T) {
	rel := s.release(t)
	k := rel.Status.Kept[len(rel.Status.Kept)-1]
	if k.Digest == rel.Status.Active.Digest {
		k = rel.Status.Kept[0]
	}
	revisions := s.admin.resource("controllerrevisions", s.namespace)
	record, err := revisions.Get(within(t), k.Revision, metav1.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	set("data.template.spec.containers", []any{map[string]any{"name": "app", "image": "countersign.local/demoapp:evil"}})(record)
	_, err = revisions.Update(within(t), record, metav1.UpdateOptions{})
	refused(t, "a record is changed", err, "field is immutable")
	if err := revisions.Delete(within(t), k.Revision, metav1.DeleteOptions{}); err != nil {
		t.Fatal(err)
	}
	record.SetResourceVersion("")
	record.SetUID("")
	if _, err := revisions.Create(within(t), record, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	if err := s.annotate(t, "dev", v1alpha1.RollbackAnnotation, rel.Status.KeptRequest(k)); err != nil {
		t.Fatal(err)
	}
	after := s.await(t, "it says why it cannot go back", func(r *v1alpha1.Release) bool {
		return slices.ContainsFunc(r.Status.Conditions, func(c metav1.Condition) bool {
			return c.Type == v1alpha1.ConditionStalled && c.Reason == v1alpha1.ReasonRollbackImpossible
		})
	})
	if after.Status.Active.Digest != rel.Status.Active.Digest {
		t.Errorf("it went back to %s", after.Status.Active.Digest)
	}
}

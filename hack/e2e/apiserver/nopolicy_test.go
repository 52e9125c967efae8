// Copyright The Countersign Authors.
// SPDX-License-Identifier: Apache-2.0

package apiserver

import (
	"testing"

	"github.com/countersign/countersign/api/v1alpha1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

// withoutApprovalPolicies takes away what any test has left.
func (w *world) withoutApprovalPolicies(t *testing.T) {
	t.Helper()
	client := w.admin.resource("approvalpolicies", "")
	list, err := client.List(within(t), metav1.ListOptions{})
	if err != nil {
		t.Fatal(err)
	}
	for i := range list.Items {
		o := applied(&list.Items[i])
		w.delete(t, o)
		t.Cleanup(func() { w.install(t, []*unstructured.Unstructured{o}) })
	}
}

// bareStage has Release shop, of which the operator has said that no policy
// covers it, and leaving, which is deleted. There is no ApprovalPolicy at all.
func bareStage(t *testing.T) *stage {
	s := newStage(t)
	s.actors["erin"] = s.onCall(t, email("erin"))
	for _, name := range []string{"shop", "leaving"} {
		o := withStamp(object(t, releaseText(name)), email("dev"))
		o.SetFinalizers([]string{finalizer})
		s.put(t, "dev", o)
	}
	s.alter(t, "operator", "releases/shop/status", all(candidate(digestOne), set("status.conditions", []any{approvedIs("NoPolicy")}),
		set("status.reviews", []any{waiting(1, digestTwo)})))
	s.withoutApprovalPolicies(t)
	if err := deleteForGood(t, s.actors["dev"].resource("releases", s.namespace), "leaving"); err != nil {
		t.Fatalf("dev cannot delete a Release: %v", err)
	}
	return s
}

func bareRules() []rule {
	dev, dana, bob := email("dev"), email("dana"), email("bob")
	return []rule{{
		policy: votesPolicy, says: "no ApprovalPolicy covers namespace ", row: "sec/62",
		refused: []attempt{
			{what: "an author approves", who: "dev", on: "releases/shop", change: cast("dev", dev, digestOne)},
			{what: "somebody else approves", who: "bob", on: "releases/shop", change: cast("bob", bob, digestOne)},
			{what: "somebody else rejects", who: "bob", on: "releases/shop", change: cast("bob", bob, "reject:"+digestOne)},
		},
		admitted: []attempt{
			{what: "a Release is made", who: "dev", create: withAnnotations(releaseText("more"), stamp(dev))},
			{what: "its content is changed", who: "dana", on: "releases/shop", change: all(image("v2"), stamp(dana, dev))},
			{what: "it is labelled", who: "robot", on: "releases/shop", change: label("tier", "front")},
			{what: "it is deleted", who: "dev", on: "releases/shop"},
			{what: "the operator takes the finalizer off", who: "operator", on: "releases/leaving", change: drop("metadata.finalizers")},
		},
	}, {
		policy: votesPolicy, says: " and is not recorded as its author", row: "sec/25",
		refused: []attempt{{what: "an author is not put on record", who: "dana", on: "releases/shop", change: image("v2")}},
	}, {
		policy: finalizerPolicy, says: " cannot take the finalizer ", row: "sec/20",
		refused: []attempt{{what: "somebody else takes the finalizer off", who: "dev", on: "releases/leaving", change: drop("metadata.finalizers")}},
	}, {
		policy: glassPolicy, says: "no ApprovalPolicy covers namespace ", row: "sec/61",
		refused: []attempt{
			{what: "somebody breaks the glass", who: "erin", on: "releases/shop", change: glassOf("erin", email("erin"), digestOne, cause)},
			{what: "somebody reviews", who: "bob", on: "releases/shop", change: reviewOf("bob", bob, digestTwo)},
		},
	}}
}

// TestNoPolicyAtAll: before there is any ApprovalPolicy, and after the last is
// gone, Releases come and go as ever and nothing can be let through.
func TestNoPolicyAtAll(t *testing.T) {
	s := bareStage(t)
	rules := bareRules()
	s.saysSoon(t, rules[0].refused[0], rules[0].says)
	for _, r := range rules {
		t.Run(r.says, func(t *testing.T) { s.run(t, r) })
	}
}

// TestShopWithoutPolicies: the same with all of an install, from the first apply
// until the Release is gone.
func TestShopWithoutPolicies(t *testing.T) {
	s := openShop(t)
	s.withoutApprovalPolicies(t)
	s.mustApply(t, "dev", s.manifest(t, "v1"))
	uncovered := func(r *v1alpha1.Release) bool {
		c := meta.FindStatusCondition(r.Status.Conditions, v1alpha1.ConditionApproved)
		return c != nil && c.Reason == v1alpha1.ReasonNoPolicy && c.ObservedGeneration == r.Generation &&
			r.Status.Candidate != nil && r.Status.Candidate.Digest != "" && r.Status.Candidate.ObservedGeneration == r.Generation
	}
	s.await(t, "it says that no policy covers it", uncovered)
	s.mustApply(t, "dana", s.manifest(t, "v2"))
	rel := s.await(t, "it says so of other content", uncovered)
	t.Run("sec/62 nobody votes", func(t *testing.T) {
		refused(t, "a vote", s.vote(t, "alice", "alice", rel.Status.Candidate.Digest), "no ApprovalPolicy with rules covers namespace "+s.namespace)
		s.neverMoves(t, "none")
	})
	if err := deleteForGood(t, s.admin.resource("releases", s.namespace), shopName); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the Release is gone", func() string {
		if _, err := s.admin.resource("releases", s.namespace).Get(within(t), shopName, metav1.GetOptions{}); err == nil {
			return "it is there"
		}
		return ""
	})
}

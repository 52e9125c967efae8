// Copyright The Countersign Authors.
// SPDX-License-Identifier: Apache-2.0

package apiserver

import (
	"strings"
	"testing"
	"time"

	"github.com/countersign/countersign/api/v1alpha1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

// onCallShop is a shop in which those on call may break the glass.
func onCallShop(t *testing.T) *shop {
	s := openShop(t)
	s.install(t, []*unstructured.Unstructured{object(t, "apiVersion: countersign.dev/v1alpha1\nkind: ApprovalPolicy\nmetadata: {name: "+s.namespace+"}\n"+
		"spec: {namespaces: ["+s.namespace+"], breakGlass: {groups: [sre-oncall]}, rules: [{name: qa, count: 1, groups: [qa]}, {name: security, count: 1, groups: [security], canVeto: true}]}")})
	s.allow(t, s.namespace, "release-approver", "group:sre-oncall")
	s.people["erin"] = s.as(t, "erin")
	return s
}

func (s *shop) glass(t testing.TB, who, value string) error {
	t.Helper()
	return s.annotate(t, who, v1alpha1.GlassPrefix+who, value)
}

// TestBreakGlass: an emergency, from the first refusal to the review.
func TestBreakGlass(t *testing.T) {
	s := onCallShop(t)
	s.promote(t, "v1")
	s.awaitStable(t)
	s.mustApply(t, "dev", s.manifest(t, "v2"))
	digest := s.awaitTested(t)
	t.Run("sec/61 refused", func(t *testing.T) {
		refused(t, "the author", s.glass(t, "dev", digest+";INC-1;x"), email("dev"))
		refused(t, "somebody who is not on call", s.glass(t, "alice", digest+";INC-1;x"), email("alice"), "sre-oncall")
		refused(t, "no ticket", s.glass(t, "erin", digest+";;x"), "no ticket", "break-glass.countersign.dev/erin=")
		refused(t, "another digest", s.glass(t, "erin", digestTwo+";INC-1;x"), digest)
		refused(t, "mallory as alice", s.glass(t, "mallory as alice", digest+";INC-1;x"), "--as")
		refused(t, "a receipt made up", s.annotate(t, "erin", v1alpha1.GlassReceiptPrefix+"erin", "v1 "+email("erin")+" "+digest+" x"), "receipts are written by admission only")
		s.neverMoves(t, "blue")
	})
	if err := s.glass(t, "erin", digest+";INC-1;checkout is down"); err != nil {
		t.Fatalf("erin breaks the glass: %v", err)
	}
	rel := s.awaitActive(t, digest)
	if sw := rel.Status.Switch; sw.Reason != v1alpha1.SwitchBreakGlass || sw.BreakGlass == nil || sw.BreakGlass.By != email("erin") || sw.BreakGlass.Ticket != "INC-1" {
		t.Errorf("the record is %+v", sw)
	}
	t.Run("sec/61 reviewed", func(t *testing.T) { s.review(t, digest) })
}

// review: the next promotion waits for somebody else to look at the last.
func (s *shop) review(t *testing.T, digest string) {
	s.await(t, "the observation is over", func(r *v1alpha1.Release) bool { return r.Status.Active.FinishedAt != nil })
	s.mustApply(t, "dev", s.manifest(t, "v3"))
	next := s.awaitTested(t)
	s.mustVote(t, "alice", next)
	s.mustVote(t, "bob", next)
	s.await(t, "it waits for the review", func(r *v1alpha1.Release) bool {
		return strings.Contains(r.Status.WaitingFor, "a review of the break-glass of "+email("erin")) &&
			meta.IsStatusConditionTrue(r.Status.Conditions, v1alpha1.ConditionReviewPending)
	})
	s.neverMoves(t, "green")
	sees := func(who, digest string) error { return s.annotate(t, who, v1alpha1.ReviewPrefix+who, digest) }
	refused(t, "who broke the glass", sees("erin", digest), email("erin"))
	refused(t, "who wrote it", sees("dev", digest), email("dev"))
	refused(t, "somebody without a say", sees("mallory", digest), email("mallory"))
	refused(t, "of something else", sees("alice", next), digest)
	if err := sees("alice", digest); err != nil {
		t.Fatalf("alice reviews: %v", err)
	}
	rel := s.awaitActive(t, next)
	if h := rel.Status.History[1]; h.BreakGlass == nil || h.BreakGlass.ReviewedBy != email("alice") || len(rel.Status.Reviews) != 0 {
		t.Errorf("the history has %+v, to be reviewed are %+v", h, rel.Status.Reviews)
	}
}

// TestBreakGlassWithoutLocks: whoever takes the policies and the webhook away can
// write what they like, and no glass is broken.
func TestBreakGlassWithoutLocks(t *testing.T) {
	s := onCallShop(t)
	s.promote(t, "v1")
	s.awaitStable(t)
	s.mustApply(t, "dev", s.manifest(t, "v2"))
	digest := s.awaitTested(t)
	s.withoutPolicies(t)
	t.Run("sec/61 with the webhook it is bound still", func(t *testing.T) {
		refused(t, "the author", s.glass(t, "dev", digest+";INC-1;x"), email("dev"))
		refused(t, "a client certificate", s.glass(t, "admin", digest+";INC-1;x"), "client certificates")
	})
	s.withoutWebhook(t)
	t.Run("sec/61 unsigned", func(t *testing.T) {
		if err := s.patch(t, "mallory", annotations(glassOf("erin", email("erin"), digest, cause))); err != nil {
			t.Fatalf("%v: then this test is of no use", err)
		}
		s.neverMoves(t, "blue")
	})
}

// neverMoves looks for longer than a switch takes.
func (s *shop) neverMoves(t *testing.T, colour string) {
	t.Helper()
	for end := time.Now().Add(time.Second); time.Now().Before(end); time.Sleep(50 * time.Millisecond) {
		if got := s.selector(t); got != colour {
			t.Fatalf("Service shop leads to %q: %s", got, standing(s.release(t)))
		}
	}
}

// TestRecreated: a Release that is made again does not get the votes of the first.
func TestRecreated(t *testing.T) {
	s := openShop(t)
	s.mustApply(t, "dev", s.manifest(t, "v1"))
	digest := s.awaitCandidate(t)
	s.mustVote(t, "alice", digest)
	saved := s.release(t).Annotations
	if err := deleteForGood(t, s.admin.resource("releases", s.namespace), shopName); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the Release is gone", func() string {
		if _, err := s.admin.resource("releases", s.namespace).Get(within(t), shopName, metav1.GetOptions{}); err == nil {
			return "it is there"
		}
		return ""
	})
	with := func(o *unstructured.Unstructured) { o.SetAnnotations(saved) }
	t.Run("sec/06 D26 with the annotations that were saved", func(t *testing.T) {
		refused(t, "it is made again", s.apply(t, "dev", s.manifest(t, "v1", with)), "approvals.countersign.dev/*")
	})
	s.mustApply(t, "dev", s.manifest(t, "v1"))
	again := s.awaitCandidate(t)
	t.Run("sec/06 D26 with other uid, other digest", func(t *testing.T) {
		if again == digest {
			t.Error("the digest is the same")
		}
		refused(t, "the vote that was saved", s.vote(t, "alice", "alice", digest), again)
	})
}

// TestReviewByRBAC: who approves by RBAC reviews by RBAC, and nobody else does.
func TestReviewByRBAC(t *testing.T) {
	s := onCallShop(t)
	s.repolicy(t, `[{"op":"replace","path":"/spec/rules","value":[{"name":"owner","count":1,"rbac":true}]}]`)
	s.mustApply(t, "dev", s.manifest(t, "v1"))
	digest := s.awaitTested(t)
	if err := s.glass(t, "erin", digest+";INC-1;checkout is down"); err != nil {
		t.Fatalf("erin breaks the glass: %v", err)
	}
	s.awaitActive(t, digest)
	review := func(who string) error { return s.annotate(t, who, v1alpha1.ReviewPrefix+who, digest) }
	t.Run("sec/61 whom RBAC does not let", func(t *testing.T) {
		refused(t, "dana", review("dana"), "no rule names "+email("dana"), s.namespace+"/owner")
	})
	s.grant(t, "dana")
	t.Run("sec/61 whom it lets", func(t *testing.T) {
		eventually(t, "dana reviews", func() string { return text(review("dana")) })
		rel := s.await(t, "it is reviewed", func(r *v1alpha1.Release) bool { return len(r.Status.Reviews) == 0 })
		if g := rel.Status.Switch.BreakGlass; g.ReviewedBy != email("dana") {
			t.Errorf("the record is %+v", g)
		}
	})
}

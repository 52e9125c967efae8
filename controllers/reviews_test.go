// Copyright The Countersign Authors.
// SPDX-License-Identifier: Apache-2.0

package controllers

import (
	"testing"
	"time"

	"github.com/countersign/countersign/api/v1alpha1"
	"github.com/countersign/countersign/controllers/approval"
	"github.com/countersign/countersign/controllers/rollout"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// reviewedByRBAC is a Release whose break-glass user, whom RBAC let approve then,
// has reviewed.
func reviewedByRBAC(user string) *rollout.Snapshot {
	now := time.Unix(1e9, 0)
	return &rollout.Snapshot{
		Now: now,
		Release: v1alpha1.Release{
			ObjectMeta: metav1.ObjectMeta{Namespace: "prod", Name: "shop"},
			Status: v1alpha1.ReleaseStatus{Reviews: []v1alpha1.PendingReview{
				{Epoch: 1, Digest: "d", By: "erin", Authors: []string{"dev"}, DueBy: metav1.NewTime(now.Add(time.Hour))},
			}},
		},
		Policies: []approval.Policy{{Name: "p", ValidFor: time.Hour, MinDistinctPersons: 1, Rules: []approval.Rule{{Name: "owner", Count: 1, RBAC: true}}}},
		Reviews:  []approval.Review{{Slot: "bob", Digest: "d", User: user, Groups: []string{"team"}, At: now, Permitted: []string{"p.owner"}}},
	}
}

// TestReviewIsAskedAgain: who lost the right has reviewed nothing, and nobody has
// while there is no answer, which is then asked for again.
func TestReviewIsAskedAgain(t *testing.T) {
	for name, tc := range map[string]struct {
		user   string
		access Permitter
		left   int
		again  bool
	}{
		"sec/33 who is still let":          {"bob", rbac{"bob prod p.owner": true}, 0, false},
		"sec/33 who lost the right":        {"bob", rbac{}, 1, false},
		"sec/33 nobody who could be asked": {"bob", nil, 1, false},
		"sec/33 no answer":                 {"nobody knows", rbac{}, 1, true},
	} {
		t.Run(name, func(t *testing.T) {
			s := reviewedByRBAC(tc.user)
			decision, err := (&Reconciler{Access: tc.access}).decide(t.Context(), s.Release.Status, s)
			if err != nil {
				t.Fatal(err)
			}
			if n := len(decision.Status.Reviews); n != tc.left {
				t.Errorf("%d wait for a review, want %d", n, tc.left)
			}
			if again := decision.WakeAt.Equal(s.Now.Add(askLater)); again != tc.again {
				t.Errorf("it looks again at %v", decision.WakeAt)
			}
		})
	}
}

func TestReviewed(t *testing.T) {
	due := metav1.NewTime(time.Unix(1e9, 0))
	waiting := func(pending ...v1alpha1.PendingReview) v1alpha1.ReleaseStatus {
		return v1alpha1.ReleaseStatus{Reviews: pending}
	}
	first := v1alpha1.PendingReview{Epoch: 1, Digest: "d", By: "erin", DueBy: due}
	late, renumbered, again, other := first, first, first, first
	late.Overdue, renumbered.Epoch, again.DueBy, other.Digest = true, 2, metav1.NewTime(due.Add(time.Minute)), "e"
	for name, tc := range map[string]struct {
		before, after v1alpha1.ReleaseStatus
		want          bool
	}{
		"None":       {waiting(), waiting(), false},
		"Broken":     {waiting(), waiting(first), false},
		"Waits":      {waiting(first), waiting(first), false},
		"Late":       {waiting(first), waiting(late), false},
		"Renumbered": {waiting(first), waiting(renumbered), false},
		"Reviewed":   {waiting(first), waiting(), true},
		"OneOfTwo":   {waiting(first, other), waiting(other), true},
		"Replaced":   {waiting(first), waiting(other), true},
		"BrokeAgain": {waiting(first), waiting(again), true},
	} {
		t.Run(name, func(t *testing.T) {
			if got := reviewed(tc.before, tc.after); got != tc.want {
				t.Errorf("got %v", got)
			}
		})
	}
}

// Copyright The Countersign Authors.
// SPDX-License-Identifier: Apache-2.0

package admission

import (
	"testing"
	"time"

	"github.com/countersign/countersign/api/v1alpha1"
	"github.com/countersign/countersign/controllers/approval"
	"github.com/countersign/countersign/controllers/receipt"
)

// TestRestoredBackup: what a backup of etcd brings back is of its own moment. A
// Release that was made again since has another uid, and votes age all the same.
func TestRestoredBackup(t *testing.T) {
	policies := []approval.Policy{{
		Name: "prod", ValidFor: 2 * time.Hour, MinDistinctPersons: 1, Rules: []approval.Rule{{Name: "qa", Count: 1, Users: []string{qa}}},
	}}
	subject := approval.Subject{Digest: candidate, Authors: []string{dev}, AuthorsKnown: true}
	for name, tc := range map[string]struct {
		restored func(*v1alpha1.Release)
		after    time.Duration
		counts   bool
	}{
		"at once, the vote counts as it did":  {func(*v1alpha1.Release) {}, 0, true},
		"it does so until validFor":           {func(*v1alpha1.Release) {}, time.Hour - time.Second, true},
		"and not after":                       {func(*v1alpha1.Release) {}, time.Hour, false},
		"annotations alone, on another uid":   {func(rel *v1alpha1.Release) { rel.UID = "u2" }, 0, false},
		"annotations alone, in another place": {func(rel *v1alpha1.Release) { rel.Namespace = "stage" }, 0, false},
	} {
		t.Run("sec/57 "+name, func(t *testing.T) {
			rel := stored(t, voted(t, "bob", qa, candidate))
			tc.restored(rel)
			verdict := approval.Evaluate(policies, subject, receipt.Votes(rel, "c1", verifier()), noon().Add(tc.after))
			if approved := verdict.Outcome == approval.Approved; approved != tc.counts {
				t.Errorf("approved is %v: %s", approved, verdict.Message)
			}
		})
	}
	t.Run("sec/57 in a cluster that was made anew", func(t *testing.T) {
		rel := stored(t, voted(t, "bob", qa, candidate))
		if votes := receipt.Votes(rel, "c2", verifier()); votes[0].Invalid == "" {
			t.Error("a vote of another cluster counts")
		}
	})
}

// Copyright The Countersign Authors.
// SPDX-License-Identifier: Apache-2.0

package approval_test

import (
	"testing"

	"github.com/countersign/countersign/controllers/approval"
)

// Whoever rejected before a rule that would let them veto was there is heard.
func TestUnheard(t *testing.T) {
	qa := group("qa", 1, "qa")
	was := []approval.Policy{policy("prod", qa)}
	by := func(rules ...approval.Rule) []approval.Policy {
		return []approval.Policy{policy("prod", append([]approval.Rule{qa}, rules...)...)}
	}
	security := by(veto(group("security", 1, "security")))
	rbac := by(veto(approval.Rule{Name: "security", Count: 1, RBAC: true}))
	permitted := no("erin", "qa")
	permitted.Permitted = []string{"prod.security"}
	for name, tc := range map[string]struct {
		was, now []approval.Policy // was nil: one rule for qa
		votes    []approval.Vote
		want     bool
	}{
		"added by group":        {now: security, votes: []approval.Vote{no("erin", "qa")}, want: true},
		"added by right":        {now: rbac, votes: []approval.Vote{no("erin", "qa")}, want: true},
		"another policy":        {now: append(by(), policy("two", veto(group("security", 1, "security")))), votes: []approval.Vote{no("erin", "qa")}, want: true},
		"nobody rejects":        {now: security, votes: []approval.Vote{yes("erin", "qa")}},
		"nothing was added":     {now: was, votes: []approval.Vote{no("erin", "qa")}},
		"a rule without a veto": {now: by(group("security", 1, "security")), votes: []approval.Vote{no("erin", "qa")}},
		"by name":               {now: by(veto(users("security", 1, "erin"))), votes: []approval.Vote{no("zoe", "qa")}},
		"a group asked before":  {now: []approval.Policy{policy("prod", veto(qa))}, votes: []approval.Vote{no("erin")}},
		"it vetoes, by group":   {now: security, votes: []approval.Vote{no("erin", "security")}},
		"it vetoes, by right":   {now: rbac, votes: []approval.Vote{permitted}},
		"a right asked before":  {was: rbac, now: rbac, votes: []approval.Vote{no("erin", "qa")}},
		"an author vetoes":      {now: security, votes: []approval.Vote{no("dev", "qa")}},
		"of other content":      {now: security, votes: []approval.Vote{of(another, no("erin", "qa"))}},
		"it proves nothing":     {now: security, votes: []approval.Vote{invalid("forged", no("erin", "qa"))}},
		"it names nobody":       {now: security, votes: []approval.Vote{in("x", no("", "qa"))}},
	} {
		t.Run("sec/54 "+name, func(t *testing.T) {
			before := tc.was
			if before == nil {
				before = was
			}
			if got := approval.Unheard(before, tc.now, byDev(), tc.votes); got != tc.want {
				t.Errorf("got %v, want %v", got, tc.want)
			}
		})
	}
}

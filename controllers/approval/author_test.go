// Copyright The Countersign Authors.
// SPDX-License-Identifier: Apache-2.0

package approval_test

import (
	"strings"
	"testing"

	"github.com/countersign/countersign/api/v1alpha1"
	"github.com/countersign/countersign/controllers/approval"
)

const bot = "system:serviceaccount:argocd:app"

// Content that a program wrote, nobody knows for whom, takes one person more:
// any of the voters may be who it was for.
func TestUnknownAuthors(t *testing.T) {
	of := func(named ...string) approval.Subject {
		return approval.Subject{Digest: candidate, Authors: []string{bot}, AuthorsKnown: true, Named: named}
	}
	qa := policy("a", group("qa", 1, "qa"))
	ops := policy("b", group("ops", 1, "ops"))
	again := policy("c", group("qa", 1, "qa"))
	refusing := with(policy("d", group("qa", 1, "qa")), func(p *approval.Policy) { p.RefuseUnknownAuthor = true })
	people := []approval.Vote{yes("alice", "qa"), yes("quinn", "qa"), yes("olga", "ops"), yes("oscar", "ops")}
	cases(t, map[string]evaluation{
		"sec/51 alone": {reason: "one person is not enough", policies: []approval.Policy{qa}, subject: of(), votes: people[:1],
			because: v1alpha1.ReasonAwaitingApproval, filled: "1/2", seats: []string{"a/qa=alice"}, missing: []string{"a/unknownAuthor:1"}, message: "nobody knows who changed all of the content"},
		"sec/51 one more": {reason: "one more is", policies: []approval.Policy{qa}, subject: of(), votes: people[:2],
			outcome: approval.Approved, because: v1alpha1.ReasonQuorumMet, filled: "2/2", seats: []string{"a/qa=quinn", "a/unknownAuthor=alice"}},
		"sec/51 named": {reason: "whose human is named is no stranger", policies: []approval.Policy{qa}, subject: of(bot), votes: people[:1],
			outcome: approval.Approved, because: v1alpha1.ReasonQuorumMet, filled: "1/1", seats: []string{"a/qa=alice"}},
		"sec/51 another named": {reason: "the word of one program says nothing of another", policies: []approval.Policy{qa},
			subject: approval.Subject{Digest: candidate, Authors: []string{bot, "system:serviceaccount:flux:b"}, AuthorsKnown: true, Named: []string{bot}}, votes: people[:1],
			because: v1alpha1.ReasonAwaitingApproval, filled: "1/2", seats: []string{"a/qa=alice"}, missing: []string{"a/unknownAuthor:1"}},
		"sec/51 of every policy": {reason: "each policy has one person more of its own", policies: []approval.Policy{qa, ops}, subject: of(),
			votes: []approval.Vote{people[0], people[1], people[2]}, because: v1alpha1.ReasonAwaitingApproval, filled: "3/4",
			seats: []string{"a/qa=quinn", "a/unknownAuthor=alice", "b/ops=olga"}, missing: []string{"b/minDistinctPersons:1"}},
		"sec/51 of every policy, the first too": {reason: "whom only another policy names is none of them, with or without the seat", policies: []approval.Policy{qa, ops}, subject: of(),
			votes: []approval.Vote{people[0], people[2], people[3]}, because: v1alpha1.ReasonAwaitingApproval, filled: "3/4",
			seats: []string{"a/qa=alice", "a/unknownAuthor=olga", "b/ops=oscar"}, missing: []string{"a/minDistinctPersons:1"}},
		"sec/51 of every policy, all": {reason: "which may be one person in all, if they fit both", policies: []approval.Policy{qa, ops}, subject: of(), votes: people,
			outcome: approval.Approved, because: v1alpha1.ReasonQuorumMet, filled: "4/4", seats: []string{"a/qa=alice", "a/unknownAuthor=olga", "b/ops=oscar"}},
		"sec/51 and one in all": {reason: "two policies that share their people have one seat more", policies: []approval.Policy{qa, again}, subject: of(), votes: people[:2],
			because: v1alpha1.ReasonAwaitingApproval, filled: "3/4", seats: []string{"a/qa=quinn", "c/qa=alice"}, missing: []string{"a/unknownAuthor:1"}},
		"sec/51 refused": {reason: "or nothing is let through", policies: []approval.Policy{qa, refusing}, subject: of(), votes: people,
			outcome: approval.Blocked, because: v1alpha1.ReasonAuthorsUnknown, message: "policy d lets no such content through; a person has to apply the change"},
		"sec/51 refused unless named": {reason: "unless the human is named", policies: []approval.Policy{refusing}, subject: of(bot), votes: people[:1],
			outcome: approval.Approved, because: v1alpha1.ReasonQuorumMet, seats: []string{"d/qa=alice"}},
		"Open": {reason: "where authors may approve it does not matter", policies: []approval.Policy{with(qa, open)}, subject: of(), votes: people[:1],
			outcome: approval.Approved, because: v1alpha1.ReasonQuorumMet, seats: []string{"a/qa=alice"}},
		"NoValidFor": {reason: "the seat lasts as long as its policy lets approvals last", policies: []approval.Policy{with(qa, validFor(0)), again}, subject: of(),
			votes: []approval.Vote{aged(0, yes("alice", "qa")), aged(-1, yes("quinn", "qa"))}, because: v1alpha1.ReasonUnsatisfiable, seats: []string{"c/qa=alice"}},
	})
	if ok, why := approval.Eligibility([]approval.Policy{refusing}, of(), "alice", []string{"qa"}); ok || !strings.Contains(why, "a person has to apply the change") {
		t.Errorf("alice is eligible: %v (%s)", ok, why)
	}
}

// Policies that are there for their windows or hold seat nobody, and take no part
// in anything else.
func TestSeatlessPolicies(t *testing.T) {
	freeze := v1alpha1.ApprovalPolicy{Spec: v1alpha1.ApprovalPolicySpec{Namespaces: []string{"*"}, Hold: "x"}}
	freeze.Name = "freeze"
	added := &v1alpha1.AddedApproval{Rules: []v1alpha1.ApprovalRule{{Name: "docs", Count: 1, Users: []string{"dan"}}}}
	t.Run("sec/08 a hold and what a Release adds are no policy", func(t *testing.T) {
		got := approval.Applicable([]v1alpha1.ApprovalPolicy{freeze}, "prod", added)
		if len(got) != 1 || got[0].Name != "freeze" {
			t.Errorf("got %+v", got)
		}
	})
	t.Run("they shorten no approval that a Release adds", func(t *testing.T) {
		got := approval.Applicable([]v1alpha1.ApprovalPolicy{freeze, policyFor("a", 2, true, "*")}, "prod", added)
		if len(got) != 3 || got[0].Name != approval.AddedName || got[0].ValidFor.Hours() != 2 || !got[0].AuthorsMayApprove {
			t.Errorf("got %+v", got)
		}
	})
	t.Run("they need not trust a delegate", func(t *testing.T) {
		trusting := with(policy("a", group("qa", 1, "qa")), func(p *approval.Policy) { p.TrustedDelegates = []string{bot} })
		if got := approval.Trusted([]approval.Policy{trusting, {Name: "freeze", Hold: "x"}}, []string{bot}); len(got) != 1 {
			t.Errorf("got %v", got)
		}
	})
	t.Run("but alone they trust nobody", func(t *testing.T) {
		if got := approval.Trusted([]approval.Policy{{Name: "freeze", Hold: "x"}}, []string{bot}); len(got) != 0 {
			t.Errorf("got %v", got)
		}
	})
}

// Copyright The Countersign Authors.
// SPDX-License-Identifier: Apache-2.0

package approval_test

import (
	"testing"
	"time"

	"github.com/countersign/countersign/api/v1alpha1"
	"github.com/countersign/countersign/controllers/approval"
)

// Who changed the content does not let it out, with any account.
func TestAuthors(t *testing.T) {
	qa := policy("prod", users("qa", 1, "alice", "alice-admin", "bob"))
	by := func(authors ...string) approval.Subject {
		return approval.Subject{Digest: candidate, Authors: authors, AuthorsKnown: true}
	}
	cases(t, map[string]evaluation{
		"sec/01 author": {reason: "sec/01: authors do not approve", policies: []approval.Policy{qa}, subject: by("alice"), votes: []approval.Vote{yes("alice")},
			because: v1alpha1.ReasonAwaitingApproval, why: map[string]string{"alice": "alice changed the content and cannot approve it"}, message: "from alice-admin, bob"},
		"sec/31 second account of an author": {reason: "sec/31: nor do they with another account", policies: []approval.Policy{with(qa, same("alice", "alice", "alice-admin"))}, subject: by("alice"), votes: []approval.Vote{yes("alice-admin")},
			because: v1alpha1.ReasonAwaitingApproval, why: map[string]string{"alice-admin": "alice-admin is the same person as alice, who changed the content"}, message: "from bob"},
		"sec/31 first account of an author": {reason: "whichever of the accounts it was", policies: []approval.Policy{with(qa, same("alice", "alice", "alice-admin"))}, subject: by("alice-admin"), votes: []approval.Vote{yes("alice")},
			because: v1alpha1.ReasonAwaitingApproval, why: map[string]string{"alice": "alice is the same person as alice-admin, who changed the content"}, message: "from bob"},
		"AccountOfAccount": {reason: "persons of all policies are joined", policies: []approval.Policy{with(qa, same("a", "alice", "x")), with(policy("other", users("qa", 1, "carol")), same("b", "x", "alice-admin"))},
			subject: by("alice"), votes: []approval.Vote{yes("alice-admin"), yes("carol")}, because: v1alpha1.ReasonAwaitingApproval, filled: "1/2", seats: []string{"other/qa=carol"},
			why: map[string]string{"alice-admin": "same person as alice"}},
		"sec/35 an approver who edits is an author": {reason: "everyone who changed it is excluded", policies: []approval.Policy{qa}, subject: by("dev", "bob"), votes: []approval.Vote{yes("bob")}, because: v1alpha1.ReasonAwaitingApproval},
		"OtherApproves": {reason: "anyone else may", policies: []approval.Policy{qa}, subject: by("alice"), votes: []approval.Vote{yes("bob")},
			outcome: approval.Approved, because: v1alpha1.ReasonQuorumMet, seats: []string{"prod/qa=bob"}},
		"Allowed": {reason: "unless the policy lets authors approve", policies: []approval.Policy{with(qa, open)}, subject: by("alice"), votes: []approval.Vote{yes("alice")},
			outcome: approval.Approved, because: v1alpha1.ReasonQuorumMet, seats: []string{"prod/qa=alice"}},
		"NotAllowedByAll": {reason: "and all of them do", policies: []approval.Policy{with(qa, open), policy("strict", users("x", 1, "carol"))}, subject: by("alice"), votes: []approval.Vote{yes("alice"), yes("carol")},
			because: v1alpha1.ReasonAwaitingApproval, filled: "1/2", seats: []string{"strict/x=carol"}},
		"Unknown": {reason: "a list that is not proven excludes nobody, so nobody may approve", policies: []approval.Policy{qa}, subject: approval.Subject{Digest: candidate, Authors: []string{"dev"}}, votes: []approval.Vote{yes("bob")},
			outcome: approval.Blocked, because: v1alpha1.ReasonAuthorsUnknown, why: map[string]string{"bob": "it is not judged"}, message: "it is not proven who changed the content"},
		"None":     {reason: "content that nobody wrote does not exist", policies: []approval.Policy{qa}, subject: by(), votes: []approval.Vote{yes("bob")}, outcome: approval.Blocked, because: v1alpha1.ReasonAuthorsUnknown},
		"Nameless": {reason: "an author without a name is unknown", policies: []approval.Policy{qa}, subject: by("dev", ""), votes: []approval.Vote{yes("bob")}, outcome: approval.Blocked, because: v1alpha1.ReasonAuthorsUnknown},
		"Unwitnessed": {reason: "nobody knows who changed a part, so that one more person approves", policies: []approval.Policy{qa}, subject: approval.Subject{Digest: candidate, Authors: []string{"dev"}, AuthorsKnown: true, Unwitnessed: "ConfigMap settings"}, votes: []approval.Vote{yes("bob")},
			outcome: approval.Pending, because: v1alpha1.ReasonAwaitingApproval, message: "nobody knows who changed all of the content, so that policy", seats: []string{"prod/qa=bob"}},
		"UnwitnessedRefused": {reason: "or nothing of it is let through", policies: []approval.Policy{with(qa, func(p *approval.Policy) { p.RefuseUnknownAuthor = true })}, subject: approval.Subject{Digest: candidate, Authors: []string{"dev"}, AuthorsKnown: true, Unwitnessed: "ConfigMap settings"}, votes: []approval.Vote{yes("bob")},
			outcome: approval.Blocked, because: v1alpha1.ReasonAuthorsUnknown, message: "nobody knows who changed ConfigMap settings, and policy"},
		"UnknownThoughAllowed": {reason: "also where authors may approve", policies: []approval.Policy{with(qa, open)}, subject: approval.Subject{Digest: candidate, Authors: []string{"dev"}}, votes: []approval.Vote{yes("bob")},
			outcome: approval.Blocked, because: v1alpha1.ReasonAuthorsUnknown},
	})
}

// A person is one person, with however many accounts and slots.
func TestPersons(t *testing.T) {
	two := policy("prod", users("qa", 2, "bob", "bob-admin", "carol"))
	one := policy("prod", users("qa", 1, "bob-admin"))
	bob := same("bob", "bob", "bob-admin")
	cases(t, map[string]evaluation{
		"TwoSlots": {reason: "a second vote is no second person", policies: []approval.Policy{two}, votes: []approval.Vote{in("a", yes("bob")), in("b", yes("bob"))},
			because: v1alpha1.ReasonAwaitingApproval, filled: "1/2", seats: []string{"prod/qa=bob"}, missing: []string{"prod/qa:1"},
			why: map[string]string{"a": "+it fills a seat", "b": "the same person votes in slot a"}, message: "from bob-admin, carol"},
		"sec/31 two accounts of one person": {reason: "sec/31: nor a second account", policies: []approval.Policy{with(two, bob)}, votes: []approval.Vote{yes("bob"), yes("bob-admin")},
			because: v1alpha1.ReasonAwaitingApproval, filled: "1/2", seats: []string{"prod/qa=bob"}, message: "from carol"},
		"EarliestCounts": {reason: "of two the earlier counts", policies: []approval.Policy{with(two, bob)}, votes: []approval.Vote{yes("bob"), aged(2*time.Hour, yes("bob-admin")), yes("carol")},
			outcome: approval.Approved, because: v1alpha1.ReasonQuorumMet, filled: "2/2", seats: []string{"prod/qa=bob-admin", "prod/qa=carol"},
			why: map[string]string{"bob": "the same person votes in slot bob-admin"}},
		"AccountThatIsNamed": {reason: "the account that a rule names counts, though another voted before", policies: []approval.Policy{with(one, bob)}, votes: []approval.Vote{aged(2*time.Hour, yes("bob")), yes("bob-admin")},
			outcome: approval.Approved, because: v1alpha1.ReasonQuorumMet, seats: []string{"prod/qa=bob-admin"}, why: map[string]string{"bob": "no rule names bob"}},
		"OnlyOtherAccount": {reason: "a rule that names one account does not admit another", policies: []approval.Policy{with(one, bob)}, votes: []approval.Vote{yes("bob")}, because: v1alpha1.ReasonAwaitingApproval},
		"OwnRejection": {reason: "who rejects with one account does not approve with another", policies: []approval.Policy{with(two, bob)}, votes: []approval.Vote{in("a", no("bob")), in("b", yes("bob-admin")), yes("carol")},
			because: v1alpha1.ReasonAwaitingApproval, filled: "1/2", seats: []string{"prod/qa=carol"}, why: map[string]string{"a": "blocks nothing", "b": "the same person rejects in slot a"}},
		"OwnRejectionOfOtherContent": {reason: "a rejection of other content does not matter", policies: []approval.Policy{one}, votes: []approval.Vote{in("a", of(another, no("bob-admin"))), in("b", yes("bob-admin"))},
			outcome: approval.Approved, because: v1alpha1.ReasonQuorumMet, seats: []string{"prod/qa=bob-admin"}},
		"NameOfThePerson": {reason: "people are called by the name of the person", policies: []approval.Policy{with(one, bob)}, votes: []approval.Vote{yes("bob-admin")},
			outcome: approval.Approved, because: v1alpha1.ReasonQuorumMet, seats: []string{"prod/qa=bob-admin"}, message: "every seat is filled: bob"},
		"SameNameIsNotSamePerson": {reason: "two teams may each have a bob", policies: []approval.Policy{with(two, same("bob", "bob")), with(policy("z", users("r", 1, "dora")), same("bob", "carol"))},
			votes: []approval.Vote{yes("bob"), yes("carol"), yes("dora")}, outcome: approval.Approved, because: v1alpha1.ReasonQuorumMet,
			seats: []string{"prod/qa=bob", "prod/qa=carol", "z/r=dora"}},
	})
}

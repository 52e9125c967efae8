// Copyright The Countersign Authors.
// SPDX-License-Identifier: Apache-2.0

package approval_test

import (
	"testing"
	"time"

	"github.com/countersign/countersign/api/v1alpha1"
	"github.com/countersign/countersign/controllers/approval"
)

// What makes a vote count, one property of it at a time.
func TestVotes(t *testing.T) {
	qa := []approval.Policy{policy("prod", group("qa", 1, "oidc:qa"))}
	seat := []string{"prod/qa=bob"}
	cases(t, map[string]evaluation{
		"Approved": {reason: "a member of the group approves", policies: qa, votes: []approval.Vote{yes("bob", "oidc:qa")},
			outcome: approval.Approved, because: v1alpha1.ReasonQuorumMet, filled: "1/1", seats: seat, missing: []string{},
			why: map[string]string{"bob": "+it fills a seat of prod/qa"}, message: "bob"},
		"NoVotes": {reason: "silence is no approval", policies: qa, because: v1alpha1.ReasonAwaitingApproval, filled: "0/1",
			missing: []string{"prod/qa:1"}, message: "prod/qa needs 1 more approval, from a member of oidc:qa"},
		"OtherDigest": {reason: "D19: a vote binds to content", policies: qa, votes: []approval.Vote{of(another, yes("bob", "oidc:qa"))},
			because: v1alpha1.ReasonAwaitingApproval, filled: "0/1",
			why: map[string]string{"bob": "it is for sha256:aaaaaaaaaaaa..., the candidate is sha256:cccccccccccc..."}},
		"NoDigest": {reason: "absence matches nothing", policies: qa, votes: []approval.Vote{of("", yes("bob", "oidc:qa"))},
			because: v1alpha1.ReasonAwaitingApproval, why: map[string]string{"bob": "it is for no digest"}},
		"Invalid": {reason: "D26: what the receipt does not prove never counts", policies: qa,
			votes:   []approval.Vote{invalid("the receipt is of another Release", yes("bob", "oidc:qa"))},
			because: v1alpha1.ReasonAwaitingApproval, why: map[string]string{"bob": "the receipt is of another Release"}},
		"NoDecision": {reason: "the zero decision is none", policies: qa, votes: []approval.Vote{{Slot: "bob", Digest: candidate, User: "bob", Groups: []string{"oidc:qa"}, At: noon()}},
			because: v1alpha1.ReasonAwaitingApproval, why: map[string]string{"bob": "neither approves nor rejects"}},
		"NoUser": {reason: "nobody is nobody", policies: []approval.Policy{policy("prod", group("qa", 1, "oidc:qa"), users("z", 1, ""))},
			votes: []approval.Vote{in("x", yes("", "oidc:qa"))}, because: v1alpha1.ReasonUnsatisfiable, why: map[string]string{"x": "names nobody"}},
		"sec/34 service account": {reason: "sec/34: programs do not vote, even if a rule names them", policies: []approval.Policy{policy("prod", users("qa", 1, "system:serviceaccount:ci:bot"))},
			votes: []approval.Vote{in("bot", yes("system:serviceaccount:ci:bot"))}, because: v1alpha1.ReasonUnsatisfiable,
			why: map[string]string{"bot": "is not a person"}, message: "nobody is left who could"},
		"NotNamed": {reason: "who is in no rule has no say", policies: qa, votes: []approval.Vote{yes("eve", "oidc:dev")},
			because: v1alpha1.ReasonAwaitingApproval, why: map[string]string{"eve": "no rule names eve or a group that the receipt proves; somebody has to vote whom one of these names: prod/qa"}},
		"EmptyGroup": {reason: "an empty group admits nobody", policies: []approval.Policy{policy("prod", group("qa", 1, "", "oidc:qa"))},
			votes: []approval.Vote{yes("eve", "")}, because: v1alpha1.ReasonAwaitingApproval, why: map[string]string{"eve": "no rule names eve"}},
		"UserIsNoGroup": {reason: "users and groups are different names", policies: qa, votes: []approval.Vote{yes("oidc:qa")},
			because: v1alpha1.ReasonAwaitingApproval, why: map[string]string{"oidc:qa": "no rule names"}},
		"NameCase": {reason: "the API server tells Bob from bob", policies: []approval.Policy{policy("prod", users("qa", 1, "bob"))},
			votes: []approval.Vote{yes("Bob")}, because: v1alpha1.ReasonAwaitingApproval},
	})
}

// Approvals are in force from a minute before they are cast until validFor after.
func TestTime(t *testing.T) {
	day := []approval.Policy{policy("prod", users("qa", 1, "bob"))}
	both := []approval.Policy{with(policy("a", users("qa", 1, "bob")), validFor(time.Hour)), policy("b", users("qa", 1, "carol"))}
	seat := []string{"prod/qa=bob"}
	cases(t, map[string]evaluation{
		"LastMoment": {reason: "it counts until validFor is over", policies: day, votes: []approval.Vote{aged(24*time.Hour-1, yes("bob"))},
			outcome: approval.Approved, because: v1alpha1.ReasonQuorumMet, seats: seat},
		"sec/33 whoever left their group counts until it expires": {reason: "it does not count when validFor is over", policies: day, votes: []approval.Vote{aged(24*time.Hour, yes("bob"))},
			because: v1alpha1.ReasonAwaitingApproval, filled: "0/1",
			why: map[string]string{"bob": "it has expired: policy prod lets an approval count for 24h0m0s; withdraw it and cast it again"}, message: "from bob"},
		"NoTime": {reason: "a vote without a time is of no time", policies: day, votes: []approval.Vote{{Slot: "bob", Decision: approval.Approve, Digest: candidate, User: "bob"}},
			because: v1alpha1.ReasonAwaitingApproval, why: map[string]string{"bob": "expired"}},
		"ClockSkew": {reason: "clocks differ by up to a minute", policies: day, votes: []approval.Vote{aged(-time.Minute, yes("bob"))},
			outcome: approval.Approved, because: v1alpha1.ReasonQuorumMet, seats: seat},
		"sec/60 a vote of the future": {reason: "but not by more: a vote of the future would last longer than validFor", policies: day, votes: []approval.Vote{aged(-time.Minute-1, yes("bob"))},
			because: v1alpha1.ReasonAwaitingApproval, why: map[string]string{"bob": "cast in the future"}},
		"PerPolicy": {reason: "each policy has a validFor of its own", policies: both, votes: []approval.Vote{aged(2*time.Hour, yes("bob")), aged(2*time.Hour, yes("carol"))},
			because: v1alpha1.ReasonAwaitingApproval, filled: "1/2", seats: []string{"b/qa=carol"}, missing: []string{"a/qa:1"},
			why: map[string]string{"bob": "expired: policy a lets", "carol": "+it fills a seat of b/qa"}},
		"LongestNamed": {reason: "the explanation names what would have let it last longest", policies: []approval.Policy{with(policy("a", users("qa", 1, "bob")), validFor(time.Hour)), with(policy("b", users("qa", 1, "bob")), validFor(2*time.Hour))},
			votes: []approval.Vote{aged(3*time.Hour, yes("bob"))}, because: v1alpha1.ReasonUnsatisfiable, why: map[string]string{"bob": "policy b lets an approval count for 2h0m0s"}},
	})
}

// What is empty or missing in a policy never opens the gate.
func TestBrokenPolicies(t *testing.T) {
	votes := []approval.Vote{yes("bob", "oidc:qa", "")}
	good := policy("good", users("qa", 1, "bob"))
	cases(t, map[string]evaluation{
		"sec/62 no policy": {reason: "no policy is no permission", votes: votes, outcome: approval.Blocked, because: v1alpha1.ReasonNoPolicy,
			why: map[string]string{"bob": "it is not judged: no ApprovalPolicy with rules covers the namespace"}, message: "ask the platform team"},
		"NoRules": {reason: "a policy without seats is not met by nobody", policies: []approval.Policy{policy("prod")}, votes: votes,
			because: v1alpha1.ReasonUnsatisfiable, filled: "0/1", missing: []string{"prod/:1"}, message: "policy prod can never be met, because the policy has no rules",
			why: map[string]string{"bob": "ask the owners of the policies to mend them"}},
		"NoRulesButPersons": {reason: "nor by a number of persons alone", policies: []approval.Policy{with(policy("prod"), distinct(1))}, votes: votes, because: v1alpha1.ReasonUnsatisfiable},
		"NoRulesBesideGood": {reason: "all policies have to agree", policies: []approval.Policy{good, policy("prod")}, votes: votes,
			because: v1alpha1.ReasonUnsatisfiable, filled: "1/2", seats: []string{"good/qa=bob"}},
		"CountZero":     {reason: "no seats is a mistake", policies: []approval.Policy{policy("prod", users("qa", 0, "bob"))}, votes: votes, because: v1alpha1.ReasonUnsatisfiable, filled: "0/1", message: "its count is not from 1 to 64"},
		"CountNegative": {reason: "so is less", policies: []approval.Policy{policy("prod", users("qa", -1, "bob"))}, votes: votes, because: v1alpha1.ReasonUnsatisfiable, message: "its count"},
		"CountHuge":     {reason: "there are not that many votes", policies: []approval.Policy{policy("prod", users("qa", 1<<40, "bob"))}, votes: votes, because: v1alpha1.ReasonUnsatisfiable, message: "its count"},
		"CountZeroBesideGood": {reason: "a rule without seats does not vanish", policies: []approval.Policy{policy("prod", users("a", 0, "bob"), users("b", 1, "bob"))}, votes: votes,
			because: v1alpha1.ReasonUnsatisfiable, filled: "1/2", seats: []string{"prod/b=bob"}},
		"NobodyNamed": {reason: "nobody named is nobody admitted", policies: []approval.Policy{policy("prod", users("qa", 1))}, votes: votes, because: v1alpha1.ReasonUnsatisfiable, message: "it names no users and no groups"},
		"EmptyNames":  {reason: "empty names are no names", policies: []approval.Policy{policy("prod", approval.Rule{Name: "qa", Count: 1, Users: []string{""}, Groups: []string{""}})}, votes: votes, because: v1alpha1.ReasonUnsatisfiable, message: "it names no users and no groups"},
		"NoValidFor": {reason: "no time is no time", policies: []approval.Policy{with(policy("prod", users("qa", 1, "bob")), validFor(0))}, votes: []approval.Vote{aged(0, yes("bob"))},
			because: v1alpha1.ReasonUnsatisfiable, message: "has no validFor"},
		"NegativeValidFor": {reason: "less is none either, for a vote of the near future too", policies: []approval.Policy{with(policy("prod", users("qa", 1, "bob")), validFor(-time.Second))},
			votes: []approval.Vote{aged(-30*time.Second, yes("bob"))}, because: v1alpha1.ReasonUnsatisfiable, message: "has no validFor"},
		"TinyValidForFuture": {reason: "skew does not make a vote last when there is no validFor", policies: []approval.Policy{with(policy("prod", users("qa", 1, "bob")), validFor(0))},
			votes: []approval.Vote{aged(-30*time.Second, yes("bob"))}, because: v1alpha1.ReasonUnsatisfiable, filled: "0/1"},
		"DigestUnknown": {reason: "nothing to vote on yet", policies: []approval.Policy{good}, subject: approval.Subject{Authors: []string{"dev"}, AuthorsKnown: true}, votes: []approval.Vote{of("", yes("bob"))},
			because: v1alpha1.ReasonAwaitingApproval, why: map[string]string{"bob": "not known yet"}, message: "as soon as the candidate is materialised"},
		"MessageBounded": {reason: "a message names a few rules only", policies: []approval.Policy{policy("prod", users("a", 1, "x"), users("b", 1, "x"), users("c", 1, "x"), users("d", 1, "x"), users("e", 1, "x"), users("f", 1, "x"))},
			because: v1alpha1.ReasonUnsatisfiable, message: "2 more rules are not met"},
	})
}

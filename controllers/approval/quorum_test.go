// Copyright The Countersign Authors.
// SPDX-License-Identifier: Apache-2.0

package approval_test

import (
	"testing"
	"time"

	"github.com/countersign/countersign/api/v1alpha1"
	"github.com/countersign/countersign/controllers/approval"
)

// Every seat takes a person of its own, and whoever can fill several fills the
// one that helps.
func TestSeats(t *testing.T) {
	cases(t, map[string]evaluation{
		"D24 greedy fails": {reason: "alice fits both rules and bob only the first, which comes first", policies: []approval.Policy{policy("prod", users("a", 1, "alice", "bob"), users("b", 1, "alice"))},
			votes: []approval.Vote{aged(2*time.Hour, yes("alice")), yes("bob")}, outcome: approval.Approved, because: v1alpha1.ReasonQuorumMet, filled: "2/2", seats: []string{"prod/a=bob", "prod/b=alice"}},
		"D24 a long chain": {reason: "several have to move for the last", policies: []approval.Policy{policy("prod", users("a", 1, "x", "y"), users("b", 1, "x", "z"), users("c", 1, "z", "w"), users("d", 1, "w"))},
			votes:   []approval.Vote{aged(9*time.Hour, yes("x")), aged(8*time.Hour, yes("z")), aged(7*time.Hour, yes("w")), yes("y")},
			outcome: approval.Approved, because: v1alpha1.ReasonQuorumMet, filled: "4/4", seats: []string{"prod/a=y", "prod/b=x", "prod/c=z", "prod/d=w"}},
		"sec/32 two rules and one person": {reason: "sec/32: one person does not fill two rules", policies: []approval.Policy{policy("prod", group("qa", 1, "qa"), group("sec", 1, "sec"))}, votes: []approval.Vote{yes("bob", "qa", "sec")},
			because: v1alpha1.ReasonAwaitingApproval, filled: "1/2", seats: []string{"prod/qa=bob"}, missing: []string{"prod/sec:1"}, message: "prod/sec needs 1 more approval, from a member of sec"},
		"sec/32 two policies and one person": {reason: "sec/32: not even of two policies", policies: []approval.Policy{policy("a", users("qa", 1, "bob")), policy("b", users("qa", 1, "bob"))}, votes: []approval.Vote{yes("bob")},
			because: v1alpha1.ReasonUnsatisfiable, filled: "1/2", seats: []string{"a/qa=bob"}, message: "b/qa needs 1 more approval, but nobody is left who could: ask the owners of policy b to name more people"},
		"CountTwo": {reason: "a rule may have several seats", policies: []approval.Policy{policy("prod", group("qa", 2, "qa"))}, votes: []approval.Vote{yes("bob", "qa"), yes("carol", "qa")},
			outcome: approval.Approved, because: v1alpha1.ReasonQuorumMet, filled: "2/2", seats: []string{"prod/qa=bob", "prod/qa=carol"}},
		"CountTwoHalf": {reason: "all of which have to be filled", policies: []approval.Policy{policy("prod", group("qa", 3, "qa"))}, votes: []approval.Vote{yes("bob", "qa")},
			because: v1alpha1.ReasonAwaitingApproval, filled: "1/3", seats: []string{"prod/qa=bob"}, missing: []string{"prod/qa:2"}, message: "needs 2 more approvals"},
		"Reserve": {reason: "who is not needed is told so; who approved first sits", policies: []approval.Policy{policy("prod", group("qa", 1, "qa"))}, votes: []approval.Vote{yes("bob", "qa"), aged(2*time.Hour, yes("zoe", "qa"))},
			outcome: approval.Approved, because: v1alpha1.ReasonQuorumMet, filled: "1/1", seats: []string{"prod/qa=zoe"}, why: map[string]string{"bob": "kept in reserve", "zoe": "+it fills"}},
	})
}

// MinDistinctPersons asks for persons beyond the seats.
func TestDistinctPersons(t *testing.T) {
	qa := with(policy("prod", group("qa", 1, "qa")), distinct(2))
	alone := with(policy("prod", users("qa", 1, "bob", "carol")), distinct(2))
	cases(t, map[string]evaluation{
		"TooFew": {reason: "the seat is filled, but by too few", policies: []approval.Policy{qa}, votes: []approval.Vote{yes("bob", "qa")},
			because: v1alpha1.ReasonAwaitingApproval, filled: "1/2", seats: []string{"prod/qa=bob"}, missing: []string{"prod/minDistinctPersons:1"}, message: "policy prod needs 1 more person in all, from a member of qa"},
		"WhoIsLeft": {reason: "who counts already is not asked again", policies: []approval.Policy{alone}, votes: []approval.Vote{yes("bob")},
			because: v1alpha1.ReasonAwaitingApproval, filled: "1/2", seats: []string{"prod/qa=bob"}, message: "in all, from carol"},
		"Enough": {reason: "the second person counts without a seat", policies: []approval.Policy{qa}, votes: []approval.Vote{yes("bob", "qa"), yes("carol", "qa"), yes("dora", "qa")},
			outcome: approval.Approved, because: v1alpha1.ReasonQuorumMet, filled: "2/2", seats: []string{"prod/qa=bob"},
			why: map[string]string{"carol": "+one of the 2 persons whom policy prod demands", "dora": "reserve"}},
		"SamePerson": {reason: "two accounts are one person", policies: []approval.Policy{with(qa, same("bob", "bob", "bob2"))}, votes: []approval.Vote{yes("bob", "qa"), yes("bob2", "qa")},
			because: v1alpha1.ReasonAwaitingApproval, filled: "1/2", seats: []string{"prod/qa=bob"}},
		"UnderItsOwnRules": {reason: "persons of another policy are not asked here", policies: []approval.Policy{qa, policy("z", users("r", 1, "zoe"))}, votes: []approval.Vote{yes("bob", "qa"), yes("zoe")},
			because: v1alpha1.ReasonAwaitingApproval, filled: "2/3", seats: []string{"prod/qa=bob", "z/r=zoe"}},
		"SeatedElsewhere": {reason: "who sits for another policy may count here", policies: []approval.Policy{qa, policy("z", users("r", 1, "zoe"))}, votes: []approval.Vote{yes("bob", "qa"), yes("zoe", "qa")},
			outcome: approval.Approved, because: v1alpha1.ReasonQuorumMet, filled: "3/3", seats: []string{"prod/qa=bob", "z/r=zoe"}},
		"Author": {reason: "an author is none of them", policies: []approval.Policy{qa}, votes: []approval.Vote{yes("bob", "qa"), yes("dev", "qa")}, because: v1alpha1.ReasonAwaitingApproval, filled: "1/2", seats: []string{"prod/qa=bob"}},
		"SeatsFirst": {reason: "free seats are not asked for twice", policies: []approval.Policy{with(policy("prod", group("qa", 2, "qa")), distinct(3))}, votes: []approval.Vote{yes("bob", "qa")},
			because: v1alpha1.ReasonAwaitingApproval, filled: "1/3", seats: []string{"prod/qa=bob"}, missing: []string{"prod/qa:1", "prod/minDistinctPersons:1"}},
		"CountedOnce": {reason: "a person without a seat counts by one vote, for however many policies", policies: []approval.Policy{with(policy("a", users("r", 1, "x", "bob")), distinct(2)), with(policy("b", users("r", 1, "y", "bob2")), distinct(2)), with(policy("c"), same("bob", "bob", "bob2"))},
			votes:   []approval.Vote{aged(2*time.Hour, yes("x")), aged(2*time.Hour, yes("y")), yes("bob"), yes("bob2")},
			because: v1alpha1.ReasonUnsatisfiable, filled: "4/5", seats: []string{"a/r=x", "b/r=y"},
			why: map[string]string{"bob": "+policy a demands", "bob2": "the same person votes in slot bob"}},
	})
}

func TestVetoes(t *testing.T) {
	prod := policy("prod", group("qa", 1, "qa"), veto(users("sec", 1, "carol", "dora")))
	bob, carol := yes("bob", "qa"), yes("carol")
	seats := []string{"prod/qa=bob", "prod/sec=carol"}
	cases(t, map[string]evaluation{
		"Member": {reason: "a member of the rule stops it, though the quorum is met", policies: []approval.Policy{prod}, votes: []approval.Vote{bob, carol, no("dora")},
			outcome: approval.Rejected, because: v1alpha1.ReasonRejected, filled: "2/2", seats: seats, why: map[string]string{"dora": "+it blocks the candidate"}, message: "rejected by dora (prod/sec); it stays blocked until they withdraw"},
		"ByGroup":     {reason: "or of a group of it", policies: []approval.Policy{policy("prod", veto(group("qa", 1, "qa")))}, votes: []approval.Vote{bob, no("eve", "qa")}, outcome: approval.Rejected, because: v1alpha1.ReasonRejected, seats: seats[:1]},
		"WithoutVote": {reason: "also before anybody approves", policies: []approval.Policy{prod}, votes: []approval.Vote{no("dora")}, outcome: approval.Rejected, because: v1alpha1.ReasonRejected, filled: "0/2"},
		"NoVeto": {reason: "who cannot veto stops nothing but their own approval", policies: []approval.Policy{prod}, votes: []approval.Vote{bob, carol, no("eve", "qa")},
			outcome: approval.Approved, because: v1alpha1.ReasonQuorumMet, seats: seats, why: map[string]string{"eve": "it blocks nothing"}},
		"Stranger": {reason: "nor does who is in no rule", policies: []approval.Policy{prod}, votes: []approval.Vote{bob, carol, no("mallory")}, outcome: approval.Approved, because: v1alpha1.ReasonQuorumMet, seats: seats},
		"Author": {reason: "an author may say no, in no rule at all", policies: []approval.Policy{prod}, votes: []approval.Vote{bob, carol, no("dev")},
			outcome: approval.Rejected, because: v1alpha1.ReasonRejected, seats: seats, why: map[string]string{"dev": "+its voter changed the content"}, message: "dev (an author)"},
		"AuthorsOtherAccount": {reason: "with any account", policies: []approval.Policy{with(prod, same("d", "dev", "dev2"))}, votes: []approval.Vote{bob, carol, no("dev2")}, outcome: approval.Rejected, because: v1alpha1.ReasonRejected, seats: seats},
		"AccountOfMember":     {reason: "who may veto is heard with any account", policies: []approval.Policy{with(prod, same("dora", "dora", "dora2"))}, votes: []approval.Vote{bob, carol, no("dora2")}, outcome: approval.Rejected, because: v1alpha1.ReasonRejected, seats: seats},
		"Old":                 {reason: "a veto does not expire", policies: []approval.Policy{prod}, votes: []approval.Vote{bob, carol, aged(1e4*time.Hour, no("dora"))}, outcome: approval.Rejected, because: v1alpha1.ReasonRejected, seats: seats},
		"ClockAhead":          {reason: "nor does a clock that is ahead silence it", policies: []approval.Policy{prod}, votes: []approval.Vote{bob, carol, aged(-time.Hour, no("dora"))}, outcome: approval.Rejected, because: v1alpha1.ReasonRejected, seats: seats},
		"OtherDigest":         {reason: "it is about other content", policies: []approval.Policy{prod}, votes: []approval.Vote{bob, carol, of(another, no("dora"))}, outcome: approval.Approved, because: v1alpha1.ReasonQuorumMet, seats: seats},
		"Invalid":             {reason: "what is not proven stops nothing", policies: []approval.Policy{prod}, votes: []approval.Vote{bob, carol, invalid("it has no receipt", no("dora"))}, outcome: approval.Approved, because: v1alpha1.ReasonQuorumMet, seats: seats},
		"Program":             {reason: "programs do not vote", policies: []approval.Policy{prod}, subject: approval.Subject{Digest: candidate, Authors: []string{"system:serviceaccount:x:y"}, AuthorsKnown: true, Named: []string{"system:serviceaccount:x:y"}}, votes: []approval.Vote{bob, carol, no("system:serviceaccount:x:y")}, outcome: approval.Approved, because: v1alpha1.ReasonQuorumMet, seats: seats},
		"BrokenRule": {reason: "a rule that can never be met still lets its members stop it", policies: []approval.Policy{policy("prod", group("qa", 1, "qa")), policy("z", veto(users("sec", 0, "dora")))}, votes: []approval.Vote{bob, no("dora")},
			outcome: approval.Rejected, because: v1alpha1.ReasonRejected, seats: seats[:1]},
	})
}

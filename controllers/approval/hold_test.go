// Copyright The Countersign Authors.
// SPDX-License-Identifier: Apache-2.0

package approval_test

import (
	"testing"

	"github.com/countersign/countersign/api/v1alpha1"
	"github.com/countersign/countersign/controllers/approval"
)

// A hold lets nothing through, and the votes are taken.
func TestHold(t *testing.T) {
	qa := policy("prod", users("qa", 1, "bob"))
	held := func(p *approval.Policy) { p.Hold = "INC-1" }
	cases(t, map[string]evaluation{
		"OfThePolicy": {reason: "a full quorum does not help", policies: []approval.Policy{with(qa, held)}, votes: []approval.Vote{yes("bob")},
			because: v1alpha1.ReasonStopTheLine, filled: "1/1", seats: []string{"prod/qa=bob"}, message: "policy prod stops the line: INC-1"},
		"OfAnother": {reason: "nor does it against a policy that only holds", policies: []approval.Policy{qa, with(policy("stop"), held)}, votes: []approval.Vote{yes("bob")},
			because: v1alpha1.ReasonStopTheLine, filled: "1/1", seats: []string{"prod/qa=bob"}, message: "kubectl delete approvalpolicy stop"},
		"Open": {reason: "what is missing is told meanwhile", policies: []approval.Policy{with(qa, held)}, because: v1alpha1.ReasonStopTheLine, message: "votes are taken meanwhile"},
		"HoldAlone": {reason: "a hold asks for no approval, so nothing is approved under it", policies: []approval.Policy{with(policy("stop"), held)}, votes: []approval.Vote{yes("bob")},
			outcome: approval.Blocked, because: v1alpha1.ReasonNoPolicy},
	})
}

// Of a program that does not say for whom it writes, anybody may be the author.
func TestUnknownAuthor(t *testing.T) {
	const bot = "system:serviceaccount:ci:deployer"
	qa := policy("prod", users("qa", 1, "bob", "carol"))
	refuses := func(p *approval.Policy) { p.RefuseUnknownAuthor = true }
	by := func(named ...string) approval.Subject {
		return approval.Subject{Digest: candidate, Authors: []string{"dev", bot}, AuthorsKnown: true, Named: named}
	}
	cases(t, map[string]evaluation{
		"OneMore": {reason: "one person is not enough", policies: []approval.Policy{qa}, subject: by(), votes: []approval.Vote{yes("bob")},
			because: v1alpha1.ReasonAwaitingApproval, filled: "1/2", seats: []string{"prod/qa=bob"}},
		"Two": {reason: "two are", policies: []approval.Policy{qa}, subject: by(), votes: []approval.Vote{yes("bob"), yes("carol")},
			outcome: approval.Approved, because: v1alpha1.ReasonQuorumMet, filled: "2/2", seats: []string{"prod/qa=carol", "prod/unknownAuthor=bob"}},
		"Named": {reason: "nor are two needed if it is known for whom", policies: []approval.Policy{qa}, subject: by(bot), votes: []approval.Vote{yes("bob")},
			outcome: approval.Approved, because: v1alpha1.ReasonQuorumMet, filled: "1/1", seats: []string{"prod/qa=bob"}},
		"OtherNamed": {reason: "of another program it says nothing", policies: []approval.Policy{qa}, subject: by("system:serviceaccount:ci:other"), votes: []approval.Vote{yes("bob")},
			because: v1alpha1.ReasonAwaitingApproval, filled: "1/2", seats: []string{"prod/qa=bob"}},
		"Refused": {reason: "a policy may let it through for nobody", policies: []approval.Policy{with(qa, refuses)}, subject: by(), votes: []approval.Vote{yes("bob"), yes("carol")},
			outcome: approval.Blocked, because: v1alpha1.ReasonAuthorsUnknown, message: bot + " changed the content, nobody knows for whom"},
		"RefusedByOne": {reason: "one that refuses is enough", policies: []approval.Policy{qa, with(policy("strict", users("qa", 1, "dora")), refuses)}, subject: by(), votes: []approval.Vote{yes("bob"), yes("carol"), yes("dora")},
			outcome: approval.Blocked, because: v1alpha1.ReasonAuthorsUnknown},
	})
	if ok, why := approval.Eligibility([]approval.Policy{with(qa, refuses)}, by(), "bob", nil); ok || why == "" {
		t.Errorf("bob may approve what a policy refuses: %q", why)
	}
}

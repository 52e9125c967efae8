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

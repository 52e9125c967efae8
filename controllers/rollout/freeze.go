// Copyright The Countersign Authors.
// SPDX-License-Identifier: Apache-2.0

package rollout

import (
	"github.com/countersign/countersign/api/v1alpha1"
	"github.com/countersign/countersign/controllers/approval"
)

// frozenLimit is how long the policies are that the status can hold.
const frozenLimit = 32768

// covered are the policies that the candidate's digest covers: those that it was
// taken with as long as the ones in force only add to their demands, else the
// ones in force. What was approved under fewer demands is judged under all. A
// rejection that may be a veto by now, and cannot prove it, has to be cast again,
// and so has everything else.
func (p *plan) covered(c *v1alpha1.CandidateStatus) []approval.Policy {
	now := approval.Demands(p.snap.Policies)
	if c.Digest == "" || c.Policies == "" {
		return now
	}
	was, err := approval.Thaw(c.Policies)
	if err != nil || !approval.Tightens(was, now, p.subject(c)) || approval.Unheard(was, now, p.subject(c), p.snap.Votes) {
		return now
	}
	return was
}

// frozen is how the status keeps policies; empty if they are too many to keep, so
// that every change makes votes void.
func frozen(policies []approval.Policy) string {
	text, err := approval.Freeze(policies)
	if err != nil || len(text) > frozenLimit {
		return ""
	}
	return text
}

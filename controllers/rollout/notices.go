// Copyright The Countersign Authors.
// SPDX-License-Identifier: Apache-2.0

package rollout

import (
	"fmt"

	"github.com/countersign/countersign/api/v1alpha1"
	"k8s.io/apimachinery/pkg/api/meta"
)

// WriteRefused is what people are told when the API server lets a decision not be
// carried out, for a reason that trying again does not mend.
func WriteRefused(why string) Notice {
	return Notice{Warning: true, Reason: NoticeWriteRefused, Message: why +
		"; it is tried again and again: see what refuses it, such as a ResourceQuota, a LimitRange or an admission policy of others"}
}

// tell adds the notices that follow from comparing the status with the one
// before, so that each is said once.
func (p *plan) tell() {
	for _, v := range p.st.Votes {
		if had := voteIn(p.before.Votes, v.Slot); had != nil && had.Counted == v.Counted && had.User == v.User && had.Decision == v.Decision {
			continue
		}
		who := v.User
		if who == "" {
			who = "slot " + v.Slot
		}
		if v.Counted {
			if p.st.Candidate != nil && p.st.Candidate.Halted != nil {
				continue // told when it opened the gate to what was given up since
			}
			p.note(v.Decision == "reject", NoticeApprovalCounted, fmt.Sprintf("vote of %s (%s) counts: %s", who, v.Decision, v.Why))
		} else if p.st.Candidate != nil && !p.spent(v.Slot) {
			p.note(true, NoticeApprovalIgnored, fmt.Sprintf("vote of %s does not count: %s", who, v.Why))
		}
	}
	s := meta.FindStatusCondition(p.st.Conditions, v1alpha1.ConditionStalled)
	had := meta.FindStatusCondition(p.before.Conditions, v1alpha1.ConditionStalled)
	if s == nil || had != nil && had.Reason == s.Reason && had.Message == s.Message {
		return
	}
	if s.Reason == v1alpha1.ReasonRejected {
		p.note(true, NoticeReleaseRejected, s.Message)
		return
	}
	if p.st.Candidate == nil || p.st.Candidate.Halted == nil || p.st.Candidate.Halted.Reason != s.Reason {
		p.note(true, NoticeStalled, s.Message)
	}
}

func voteIn(votes []v1alpha1.VoteStatus, slot string) *v1alpha1.VoteStatus {
	for i := range votes {
		if votes[i].Slot == slot {
			return &votes[i]
		}
	}
	return nil
}

// Copyright The Countersign Authors.
// SPDX-License-Identifier: Apache-2.0

package rollout

import (
	"fmt"
	"slices"

	"github.com/countersign/countersign/api/v1alpha1"
	"github.com/countersign/countersign/controllers/approval"
)

// record says what a vote on content that was let through did; empty if it is on
// none that is remembered, or proves nothing.
func (p *plan) record(v approval.Vote) string {
	if v.Invalid != "" || v.Digest == "" {
		return ""
	}
	i := slices.IndexFunc(p.st.History, func(h v1alpha1.HistoryEntry) bool {
		return h.Digest == v.Digest && h.Reason == v1alpha1.SwitchPromote
	})
	if i < 0 {
		return ""
	}
	content, epoch := "content that is not active any more", p.st.History[i].Epoch
	if a := p.st.Active; a != nil && a.Digest == v.Digest {
		content = "the active content"
	}
	if v.Decision == approval.Approve && slices.Contains(p.st.History[i].Approvers, v.User) {
		return fmt.Sprintf("it let %s through at epoch %d", content, epoch)
	}
	return fmt.Sprintf("it is on %s, which was let through at epoch %d without it", content, epoch)
}

// spent tells whether the vote in a slot is on content that was let through: it is
// not news that it does not count for what comes after.
func (p *plan) spent(slot string) bool {
	return slices.ContainsFunc(p.snap.Votes, func(v approval.Vote) bool { return v.Slot == slot && p.record(v) != "" })
}

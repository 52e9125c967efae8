// Copyright The Countersign Authors.
// SPDX-License-Identifier: Apache-2.0

package rollout

import (
	"fmt"
	"slices"

	"github.com/countersign/countersign/api/v1alpha1"
	"github.com/countersign/countersign/controllers/approval"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

func (p *plan) reviewCommand(digest string) string {
	return p.annotate(v1alpha1.ReviewPrefix + "<you>=" + digest)
}

// forgetReview: nothing happened that somebody would have to look at.
func (p *plan) forgetReview(epoch int64) {
	p.st.Reviews = slices.DeleteFunc(slices.Clone(p.st.Reviews), func(r v1alpha1.PendingReview) bool { return r.Epoch == epoch })
	if len(p.st.Reviews) == 0 {
		p.st.Reviews = nil
	}
}

func (p *plan) renumberReview(was, now int64) {
	for i := range p.st.Reviews {
		if p.st.Reviews[i].Epoch == was {
			p.st.Reviews[i].Epoch = now
		}
	}
}

// review takes uses of break-glass off the list that somebody has looked at, and
// tells of those that nobody has in time.
func (p *plan) review() {
	var left []v1alpha1.PendingReview
	for _, pending := range p.st.Reviews {
		if by := p.reviewer(pending); by != "" {
			p.reviewed(pending, by)
			continue
		}
		if !pending.Overdue && p.due(pending.DueBy.Time) {
			pending.Overdue = true
			p.note(true, NoticeReviewOverdue, fmt.Sprintf("nobody has reviewed the break-glass of %s (%s) in time: %s",
				pending.By, pending.Ticket, p.reviewCommand(pending.Digest)))
		}
		left = append(left, pending)
	}
	p.st.Reviews = left
}

// reviewer is who has looked at a use of break-glass and may; empty if nobody.
func (p *plan) reviewer(pending v1alpha1.PendingReview) string {
	for _, r := range p.snap.Reviews {
		if r.Invalid != "" || r.Digest == "" || r.Digest != pending.Digest {
			continue
		}
		if ok, _ := approval.MayReview(p.snap.Policies, pending.Authors, pending.By, r.User, r.Groups, r.Permitted...); ok {
			return r.User
		}
	}
	return ""
}

// reviewed puts a review on record beside the switch.
func (p *plan) reviewed(pending v1alpha1.PendingReview, by string) {
	at := p.nowPtr()
	record := func(epoch int64, g *v1alpha1.BrokenGlass) {
		if g != nil && epoch == pending.Epoch {
			g.ReviewedBy, g.ReviewedAt = by, at
		}
	}
	for i := range p.st.History {
		record(p.st.History[i].Epoch, p.st.History[i].BreakGlass)
	}
	if sw := p.st.Switch; sw != nil {
		record(sw.Epoch, sw.BreakGlass)
	}
	p.note(false, NoticeBreakGlassReviewed, fmt.Sprintf("%s has reviewed the break-glass of %s (%s)", by, pending.By, pending.Ticket))
}

// reviewPending tells what has to be looked at, by whom and how.
func (p *plan) reviewPending() claimAbout {
	if len(p.st.Reviews) == 0 {
		return claimAbout{}
	}
	first, reason := p.st.Reviews[0], v1alpha1.ReasonReviewPending
	if slices.ContainsFunc(p.st.Reviews, func(r v1alpha1.PendingReview) bool { return r.Overdue }) {
		reason = v1alpha1.ReasonReviewOverdue
	}
	return claimAbout{metav1.ConditionTrue, reason, fmt.Sprintf(
		"the break-glass of %s (%s: %s) has to be reviewed before anything else is promoted by approvals, by somebody else whom a rule names and who wrote none of it: %s",
		first.By, first.Ticket, first.Reason, p.reviewCommand(first.Digest))}
}

// Copyright The Countersign Authors.
// SPDX-License-Identifier: Apache-2.0

package rollout

import (
	"fmt"
	"slices"

	"github.com/countersign/countersign/api/v1alpha1"
	"github.com/countersign/countersign/controllers/approval"
)

// judgeGlasses finds the use of break-glass that lets the candidate through.
func (p *plan) judgeGlasses(c *v1alpha1.CandidateStatus) {
	p.glass, p.shattered = p.standing(c)
	p.tellIgnored(c)
	if p.glass != nil {
		p.wake(approval.GlassUntil(p.snap.Policies, *p.glass))
	}
	for _, g := range p.snap.Glasses {
		p.wake(g.At) // of a clock that is ahead: it counts by then
	}
}

// maxIgnored is how many the status can hold, as many as there are slots.
const maxIgnored = 8

// ignored is a use of break-glass that does not let the candidate through.
type ignored struct{ slot, why string }

func (i ignored) String() string {
	return fmt.Sprintf("the break-glass in slot %s does not count: %s", i.slot, i.why)
}

// tellIgnored tells of each once, and again only of one that does not count for
// another reason.
func (p *plan) tellIgnored(c *v1alpha1.CandidateStatus) {
	told := c.Ignored
	c.Ignored = nil
	if c.Digest == "" {
		return
	}
	for _, i := range p.shattered {
		entry := clip(i.slot+": "+i.why, 1024)
		if slices.Contains(c.Ignored, entry) || len(c.Ignored) == maxIgnored {
			continue
		}
		c.Ignored = append(c.Ignored, entry)
		if !slices.Contains(told, entry) {
			name, namespace := p.snap.Release.Name, p.snap.Release.Namespace
			p.note(true, NoticeBreakGlassIgnored, fmt.Sprintf("%s; to take it away: kubectl annotate release %s -n %s %s%s-; to approve instead: kubectl annotate release %s -n %s %s<you>=%s --overwrite",
				i, name, namespace, v1alpha1.GlassPrefix, i.slot, name, namespace, v1alpha1.VotePrefix, c.Digest))
		}
	}
}

// standing is the first use of break-glass that stands, by slot, and why those
// before it do not.
func (p *plan) standing(c *v1alpha1.CandidateStatus) (stands *approval.Glass, void []ignored) {
	subject := p.subject(c)
	for i := range p.snap.Glasses {
		g := &p.snap.Glasses[i]
		why := approval.GlassVoid(p.snap.Policies, subject, *g, p.snap.Now)
		if why == "" {
			return g, void
		}
		if g.Digest == c.Digest {
			void = append(void, ignored{g.Slot, why})
		}
	}
	return nil, void
}

// way is how people let the candidate through; empty if they do not. Approvals
// wait for the review of a break-glass, another break-glass does not.
func (p *plan) way() v1alpha1.SwitchReason {
	switch {
	case p.verdict.Outcome == approval.Approved && len(p.st.Reviews) == 0:
		return v1alpha1.SwitchPromote
	case p.glass != nil && p.verdict.GlassHelps() && len(p.st.Reviews) < approval.ReviewLimit:
		return v1alpha1.SwitchBreakGlass
	}
	return ""
}

// unapproved says why people do not let the candidate through.
func (p *plan) unapproved() string {
	if len(p.st.Reviews) > 0 {
		return fmt.Sprintf("a review of the break-glass of %s (%s)", p.st.Reviews[0].By, p.st.Reviews[0].Ticket)
	}
	return "it is not approved"
}

// revoked says why a promotion that moved nothing yet has lost its ground; empty
// if it has not.
func (p *plan) revoked(sw *v1alpha1.SwitchStatus, c *v1alpha1.CandidateStatus) string {
	verdict := p.evaluate(c)
	if sw.Reason == v1alpha1.SwitchPromote {
		if verdict.Outcome != approval.Approved {
			return "it is not approved any more: " + verdict.Message
		}
		return ""
	}
	glass, _ := p.standing(c)
	switch {
	case glass == nil || sw.BreakGlass == nil || glass.User != sw.BreakGlass.By:
		return "the break-glass does not count any more"
	case !verdict.GlassHelps():
		return "break-glass cannot stand in for this: " + verdict.Message
	}
	return ""
}

// recordGlass puts on record who broke the glass, and that somebody else has to
// look at it.
func (p *plan) recordGlass(sw *v1alpha1.SwitchStatus) {
	g := p.glass
	sw.BreakGlass = &v1alpha1.BrokenGlass{By: g.User, Ticket: clip(g.Ticket, 64), Reason: clip(g.Reason, 512)}
	sw.Message = clip(fmt.Sprintf("break-glass by %s (%s): %s", g.User, g.Ticket, g.Reason), 1024)
	due := p.snap.Now.Add(approval.ReviewWithin(p.snap.Policies))
	p.st.Reviews = append(slices.Clone(p.st.Reviews), v1alpha1.PendingReview{
		Epoch: sw.Epoch, Digest: sw.To.Digest, By: g.User, Ticket: sw.BreakGlass.Ticket, Reason: sw.BreakGlass.Reason,
		Authors: slices.Clone(sw.To.Authors), DueBy: *microless(due),
	})
	p.note(true, NoticeBreakGlassUsed, fmt.Sprintf("%s lets %s through without the approvals that it lacks (%s: %s); somebody else has to review it: %s",
		g.User, short(sw.To.Digest), g.Ticket, g.Reason, p.reviewCommand(sw.To.Digest)))
}

// glassMessage says why break-glass does not let the candidate through.
func (p *plan) glassMessage() string {
	if len(p.shattered) == 0 {
		return ""
	}
	return p.shattered[0].String() + "; "
}

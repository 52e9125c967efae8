// Copyright The Countersign Authors.
// SPDX-License-Identifier: Apache-2.0

package sim

import (
	"slices"
	"strings"
	"time"

	"github.com/countersign/countersign/api/v1alpha1"
)

// emergencies are the books of break-glass and reviews, from who asked.
type emergencies struct {
	// glasses by slot, as they stand: who says so of which digest, and when.
	glasses map[string]ballot
	// reviews by slot: who says to have looked at which digest.
	reviews map[string]ballot
	// owed are the epochs of break-glass that nobody has reviewed, by digest.
	owed map[string]*commitment
}

func newEmergencies() emergencies {
	return emergencies{glasses: map[string]ballot{}, reviews: map[string]ballot{}, owed: map[string]*commitment{}}
}

// spoke keeps the books of what people say about emergencies.
func (o *oracle) spoke(actor string, before, after *v1alpha1.Release) {
	for prefix, books := range map[string]map[string]ballot{v1alpha1.GlassPrefix: o.glasses, v1alpha1.ReviewPrefix: o.reviews} {
		was, now := saidIn(before, prefix), saidIn(after, prefix)
		for slot := range was {
			if _, still := now[slot]; !still {
				o.owns(actor, books, slot)
				delete(books, slot)
			}
		}
		for slot, value := range now {
			if was[slot] != value {
				o.owns(actor, books, slot)
				delete(books, slot)
				if actor != intruder {
					digest, _, _ := strings.Cut(value, ";")
					books[slot] = ballot{user: actor, digest: digest, at: o.sim.clock}
				}
			}
		}
	}
}

func (o *oracle) owns(actor string, books map[string]ballot, slot string) {
	if had, known := books[slot]; known && had.user != actor && actor != intruder {
		o.sim.violate("I6", "%s changed what %s said in slot %s", actor, had.user, slot)
	}
}

func saidIn(rel *v1alpha1.Release, prefix string) map[string]string {
	out := map[string]string{}
	for key, value := range rel.Annotations {
		if slot, is := strings.CutPrefix(key, prefix); is {
			out[slot] = value
		}
	}
	return out
}

// brokenGlass: I1 of a promotion by break-glass.
func (o *oracle) brokenGlass(actor string, sw *v1alpha1.SwitchStatus, now *v1alpha1.ReleaseStatus, c *commitment) {
	if sw.BreakGlass == nil {
		o.sim.violate("I8", "epoch %d is by break-glass, and of nobody", sw.Epoch)
	}
	c.by = sw.BreakGlass.By
	if why := o.ask(c, o.policiesSeen(actor)).shattered(c.by, c.glasses); why != "" {
		o.sim.violate("I1", "epoch %d is committed by the break-glass of %s, and %s", c.epoch, c.by, why)
	}
	waits := slices.ContainsFunc(now.Reviews, func(r v1alpha1.PendingReview) bool {
		return r.Epoch == sw.Epoch && r.Digest == sw.To.Digest && r.By == c.by
	})
	if !waits {
		o.sim.violate("I1", "epoch %d is committed by break-glass, and nobody has to review it", c.epoch)
	}
	o.owed[c.to.Digest] = c
	o.sim.seen.add("promotions by break-glass")
}

// shattered says why a break-glass does not let a promotion be; empty when it may.
func (q question) shattered(by string, glasses map[string]ballot) string {
	said := false
	for _, g := range glasses {
		said = said || g.user == by && g.digest == q.digest && q.at.Before(g.at.Add(time.Hour))
	}
	switch {
	case !said:
		return "they have not said so, or too long ago"
	case len(q.authors) == 0 || q.isAuthor(by):
		return "an author cannot, or nobody is known as one"
	case q.veto() != "":
		return q.veto()
	}
	for _, p := range q.policies {
		admitted := p.Spec.BreakGlass != nil && slices.ContainsFunc(userNamed(by).groups, func(g string) bool { return slices.Contains(p.Spec.BreakGlass.Groups, g) })
		switch {
		case p.Spec.Hold != "":
			return "policy " + p.Name + " stops the line"
		case !admitted:
			return "policy " + p.Name + " does not let them"
		}
	}
	return ""
}

// reviewed keeps the books of what is still owed: I1. A use of break-glass goes off
// the list only when it was called off, or when somebody else has looked at it.
func (o *oracle) reviewed(actor string, was, now *v1alpha1.ReleaseStatus) {
	for _, pending := range was.Reviews {
		if slices.ContainsFunc(now.Reviews, func(r v1alpha1.PendingReview) bool { return r.Digest == pending.Digest }) {
			continue
		}
		c := o.owed[pending.Digest]
		delete(o.owed, pending.Digest)
		if c == nil || c.cancelled || now.Switch != nil && now.Switch.CancelledAt != nil && now.Switch.To.Digest == pending.Digest {
			continue
		}
		q := question{policies: o.policiesSeen(actor), authors: c.authors}
		if !slices.ContainsFunc(q.reviewers(o.reviews, pending.Digest), func(u string) bool { return q.person(u) != q.person(c.by) && !q.isAuthor(u) }) {
			o.sim.violate("I1", "the break-glass of epoch %d counts as reviewed, and nobody has who may", c.epoch)
		}
		o.sim.seen.add("reviews")
	}
}

// reviewers are those who have looked at a digest and whom a rule names.
func (q question) reviewers(reviews map[string]ballot, digest string) (users []string) {
	for _, r := range reviews {
		if r.digest == digest && slices.ContainsFunc(q.policies, func(p *v1alpha1.ApprovalPolicy) bool {
			return slices.ContainsFunc(p.Spec.Rules, func(rule v1alpha1.ApprovalRule) bool { return admits(rule, r.user) })
		}) {
			users = append(users, r.user)
		}
	}
	return users
}

// nothingOwed: I1. Approvals promote nothing while a review is owed.
func (o *oracle) nothingOwed(c *commitment, was *v1alpha1.ReleaseStatus) {
	for digest, owed := range o.owed {
		if !owed.cancelled {
			o.sim.violate("I1", "epoch %d is committed by approvals, and the break-glass of epoch %d (%s) is not reviewed; the status has %+v", c.epoch, owed.epoch, digest, was.Reviews)
		}
	}
}

// Copyright The Countersign Authors.
// SPDX-License-Identifier: Apache-2.0

package sim

import (
	"github.com/countersign/countersign/api/v1alpha1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// status judges a status that the operator wrote.
func (o *oracle) status(actor string, before, after *v1alpha1.Release) {
	was, now := &before.Status, &after.Status
	o.sim.seen.phase(was.Phase, now.Phase)
	for _, c := range now.Conditions {
		o.sim.seen.reasons[c.Type+"="+c.Reason]++
	}
	if c := conditionOf(now, v1alpha1.ConditionApproved); c != nil && c.Reason == v1alpha1.ReasonRejected {
		o.sim.seen.add("vetoes")
	}
	o.epochs(was, now)
	o.notesOffer(actor, before, now)
	o.votesCounted(actor, before, now)
	o.votesExplained(before, now)
	o.halted(was, now)
	o.heeded(was, now)
	o.asksAnew(was, now)
	o.superseded(was, now)
	o.foundBad(was, now)
	o.reviewed(actor, was, now)
	o.landed(was, now)
	o.jobsSeen(now)
	if sw := now.Switch; sw != nil && (was.Switch == nil || was.Switch.Epoch != sw.Epoch) {
		o.committed(actor, before, now)
	}
}

func conditionOf(st *v1alpha1.ReleaseStatus, kind string) *metav1.Condition {
	for i := range st.Conditions {
		if st.Conditions[i].Type == kind {
			return &st.Conditions[i]
		}
	}
	return nil
}

// epochs: I5.
func (o *oracle) epochs(was, now *v1alpha1.ReleaseStatus) {
	grown := now.Epoch - was.Epoch
	parking := was.Active == nil && now.Active == nil && (now.Switch == nil || was.Switch != nil && was.Switch.Epoch == now.Switch.Epoch)
	if grown < 0 || grown > 1 && !parking {
		o.sim.violate("I5", "the epoch goes from %d to %d in one write", was.Epoch, now.Epoch)
	}
	if now.Sequence < was.Sequence {
		o.sim.violate("I5", "the sequence goes from %d back to %d", was.Sequence, now.Sequence)
	}
}

// notesOffer notes what a digest stands for, the first time that it is shown.
func (o *oracle) notesOffer(actor string, rel *v1alpha1.Release, now *v1alpha1.ReleaseStatus) {
	c := now.Candidate
	if c == nil || c.Digest == "" || c.ObservedGeneration != rel.Generation {
		return
	}
	shown := offer{content: contentOf(rel.Spec), image: rel.Spec.Template.Spec.Containers[0].Image}
	had, known := o.offered[c.Digest]
	if known && (had.content != shown.content || had.image != shown.image) {
		o.sim.violate("I1", "digest %s stands for %s and for %s", c.Digest, had.image, shown.image)
	}
	if !known {
		shown.policies = timeless(o.policiesSeen(actor))
		o.offered[c.Digest] = shown
	}
}

// timeless are policies without what is judged at the switch alone.
func timeless(policies []*v1alpha1.ApprovalPolicy) (out []*v1alpha1.ApprovalPolicy) {
	for _, p := range (question{policies: policies}).demanding() {
		p = p.DeepCopy()
		p.Spec.Hold, p.Spec.Windows = "", nil
		out = append(out, p)
	}
	return out
}

// votesCounted: I6, and I7 in that a withdrawn vote is not in the books.
func (o *oracle) votesCounted(actor string, rel *v1alpha1.Release, now *v1alpha1.ReleaseStatus) {
	c := now.Candidate
	if c == nil || rel.DeletionTimestamp != nil {
		return
	}
	for _, v := range now.Votes {
		b, cast := o.votes[v.Slot]
		switch {
		case !v.Counted:
			if cast && b.digest == c.Digest && !b.rejects && o.expired(b) {
				o.sim.seen.add("expiries")
			}
		case !cast:
			o.sim.violate("I6", "the vote in slot %s counts, and nobody cast it or it was withdrawn", v.Slot)
		case b.user != v.User || b.rejects != (v.Decision == "reject"):
			o.sim.violate("I6", "the vote in slot %s counts as %s of %s, and is of %s", v.Slot, v.Decision, v.User, b.user)
		case b.digest != c.Digest:
			o.sim.violate("I6", "the vote of %s counts for %s, and is for %s", v.User, c.Digest, b.digest)
		case !b.rejects:
			q := question{policies: o.policiesSeen(actor), authors: o.writers()}
			if q.isAuthor(b.user) && !q.authorsMayApprove() {
				o.sim.violate("I6", "the vote of %s counts, who is an author", v.User)
			}
		}
	}
}

func (o *oracle) expired(b ballot) bool {
	for _, p := range live[*v1alpha1.ApprovalPolicy](o.sim, kindPolicy, nil) {
		if !o.sim.clock.Before(b.at.Add(p.Spec.ValidFor.Duration)) {
			return true
		}
	}
	return false
}

// policiesSeen are the policies that a process decided by.
func (o *oracle) policiesSeen(actor string) []*v1alpha1.ApprovalPolicy {
	if by := o.sim.operatorNamed(actor); by != nil {
		return by.decidedBy
	}
	return nil
}

// votesExplained: I16.
func (o *oracle) votesExplained(rel *v1alpha1.Release, now *v1alpha1.ReleaseStatus) {
	if rel.DeletionTimestamp != nil {
		return
	}
	for _, slot := range slotsOf(rel) {
		explained := false
		for _, v := range now.Votes {
			explained = explained || v.Slot == slot && v.Why != ""
		}
		if !explained {
			o.sim.violate("I16", "the vote in slot %s is not explained", slot)
		}
	}
}

// halted: I15.
func (o *oracle) halted(was, now *v1alpha1.ReleaseStatus) {
	c, had := now.Candidate, was.Candidate
	if c == nil || c.Halted == nil || had == nil || had.Halted != nil || had.Sequence != c.Sequence {
		return
	}
	o.sim.seen.add("candidates given up")
	if c.Halted.Reason == v1alpha1.ReasonProgressDeadlineExceeded && had.TestedAt != nil {
		o.sim.violate("I15", "a candidate that waits for people is given up: %s", c.Halted.Message)
	}
}

// landed keeps the books of switches that happened or were called off.
func (o *oracle) landed(was, now *v1alpha1.ReleaseStatus) {
	if sw := now.Switch; sw != nil && sw.CancelledAt != nil && o.commits[sw.Epoch] != nil && !o.commits[sw.Epoch].cancelled {
		o.commits[sw.Epoch].cancelled = true
		o.sim.seen.add("cancellations")
	}
	for _, h := range now.History {
		if c := o.commits[h.Epoch]; c != nil && !c.landed {
			o.happened(c, was)
		}
	}
}

func (o *oracle) happened(c *commitment, was *v1alpha1.ReleaseStatus) {
	c.landed = true
	switch c.reason {
	case v1alpha1.SwitchPromote, v1alpha1.SwitchBreakGlass:
		o.promoted[c.to.Digest] = c
		for name := range c.authors {
			delete(o.inherited, name)
		}
		o.sim.seen.add("promotions")
	case v1alpha1.SwitchRollback:
		o.sim.seen.add("rollbacks")
		delete(o.asked, v1alpha1.RestartAnnotation) // going back makes no Pods anew
		o.inherit(c, was)
	case v1alpha1.SwitchRepair:
		o.sim.seen.add("repairs")
		o.repaired()
	}
}

// inherit: who wrote what was rolled back from is an author of what builds on it.
func (o *oracle) inherit(back *commitment, was *v1alpha1.ReleaseStatus) {
	failed := ""
	if was.Active != nil {
		failed = was.Active.Digest
	}
	for e := back.epoch - 1; failed == back.to.Digest && e > 0; e-- {
		if c := o.commits[e]; c != nil && c.reason.Promotes() {
			failed = c.to.Digest
		}
	}
	for _, c := range o.commits {
		if c.to.Digest == failed && c.reason.Promotes() {
			for name := range c.authors {
				o.inherited[name] = true
			}
		}
	}
}

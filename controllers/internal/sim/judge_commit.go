// Copyright The Countersign Authors.
// SPDX-License-Identifier: Apache-2.0

package sim

import (
	"reflect"

	"github.com/countersign/countersign/api/v1alpha1"
	corev1 "k8s.io/api/core/v1"
)

// committed judges the record of a decision to switch, at the version that it
// was written on.
func (o *oracle) committed(actor string, rel *v1alpha1.Release, now *v1alpha1.ReleaseStatus) {
	sw := now.Switch
	if o.commits[sw.Epoch] != nil {
		o.sim.violate("I5", "epoch %d is used twice", sw.Epoch)
	}
	o.goesOn()
	had := o.halfDone(rel.Status.Switch, sw)
	if had == nil {
		had = o.ledAway(rel.Status.Switch, sw)
	}
	if had != nil {
		c := *had
		c.epoch = sw.Epoch
		o.commits[sw.Epoch] = &c
		return
	}
	c := o.commitment(rel, sw)
	o.commits[sw.Epoch] = c
	switch sw.Reason {
	case v1alpha1.SwitchPromote:
		o.promotion(actor, rel, c)
		if why := o.ask(c, o.policiesSeen(actor)).unmet(); why != "" {
			o.sim.violate("I1", "epoch %d is committed, and %s", c.epoch, why)
		}
		o.votesSurvived(c, o.policiesSeen(actor))
		o.nothingOwed(c, &rel.Status)
		o.approvers(sw, c)
		o.sim.plot(actor)
	case v1alpha1.SwitchBreakGlass:
		o.promotion(actor, rel, c)
		o.brokenGlass(actor, sw, now, c)
		o.sim.plot(actor)
	case v1alpha1.SwitchRollback:
		o.rollback(rel, c)
		o.byHand(rel, sw)
	case v1alpha1.SwitchRepair:
		if now.Active == nil || c.to.Digest != now.Active.Digest {
			o.sim.violate("I1", "a repair leads to %s, and %+v is active", c.to.Digest, now.Active)
		}
	}
}

// halfDone is the promotion that a switch only gives another epoch, while some
// Services are where it leads: it is finished, whatever became of its ground.
func (o *oracle) halfDone(was, now *v1alpha1.SwitchStatus) *commitment {
	if was == nil || !now.Reason.Promotes() || was.Reason != now.Reason || was.To.Digest != now.To.Digest || !was.IntendedAt.Equal(&now.IntendedAt) {
		return nil
	}
	for _, name := range activeServices {
		svc, _ := o.sim.server.get(serviceKey(name)).(*corev1.Service)
		if svc == nil || svc.Spec.Selector[v1alpha1.ColourLabel] != string(now.To.Colour) {
			continue
		}
		if epoch, _ := number(epochText(svc)); epoch == was.Epoch {
			return o.commits[was.Epoch]
		}
	}
	return nil
}

// ledAway is the way back that a switch only gives another epoch, because somebody
// led a Service away that had arrived: it is one way back.
func (o *oracle) ledAway(was, now *v1alpha1.SwitchStatus) *commitment {
	if was == nil || was.Reason != v1alpha1.SwitchRollback || now.Reason != was.Reason || was.PatchedAt != nil || was.To.Digest != now.To.Digest || !was.IntendedAt.Equal(&now.IntendedAt) {
		return nil
	}
	for _, name := range activeServices {
		svc, _ := o.sim.server.get(serviceKey(name)).(*corev1.Service)
		if svc == nil || svc.Spec.Selector[v1alpha1.ColourLabel] == string(now.To.Colour) {
			continue
		}
		if epoch, _ := number(epochText(svc)); epoch >= was.Epoch {
			return o.commits[was.Epoch]
		}
	}
	return nil
}

// promotion: I1, I8 and I14 as far as the operator could know.
func (o *oracle) promotion(actor string, rel *v1alpha1.Release, c *commitment) {
	policies := o.policiesSeen(actor)
	by := o.sim.operatorNamed(actor)
	switch {
	case by != nil && by.keyless:
		o.sim.violate("I14", "an operator that can verify no receipt promotes")
	case len(policies) == 0:
		o.sim.violate("I14", "a promotion without any policy")
	case rel.Spec.Paused:
		o.sim.violate("I1", "a promotion while the release is paused")
	case rel.DeletionTimestamp != nil:
		o.sim.violate("I17", "a promotion while the Release is deleted")
	case o.offered[c.to.Digest].content != contentOf(rel.Spec):
		o.sim.violate("I1", "what is promoted is not what the spec says: %s", c.to.Digest)
	}
	o.complete(actor, rel, c)
	o.portsAsWritten(actor, rel, c)
	if rel.Spec.Checks == nil {
		return
	}
	for _, check := range rel.Spec.Checks.BeforeSwitch {
		if on, fewest := o.passed[c.to.Digest+"/"+check.Name], o.fewest[c.to.Digest]; on == 0 || on < fewest {
			o.sim.violate("I8", "epoch %d is committed, and check %s has passed on %d Pods of at least %d", c.epoch, check.Name, on, fewest)
		}
	}
}

// votesSurvived: I1. What people could see when they voted is what they voted
// on: if the policies changed since, the votes would do under those of then, too.
func (o *oracle) votesSurvived(c *commitment, policies []*v1alpha1.ApprovalPolicy) {
	then, now := o.offered[c.to.Digest].policies, timeless(policies)
	if reflect.DeepEqual(specs(then), specs(now)) {
		return
	}
	o.sim.seen.add("votes kept as demands were added")
	if why := o.ask(c, then).unmet(); why != "" {
		o.sim.violate("I1", "epoch %d is committed by votes that a policy made void: when they were cast, %s", c.epoch, why)
	}
}

func specs(policies []*v1alpha1.ApprovalPolicy) map[string]v1alpha1.ApprovalPolicySpec {
	out := map[string]v1alpha1.ApprovalPolicySpec{}
	for _, p := range policies {
		out[p.Name] = p.Spec
	}
	return out
}

func (o *oracle) ask(c *commitment, policies []*v1alpha1.ApprovalPolicy) question {
	return question{policies: policies, added: c.added, votes: c.votes, authors: c.authors, digest: c.to.Digest, at: c.at, unwitnessed: o.unwitnessed(c)}
}

// approvers: I7. Each person who is on record as an approver has a vote that
// stands at this version.
func (o *oracle) approvers(sw *v1alpha1.SwitchStatus, c *commitment) {
	if len(sw.Approvers) == 0 {
		o.sim.violate("I8", "epoch %d is committed without an approver", sw.Epoch)
	}
	for _, name := range sw.Approvers {
		stands := false
		for _, b := range c.votes {
			stands = stands || b.user == name && !b.rejects && b.digest == c.to.Digest
		}
		if !stands {
			o.sim.violate("I7", "epoch %d names %s as an approver, whose vote does not stand", sw.Epoch, name)
		}
	}
}

// rollback: I1 and I11.
func (o *oracle) rollback(rel *v1alpha1.Release, c *commitment) {
	if c.to.Colour == v1alpha1.Origin {
		o.mayLeadBack(rel, c)
	} else if o.promoted[c.to.Digest] == nil {
		o.sim.violate("I1", "a rollback leads to %s, which was never promoted", c.to.Digest)
	}
	o.farBack(rel, c)
	var from int64
	if rel.Status.Active != nil {
		from = rel.Status.Active.Epoch
	}
	if sw := rel.Status.Switch; sw != nil && sw.PatchedAt == nil && sw.CancelledAt == nil && sw.Reason != v1alpha1.SwitchRollback && sw.Reason != v1alpha1.SwitchRepair {
		from = sw.Epoch
	}
	if o.rollbacks[from] != 0 {
		o.sim.violate("I11", "epoch %d is rolled back by epoch %d and by epoch %d", from, o.rollbacks[from], c.epoch)
	}
	o.rollbacks[from] = c.epoch
}

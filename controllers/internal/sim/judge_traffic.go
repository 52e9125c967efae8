// Copyright The Countersign Authors.
// SPDX-License-Identifier: Apache-2.0

package sim

import (
	"maps"
	"slices"
	"strings"

	"github.com/countersign/countersign/api/v1alpha1"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

func selectorIn(o client.Object) map[string]string {
	if o == nil {
		return nil
	}
	return o.(*corev1.Service).Spec.Selector
}

func (o *oracle) observeService(r record) {
	if !isActive(r.key.Name) {
		return
	}
	changed := !maps.Equal(selectorIn(r.before), selectorIn(r.after))
	switch {
	case !isOperator(r.actor):
		if changed {
			o.foreign[r.key.Name] = r.version
		}
	case r.after == nil:
		o.sim.violate("I2", "the operator deletes Service %s, which carries traffic", r.key.Name)
	case r.before == nil:
		o.made(r)
	case changed:
		o.moved(r)
	case deletable(r.after) && !deletable(r.before):
		o.letGo(r)
	}
}

func deletable(svc client.Object) bool { return svc.GetLabels()[v1alpha1.DeletableLabel] != "" }

// letGo judges a Service that people may delete from now on: what serves was not
// let through with it.
func (o *oracle) letGo(r record) {
	o.sim.seen.add("services let go")
	rel := o.sim.release()
	if rel == nil || rel.Status.Active == nil || o.excused(r.actor, o.editedAt, kindRelease) {
		return
	}
	if names(rel, r.key.Name) || strings.Contains(o.offered[rel.Status.Active.Digest].content, `"name":"`+r.key.Name+`"`) {
		o.sim.violate("I2", "people may delete Service %s, which %s was let through with", r.key.Name, rel.Status.Active.Digest)
	}
}

// moved judges a selector that the operator changed.
func (o *oracle) moved(r record) {
	after := r.after.(*corev1.Service)
	selector := after.Spec.Selector
	if maps.Equal(selector, originLabels) {
		o.ledBack(r)
		return
	}
	colour := selector[v1alpha1.ColourLabel]
	if len(selector) != 2 || selector[v1alpha1.ReleaseLabel] != releaseName {
		o.sim.violate("I4", "Service %s gets selector %v", after.Name, selector)
	}
	if colour == v1alpha1.ColourNone {
		o.parked(r)
		return
	}
	epoch, _ := number(epochText(after))
	c := o.commits[epoch]
	switch {
	case c == nil:
		o.sim.violate("I9", "Service %s leads to %s in epoch %d, which was never committed", after.Name, colour, epoch)
	case string(c.to.Colour) != colour:
		o.sim.violate("I1", "Service %s leads to %s in epoch %d, which is for %s", after.Name, colour, epoch, c.to.Colour)
	case c.cancelled && r.version > o.fencedAt(c):
		o.sim.violate("I1", "Service %s leads to %s in epoch %d, which was called off", after.Name, colour, epoch)
	}
	for later, other := range o.commits {
		if later > epoch && other.landed {
			o.sim.violate("I5", "Service %s moves in epoch %d, and epoch %d has happened", after.Name, epoch, later)
		}
	}
	m := move{after.Name, epoch}
	if last, twice := o.moves[m]; twice && o.foreign[after.Name] < last {
		o.sim.violate("I10", "Service %s moves twice in epoch %d", after.Name, epoch)
	}
	o.moves[m] = r.version
	o.content(r.actor, c)
	if c.reason.Promotes() && !c.moved {
		o.gate(r.actor, c)
		if !o.excused(r.actor, o.tampered[releaseName+"-"+string(c.to.Colour)], kindDeployment) {
			o.configStands(o.sim.operatorNamed(r.actor), c)
		}
	}
	c.moved = true
}

// fencedAt is when the first step was made after a switch was called off: from
// then on it must not happen any more. Until then another process may still
// carry it out, and whoever called it off has to wait.
func (o *oracle) fencedAt(c *commitment) int64 {
	if c.goneOn == 0 {
		return o.sim.server.version
	}
	return c.goneOn
}

// goesOn notes that a process takes a step of another kind.
func (o *oracle) goesOn() {
	for _, c := range o.commits {
		if c.cancelled && c.goneOn == 0 {
			c.goneOn = o.sim.server.version
		}
	}
}

// gate: the policies as they were read just before traffic moved are satisfied at
// that time:
// by the votes at the commit, or, when a policy got tighter since, by those that
// the switch was judged by again.
func (o *oracle) gate(actor string, c *commitment) {
	by := o.sim.operatorNamed(actor)
	if by == nil || by.run == nil || !by.readPolicies {
		o.sim.violate("I14", "traffic moves in epoch %d, and the policies were not read again", c.epoch)
	}
	q := o.ask(c, by.policies)
	q.at = by.readAt
	unmet := func() string { return q.unmet() }
	if c.by != "" {
		unmet = func() string { return q.shattered(c.by, c.glasses) }
	}
	why := unmet()
	for _, votes := range []map[string]ballot{by.run.votes, o.votes} {
		if q.votes = votes; why != "" && unmet() == "" {
			return
		}
	}
	if why != "" {
		o.sim.violate("I1", "traffic moves in epoch %d, and %s", c.epoch, why)
	}
}

// content: what gets the traffic is what was approved, unless somebody changed
// it behind the operator's back. What is active stays so while it is changed: a
// repair, or a way back from a promotion that was half done, leads to it all the
// same, and the change is told.
func (o *oracle) content(actor string, c *commitment) {
	if c.reason == v1alpha1.SwitchRepair || c.reason == v1alpha1.SwitchRollback && c.to.Digest == c.active {
		return
	}
	name := releaseName + "-" + string(c.to.Colour)
	d, _ := o.sim.server.get(key{kindDeployment, types.NamespacedName{Namespace: namespace, Name: name}}).(*appsv1.Deployment)
	if o.excused(actor, o.tampered[name], kindDeployment) {
		return
	}
	if d == nil || d.Spec.Template.Spec.Containers[0].Image != c.image {
		o.sim.violate("I1", "epoch %d leads to %s, which does not hold %s", c.epoch, name, c.image)
	}
}

// excused tells whether something happened that a process could not know of
// when it began what it does now.
func (o *oracle) excused(actor string, version int64, k kind) bool {
	by := o.sim.operatorNamed(actor)
	return by == nil || by.run == nil || version > by.run.knew[k]
}

// parked: a Service is led nowhere only when nothing was let through to it: what
// is active goes on being served (I2), and so does what a deleted Release left
// behind (I17).
func (o *oracle) parked(r record) {
	before := r.before.(*corev1.Service)
	rel := o.sim.release()
	epoch, _ := number(epochText(r.after.(*corev1.Service)))
	if c := o.commits[epoch]; c != nil && c.to.Colour == v1alpha1.Origin && rel.Status.Origin.Selector(r.key.Name) == nil {
		return // it led nowhere before, either
	}
	if rel != nil && rel.Status.Active != nil {
		a := rel.Status.Active
		led := slices.ContainsFunc(a.Services, func(s v1alpha1.ServiceRef) bool { return s.Name == before.Name })
		if led || before.Spec.Selector[v1alpha1.ColourLabel] == string(a.Colour) {
			o.sim.violate("I2", "Service %s is parked, and %s is active", r.key.Name, a.Colour)
		}
		return
	}
	for _, d := range o.sim.deployments() {
		if n := o.endpointsOf(before.Name, d.Name); n > 0 && !labelled(d) && matches(before.Spec.Selector, d.Spec.Template.Labels) && !o.excused(r.actor, o.foreign[before.Name], kindService) {
			o.sim.violate("I17", "Service %s is parked, and %d Pods of %s serve through it", before.Name, n, d.Name)
		}
	}
}

// served counts the ready endpoints of a Service.
func (o *oracle) served(service string) (n int) {
	for _, slice := range live[*discoveryv1.EndpointSlice](o.sim, kindSlice, nil) {
		for _, ep := range slice.Endpoints {
			if slice.Labels[discoveryv1.LabelServiceName] == service && *ep.Conditions.Ready {
				n++
			}
		}
	}
	return n
}

// Copyright The Countersign Authors.
// SPDX-License-Identifier: Apache-2.0

package sim

import (
	"slices"

	"github.com/countersign/countersign/api/v1alpha1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
)

// ref names a Service in a spec, with its ports in lives where the operator makes
// what is not there.
func (s *sim) ref(name string) v1alpha1.ServiceRef {
	r := v1alpha1.ServiceRef{Name: name}
	if s.parts.ports.on {
		target := intstr.FromInt32(8080)
		r.Ports = []v1alpha1.ServicePort{{Name: "http", Port: 80, TargetPort: &target, Protocol: corev1.ProtocolTCP}}
	}
	return r
}

// operatorMakes tells whether a Service that is not there is the operator's to make:
// what serves was let through with its ports or, before that, the spec has them.
func (s *sim) operatorMakes(name string) bool {
	rel := s.release()
	if rel == nil || rel.DeletionTimestamp != nil || !names(rel, name) {
		return false
	}
	refs := rel.Spec.Services
	if a := rel.Status.Active; a != nil && slices.ContainsFunc(a.Services, func(r v1alpha1.ServiceRef) bool { return r.Name == name }) {
		refs = a.Services
	}
	return slices.ContainsFunc(refs, func(r v1alpha1.ServiceRef) bool { return r.Name == name && len(r.Ports) > 0 })
}

// deleteWhatServes is what somebody does past the guards to a Service that the
// operator would make again.
func (s *sim) deleteWhatServes() {
	name := activeServices[0]
	if s.parts.ports.chance(12) && s.server.get(serviceKey(name)) != nil {
		s.must(s.server.remove(intruder, serviceKey(name), nil))
	}
}

// tidyUp deletes what the Release does not need any more, once the guards let its
// owner.
func (s *sim) tidyUp() {
	for _, name := range activeServices {
		if svc := s.server.get(serviceKey(name)); svc != nil && deletable(svc) && s.parts.ports.chance(100) {
			s.must(s.server.remove("platform", serviceKey(name), nil))
		}
	}
}

// changePorts: a developer thinks that the port of a Service is theirs to change, or
// changes it back.
func (s *sim) changePorts() {
	if !s.parts.ports.chance(5) {
		return
	}
	_ = s.edit(dave, func(rel *v1alpha1.Release) {
		if ports := rel.Spec.Services[0].Ports; len(ports) > 0 {
			ports[0].Port = 161 - ports[0].Port
		}
	})
}

// portsAsWritten: I1. Content is not let through to a Service that has other ports
// than it says.
func (o *oracle) portsAsWritten(actor string, rel *v1alpha1.Release, c *commitment) {
	for _, ref := range rel.Spec.Services {
		svc, _ := o.sim.server.get(serviceKey(ref.Name)).(*corev1.Service)
		if svc == nil || len(ref.Ports) == 0 || svc.Spec.Ports[0].Port == ref.Ports[0].Port || o.excused(actor, o.foreign[ref.Name], kindService) {
			continue
		}
		o.sim.violate("I1", "epoch %d is committed, and Service %s has port %d instead of %d", c.epoch, ref.Name, svc.Spec.Ports[0].Port, ref.Ports[0].Port)
	}
}

// made judges a Service that the operator creates: it leads nowhere, whoever makes it
// and however late, and somebody has written that it should.
func (o *oracle) made(r record) {
	svc := r.after.(*corev1.Service)
	if svc.Spec.Selector[v1alpha1.ColourLabel] != v1alpha1.ColourNone || !labelled(svc) || epochText(svc) != "0" {
		o.sim.violate("I1", "Service %s is made and leads to %v in epoch %s", svc.Name, svc.Spec.Selector, epochText(svc))
	}
	if !o.asleep(r.actor) && !o.sim.operatorMakes(svc.Name) && !o.excused(r.actor, o.editedAt, kindRelease) {
		o.sim.violate("I12", "Service %s is made, and nobody has written its ports", svc.Name)
	}
	o.sim.seen.add("services made")
	if rel := o.sim.release(); rel != nil && rel.Status.Active != nil {
		o.sim.seen.add("services made again")
	}
}

// servicesAtRest: I12. What the operator makes is there.
func (s *sim) servicesAtRest(rel *v1alpha1.Release) {
	for _, ref := range rel.Spec.Services {
		if s.operatorMakes(ref.Name) && s.server.get(serviceKey(ref.Name)) == nil {
			s.violate("I12", "Service %s is the operator's to make, and is not there: %s", ref.Name, s.whyNot())
		}
	}
}

// portsAgreed does what the operator asks for when a Service has other ports.
func (s *sim) portsAgreed() {
	s.seen.add("ports that differ")
	s.mustEdit(func(rel *v1alpha1.Release) {
		for i := range rel.Spec.Services {
			rel.Spec.Services[i].Ports = nil
		}
	})
}

// insistOnDeleting deletes what serves again and again, in the calm: it is made
// again, for a while, and then somebody is told.
func (s *sim) insistOnDeleting() {
	if !s.parts.ports.on || !s.operatorMakes("shop") {
		return
	}
	s.insist(func() bool {
		if s.server.get(serviceKey("shop")) == nil {
			return false
		}
		s.must(s.server.remove(intruder, serviceKey("shop"), nil))
		return true
	})
	s.rest("after somebody insisted on deleting Service shop")
	s.seen.add("deletions insisted on")
}

// insist undoes again and again what the operator does, with hardly any time in
// between. It has to be told, a few times later at the most, and left alone.
func (s *sim) insist(undo func() (undone bool)) {
	s.oracle.repairedAt = nil
	told := func() bool {
		c := conditionOf(&s.release().Status, v1alpha1.ConditionStalled)
		return c != nil && c.Reason == v1alpha1.ReasonSelectorConflict
	}
	undone := 0
	// It is no time to judge when a repair of long ago has just ceased to count, and
	// one more was made: whoever insists undoes it, too.
	for i := 0; i < 400 || i < 410 && !told(); i++ {
		if undo() {
			undone++
		}
		for range 4 {
			s.calmStep()
		}
	}
	if !told() {
		s.violate("I12", "somebody insists, and nobody is told: %s", s.whyNot())
	}
	if len(s.oracle.repairedAt) > repairsAllowed {
		s.violate("I12", "somebody insists, and the operator fights: %d repairs", len(s.oracle.repairedAt))
	}
}

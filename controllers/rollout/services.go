// Copyright The Countersign Authors.
// SPDX-License-Identifier: Apache-2.0

package rollout

import (
	"cmp"
	"fmt"
	"slices"
	"time"

	"github.com/countersign/countersign/api/v1alpha1"
	corev1 "k8s.io/api/core/v1"
)

// makingLimit is how long one repair tries to make what was deleted. Then it is
// over, and counts as one of those that were in vain.
const makingLimit = 5 * time.Second

// portsToMake are the ports that a Service of the spec is made with: while it leads
// to the active content, those that were let through with it. Without any, it is
// made by people, and so is one that was taken out of the spec.
func (p *plan) portsToMake(name string) []corev1.ServicePort {
	if !names(p.spec().Services, name) {
		return nil
	}
	refs := p.spec().Services
	if p.leads(name) {
		refs = p.st.Active.Services
	}
	return portsIn(refs, name)
}

func portsIn(refs []v1alpha1.ServiceRef, name string) []corev1.ServicePort {
	for _, r := range refs {
		if r.Name == name {
			return r.ServedPorts()
		}
	}
	return nil
}

// toMake tells whether a Service is not there, and is the operator's to make now.
func (p *plan) toMake(svc *Service) bool {
	return !svc.Exists && svc.ResourceVersion == "" && len(p.portsToMake(svc.Name)) > 0
}

func (p *plan) makeService(svc *Service) {
	p.do(MakeService{Service: svc.Name, Ports: p.portsToMake(svc.Name)})
}

// makeServices makes those of the spec that nothing was promoted with.
func (p *plan) makeServices() {
	if p.moving() != nil || len(p.snap.Problems) > 0 {
		return
	}
	for i := range p.snap.Services {
		if svc := &p.snap.Services[i]; !p.leads(svc.Name) && p.toMake(svc) {
			p.makeService(svc)
		}
	}
}

// makeWhatServes makes those that lead to the active content. They lead nowhere
// then, which is repaired as if somebody had led them there: a selector is written
// to a Service that was read, and to no other.
func (p *plan) makeWhatServes() {
	for i := range p.snap.Services {
		if svc := &p.snap.Services[i]; p.leads(svc.Name) && p.toMake(svc) {
			p.makeService(svc)
		}
	}
}

// lacks tells whether a Service that leads to the active content is to be made.
func (p *plan) lacks() bool {
	return slices.ContainsFunc(p.strays(), func(name string) bool { return p.toMake(p.service(name)) })
}

// makeAgain goes on with a repair of Services of which some are not there. Once all
// others have arrived, it is over after a while, so that somebody who insists on
// deleting one is counted as they are who insist on a selector.
func (p *plan) makeAgain(sw *v1alpha1.SwitchStatus, arrived bool) {
	if arrived && p.due(sw.IntendedAt.Add(makingLimit)) {
		p.remember(sw)
		p.repaired(sw)
		sw.PatchedAt, sw.SettledAt = p.settled(), p.settled()
		return
	}
	p.renumber(sw)
	p.shift(sw)
}

// servicesThere tells whether all Services of the spec are: what is approved covers
// their ports as the API server has them.
func (p *plan) servicesThere() bool {
	return !slices.ContainsFunc(p.spec().Services, func(r v1alpha1.ServiceRef) bool {
		svc := p.service(r.Name)
		return svc == nil || !svc.Exists
	})
}

// findMissing is told of a Service that is not there and that the operator does not
// make, or not yet.
func (p *plan) findMissing(svc *Service) {
	name, namespace, release := svc.Name, p.snap.Release.Namespace, p.snap.Release.Name
	create := fmt.Sprintf("create it in namespace %s, without a selector", namespace)
	switch {
	case svc.ResourceVersion != "" && len(p.portsToMake(name)) > 0:
		p.block(v1alpha1.ReasonServiceMissing, fmt.Sprintf(
			"Service %s of spec.services is being deleted and is made again once it is gone; see what holds it: kubectl get service %s -n %s -o yaml", name, name, namespace))
	case len(p.portsToMake(name)) > 0:
	case p.leads(name):
		p.block(v1alpha1.ReasonServiceMissing, fmt.Sprintf(
			"Service %s of spec.services does not exist, and what serves was let through without services[].ports to make it with; %s", name, create))
	default:
		p.block(v1alpha1.ReasonServiceMissing, fmt.Sprintf(
			"Service %s of spec.services does not exist; %s, or set services[].ports, so that the operator makes it: kubectl edit release %s -n %s", name, create, release, namespace))
	}
}

// portsDiffer tells whether a Service has other ports than the spec says. What the
// API server picks is not compared.
func (p *plan) portsDiffer(svc *Service) bool {
	want := portsIn(p.spec().Services, svc.Name)
	return len(want) > 0 && !samePorts(byPort(want), byPort(svc.Ports))
}

// byPort are ports in an order of their own: nothing depends on that of a Service's.
func byPort(ports []corev1.ServicePort) []corev1.ServicePort {
	return slices.SortedFunc(slices.Values(ports), func(a, b corev1.ServicePort) int {
		return cmp.Or(cmp.Compare(a.Port, b.Port), cmp.Compare(a.Protocol, b.Protocol))
	})
}

// howToAgree says what to do about a Service with other ports. Its own are not
// changed: they may serve.
func (p *plan) howToAgree(svc *Service) string {
	i := slices.IndexFunc(p.spec().Services, func(r v1alpha1.ServiceRef) bool { return r.Name == svc.Name })
	release, namespace := p.snap.Release.Name, p.snap.Release.Namespace
	return fmt.Sprintf("Service %s has other ports than services[].ports says, and keeps them; let them stand: "+
		`kubectl patch release %s -n %s --type=json -p '[{"op":"remove","path":"/spec/services/%d/ports"}]'`+
		", or name a Service there that does not exist, which is made with these: kubectl edit release %s -n %s",
		svc.Name, release, namespace, i, release, namespace)
}

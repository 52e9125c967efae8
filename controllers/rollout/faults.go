// Copyright The Countersign Authors.
// SPDX-License-Identifier: Apache-2.0

package rollout

import (
	"fmt"
	"maps"
	"time"

	"github.com/countersign/countersign/api/v1alpha1"
)

// serviceLimit is how many Services can follow a colour.
const serviceLimit = 16

// unwatched is how long until things are looked at again that are not the
// Release's, so that no watch tells of them.
const unwatched = 30 * time.Second

// findFaults lists what people have to mend before a candidate can go on.
// Nothing here stops what serves, its repair or its rollback.
func (p *plan) findFaults() {
	for _, problem := range p.snap.Problems {
		p.block(v1alpha1.ReasonInvalidSpec, problem)
	}
	p.findImageFaults()
	p.findConfigFaults()
	for _, ref := range p.spec().Services {
		if svc := p.service(ref.Name); svc != nil {
			p.findServiceFaults(svc)
		}
	}
	if n := len(p.following(p.spec().Services)); n > serviceLimit {
		p.block(v1alpha1.ReasonInvalidSpec, fmt.Sprintf(
			"%d Services follow, with those that were taken out of spec.services, and %d can; delete some that are not used: kubectl delete service", n, serviceLimit))
	}
	idle := p.idleColour()
	if w := p.snap.Workload(idle); w.Foreign {
		p.wake(p.snap.Now.Add(unwatched))
		p.block(v1alpha1.ReasonWorkloadForeign, fmt.Sprintf(
			"Deployment %s exists and does not belong to this Release; delete or rename it: kubectl delete deployment %s -n %s",
			w.Name, w.Name, p.snap.Release.Namespace))
	}
}

func (p *plan) findServiceFaults(svc *Service) {
	name := svc.Name
	switch {
	case !svc.Exists:
		p.findMissing(svc)
	case svc.Owner != "" && svc.Owner != p.snap.Release.Name:
		p.block(v1alpha1.ReasonServiceForeign, fmt.Sprintf(
			"Service %s of spec.services belongs to Release %s; name another Service, or delete that Release first", name, svc.Owner))
	case svc.Unsupported != "":
		p.block(v1alpha1.ReasonServiceUnsupported, fmt.Sprintf(
			"Service %s of spec.services %s; use a Service of type ClusterIP, NodePort or LoadBalancer", name, svc.Unsupported))
	case p.portsDiffer(svc):
		p.block(v1alpha1.ReasonServicePortsDiffer, p.howToAgree(svc))
	case svc.Preview.Foreign:
		p.block(v1alpha1.ReasonServiceForeign, fmt.Sprintf(
			"Service %s exists and is not the preview of Service %s; delete it, or set services[].preview to another name",
			svc.Preview.Name, name))
	}
}

// usable tells whether the selector of a Service is ours to write.
func (p *plan) usable(svc *Service) bool {
	return svc.Exists && svc.Unsupported == "" && (svc.Owner == "" || svc.Owner == p.snap.Release.Name)
}

// claim marks the Services as the Release's before they lead to anything. A
// selector that would catch the candidate's Pods is parked when nobody else is
// served by it, and is a fault otherwise.
func (p *plan) claim() {
	if p.moving() != nil || len(p.snap.Problems) > 0 {
		return
	}
	for i := range p.snap.Services {
		svc := &p.snap.Services[i]
		if !p.usable(svc) || !names(p.spec().Services, svc.Name) || p.leads(svc.Name) || svc.Parked && svc.Owner != "" {
			continue
		}
		c := Claim{Service: svc.Name, ResourceVersion: svc.ResourceVersion, Selector: svc.Selector, Epoch: svc.Epoch}
		caught := p.catches(svc.Selector)
		switch {
		case svc.Colour != "" && p.servedRightly(svc.Colour), !caught && len(svc.Selector) > 0:
			if svc.Owner == "" {
				p.do(c)
			}
		case caught && p.servesOthers(svc):
			p.wake(p.snap.Now.Add(unwatched))
			p.block(v1alpha1.ReasonSelectorConflict, fmt.Sprintf(
				"the selector of Service %s matches the Pods of the candidate, which would get traffic before anyone approved; %s", svc.Name, p.untangle(svc)))
		case svc.Colour != "" && svc.Colour != v1alpha1.Origin && p.st.Origin.Selector(svc.Name) != nil:
			p.leadBack(svc)
		case svc.Colour != "" || svc.Owner != "":
			p.park(svc)
		default:
			c.Park = true
			p.do(c)
		}
	}
}

// untangle says how a selector can be kept from matching the candidate.
func (p *plan) untangle(svc *Service) string {
	if p.catchesLabelled(svc.Selector, nil) {
		return fmt.Sprintf("it selects by labels that the operator gives its Pods; let it select by labels of the Pods that it leads to now: kubectl edit service %s -n %s",
			svc.Name, p.snap.Release.Namespace)
	}
	return "give spec.template.metadata.labels a value that the selector does not match"
}

// park leads a Service nowhere that somebody led to what nobody approved.
func (p *plan) park(svc *Service) {
	p.st.Epoch = p.nextEpoch()
	p.do(Claim{Service: svc.Name, ResourceVersion: svc.ResourceVersion, Park: true, Selector: svc.Selector, Epoch: p.st.Epoch})
}

// leadBack leads a Service to what served before the Release, when somebody led it
// to what nobody approved.
func (p *plan) leadBack(svc *Service) {
	p.st.Epoch = p.nextEpoch()
	p.do(Claim{Service: svc.Name, ResourceVersion: svc.ResourceVersion, Back: p.leadingBack(svc.Name), Selector: svc.Selector, Epoch: p.st.Epoch})
}

// catches tells whether a selector would match Pods of the candidate, as they
// are labelled in either colour.
func (p *plan) catches(selector map[string]string) bool {
	return p.catchesLabelled(selector, p.spec().Template.Labels)
}

func (p *plan) catchesLabelled(selector, by map[string]string) bool {
	labels := maps.Clone(by)
	if labels == nil {
		labels = map[string]string{}
	}
	labels[v1alpha1.ReleaseLabel], labels[v1alpha1.RevisionLabel] = p.snap.Release.Name, p.snap.Revision
	for _, c := range []v1alpha1.Colour{v1alpha1.Blue, v1alpha1.Green} {
		if labels[v1alpha1.ColourLabel] = string(c); catchesPods(selector, labels) {
			return true
		}
	}
	return false
}

// servedRightly tells whether traffic to a colour was let through: by us, or
// before a Release of this name was deleted, which left what served as it was.
func (p *plan) servedRightly(c v1alpha1.Colour) bool {
	if p.st.Active != nil {
		return p.st.Active.Colour == c
	}
	w := p.snap.Workload(c)
	return (!w.Exists || w.Foreign) && len(w.Pods) > 0
}

// servesOthers tells whether a Service has endpoints besides the candidate's.
func (p *plan) servesOthers(svc *Service) bool {
	for _, c := range []v1alpha1.Colour{v1alpha1.Blue, v1alpha1.Green} {
		if svc.Endpoints.Of(c) > 0 && p.servedRightly(c) {
			return true
		}
	}
	return svc.Endpoints.Other > 0
}

// catchesPods tells whether a selector would match Pods with these labels. A
// selector without keys selects nothing.
func catchesPods(selector, labels map[string]string) bool {
	if len(selector) == 0 {
		return false
	}
	for k, v := range selector {
		if labels[k] != v {
			return false
		}
	}
	return true
}

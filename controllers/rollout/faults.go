// Copyright The Countersign Authors.
// SPDX-License-Identifier: Apache-2.0

package rollout

import (
	"fmt"

	"github.com/countersign/countersign/api/v1alpha1"
)

// serviceLimit is how many Services can follow a colour.
const serviceLimit = 16

// findFaults lists what people have to mend before a candidate can go on.
// Nothing here stops what serves, its repair or its rollback.
func (p *plan) findFaults() {
	for _, problem := range p.snap.Problems {
		p.block(v1alpha1.ReasonInvalidSpec, problem)
	}
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
		p.block(v1alpha1.ReasonWorkloadForeign, fmt.Sprintf(
			"Deployment %s exists and does not belong to this Release; delete or rename it: kubectl delete deployment %s -n %s",
			w.Name, w.Name, p.snap.Release.Namespace))
	}
}

func (p *plan) findServiceFaults(svc *Service) {
	name, namespace := svc.Name, p.snap.Release.Namespace
	switch {
	case !svc.Exists:
		p.block(v1alpha1.ReasonServiceMissing, fmt.Sprintf(
			"Service %s of spec.services does not exist; create it in namespace %s, without a selector", name, namespace))
	case svc.Owner != "" && svc.Owner != p.snap.Release.Name:
		p.block(v1alpha1.ReasonServiceForeign, fmt.Sprintf(
			"Service %s of spec.services belongs to Release %s; name another Service, or delete that Release first", name, svc.Owner))
	case svc.Unsupported != "":
		p.block(v1alpha1.ReasonServiceUnsupported, fmt.Sprintf(
			"Service %s of spec.services %s; use a Service of type ClusterIP, NodePort or LoadBalancer", name, svc.Unsupported))
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

// claim marks the Services as the Release's before they lead to anything. A selector that would catch the candidate's Pods is parked when nobody
// is served by it, and is a fault otherwise.
func (p *plan) claim() {
	if p.moving() != nil || len(p.snap.Problems) > 0 {
		return
	}
	for i := range p.snap.Services {
		svc := &p.snap.Services[i]
		if !p.usable(svc) || p.leads(svc.Name) || svc.Parked && svc.Owner != "" {
			continue
		}
		catches := svc.Colour != "" || catchesPods(svc.Selector, p.spec().Template.Labels)
		served := svc.Endpoints != Endpoints{}
		switch {
		case svc.Colour != "":
			// Nothing was promoted with it, yet somebody leads it to a colour.
			p.st.Epoch = p.nextEpoch()
			p.do(Claim{Service: svc.Name, ResourceVersion: svc.ResourceVersion, Park: true, Selector: svc.Selector, Epoch: p.st.Epoch})
		case catches && served:
			p.block(v1alpha1.ReasonSelectorConflict, fmt.Sprintf(
				"the selector of Service %s matches the Pods of the candidate, which would get traffic before anyone approved; give spec.template.metadata.labels a value that the selector does not match", svc.Name))
		case catches || len(svc.Selector) == 0:
			p.do(Claim{Service: svc.Name, ResourceVersion: svc.ResourceVersion, Park: true, Selector: svc.Selector, Epoch: svc.Epoch})
		case svc.Owner == "":
			p.do(Claim{Service: svc.Name, ResourceVersion: svc.ResourceVersion, Selector: svc.Selector, Epoch: svc.Epoch})
		}
	}
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

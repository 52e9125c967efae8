// Copyright The Countersign Authors.
// SPDX-License-Identifier: Apache-2.0

package rollout

import (
	"fmt"
	"slices"
	"time"

	"github.com/countersign/countersign/api/v1alpha1"
)

// A selector that is put back more often than this in repairWindow is somebody
// else's: the operator stops and names it.
const (
	repairLimit  = 3
	repairWindow = 10 * time.Minute
)

func (p *plan) repaired(sw *v1alpha1.SwitchStatus) {
	if p.st.Active != nil {
		p.st.Active.Epoch = sw.Epoch
	}
}

// repair puts selectors back that somebody else changed.
func (p *plan) repair() {
	if p.st.Active == nil || p.inFlight() != nil || !p.fenced() {
		return
	}
	moved := p.strays()
	if len(moved) == 0 {
		return
	}
	if n, until := p.recentRepairs(); n >= repairLimit {
		p.wake(until)
		p.block(v1alpha1.ReasonSelectorConflict, p.insisting(moved[0]))
		return
	}
	p.begin(v1alpha1.SwitchRepair, p.st.Active.Content, p.why(moved[0]), nil)
}

// insisting says what is done to a Service again and again.
func (p *plan) insisting(service string) string {
	if p.toMake(p.service(service)) {
		return fmt.Sprintf("something keeps deleting Service %s, which serves, or keeps it from being made; take it out of what prunes namespace %s, and see whether there is room for it: kubectl get resourcequota -n %s",
			service, p.snap.Release.Namespace, p.snap.Release.Namespace)
	}
	return fmt.Sprintf("something keeps changing the selector of Service %s; take the selector out of the manifests that it syncs", service)
}

// why a repair is begun.
func (p *plan) why(service string) string {
	if p.toMake(p.service(service)) {
		return fmt.Sprintf("Service %s was deleted by someone else and is made again, leading to %s", service, p.st.Active.Colour)
	}
	return fmt.Sprintf("the selector of Service %s was changed by %s and is put back to %s", service, p.mover(service), p.st.Active.Colour)
}

// mover is who led a Service away: somebody else, or a switch of our own that
// came through after it had been called off.
func (p *plan) mover(service string) string {
	svc, sw := p.service(service), p.st.Switch
	if sw != nil && sw.CancelledAt != nil && svc.Epoch == sw.Epoch && svc.Colour == sw.To.Colour {
		return fmt.Sprintf("the switch of epoch %d, which had been called off,", sw.Epoch)
	}
	return "someone else"
}

// strays are the Services of the active content that somebody led away or deleted.
func (p *plan) strays() (services []string) {
	for i := range p.snap.Services {
		svc := &p.snap.Services[i]
		if p.leads(svc.Name) && (p.usable(svc) && p.astray(svc) || p.toMake(svc)) {
			services = append(services, svc.Name)
		}
	}
	return services
}

// astray tells whether somebody else changed what the last switch wrote.
func (p *plan) astray(svc *Service) bool {
	a := p.st.Active
	return svc.Colour != a.Colour || svc.Owner == "" || svc.Epoch < a.Epoch
}

// leads tells whether a Service was promoted with the active content.
func (p *plan) leads(name string) bool {
	return p.st.Active != nil && names(p.st.Active.Services, name)
}

func names(refs []v1alpha1.ServiceRef, name string) bool {
	return slices.ContainsFunc(refs, func(r v1alpha1.ServiceRef) bool { return r.Name == name })
}

// recentRepairs counts them, and says when the first falls out of the window.
func (p *plan) recentRepairs() (n int, until time.Time) {
	for _, h := range p.st.History {
		if end := h.At.Add(repairWindow); h.Reason == v1alpha1.SwitchRepair && end.After(p.snap.Now) {
			n, until = n+1, end
		}
	}
	return n, until
}

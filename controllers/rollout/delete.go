// Copyright The Countersign Authors.
// SPDX-License-Identifier: Apache-2.0

package rollout

import (
	"slices"

	"github.com/countersign/countersign/api/v1alpha1"
)

// delete tidies up after a Release and, unless it is to be taken down, leaves what
// serves as it is: a colour that any Service selects, or still has endpoints of, is
// given back to its owners; the other one goes, and so do the previews. Active
// Services are nobody's to delete but their owners'.
func (p *plan) delete() {
	if !slices.Contains(p.snap.Release.Finalizers, v1alpha1.Finalizer) {
		return
	}
	if p.justLeft(v1alpha1.Blue) || p.justLeft(v1alpha1.Green) {
		return
	}
	for i := range p.snap.Services {
		svc := &p.snap.Services[i]
		if svc.Preview.Exists && !svc.Preview.Foreign {
			p.do(Remove{Preview: svc.Preview.Name, ResourceVersion: svc.Preview.ResourceVersion})
		}
		if svc.Exists && svc.Owner == p.snap.Release.Name {
			p.do(Surrender{Service: svc.Name, ResourceVersion: svc.ResourceVersion})
		}
	}
	p.removeStrays()
	var staying []v1alpha1.Colour
	for _, c := range []v1alpha1.Colour{v1alpha1.Blue, v1alpha1.Green} {
		w := p.snap.Workload(c)
		switch {
		case w.Foreign:
			staying = append(staying, c) // given back before
		case !w.Exists:
		case !p.takesDown() && (p.snap.InUse(c) || p.st.Active != nil && p.st.Active.Colour == c):
			staying = append(staying, c)
			p.surrenderBudget(c)
			p.do(Surrender{Colour: c})
			continue
		default:
			p.do(Remove{Colour: c, ResourceVersion: w.ResourceVersion})
		}
		p.dropBudget(c)
	}
	p.deleteConfig(staying)
	p.dropJobs()
	p.dropKept()
	p.do(RemoveFinalizer{})
}

// takesDown tells whether what serves goes with the Release: the spec says so, and
// so does all content that was let through and has traffic.
func (p *plan) takesDown() bool {
	if p.spec().DeletionPolicy != v1alpha1.DeleteOnDeletion {
		return false
	}
	if sw := p.moving(); sw != nil && sw.To.DeletionPolicy != v1alpha1.DeleteOnDeletion {
		return false
	}
	return p.st.Active == nil || p.st.Active.DeletionPolicy == v1alpha1.DeleteOnDeletion
}

// fate is what becomes of what serves, for people.
func (p *plan) fate() string {
	if p.takesDown() {
		return "what serves is taken down (spec.deletionPolicy)"
	}
	return "what serves goes on serving"
}

// giveBack takes our marks off Services that the Release names no longer and
// that nothing was promoted with. One that somebody led to what nobody approved
// is led nowhere first.
func (p *plan) giveBack() {
	if p.moving() != nil || len(p.snap.Problems) > 0 {
		return
	}
	for i := range p.snap.Services {
		svc := &p.snap.Services[i]
		switch {
		case svc.Owner != p.snap.Release.Name || p.named(svc.Name):
		case svc.Colour != "" && svc.Colour != v1alpha1.Origin && !p.servedRightly(svc.Colour):
			p.park(svc)
		default:
			if svc.Preview.Exists && !svc.Preview.Foreign {
				p.do(Remove{Preview: svc.Preview.Name, ResourceVersion: svc.Preview.ResourceVersion})
			}
			p.do(Surrender{Service: svc.Name, ResourceVersion: svc.ResourceVersion})
		}
	}
	p.removeStrays()
}

// letGo lets people delete a Service that follows the active content while that is
// of a spec that does not name it: until it is gone it follows, because left behind
// it would lead to nothing, or to what nobody approved.
func (p *plan) letGo() {
	a := p.st.Active
	if p.moving() != nil || a == nil || len(p.snap.Problems) > 0 {
		return
	}
	for i := range p.snap.Services {
		svc := &p.snap.Services[i]
		unnamed := p.leads(svc.Name) && !names(p.spec().Services, svc.Name) && a.Revision == p.snap.Revision
		if p.usable(svc) && svc.Owner != "" && svc.Deletable != unnamed {
			p.do(MarkService{Service: svc.Name, ResourceVersion: svc.ResourceVersion, Deletable: unnamed})
		}
	}
}

// removeStrays takes away previews whose Service the Release names no longer, or
// by another name.
func (p *plan) removeStrays() {
	for _, pv := range p.snap.Strays {
		if pv.Exists && !pv.Foreign {
			p.do(Remove{Preview: pv.Name, ResourceVersion: pv.ResourceVersion})
		}
	}
}

// named tells whether the Release has to do with a Service.
func (p *plan) named(service string) bool {
	return names(p.spec().Services, service) || p.leads(service)
}

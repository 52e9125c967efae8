// Copyright The Countersign Authors.
// SPDX-License-Identifier: Apache-2.0

package rollout

import (
	"fmt"
	"slices"
	"time"

	"github.com/countersign/countersign/api/v1alpha1"
)

// Origin is what serves before the Release does, as it was read.
type Origin struct {
	Workload
	// UsedBy are the other Services that lead to its Pods. Known once it may be
	// scaled to zero.
	UsedBy []string
}

// takeOver puts on record what serves now, until the first content is let through,
// so that going back from that leads there.
func (p *plan) takeOver() {
	ref := p.spec().WorkloadRef
	if p.st.Active != nil || p.moving() != nil {
		return
	}
	if ref == nil {
		p.st.Origin = nil
		return
	}
	w := p.snap.Origin
	if !w.Exists {
		p.wake(p.snap.Now.Add(unwatched))
		p.block(v1alpha1.ReasonOriginUnusable, fmt.Sprintf(
			"Deployment %s of spec.workloadRef does not exist in namespace %s; write the name of the one that the Services lead to, or take spec.workloadRef out",
			ref.Name, p.snap.Release.Namespace))
		return
	}
	if w.Foreign {
		p.block(v1alpha1.ReasonOriginUnusable, fmt.Sprintf(
			"Deployment %s of spec.workloadRef belongs to a Release; write the name of one that does not, or take spec.workloadRef out", ref.Name))
		return
	}
	before := p.st.Origin
	if before != nil && before.Name != ref.Name {
		before = nil
	}
	o := &v1alpha1.OriginStatus{Name: ref.Name, TemplateHash: w.TemplateHash, Services: []v1alpha1.OriginService{}}
	for _, named := range p.spec().Services {
		if svc := p.service(named.Name); svc != nil && p.usable(svc) {
			if selector := p.ledThere(svc, before); selector != nil {
				o.Services = append(o.Services, v1alpha1.OriginService{Name: svc.Name, Selector: selector})
			}
		}
	}
	p.st.Origin = o
	p.wake(p.snap.Now.Add(unwatched)) // nobody tells of changes to it
	switch {
	case len(o.Services) == 0:
		p.block(v1alpha1.ReasonOriginUnusable, fmt.Sprintf(
			"no Service of spec.services leads to the Pods of Deployment %s of spec.workloadRef; name one that does, or take spec.workloadRef out", ref.Name))
	case w.Ready > p.replicas():
		p.block(v1alpha1.ReasonOriginUnusable, fmt.Sprintf(
			"Deployment %s serves with %d Pods, and spec.replicas is %d; write at least %d: kubectl scale release %s -n %s --replicas=%d",
			ref.Name, w.Ready, p.replicas(), w.Ready, p.snap.Release.Name, p.snap.Release.Namespace, w.Ready))
	}
}

// ledThere is the selector by which a Service leads to the origin, or did before a
// switch of ours; nil if it does not.
func (p *plan) ledThere(svc *Service, before *v1alpha1.OriginStatus) map[string]string {
	if svc.Colour != "" && svc.Colour != v1alpha1.Origin || svc.Parked {
		return before.Selector(svc.Name)
	}
	if catchesPods(svc.Selector, p.snap.Origin.Template.Labels) {
		return svc.Selector
	}
	return nil
}

// back is what can be gone back to; nil if there is nothing.
func (p *plan) back() *v1alpha1.Content {
	if f := p.st.Former; f != nil {
		return &f.Content
	}
	if o := p.st.KeptOrigin(); o != nil {
		return &v1alpha1.Content{Colour: v1alpha1.Origin, TemplateHash: o.TemplateHash, Services: p.led()}
	}
	return nil
}

// led are the Services that a way back is about.
func (p *plan) led() []v1alpha1.ServiceRef {
	if p.st.Active != nil {
		return slices.Clone(p.st.Active.Services)
	}
	if sw := p.st.Switch; sw != nil {
		return slices.Clone(sw.To.Services)
	}
	return nil
}

// called is how people know a content.
func (p *plan) called(c v1alpha1.Content) string {
	if c.Colour == v1alpha1.Origin && p.st.Origin != nil {
		return "Deployment " + p.st.Origin.Name
	}
	return string(c.Colour)
}

// full is the same with its digest, if it has one.
func (p *plan) full(c v1alpha1.Content) string {
	if c.Digest == "" {
		return p.called(c)
	}
	return fmt.Sprintf("%s (%s)", p.called(c), short(c.Digest))
}

// deploymentOf is the Deployment of a content, for people.
func (p *plan) deploymentOf(c v1alpha1.Content) string {
	if c.Colour == v1alpha1.Origin {
		return p.called(c)
	}
	return "Deployment " + WorkloadName(p.snap.Release.Name, c.Colour)
}

// leadingBack is the selector that a Service gets on the way back to the origin:
// the one that it had, or one that leads nowhere.
func (p *plan) leadingBack(service string) map[string]string {
	if selector := p.st.Origin.Selector(service); selector != nil {
		return selector
	}
	return map[string]string{v1alpha1.ReleaseLabel: p.snap.Release.Name, v1alpha1.ColourLabel: v1alpha1.ColourNone}
}

// leaveOrigin scales what served before to zero when its time is over, once: if
// somebody scales it up again, that is theirs to do.
func (p *plan) leaveOrigin() {
	o, a := p.st.Origin, p.st.Active
	if o == nil || o.DrainedAt != nil || a == nil || p.inFlight() != nil || p.observing() {
		return
	}
	if o.LeftAt == nil && p.st.Former == nil {
		if o.KeepUntil == nil {
			o.KeepUntil = microless(a.FinishedAt.Add(time.Duration(a.KeepIdleSeconds) * time.Second))
		}
		if !p.due(o.KeepUntil.Time) {
			return
		}
	}
	if o.LeftAt == nil {
		o.LeftAt = p.nowPtr()
	}
	w := p.snap.Origin
	switch {
	case !w.Exists || w.Replicas == 0:
		o.DrainedAt, o.UsedBy = p.nowPtr(), ""
		p.note(false, NoticeOriginDrained, fmt.Sprintf("Deployment %s, which served before, is at zero and is left alone from now on; delete it when nobody needs it", o.Name))
	case len(w.UsedBy) > 0:
		if o.UsedBy != w.UsedBy[0] {
			o.UsedBy = w.UsedBy[0]
			p.note(true, NoticeOriginInUse, fmt.Sprintf("Deployment %s, which served before, is not scaled to zero, because Service %s leads to its Pods: name it in spec.services, or delete it", o.Name, o.UsedBy))
		}
		p.wake(p.snap.Now.Add(unwatched))
	default:
		p.do(DrainOrigin{Name: o.Name, ResourceVersion: w.ResourceVersion})
	}
}

// originServes tells whether what served before the Release still does.
func (p *plan) originServes() bool {
	return p.st.Active == nil && p.st.Origin != nil && p.snap.Origin.Ready > 0
}

// Copyright The Countersign Authors.
// SPDX-License-Identifier: Apache-2.0

package rollout

import (
	"fmt"
	"slices"
	"time"

	"github.com/countersign/countersign/api/v1alpha1"
	"github.com/countersign/countersign/controllers/approval"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// A selector that is put back more often than this in repairWindow is somebody
// else's: the operator stops and names it.
const (
	repairLimit  = 3
	repairWindow = 10 * time.Minute
	historyLimit = 10
)

// begin records the intent of a switch and asks for it to be carried out. The
// record is written first, so that a crash in between resumes it.
func (p *plan) begin(reason v1alpha1.SwitchReason, to v1alpha1.Content, message string, approvers []string) {
	p.st.Epoch++
	sw := &v1alpha1.SwitchStatus{
		Epoch: p.st.Epoch, Reason: reason, To: *to.DeepCopy(), Message: clip(message, 1024),
		Approvers: approvers, IntendedAt: p.microNow(),
	}
	if p.st.Active != nil {
		from := p.st.Active.Colour
		sw.From = &from
	}
	p.st.Switch = sw
	p.shift(sw)
}

// shift asks for the Services that do not lead to the target yet.
func (p *plan) shift(sw *v1alpha1.SwitchStatus) {
	a := ShiftTraffic{Epoch: sw.Epoch, To: sw.To.Colour}
	if sw.Reason == v1alpha1.SwitchPromote {
		a.Policies, a.Added = p.snap.Policies, p.spec().Approval
		if a.Policies == nil {
			a.Policies = []approval.Policy{}
		}
	}
	for i := range p.snap.Services {
		svc := &p.snap.Services[i]
		if p.usable(svc) && !arrived(svc, sw) {
			a.Services = append(a.Services, ServiceWrite{svc.Name, svc.ResourceVersion, svc.Selector})
		}
	}
	if len(a.Services) > 0 {
		p.do(a)
	}
}

func arrived(svc *Service, sw *v1alpha1.SwitchStatus) bool {
	return svc.Colour == sw.To.Colour && svc.Epoch >= sw.Epoch
}

// journal carries on with the switch that is recorded, from what is seen.
func (p *plan) journal() {
	sw := p.inFlight()
	if sw == nil {
		p.fence()
		return
	}
	all, some := true, false
	for i := range p.snap.Services {
		svc := &p.snap.Services[i]
		if !p.usable(svc) {
			continue
		}
		all = all && arrived(svc, sw)
		some = some || arrived(svc, sw)
	}
	switch {
	case sw.PatchedAt != nil:
		if !all {
			sw.SettledAt = p.settled() // somebody moved a selector: it is repaired by a switch of its own
			return
		}
		p.settle(sw)
	case all && p.anyUsable():
		p.landed(sw)
	case !some && sw.Reason == v1alpha1.SwitchPromote && p.calledOff(sw) != "":
		now := p.microNow()
		sw.CancelledAt = &now
		sw.Message = clip("called off before any traffic moved: "+p.calledOff(sw), 1024)
		p.note(true, NoticeSwitchCancelled, sw.Message)
		p.fence()
	default:
		p.shift(sw)
	}
}

// calledOff says why an intended promotion that moved nothing yet should not
// be carried out; empty if it should.
func (p *plan) calledOff(sw *v1alpha1.SwitchStatus) string {
	w := p.snap.Workload(sw.To.Colour)
	if w.TemplateHash != sw.To.TemplateHash || !w.Exists {
		return "the candidate is no longer what was approved"
	}
	if w.Ready == 0 {
		return "the candidate has no ready Pod"
	}
	if sw.To.Revision != p.snap.Revision {
		return "the content of the Release changed"
	}
	if d, err := p.contentDigest(sw.To.Sequence, w); err != nil || d != sw.To.Digest {
		return "a policy or a Service changed"
	}
	return ""
}

// fence makes sure that the last switch, once called off, cannot happen late.
func (p *plan) fence() {
	sw := p.st.Switch
	if sw == nil || sw.CancelledAt == nil || p.st.Epoch != sw.Epoch {
		return
	}
	f := Fence{Epoch: sw.Epoch}
	for i := range p.snap.Services {
		svc := &p.snap.Services[i]
		if p.usable(svc) && svc.Epoch < sw.Epoch {
			f.Services = append(f.Services, ServiceWrite{svc.Name, svc.ResourceVersion, svc.Selector})
		}
	}
	if len(f.Services) > 0 {
		p.do(f)
	}
}

// fenced tells whether a switch that was called off can no longer happen.
func (p *plan) fenced() bool {
	sw := p.st.Switch
	if sw == nil || sw.CancelledAt == nil {
		return true
	}
	for i := range p.snap.Services {
		if svc := &p.snap.Services[i]; p.usable(svc) && svc.Epoch < sw.Epoch {
			return false
		}
	}
	return true
}

func (p *plan) settled() *metav1.MicroTime {
	now := p.microNow()
	return &now
}

func (p *plan) anyUsable() bool {
	return slices.ContainsFunc(p.snap.Services, func(s Service) bool { return p.usable(&s) })
}

func (p *plan) endpointsOnly(c v1alpha1.Colour) bool {
	for i := range p.snap.Services {
		if svc := &p.snap.Services[i]; p.usable(svc) && !svc.Endpoints.Only(c, 1) {
			return false
		}
	}
	return true
}

// landed records that all Services select the target.
func (p *plan) landed(sw *v1alpha1.SwitchStatus) {
	now := p.microNow()
	sw.PatchedAt = &now
	p.note(sw.Reason != v1alpha1.SwitchPromote, NoticeTrafficSwitched, fmt.Sprintf(
		"Services lead to %s (%s, epoch %d, %s)", sw.To.Colour, short(sw.To.Digest), sw.Epoch, sw.Reason))
	p.st.History = append([]v1alpha1.HistoryEntry{{
		Epoch: sw.Epoch, Reason: sw.Reason, Colour: sw.To.Colour, Digest: sw.To.Digest,
		Approvers: sw.Approvers, At: p.now(),
	}}, p.st.History...)
	if len(p.st.History) > historyLimit {
		p.st.History = p.st.History[:historyLimit]
	}
	switch sw.Reason {
	case v1alpha1.SwitchPromote:
		p.promoted(sw)
	case v1alpha1.SwitchRollback:
		p.rolledBack(sw)
	case v1alpha1.SwitchRepair:
		p.st.Active.Epoch = sw.Epoch
		p.note(true, NoticeSelectorRepaired, sw.Message)
	}
	p.settle(sw)
}

// settle records that the endpoints follow the selectors.
func (p *plan) settle(sw *v1alpha1.SwitchStatus) {
	if p.endpointsOnly(sw.To.Colour) {
		sw.SettledAt = p.settled()
		p.note(false, NoticeTrafficSettled, fmt.Sprintf("all endpoints are %s's (epoch %d)", sw.To.Colour, sw.Epoch))
	}
}

func (p *plan) promoted(sw *v1alpha1.SwitchStatus) {
	p.st.Former = nil
	if p.st.Active != nil {
		p.st.Former = &v1alpha1.FormerStatus{Content: p.st.Active.Content}
	}
	p.st.Active = &v1alpha1.ActiveStatus{Content: sw.To, Epoch: sw.Epoch, Since: p.now()}
	if c := p.st.Candidate; c != nil && c.Digest == sw.To.Digest {
		p.st.Candidate = nil
	}
}

// repair puts selectors back that somebody else changed.
func (p *plan) repair() {
	if p.st.Active == nil || p.inFlight() != nil || !p.fenced() {
		return
	}
	var moved []string
	for i := range p.snap.Services {
		svc := &p.snap.Services[i]
		if p.usable(svc) && (svc.Colour != p.st.Active.Colour || svc.Owner == "") && p.leads(svc.Name) {
			moved = append(moved, svc.Name)
		}
	}
	if len(moved) == 0 {
		return
	}
	if n, until := p.recentRepairs(); n >= repairLimit {
		p.wake(until)
		p.block(v1alpha1.ReasonSelectorConflict, fmt.Sprintf(
			"something keeps changing the selector of Service %s; take the selector out of the manifests that it syncs", moved[0]))
		return
	}
	p.begin(v1alpha1.SwitchRepair, p.st.Active.Content, fmt.Sprintf(
		"the selector of Service %s was changed by someone else and is put back to %s", moved[0], p.st.Active.Colour), nil)
}

// leads tells whether a Service was promoted with the active content.
func (p *plan) leads(name string) bool {
	return slices.ContainsFunc(p.st.Active.Services, func(r v1alpha1.ServiceRef) bool { return r.Name == name })
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

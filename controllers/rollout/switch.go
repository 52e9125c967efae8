// Copyright The Countersign Authors.
// SPDX-License-Identifier: Apache-2.0

package rollout

import (
	"fmt"
	"math"
	"time"

	"github.com/countersign/countersign/api/v1alpha1"
	"github.com/countersign/countersign/controllers/approval"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// historyLimit is how many switches the status remembers.
const historyLimit = 10

// begin records the intent of a switch and asks for it to be carried out. The
// record is written first, so that a crash in between resumes it.
func (p *plan) begin(reason v1alpha1.SwitchReason, to v1alpha1.Content, message string, approvers []string) {
	p.st.Epoch = p.nextEpoch()
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

// nextEpoch is larger than any that was used. A Service can have a larger one
// than the status when the Release was restored without it.
func (p *plan) nextEpoch() int64 {
	last := p.st.Epoch
	for i := range p.snap.Services {
		if e := p.snap.Services[i].Epoch; p.usable(&p.snap.Services[i]) && e < math.MaxInt64 {
			last = max(last, e)
		}
	}
	return last + 1
}

// moves tells whether a switch is about a Service. One that was added to the
// spec since leads nowhere until content is promoted with it.
func (p *plan) moves(sw *v1alpha1.SwitchStatus, svc *Service) bool {
	return p.usable(svc) && (names(sw.To.Services, svc.Name) || p.leads(svc.Name))
}

// shift asks for the Services that do not lead to the target yet.
func (p *plan) shift(sw *v1alpha1.SwitchStatus) {
	a := ShiftTraffic{Epoch: sw.Epoch, To: sw.To.Colour}
	_, a.Begun = p.progress(sw)
	if sw.Reason.Promotes() {
		a.Policies, a.Added = p.snap.Policies, p.spec().Approval
		if !a.Begun {
			a.Config, a.ValidUntil = sw.To.Config, p.standsUntil(sw)
		}
		if a.Policies == nil {
			a.Policies = []approval.Policy{}
		}
	}
	for i := range p.snap.Services {
		svc := &p.snap.Services[i]
		if p.moves(sw, svc) && !p.arrived(svc, sw) {
			write := ServiceWrite{Name: svc.Name, ResourceVersion: svc.ResourceVersion, Selector: svc.Selector}
			if sw.To.Colour == v1alpha1.Origin {
				write.Back = p.leadingBack(svc.Name)
			}
			a.Services = append(a.Services, write)
		}
	}
	if len(a.Services) > 0 {
		p.do(a)
	}
	if sw.Reason == v1alpha1.SwitchRepair || sw.Reason == v1alpha1.SwitchRollback && len(a.Services) == 0 {
		p.makeWhatServes() // last: one that cannot be made keeps none from being led back
	}
}

// standsUntil is the moment from which a promotion would be called off if nothing
// but time changed; zero if there is none.
func (p *plan) standsUntil(sw *v1alpha1.SwitchStatus) time.Time {
	c := p.st.Candidate
	if sw.Reason == v1alpha1.SwitchPromote {
		return p.evaluate(c).ValidUntil
	}
	if glass, _ := p.standing(c); glass != nil {
		return approval.GlassUntil(p.snap.Policies, *glass)
	}
	return p.snap.Now
}

func (p *plan) arrived(svc *Service, sw *v1alpha1.SwitchStatus) bool {
	return p.at(svc, sw.To.Colour) && svc.Epoch >= sw.Epoch
}

// at tells whether a Service leads to a colour. On the way back to the origin, one
// that did not lead there leads nowhere.
func (p *plan) at(svc *Service, c v1alpha1.Colour) bool {
	if c == v1alpha1.Origin && p.st.Origin.Selector(svc.Name) == nil {
		return svc.Parked
	}
	return svc.Colour == c
}

// journal carries on with the switch that is recorded, from what is seen.
func (p *plan) journal() {
	sw := p.inFlight()
	if sw == nil {
		p.fence()
		return
	}
	all, some := p.progress(sw)
	switch {
	case sw.PatchedAt != nil:
		if !all || p.lacks() {
			sw.SettledAt = p.settled() // somebody moved a selector, or deleted a Service: it is repaired by a switch of its own
			return
		}
		p.settle(sw)
	case sw.Reason == v1alpha1.SwitchRepair && p.lacks():
		p.makeAgain(sw, all)
	case all && some:
		p.landed(sw)
	case !some && sw.Reason.Promotes() && p.calledOff(sw) != "":
		now := p.microNow()
		sw.CancelledAt = &now
		sw.Message = clip("called off before any traffic moved: "+p.calledOff(sw), 1024)
		p.note(true, NoticeSwitchCancelled, sw.Message)
		p.forgetReview(sw.Epoch)
		p.fence()
	case !some && sw.Reason.Promotes() && !p.snap.Gate.Intact:
		// It is on record by an operator that was ended, and waits for the first test.
	default:
		p.renumber(sw)
		p.shift(sw)
	}
}

// renumber gives a switch a new epoch when somebody led a Service away that had
// arrived, or wrote an epoch of their own: only a larger one can be written.
func (p *plan) renumber(sw *v1alpha1.SwitchStatus) {
	for i := range p.snap.Services {
		if svc := &p.snap.Services[i]; p.moves(sw, svc) && svc.Epoch >= sw.Epoch && !p.at(svc, sw.To.Colour) {
			was, last := sw.Epoch, p.st.Epoch
			sw.Epoch = p.nextEpoch()
			p.st.Epoch = sw.Epoch
			p.renumberReview(was, sw.Epoch)
			p.unnumber = func() {
				p.renumberReview(sw.Epoch, was)
				p.st.Epoch = last
			}
			return
		}
	}
}

// progress tells whether all, or at least some, of the Services that a switch
// is about have arrived.
func (p *plan) progress(sw *v1alpha1.SwitchStatus) (all, some bool) {
	all = true
	for i := range p.snap.Services {
		if svc := &p.snap.Services[i]; p.moves(sw, svc) {
			all = all && p.arrived(svc, sw)
			some = some || p.arrived(svc, sw)
		}
	}
	return all, some
}

// calledOff says why an intended promotion that moved nothing yet should not
// be carried out; empty if it should.
func (p *plan) calledOff(sw *v1alpha1.SwitchStatus) string {
	c := p.st.Candidate
	if c == nil || c.Digest != sw.To.Digest {
		return "the candidate is no longer what was approved"
	}
	w := p.snap.Workload(sw.To.Colour)
	if w.TemplateHash != sw.To.TemplateHash || !w.Exists {
		return "the candidate is no longer what was approved"
	}
	if w.Ready == 0 {
		return "the candidate has no ready Pod"
	}
	if !p.copied(sw.To.Config) {
		return "a copy of its ConfigMaps and Secrets is gone"
	}
	if sw.To.Revision != p.snap.Revision {
		return "the content of the Release changed"
	}
	if d, err := p.contentDigest(sw.To.Sequence, w, p.covered(c)); err != nil || d != sw.To.Digest {
		return "a policy or a Service changed"
	}
	if p.spec().Paused {
		return "the release was paused"
	}
	if by := p.requesterOf(c, v1alpha1.AbortAnnotation); by != "" {
		return by + " asked to give it up"
	}
	if !p.snap.Gate.Intact && !p.snap.Gate.Untested {
		return "the gate is frozen: " + p.snap.Gate.Why
	}
	return p.revoked(sw, c)
}

// fence makes sure that the last switch, once called off, cannot happen late.
func (p *plan) fence() {
	sw := p.cutShort()
	if sw == nil {
		return
	}
	f := Fence{Epoch: sw.Epoch}
	for i := range p.snap.Services {
		svc := &p.snap.Services[i]
		if p.usable(svc) && svc.Epoch < sw.Epoch {
			f.Services = append(f.Services, ServiceWrite{Name: svc.Name, ResourceVersion: svc.ResourceVersion, Selector: svc.Selector})
		}
	}
	if len(f.Services) > 0 {
		p.do(f)
	}
}

// cutShort is the last switch if somebody who has not heard of it may still be
// about to lead a Service elsewhere: it was called off itself, or it went back
// and left those Services alone that a half-done promotion had not reached.
func (p *plan) cutShort() *v1alpha1.SwitchStatus {
	sw := p.st.Switch
	if sw == nil || sw.CancelledAt == nil && sw.Reason != v1alpha1.SwitchRollback {
		return nil
	}
	return sw
}

// fenced tells whether a switch that was called off can no longer happen.
func (p *plan) fenced() bool {
	sw := p.cutShort()
	if sw == nil {
		return true
	}
	for i := range p.snap.Services {
		if svc := &p.snap.Services[i]; p.usable(svc) && svc.Epoch < sw.Epoch {
			return false
		}
	}
	return true
}

// cameThrough tells whether a switch that was called off led a Service away all
// the same, which has been parked since, and not enough time has gone by for the
// endpoints that it had to be seen, and to be gone.
func (p *plan) cameThrough() bool {
	sw := p.st.Switch
	return sw != nil && sw.CancelledAt != nil && p.st.Epoch > sw.Epoch && !p.due(sw.CancelledAt.Add(unwatched))
}

// forwarding is how long nodes may send connections where the endpoints of a
// Service no longer lead: kube-proxy brings its rules up to date at most once a
// second.
const forwarding = 3 * time.Second

// reachable tells whether traffic may still come to a colour: a Service selects it
// or has endpoints of it, or nodes have not followed yet. Its Pods stay meanwhile.
func (p *plan) reachable(c v1alpha1.Colour) bool { return p.snap.InUse(c) || p.justLeft(c) }

// justLeft tells whether traffic was led away from a colour so short a time ago
// that some of it may still come.
func (p *plan) justLeft(c v1alpha1.Colour) bool {
	sw := p.st.Switch
	return sw != nil && sw.SettledAt != nil && sw.From != nil && *sw.From == c && sw.To.Colour != c && !p.due(sw.SettledAt.Add(forwarding))
}

func (p *plan) settled() *metav1.MicroTime {
	now := p.microNow()
	return &now
}

// endpointsFollow tells whether the endpoints of all Services that a switch is
// about are the target's only. Without any Service, nothing follows.
func (p *plan) endpointsFollow(sw *v1alpha1.SwitchStatus) bool {
	followed := false
	for i := range p.snap.Services {
		svc := &p.snap.Services[i]
		if !p.moves(sw, svc) {
			continue
		}
		least := 1
		if svc.Parked {
			least = 0 // it leads to nothing, rightly
		}
		if !svc.Endpoints.Only(sw.To.Colour, least) {
			return false
		}
		followed = true
	}
	return followed
}

// landed records that all Services select the target.
func (p *plan) landed(sw *v1alpha1.SwitchStatus) {
	now := p.microNow()
	sw.PatchedAt = &now
	p.note(sw.Reason != v1alpha1.SwitchPromote, NoticeTrafficSwitched, fmt.Sprintf(
		"Services lead to %s (%sepoch %d, %s)", p.called(sw.To), digested(sw.To), sw.Epoch, sw.Reason))
	p.remember(sw)
	switch sw.Reason {
	case v1alpha1.SwitchPromote, v1alpha1.SwitchBreakGlass:
		p.promoted(sw)
	case v1alpha1.SwitchRollback:
		p.rolledBack(sw)
	case v1alpha1.SwitchRepair:
		p.repaired(sw)
		p.note(true, NoticeSelectorRepaired, sw.Message)
	}
	p.settle(sw)
}

// remember puts a switch into the history.
func (p *plan) remember(sw *v1alpha1.SwitchStatus) {
	p.st.History = append([]v1alpha1.HistoryEntry{{
		Epoch: sw.Epoch, Reason: sw.Reason, Colour: sw.To.Colour, Digest: sw.To.Digest,
		Approvers: sw.Approvers, BreakGlass: sw.BreakGlass.DeepCopy(), AskedBy: sw.AskedBy, At: p.now(),
	}}, p.st.History...)
	if len(p.st.History) > historyLimit {
		p.st.History = p.st.History[:historyLimit]
	}
}

// settle records that the endpoints follow the selectors.
func (p *plan) settle(sw *v1alpha1.SwitchStatus) {
	if p.endpointsFollow(sw) {
		sw.SettledAt = p.settled()
		p.note(false, NoticeTrafficSettled, fmt.Sprintf("all endpoints are %s's (epoch %d)", p.called(sw.To), sw.Epoch))
	}
}

func (p *plan) promoted(sw *v1alpha1.SwitchStatus) {
	p.st.Former = nil
	if p.st.Active != nil {
		p.leaveRestart(&p.st.Active.Content)
		p.st.Former = &v1alpha1.FormerStatus{Content: p.st.Active.Content}
		if o := p.st.Origin; o != nil && o.LeftAt == nil {
			o.LeftAt = p.nowPtr() // what was let through since is what is gone back to
		}
	}
	p.st.Active = &v1alpha1.ActiveStatus{Content: sw.To, Epoch: sw.Epoch, Since: p.now(), ReadyPeak: p.wanted(sw.To.Colour)}
	for i := range p.st.Kept {
		p.st.Kept[i].BeforeIrreversible = p.st.Kept[i].BeforeIrreversible || sw.To.Irreversible
	}
	if c := p.st.Candidate; c != nil && c.Digest == sw.To.Digest {
		p.st.Candidate = nil
	}
}

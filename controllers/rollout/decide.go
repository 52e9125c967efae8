// Copyright The Countersign Authors.
// SPDX-License-Identifier: Apache-2.0

package rollout

import (
	"slices"
	"time"

	"github.com/countersign/countersign/api/v1alpha1"
	"github.com/countersign/countersign/controllers/approval"
	"github.com/countersign/countersign/controllers/digest"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// Decide says what to do about a Snapshot. It is total and deterministic, and
// deciding again on a world that was brought to the decision decides nothing.
func Decide(s Snapshot) Decision {
	p := plan{snap: &s, before: s.Release.Status, unnumber: func() {}}
	s.Release.Status.DeepCopyInto(&p.st)
	p.st.ObservedGeneration = s.Release.Generation
	if s.Release.DeletionTimestamp != nil {
		p.delete()
	} else {
		p.steps()
	}
	p.derive()
	p.tell()
	return Decision{Status: p.st, Actions: p.actions, Notices: p.notices, Checks: p.runs, WakeAt: p.wakeAt}
}

// plan collects one decision. Every step reads the snapshot and the facts in
// st, and adds facts and actions; none looks at phase or conditions.
type plan struct {
	snap    *Snapshot
	before  v1alpha1.ReleaseStatus
	st      v1alpha1.ReleaseStatus
	actions []Action
	notices []Notice
	runs    []CheckRun
	wakeAt  time.Time
	// blockers say why no candidate can be promoted, the gravest first.
	blockers []blocker
	// alarms are faults that a candidate may mend, and so do not hold one back.
	alarms  []blocker
	verdict approval.Verdict
	// restoring is the kept content that the idle colour is brought to, so that
	// traffic can go back to it; nil when nobody asks for any.
	restoring *v1alpha1.KeptContent
	// unnumber takes back the epoch that this decision gave to a switch on record.
	unnumber func()
	// glass lets the candidate through in an emergency; nil if none does.
	glass *approval.Glass
	// shattered says why those that are there do not.
	shattered []ignored
}

// blocker is a fault that somebody has to mend.
type blocker struct{ reason, message string }

func (p *plan) steps() {
	p.finalizer()
	p.findFaults()
	p.takeOver()
	p.journal()
	p.watch()
	p.repair()
	p.keepContents()
	p.goBackFar()
	p.pickCandidate()
	p.abort()
	p.retry()
	p.claim()
	p.makeServices()
	p.giveBack()
	p.letGo()
	p.prepare()
	p.test()
	p.review()
	p.judge()
	p.promote()
	p.retire()
	p.leaveOrigin()
	p.restart()
	p.keepActive()
	p.keepConfig()
	p.collect()
	p.dropJobs()
	p.dropKept()
	p.sweep()
	p.keepBudgets()
}

func (p *plan) do(a Action) { p.actions = append(p.actions, a) }

func (p *plan) note(warning bool, reason, message string) {
	p.notices = append(p.notices, Notice{Warning: warning, Reason: reason, Message: message})
}

func (p *plan) block(reason, message string) {
	p.blockers = append(p.blockers, blocker{reason, message})
}

func (p *plan) alarm(reason, message string) {
	p.alarms = append(p.alarms, blocker{reason, message})
}

// faults are all that somebody has to do something about.
func (p *plan) faults() []blocker { return append(slices.Clone(p.blockers), p.alarms...) }

// wake asks to look again at t, if that is in the future.
func (p *plan) wake(t time.Time) {
	if t.After(p.snap.Now) && (p.wakeAt.IsZero() || t.Before(p.wakeAt)) {
		p.wakeAt = t
	}
}

// due tells whether t has come, and asks to be woken when not.
func (p *plan) due(t time.Time) bool {
	p.wake(t)
	return !t.After(p.snap.Now)
}

func (p *plan) now() metav1.Time { return metav1.NewTime(p.snap.Now.Truncate(time.Second)) }

func (p *plan) nowPtr() *metav1.Time { t := p.now(); return &t }

func (p *plan) microNow() metav1.MicroTime {
	return metav1.NewMicroTime(p.snap.Now.Truncate(time.Microsecond))
}

func (p *plan) spec() *v1alpha1.ReleaseSpec { return &p.snap.Release.Spec }

// replicas that a colour with traffic should have.
func (p *plan) replicas() int32 {
	if r := p.spec().Replicas; r != nil && *r > 0 {
		return *r
	}
	return 1
}

// inFlight is the switch that is being carried out, or nil.
func (p *plan) inFlight() *v1alpha1.SwitchStatus {
	if sw := p.st.Switch; sw != nil && sw.SettledAt == nil && sw.CancelledAt == nil {
		return sw
	}
	return nil
}

// moving is the switch whose Services are not all seen to select the target
// yet, or nil. Afterwards the endpoints follow, and candidates do not wait for
// that: without a ready Pod there are none, and it would never end.
func (p *plan) moving() *v1alpha1.SwitchStatus {
	if sw := p.inFlight(); sw != nil && sw.PatchedAt == nil {
		return sw
	}
	return nil
}

// observing tells whether the active content is still watched.
func (p *plan) observing() bool { return p.st.Active != nil && p.st.Active.FinishedAt == nil }

// idleColour is the one that may be written to. What a deleted Release of the
// same name left serving is not.
func (p *plan) idleColour() v1alpha1.Colour {
	if p.st.Active != nil {
		return p.st.Active.Colour.Other()
	}
	if c := p.st.Candidate; c != nil && c.Digest != "" {
		return c.Colour
	}
	if p.snap.InUse(v1alpha1.Blue) && p.servedRightly(v1alpha1.Blue) {
		return v1alpha1.Green
	}
	return v1alpha1.Blue
}

func (p *plan) finalizer() {
	for _, f := range p.snap.Release.Finalizers {
		if f == v1alpha1.Finalizer {
			return
		}
	}
	p.do(AddFinalizer{})
}

// contentDigest is the digest of the candidate as it stands in its colour.
func (p *plan) contentDigest(sequence int64, w Workload, policies []approval.Policy) (string, error) {
	s := p.snap
	services := make([]digest.Service, 0, len(s.Services))
	for _, ref := range s.Release.Spec.Services {
		if svc := p.service(ref.Name); svc != nil {
			services = append(services, digest.Service{Name: ref.Name, Preview: ref.PreviewName(), Ports: svc.Ports})
		}
	}
	return digest.Of(digest.Input{
		Cluster: s.Cluster, Namespace: s.Release.Namespace, Name: s.Release.Name, UID: string(s.Release.UID),
		Sequence: sequence, Template: w.Template, Services: services, Config: s.Config.Wanted, Spec: s.Release.Spec, Policies: policies,
	})
}

func (p *plan) service(name string) *Service {
	for i := range p.snap.Services {
		if p.snap.Services[i].Name == name {
			return &p.snap.Services[i]
		}
	}
	return nil
}

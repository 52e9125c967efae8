// Copyright The Countersign Authors.
// SPDX-License-Identifier: Apache-2.0

package rollout

import (
	"fmt"
	"slices"
	"time"

	"github.com/countersign/countersign/api/v1alpha1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// watch looks after content from the moment its switch is intended until its
// observation ends, and goes back when it fails. It asks nobody.
func (p *plan) watch() {
	if sw := p.moving(); sw != nil && sw.Reason.Promotes() {
		p.watchHalfSwitched(sw)
		return
	}
	if p.inRollback() || p.turnBack() || !p.observing() {
		return
	}
	a := p.st.Active
	p.run(v1alpha1.StageAfterSwitch, a.Digest, 0, a.AfterSwitch, p.snap.Workload(a.Colour), 1)
	p.recordResults(v1alpha1.StageAfterSwitch, a.Digest, 0, a.AfterSwitch)
	failure, final := p.failure()
	if failure == "" {
		a.FailingSince = nil
	}
	switch {
	case failure != "" && a.Irreversible:
		p.leaveToPeople(failure)
	case failure != "":
		p.goBack(failure, final)
	case p.inFlight() == nil && len(p.strays()) == 0:
		p.finish()
	}
}

func (p *plan) inRollback() bool {
	sw := p.inFlight()
	return sw != nil && sw.Reason == v1alpha1.SwitchRollback
}

// watchHalfSwitched compensates a promotion that cannot be brought to its end
// while some Services already lead to its target.
func (p *plan) watchHalfSwitched(sw *v1alpha1.SwitchStatus) {
	to := p.halfWayBack()
	if _, some := p.progress(sw); !some || to == nil {
		return
	}
	limit := p.spec().ProgressDeadlineSeconds
	by := ""
	if c := p.st.Candidate; c != nil && c.Digest == sw.To.Digest {
		by = p.requesterOf(c, v1alpha1.AbortAnnotation)
	}
	switch {
	case by != "":
		p.startRollback(*to, by+" asked to give it up while the Services were being switched")
		p.st.Switch.AskedBy = by
	case p.snap.Workload(sw.To.Colour).Ready == 0:
		p.startRollback(*to, "the candidate lost all ready Pods while the Services were being switched")
	case limit > 0 && p.due(sw.IntendedAt.Add(time.Duration(limit)*time.Second)):
		p.startRollback(*to, fmt.Sprintf("not all Services could be switched within %d seconds", limit))
	}
}

// halfWayBack is what a promotion that is half done is gone back from to: what is
// active or, before anything was let through, what served before, while it does.
func (p *plan) halfWayBack() *v1alpha1.Content {
	if p.st.Active != nil {
		return &p.st.Active.Content
	}
	return p.wayBack()
}

// failure says in what way the active content fails, and whether that cannot
// mend itself; empty if it does not fail.
func (p *plan) failure() (why string, final bool) {
	a := p.st.Active
	w := p.snap.Workload(a.Colour)
	// Pods that were only just asked for are not missing: they never were ready.
	a.ReadyPeak = min(p.wanted(a.Colour), max(a.ReadyPeak, w.Ready))
	if w.Ready > 0 && w.Ready >= a.ReadyPeak {
		a.UnreadySince = nil
	} else if a.UnreadySince == nil {
		a.UnreadySince = p.nowPtr()
	}
	if f := p.failedCheck(v1alpha1.StageAfterSwitch, a.Digest); f != "" {
		return f, true
	}
	if w.Ready == 0 {
		return fmt.Sprintf("no Pod of %s is ready", a.Colour), false
	}
	grace := time.Duration(a.ReadinessGraceSeconds) * time.Second
	if a.UnreadySince != nil && p.due(a.UnreadySince.Add(grace)) {
		return fmt.Sprintf("some Pods of %s were not ready for %d seconds", a.Colour, a.ReadinessGraceSeconds), false
	}
	return "", false
}

// wanted is how many Pods a colour should have by now.
func (p *plan) wanted(c v1alpha1.Colour) int32 {
	return min(p.replicas(), p.snap.Workload(c).Replicas)
}

// kept tells whether what can be gone back to still stands as it was.
func (p *plan) kept(to v1alpha1.Content) bool {
	w := p.snap.Workload(to.Colour)
	return w.Exists && !w.Foreign && w.TemplateHash == to.TemplateHash
}

// wayBack is what can be gone back to now; nil if there is nothing, or it has no
// ready Pod.
func (p *plan) wayBack() *v1alpha1.Content {
	if to := p.back(); to != nil && p.kept(*to) && p.snap.Workload(to.Colour).Ready > 0 {
		return to
	}
	return nil
}

// goBack starts a rollback if there is something to go back to. Otherwise the
// content stays under observation, for it may recover, and so may the former
// one; it is given up when neither can, or when people have sent other content.
func (p *plan) goBack(why string, final bool) {
	if to := p.wayBack(); to != nil {
		p.startRollback(*to, why)
		return
	}
	a, to := p.st.Active, p.back()
	kept := to != nil && p.kept(*to)
	if a.Revision != p.snap.Revision || final && !kept {
		a.Failed, a.FinishedAt = clip(why, 1024), p.nowPtr()
		return
	}
	if kept {
		p.alarm(v1alpha1.ReasonRollbackImpossible, fmt.Sprintf(
			"%s, and %s, which served before, has no ready Pod to go back to; look at its Pods: %s", why, p.called(*to), p.lookAt(*to)))
		return
	}
	p.alarm(v1alpha1.ReasonRollbackImpossible, fmt.Sprintf(
		"%s, and there is nothing to go back to; look at its Pods: %s", why, p.lookAt(a.Content)))
}

// lookAt is the command that shows the Pods of a content.
func (p *plan) lookAt(c v1alpha1.Content) string {
	selector := p.selectorOf(c.Colour)
	if c.Colour == v1alpha1.Origin {
		selector = metav1.FormatLabelSelector(p.snap.Origin.Selector)
	}
	return fmt.Sprintf("kubectl get pods -n %s -l %s", p.snap.Release.Namespace, selector)
}

// startRollback takes the place of a switch that is still being carried out.
func (p *plan) startRollback(to v1alpha1.Content, why string) {
	p.actions = slices.DeleteFunc(p.actions, func(a Action) bool {
		switch a.(type) {
		case ShiftTraffic, MakeService:
			return true
		}
		return false
	})
	p.unnumber() // what was never on record
	p.note(true, NoticeRollbackStarted, fmt.Sprintf("%s; going back to %s", why, p.full(to)))
	p.begin(v1alpha1.SwitchRollback, to, why, nil)
}

// rolledBack records that traffic is back, and what it came back from.
func (p *plan) rolledBack(sw *v1alpha1.SwitchStatus) {
	to := *sw.To.DeepCopy()
	p.leaveRestart(&to)
	if p.st.Active == nil && p.st.Candidate != nil {
		p.haltCandidate(v1alpha1.ReasonRolledBack, sw.Message+tryAgain) // half-way to the first content
	}
	if a := p.st.Active; a != nil {
		switch {
		case a.Colour != sw.To.Colour:
			p.forget(a.Digest)
			p.giveUp(a.Content, sw.Message)
		case p.st.Candidate != nil:
			// The promotion never landed: the active content stays what it was.
			p.haltCandidate(v1alpha1.ReasonRolledBack, sw.Message+tryAgain)
		}
		to.Services = p.following(to.Services)
	}
	p.st.Active, p.st.Former = nil, nil
	if to.Colour != v1alpha1.Origin {
		p.st.Active = &v1alpha1.ActiveStatus{Content: to, Epoch: sw.Epoch, Since: p.now(), FinishedAt: p.nowPtr()}
	}
	p.note(true, NoticeRolledBack, fmt.Sprintf("%s serves again: %s", p.full(sw.To), sw.Message))
}

// giveUp turns content that was rolled back from into a halted candidate, or,
// when the spec has moved on, hands its authors on to the candidate that
// builds on it.
func (p *plan) giveUp(failed v1alpha1.Content, why string) {
	c := p.st.Candidate
	if c == nil && failed.Revision == p.snap.Revision {
		c = &v1alpha1.CandidateStatus{
			Colour: failed.Colour, Digest: failed.Digest, Revision: failed.Revision, TemplateHash: failed.TemplateHash,
			SpecRevision: failed.SpecRevision, Config: failed.Config,
			Sequence: failed.Sequence, ObservedGeneration: p.snap.Release.Generation, Authors: failed.Authors, Delegates: failed.Delegates, Since: p.st.Active.Since,
		}
		p.st.Candidate = c
		p.haltCandidate(v1alpha1.ReasonRolledBack, why+tryAgain)
		return
	}
	if c == nil {
		c = p.freshCandidate(failed.Colour)
		p.st.Candidate = c
	}
	c.Colour = failed.Colour
	c.Authors, c.Delegates = allAuthors(c.Authors, failed.Authors), allDelegates(c.Authors, c.Delegates, failed.Authors, failed.Delegates)
}

// finish ends the observation when its time is over and nothing is amiss.
func (p *plan) finish() {
	a, sw := p.st.Active, p.st.Switch
	start := a.Since.Time
	if sw != nil && sw.SettledAt != nil && sw.To.Digest == a.Digest {
		start = sw.SettledAt.Time
	}
	if !p.due(start.Add(time.Duration(a.ObserveSeconds)*time.Second)) || a.UnreadySince != nil {
		return
	}
	if !p.passNow(v1alpha1.StageAfterSwitch, a.Digest, a.AfterSwitch) {
		// People who have sent other content do not wait for what cannot be found out.
		if why := p.inconclusive(v1alpha1.StageAfterSwitch, a.Digest); why != "" && a.Revision != p.snap.Revision {
			a.Failed, a.FinishedAt = clip(why, 1024), p.nowPtr()
		}
		return
	}
	a.FinishedAt = p.nowPtr()
	p.note(false, NoticeReleaseFinished, fmt.Sprintf("%s is finished after %d seconds of observation", short(a.Digest), a.ObserveSeconds))
}

// Copyright The Countersign Authors.
// SPDX-License-Identifier: Apache-2.0

package rollout

import (
	"fmt"
	"slices"
	"time"

	"github.com/countersign/countersign/api/v1alpha1"
)

// watch looks after content from the moment its switch is intended until its
// observation ends, and goes back when it fails. It asks nobody.
func (p *plan) watch() {
	if sw := p.inFlight(); sw != nil && sw.PatchedAt == nil {
		p.watchHalfSwitched(sw)
		return
	}
	if !p.observing() || p.inRollback() {
		return
	}
	a := p.st.Active
	p.run(v1alpha1.StageAfterSwitch, a.Digest, a.AfterSwitch, p.snap.Workload(a.Colour))
	p.recordResults(v1alpha1.StageAfterSwitch, a.Digest, a.AfterSwitch)
	switch failure := p.failure(); {
	case failure != "":
		p.goBack(failure)
	case p.inFlight() == nil:
		p.finish()
	}
}

func (p *plan) inRollback() bool {
	sw := p.inFlight()
	return sw != nil && sw.Reason == v1alpha1.SwitchRollback
}

// watchHalfSwitched compensates a promotion whose target died while some
// Services already lead to it.
func (p *plan) watchHalfSwitched(sw *v1alpha1.SwitchStatus) {
	if sw.Reason != v1alpha1.SwitchPromote || p.st.Active == nil || p.snap.Workload(sw.To.Colour).Ready > 0 {
		return
	}
	if !slices.ContainsFunc(p.snap.Services, func(s Service) bool { return arrived(&s, sw) }) {
		return
	}
	p.actions = slices.DeleteFunc(p.actions, func(a Action) bool { _, is := a.(ShiftTraffic); return is })
	p.startRollback(p.st.Active.Content, "the candidate lost all ready Pods while the Services were being switched")
}

// failure says in what way the active content fails; empty if it does not.
func (p *plan) failure() string {
	a := p.st.Active
	w := p.snap.Workload(a.Colour)
	if w.Ready == 0 {
		return fmt.Sprintf("no Pod of %s is ready", a.Colour)
	}
	if f := p.failedCheck(v1alpha1.StageAfterSwitch, a.Digest); f != "" {
		return f
	}
	if w.Ready >= p.replicasWanted(w) {
		a.UnreadySince = nil
		return ""
	}
	if a.UnreadySince == nil {
		a.UnreadySince = p.nowPtr()
	}
	grace := time.Duration(a.ReadinessGraceSeconds) * time.Second
	if p.due(a.UnreadySince.Add(grace)) {
		return fmt.Sprintf("some Pods of %s were not ready for %d seconds", a.Colour, a.ReadinessGraceSeconds)
	}
	return ""
}

// replicasWanted of a workload: Pods that were only just asked for are not
// missing yet.
func (p *plan) replicasWanted(w Workload) int32 {
	return min(p.replicas(), w.Replicas)
}

// goBack starts a rollback if there is something to go back to.
func (p *plan) goBack(why string) {
	f := p.st.Former
	if f != nil {
		w := p.snap.Workload(f.Colour)
		if w.Exists && w.TemplateHash == f.TemplateHash && w.Ready > 0 {
			p.startRollback(f.Content, why)
			return
		}
		// Kept, but nothing of it is ready: going there would help nobody.
		p.block(v1alpha1.ReasonRollbackImpossible, fmt.Sprintf(
			"%s, and %s, the content before, has no ready Pod to go back to; look at its Pods: kubectl get pods -n %s -l %s=%s,%s=%s",
			why, f.Colour, p.snap.Release.Namespace, v1alpha1.ReleaseLabel, p.snap.Release.Name, v1alpha1.ColourLabel, f.Colour))
		return
	}
	if p.inFlight() != nil {
		return // wait for the switch to settle before giving up on it
	}
	p.st.Active.Failed = clip(why, 1024)
	p.st.Active.FinishedAt = p.nowPtr()
}

func (p *plan) startRollback(to v1alpha1.Content, why string) {
	p.note(true, NoticeRollbackStarted, fmt.Sprintf("%s; going back to %s (%s)", why, to.Colour, short(to.Digest)))
	p.begin(v1alpha1.SwitchRollback, to, why, nil)
}

// rolledBack records that traffic is back, and what it came back from.
func (p *plan) rolledBack(sw *v1alpha1.SwitchStatus) {
	failed := p.st.Active.Content
	switch {
	case failed.Colour == sw.To.Colour && p.st.Candidate != nil:
		// The promotion never landed: the active content stays what it was.
		c := p.st.Candidate
		p.haltCandidate(v1alpha1.ReasonRolledBack, sw.Message+"; apply a mended template to try again")
		failed.Authors = c.Authors
	case failed.Colour != sw.To.Colour:
		p.giveUp(failed, sw.Message)
	}
	p.st.Active = &v1alpha1.ActiveStatus{Content: sw.To, Epoch: sw.Epoch, Since: p.now(), FinishedAt: p.nowPtr()}
	p.st.Former = nil
	p.note(true, NoticeRolledBack, fmt.Sprintf("%s serves again (%s): %s", sw.To.Colour, short(sw.To.Digest), sw.Message))
}

// giveUp turns content that was rolled back from into a halted candidate, or,
// when the spec has moved on, hands its authors on to the candidate that
// builds on it.
func (p *plan) giveUp(failed v1alpha1.Content, why string) {
	c := p.st.Candidate
	if c == nil && failed.Revision == p.snap.Revision {
		c = &v1alpha1.CandidateStatus{
			Colour: failed.Colour, Digest: failed.Digest, Revision: failed.Revision, TemplateHash: failed.TemplateHash,
			Sequence: failed.Sequence, ObservedGeneration: p.snap.Release.Generation, Authors: failed.Authors, Since: p.st.Active.Since,
		}
		p.st.Candidate = c
		p.haltCandidate(v1alpha1.ReasonRolledBack, why+"; apply a mended template to try again")
		return
	}
	if c == nil {
		c = p.freshCandidate(failed.Colour)
		p.st.Candidate = c
	}
	c.Colour = failed.Colour
	c.Authors = union(c.Authors, failed.Authors)
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
	if !p.allPassed(v1alpha1.StageAfterSwitch, a.Digest, a.AfterSwitch) {
		return
	}
	a.FinishedAt = p.nowPtr()
	p.note(false, NoticeReleaseFinished, fmt.Sprintf("%s is finished after %d seconds of observation", short(a.Digest), a.ObserveSeconds))
}

// Copyright The Countersign Authors.
// SPDX-License-Identifier: Apache-2.0

package rollout

import (
	"fmt"
	"time"

	"github.com/countersign/countersign/api/v1alpha1"
)

// restart makes the Pods of what serves anew because somebody asks for it, and
// sees to it that all are. It is on record before any Pod is replaced, and Pods
// that are ready go on serving until others are.
func (p *plan) restart() {
	a := p.st.Active
	if a == nil || p.inFlight() != nil {
		return
	}
	w := p.snap.Workload(a.Colour)
	if r := p.askedAnew(&a.Content); r != nil && (!w.Exists || p.kept(a.Content)) {
		a.Restart = r
		p.note(false, NoticeRestartStarted, fmt.Sprintf("%s asked to make the Pods of %s anew, by number %d; those that are there serve until the others do", r.AskedBy, p.full(a.Content), r.Number))
	}
	if !a.Restart.Open() {
		return
	}
	if w.Restarts == a.Restart.Number && w.Complete(p.replicas()) {
		a.Restart.FinishedAt = p.nowPtr()
		p.note(false, NoticeRestarted, fmt.Sprintf("all Pods of %s were made anew, by number %d", p.full(a.Content), a.Restart.Number))
		return
	}
	limit := p.spec().ProgressDeadlineSeconds
	if limit > 0 && p.due(a.Restart.At.Add(time.Duration(limit)*time.Second)) {
		p.alarm(v1alpha1.ReasonRestartStuck, fmt.Sprintf(
			"the Pods of %s that are made anew, as %s asked, are not all available after %d seconds; those from before serve until they are; look at them: %s",
			a.Colour, a.Restart.AskedBy, limit, p.lookAt(a.Content)))
	}
}

// askedAnew is the request to make the Pods of a content anew that was not
// answered yet; nil if there is none.
func (p *plan) askedAnew(c *v1alpha1.Content) *v1alpha1.RestartStatus {
	request := p.snap.Release.Annotations[v1alpha1.RestartAnnotation]
	number := c.RestartNumber(request)
	if number == 0 {
		return nil
	}
	return &v1alpha1.RestartStatus{Number: number, AskedBy: p.requester(v1alpha1.RestartAnnotation, request), At: p.now()}
}

// makeAnew has the Deployment that serves replace its Pods, as it is on record. One
// that somebody changed would make Pods of what nobody approved.
func (p *plan) makeAnew(w Workload) {
	a := p.st.Active
	if a.Restart.Open() && p.inFlight() == nil && p.kept(a.Content) && w.Restarts != a.Restart.Number {
		p.do(Restart{Colour: a.Colour, ResourceVersion: w.ResourceVersion, Number: a.Restart.Number})
	}
}

// leaveRestart closes what was asked about content that traffic moves away from,
// or back to: whoever goes back needs the Pods that are there.
func (p *plan) leaveRestart(c *v1alpha1.Content) {
	r := p.askedAnew(c)
	if r == nil {
		if !c.Restart.Open() {
			return
		}
		r = c.Restart.DeepCopy()
	}
	r.CancelledAt = p.nowPtr()
	c.Restart = r
	p.note(true, NoticeRestartCancelled, fmt.Sprintf(
		"%s asked to make the Pods of %s anew, by number %d, and that is over, because traffic moved; ask again once it serves, if it is still to be done", r.AskedBy, p.full(*c), r.Number))
}

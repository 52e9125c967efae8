// Copyright The Countersign Authors.
// SPDX-License-Identifier: Apache-2.0

package rollout

import (
	"cmp"
	"fmt"
	"strings"

	"github.com/countersign/countersign/api/v1alpha1"
)

// requester is who asks for something by an annotation that has this value, as
// admission put it on record; empty if nobody does.
func (p *plan) requester(key, value string) string {
	annotations := p.snap.Release.Annotations
	if strings.TrimPrefix(value, v1alpha1.IrreversiblePrefix) == "" || annotations[key] != value {
		return ""
	}
	return clip(cmp.Or(annotations[key+v1alpha1.RequesterSuffix], "somebody who is not on record"), 253)
}

// requesterOf is who asks for something about a candidate. Its digest may have come
// after it was named by its number.
func (p *plan) requesterOf(c *v1alpha1.CandidateStatus, key string) string {
	return cmp.Or(p.requester(key, c.Digest), p.requester(key, fmt.Sprint(c.Sequence)))
}

// abort gives the candidate up because somebody asks for it. Nothing that serves
// is touched: a switch that has begun is called off, or compensated, elsewhere.
func (p *plan) abort() {
	c := p.st.Candidate
	if c == nil || c.Halted != nil || p.moving() != nil {
		return
	}
	if by := p.requesterOf(c, v1alpha1.AbortAnnotation); by != "" {
		p.haltCandidate(v1alpha1.ReasonAborted, by+" asked to give it up"+p.tryAsItIs())
	}
}

// retry tries content again that was given up before it had any traffic. It is a
// candidate of its own: nobody who voted knew that it would fail.
func (p *plan) retry() {
	c := p.st.Candidate
	if c == nil || c.Halted == nil || !c.Halted.Retryable() || p.moving() != nil || c.Revision != p.snap.Revision {
		return
	}
	by := p.requesterOf(c, v1alpha1.RetryAnnotation)
	if by == "" {
		return
	}
	next := p.successor(c)
	next.TemplateHash = c.TemplateHash // what was made of it may have been changed since
	p.note(false, NoticeCandidateRetried, fmt.Sprintf("%s asked to try content %d again; it is content %d now and needs votes of its own", by, c.Sequence, next.Sequence))
}

// tryAsItIs is what to do about a candidate that was given up before it had any
// traffic.
func (p *plan) tryAsItIs() string {
	return "; to try again, apply a mended template, or as it is: " + p.annotate(v1alpha1.RetryAnnotation+"="+p.st.Candidate.Name())
}

// turnBack goes back because somebody asks for it, also when the observation is
// over, and tells whether it does. No content is gone back from twice: what was
// gone back to keeps nothing to go back to, and whatever is promoted has another
// digest.
func (p *plan) turnBack() bool {
	a, to := p.st.Active, p.back()
	if a == nil || to == nil {
		return false
	}
	by := p.requester(v1alpha1.RollbackAnnotation, a.RollbackRequest())
	switch {
	case by == "":
		return false
	case p.wayBack() != nil:
		p.goBackFor(by, *to)
		return true
	case p.kept(*to):
		p.alarm(v1alpha1.ReasonRollbackImpossible, fmt.Sprintf(
			"%s asked to go back, and %s, which served before, has no ready Pod to go back to; look at its Pods: %s", by, p.called(*to), p.lookAt(*to)))
	default:
		p.alarm(v1alpha1.ReasonRollbackImpossible, fmt.Sprintf(
			"%s asked to go back, and %s does not hold what served before any more; apply what is to run and have it approved, and take the request back: %s",
			by, p.deploymentOf(*to), p.annotate(v1alpha1.RollbackAnnotation+"-")))
	}
	return false
}

// goBackFor starts a rollback that somebody asks for, and puts on record who.
func (p *plan) goBackFor(by string, to v1alpha1.Content) {
	p.startRollback(to, by+" asked to go back")
	p.st.Switch.AskedBy = by
}

// annotate is the command that sets an annotation, or takes it off.
func (p *plan) annotate(assignment string) string {
	return fmt.Sprintf("kubectl annotate release %s -n %s --overwrite %s", p.snap.Release.Name, p.snap.Release.Namespace, assignment)
}

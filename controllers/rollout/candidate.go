// Copyright The Countersign Authors.
// SPDX-License-Identifier: Apache-2.0

package rollout

import (
	"cmp"
	"fmt"
	"slices"
	"time"

	"github.com/countersign/countersign/api/v1alpha1"
	"github.com/countersign/countersign/controllers/approval"
)

// pickCandidate keeps the candidate the newest content of the spec, and its
// digest the digest of what stands in its colour.
func (p *plan) pickCandidate() {
	if c := p.st.Candidate; c != nil && p.snap.Authors.Known {
		p.addAuthors(c) // known also while what the content is cannot be
	}
	if p.moving() != nil || len(p.snap.Problems) > 0 || len(p.snap.Config.Missing) > 0 {
		return
	}
	if a := p.st.Active; a != nil && a.Revision == p.snap.Revision {
		p.st.Candidate = nil
		return
	}
	c := p.st.Candidate
	if c == nil || c.Revision != p.snap.Revision {
		next := p.successor(c)
		p.note(false, NoticeCandidateDetected, fmt.Sprintf("content %d is prepared in %s%s", next.Sequence, next.Colour, p.pointOfNoReturn("; ", "")))
		return
	}
	c.Colour = p.idleColour()
	p.refreshDigest(c)
}

func (p *plan) freshCandidate(colour v1alpha1.Colour) *v1alpha1.CandidateStatus {
	p.st.Sequence++
	c := &v1alpha1.CandidateStatus{
		Colour: colour, Revision: p.snap.Revision, SpecRevision: p.specRevision(), Sequence: p.st.Sequence,
		Config:             slices.Clone(p.snap.Config.Wanted),
		ObservedGeneration: p.snap.Release.Generation, Since: p.now(),
	}
	if p.snap.Authors.Known {
		p.addAuthors(c)
	}
	return c
}

// successor puts a fresh candidate in the place of one that was not let through,
// or of none: whoever wrote that is an author of what follows.
func (p *plan) successor(c *v1alpha1.CandidateStatus) *v1alpha1.CandidateStatus {
	next := p.freshCandidate(p.idleColour())
	if c != nil {
		next.Authors, next.Delegates = allAuthors(next.Authors, c.Authors), allDelegates(next.Authors, next.Delegates, c.Authors, c.Delegates)
	}
	p.st.Candidate = next
	return next
}

func (p *plan) addAuthors(c *v1alpha1.CandidateStatus) {
	a := p.snap.Authors
	c.Authors, c.Delegates = allAuthors(c.Authors, a.Names), allDelegates(c.Authors, c.Delegates, a.Names, a.Delegates)
}

// refreshDigest gives the candidate its digest once it stands in its colour,
// and a sequence number and digest of its own when something else that an
// approval covers has changed: a Service's ports, or a policy that does not only
// add to its demands.
func (p *plan) refreshDigest(c *v1alpha1.CandidateStatus) {
	w := p.snap.Workload(c.Colour)
	if !p.materialised(c, w) || len(p.blockers) > 0 || !p.servicesThere() {
		return
	}
	policies := p.covered(c)
	d, err := p.contentDigest(c.Sequence, w, policies)
	if err == nil && c.Digest != "" && d != c.Digest {
		p.st.Sequence++
		c.Sequence, c.ReadyAt, c.TestedAt = p.st.Sequence, nil, nil
		policies = approval.Demands(p.snap.Policies)
		d, err = p.contentDigest(c.Sequence, w, policies)
		p.note(true, NoticeCandidateDetected, "a policy, a Service or what stands in the colour changed otherwise than by adding demands; the candidate has to be approved again")
	}
	if err != nil {
		p.block(v1alpha1.ReasonInvalidSpec, "the content has no canonical form: "+err.Error())
		return
	}
	c.Digest, c.TemplateHash, c.ObservedGeneration = d, w.TemplateHash, p.snap.Release.Generation
	c.Policies = frozen(policies)
}

// materialised tells whether a workload holds the candidate and nobody has
// changed its template since the digest was taken. Restarts are numbered for each
// content anew: a candidate has had none.
func (p *plan) materialised(c *v1alpha1.CandidateStatus, w Workload) bool {
	return w.Exists && !w.Foreign && w.Revision == c.Revision && w.Restarts == 0 &&
		(c.TemplateHash == "" || c.TemplateHash == w.TemplateHash)
}

// workable tells whether the idle colour may be worked on for the candidate.
func (p *plan) workable() bool {
	c := p.st.Candidate
	return c != nil && c.Halted == nil && p.moving() == nil && p.fenced() && !p.observing() &&
		!p.cameThrough() && p.restoring == nil && !p.spec().Paused && len(p.blockers) == 0 && !p.reachable(c.Colour)
}

// prepare brings the idle colour to the candidate and, when it is complete,
// leads the preview Services there.
func (p *plan) prepare() {
	c := p.st.Candidate
	if !p.workable() {
		if c != nil {
			c.ProgressSince = nil
		}
		return
	}
	w := p.snap.Workload(c.Colour)
	p.chooseSize(c, w)
	if c.TestedAt == nil && c.ProgressSince == nil {
		c.ProgressSince = p.nowPtr()
	}
	if w.leaving() || !p.copyConfig(c.Config) {
		return
	}
	if !p.materialised(c, w) {
		if p.neverWas(c, w) {
			return
		}
		if f := p.st.Former; f != nil && f.Colour == c.Colour {
			p.st.Former = nil
		}
		p.do(Materialise{Colour: c.Colour, ResourceVersion: w.ResourceVersion, Revision: c.Revision, Replicas: p.candidateReplicas(), Config: c.Config})
		return
	}
	c.PutBackFrom = ""
	if w.Replicas != p.candidateReplicas() {
		p.do(Scale{Colour: c.Colour, ResourceVersion: w.ResourceVersion, Replicas: p.candidateReplicas()})
	}
	if !w.Complete(p.candidateReplicas()) {
		return
	}
	if c.ReadyAt == nil {
		c.ReadyAt, c.TestedReplicas = p.nowPtr(), p.candidateReplicas()
		p.note(false, NoticeCandidateReady, p.podsAvailable(c))
	}
	if c.TestedAt == nil {
		c.TestedReplicas = min(c.TestedReplicas, p.candidateReplicas())
	}
	p.pointPreviews(c.Colour)
}

// neverWas tells whether what is on record as the candidate's template cannot be made
// from the spec: putting the Deployment back leaves it as it is. Somebody had changed
// it before the digest was taken. What it holds is the candidate then, and is voted
// on anew.
func (p *plan) neverWas(c *v1alpha1.CandidateStatus, w Workload) bool {
	switch {
	case !w.Exists || w.Foreign || w.Revision != c.Revision || w.Restarts != 0:
		return false
	case c.PutBackFrom != w.TemplateHash:
		c.PutBackFrom = w.TemplateHash
		return false
	}
	p.st.Sequence++
	c.Sequence, c.Digest, c.TemplateHash, c.PutBackFrom = p.st.Sequence, "", "", ""
	c.ReadyAt, c.TestedAt = nil, nil
	p.note(true, NoticeCandidateDetected, fmt.Sprintf("what stood in %s when its digest was taken was not what the spec says; it is content %d now, and has to be approved again", c.Colour, c.Sequence))
	return true
}

// pointPreviews is done only when the candidate is complete, so that a preview
// never leads to Pods that are not there.
func (p *plan) pointPreviews(colour v1alpha1.Colour) {
	for i := range p.snap.Services {
		svc := &p.snap.Services[i]
		pv := svc.Preview
		if !p.usable(svc) || !p.named(svc.Name) || pv.Foreign || pv.Exists && pv.Colour == colour && samePorts(pv.Ports, svc.Ports) {
			continue
		}
		p.do(PointPreview{
			Service: svc.Name, Preview: pv.Name, Exists: pv.Exists, ResourceVersion: pv.ResourceVersion,
			Selector: pv.Selector, Colour: colour, Ports: svc.Ports,
		})
	}
}

// test runs the beforeSwitch checks on a complete candidate, and ends one that
// takes too long.
func (p *plan) test() {
	c := p.st.Candidate
	if !p.workable() || c.Digest == "" {
		p.deadline()
		return
	}
	w := p.snap.Workload(c.Colour)
	checks := beforeSwitch(p.spec())
	if c.TestedAt == nil && p.materialised(c, w) && w.Complete(p.candidateReplicas()) {
		p.run(v1alpha1.StageBeforeSwitch, c.Digest, c.Round, checks, w, p.candidateReplicas())
		p.recordResults(v1alpha1.StageBeforeSwitch, c.Digest, c.Round, checks)
		p.runJobs(c, checks, w)
		if f := p.failedCheck(v1alpha1.StageBeforeSwitch, c.Digest); f != "" {
			p.haltCandidate(v1alpha1.ReasonCheckFailed, f+p.tryAsItIs())
			return
		}
		if p.allPassed(v1alpha1.StageBeforeSwitch, c.Digest, checks) {
			c.TestedAt, c.ProgressSince = p.nowPtr(), nil
			p.note(false, NoticeChecksPassed, fmt.Sprintf("%d checks passed before the switch%s", len(checks), p.inFull(c)))
		}
	}
	p.deadline()
}

func (p *plan) deadline() {
	c := p.st.Candidate
	if c == nil || c.Halted != nil || c.TestedAt != nil || c.ProgressSince == nil {
		return
	}
	limit := time.Duration(p.spec().ProgressDeadlineSeconds) * time.Second
	if limit > 0 && p.due(c.ProgressSince.Add(limit)) {
		look := fmt.Sprintf("look at its Pods: kubectl describe pods -n %s -l %s", p.snap.Release.Namespace, p.selectorOf(c.Colour))
		if why := cmp.Or(p.inconclusive(v1alpha1.StageBeforeSwitch, c.Digest), p.unfinishedJob(c.Digest)); why != "" {
			look = why
		}
		p.haltCandidate(v1alpha1.ReasonProgressDeadlineExceeded, fmt.Sprintf(
			"%s did not become ready and tested%s within %d seconds%s; %s%s", c.Colour, p.inFull(c), p.spec().ProgressDeadlineSeconds, p.because(c), look, p.tryAsItIs()))
	}
}

// because is what keeps a Pod of the candidate from becoming ready, after a colon;
// empty when nothing is known to.
func (p *plan) because(c *v1alpha1.CandidateStatus) string {
	w := p.snap.Workload(c.Colour)
	for _, pod := range w.Pods {
		if pod.Trouble != "" && pod.Revision == w.Revision {
			return ": " + clip(pod.Trouble, 384)
		}
	}
	return ""
}

// tryAgain is what to do about content that was gone back from: it is not tried
// again, and other content is.
const tryAgain = "; to try again, apply a mended template, or the same one with another annotation"

func (p *plan) haltCandidate(reason, message string) {
	c := p.st.Candidate
	c.ProgressSince = nil
	c.Halted = &v1alpha1.HaltedStatus{Reason: reason, Message: clip(message, 1024), At: p.now()}
	p.note(true, NoticeReleaseHalted, message)
}

// retire lets go of the former colour when its time is over, and scales to
// zero what nobody needs.
func (p *plan) retire() {
	if p.st.Active == nil || p.inFlight() != nil || p.observing() || p.restoring != nil {
		return
	}
	if f := p.st.Former; f != nil {
		if f.KeepUntil == nil {
			until := p.st.Active.FinishedAt.Add(time.Duration(p.st.Active.KeepIdleSeconds) * time.Second)
			f.KeepUntil = microless(until)
		}
		if !p.due(f.KeepUntil.Time) {
			return
		}
		p.st.Former = nil
		p.note(false, NoticeColourRetired, fmt.Sprintf("%s is scaled to zero; it was kept for %d seconds", f.Colour, p.st.Active.KeepIdleSeconds))
	}
	idle := p.st.Active.Colour.Other()
	if c := p.st.Candidate; c != nil {
		if c.Halted == nil || !p.due(c.Halted.At.Add(time.Duration(p.st.Active.KeepIdleSeconds)*time.Second)) {
			return
		}
	}
	if w := p.snap.Workload(idle); w.Exists && !w.Foreign && w.Replicas > 0 && !p.reachable(idle) {
		p.do(Scale{Colour: idle, ResourceVersion: w.ResourceVersion, Replicas: 0})
	}
}

// keepActive keeps the serving colour, and the former one while it is kept, at
// the wanted size, and tells of changes to them.
func (p *plan) keepActive() {
	a := p.st.Active
	if a == nil {
		return
	}
	if f := p.st.Former; f != nil && p.moving() == nil {
		if w := p.snap.Workload(f.Colour); w.Exists && w.TemplateHash == f.TemplateHash && w.Replicas != p.replicas() {
			p.do(Scale{Colour: f.Colour, ResourceVersion: w.ResourceVersion, Replicas: p.replicas()})
		}
	}
	w := p.snap.Workload(a.Colour)
	if w.Exists && w.TemplateHash != a.TemplateHash {
		p.alarm(v1alpha1.ReasonDrifted, fmt.Sprintf(
			"the template of Deployment %s, which serves, was changed by someone else, so that nobody approved what runs; release a candidate, or put it back: kubectl rollout undo deployment %s -n %s",
			w.Name, w.Name, p.snap.Release.Namespace))
	}
	switch {
	case w.Exists && w.Replicas != p.replicas():
		p.do(Scale{Colour: a.Colour, ResourceVersion: w.ResourceVersion, Replicas: p.replicas()})
	case w.leaving():
	case w.Exists:
		p.makeAnew(w)
	case !w.Exists && a.Revision == p.snap.Revision && p.moving() == nil:
		if p.copyConfig(a.Config) {
			p.do(Materialise{Colour: a.Colour, Revision: a.Revision, Replicas: p.replicas(), Restarts: a.Restart.Last(), Config: a.Config})
		}
	case !w.Exists && p.moving() == nil:
		p.recreate(a)
	}
}

func beforeSwitch(spec *v1alpha1.ReleaseSpec) []v1alpha1.Check {
	if spec.Checks == nil {
		return nil
	}
	return spec.Checks.BeforeSwitch
}

func afterSwitch(spec *v1alpha1.ReleaseSpec) []v1alpha1.Check {
	if spec.Checks == nil {
		return nil
	}
	return slices.Clone(spec.Checks.AfterSwitch)
}

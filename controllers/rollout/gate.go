// Copyright The Countersign Authors.
// SPDX-License-Identifier: Apache-2.0

package rollout

import (
	"cmp"
	"fmt"
	"slices"

	"github.com/countersign/countersign/api/v1alpha1"
	"github.com/countersign/countersign/controllers/approval"
)

// judge evaluates the votes on the candidate and explains each of them.
func (p *plan) judge() {
	p.st.Votes, p.st.Approvals = nil, ""
	c := p.st.Candidate
	if c == nil {
		for _, v := range p.snap.Votes {
			p.explain(approval.ExplainedVote{Vote: v, Why: cmp.Or(p.record(v), "there is no candidate to vote on; it stays as a record")})
		}
		return
	}
	p.verdict = p.evaluate(c)
	p.judgeGlasses(c)
	for _, v := range p.verdict.Votes {
		if was := p.record(v.Vote); was != "" && !v.Counted {
			v.Why = was + "; the candidate, " + short(c.Digest) + ", needs votes of its own"
		}
		p.explain(v)
	}
	if p.verdict.Total > 0 {
		p.st.Approvals = fmt.Sprintf("%d/%d", p.verdict.Filled, p.verdict.Total)
	}
	p.wakeForVotes(c)
}

// wakeForVotes asks to look again when an approval begins or ceases to count,
// also while it opens nothing: the status says which do.
func (p *plan) wakeForVotes(c *v1alpha1.CandidateStatus) {
	p.wake(p.verdict.ValidUntil)
	p.wake(p.verdict.OpensAt)
	for _, v := range p.snap.Votes {
		if v.Decision != approval.Approve || v.Digest != c.Digest {
			continue
		}
		p.wake(v.At.Add(-approval.ClockSkew)) // of a clock that is ahead: it counts by then
		for _, policy := range p.snap.Policies {
			p.wake(v.At.Add(policy.ValidFor))
		}
	}
}

func (p *plan) evaluate(c *v1alpha1.CandidateStatus) approval.Verdict {
	return approval.Evaluate(p.snap.Policies, p.subject(c), p.snap.Votes, p.snap.Now)
}

func (p *plan) subject(c *v1alpha1.CandidateStatus) approval.Subject {
	return approval.Subject{
		Digest: c.Digest, Authors: c.Authors, AuthorsKnown: p.snap.Authors.Known,
		Named: approval.Trusted(p.snap.Policies, c.Delegates), Unwitnessed: p.stranger(c),
	}
}

func (p *plan) explain(v approval.ExplainedVote) {
	vs := v1alpha1.VoteStatus{
		Slot: clip(v.Slot, 63), User: clip(v.User, 253), Decision: clip(string(v.Decision), 16), Counted: v.Counted,
		Rule: clip(v.Rule, 320), Why: clip(v.Why, 512),
	}
	if !v.At.IsZero() {
		vs.At = microless(v.At)
	}
	if len(p.st.Votes) < 32 {
		p.st.Votes = append(p.st.Votes, vs)
	}
}

// promote records the decision to switch to the candidate if nothing at all
// speaks against it.
func (p *plan) promote() {
	c := p.st.Candidate
	if !p.workable() {
		return
	}
	if small := p.tooSmall(c); small != "" && p.holdback() == small {
		p.grow(c)
	}
	if p.holdback() != "" {
		return
	}
	approvers := make([]string, 0, len(p.verdict.Seats))
	for _, seat := range p.verdict.Seats {
		approvers = append(approvers, seat.User)
	}
	approvers = atMost(64, union(nil, approvers))
	spec := p.spec()
	reason := p.way()
	if reason == v1alpha1.SwitchPromote {
		p.note(false, NoticeReleaseApproved, fmt.Sprintf("%s is approved by %s", short(c.Digest), list(approvers)))
	}
	p.begin(reason, v1alpha1.Content{
		Colour: c.Colour, Digest: c.Digest, Revision: c.Revision, TemplateHash: c.TemplateHash, Sequence: c.Sequence,
		SpecRevision: c.SpecRevision, Config: slices.Clone(c.Config),
		Authors: slices.Clone(c.Authors), Delegates: slices.Clone(c.Delegates), Services: p.following(spec.Services), AfterSwitch: afterSwitch(spec),
		Irreversible: spec.Irreversible, DeletionPolicy: spec.DeletionPolicy, ObserveSeconds: spec.ObserveSeconds, KeepIdleSeconds: orDefault(spec.KeepIdleSeconds, 3600),
		ReadinessGraceSeconds: orDefault(spec.ReadinessGraceSeconds, 15),
	}, "", approvers)
	if reason == v1alpha1.SwitchBreakGlass {
		p.recordGlass(p.st.Switch)
	}
}

// holdback says what keeps a workable candidate from being switched to; empty
// when nothing does. It is the one place where the gate opens.
func (p *plan) holdback() string {
	c := p.st.Candidate
	w := p.snap.Workload(c.Colour)
	switch {
	case c.Digest == "" || c.Revision != p.snap.Revision || !p.materialised(c, w):
		return "the candidate is being prepared"
	case !p.copied(c.Config):
		return "the copies of its ConfigMaps and Secrets are not all there"
	case !w.Complete(p.enough(c)):
		return "the Pods of the candidate are not all available"
	case c.TestedAt == nil:
		return "the checks have not passed"
	case p.way() == "":
		return p.unapproved()
	case !p.snap.Gate.Intact:
		return "the gate is frozen"
	case p.wrongImage(c) != "":
		return p.wrongImage(c)
	case !p.previewsComplete(c.Colour, p.candidateReplicas()):
		return "the endpoints of the preview Services are not complete"
	case !p.claimed():
		return "the Services are being claimed"
	case c.Size != v1alpha1.FullSize:
		return p.tooSmall(c)
	}
	return ""
}

func (p *plan) liveReady() int32 {
	if p.st.Active == nil {
		return 0
	}
	w := p.snap.Workload(p.st.Active.Colour)
	return min(w.Ready, w.Replicas)
}

// previewsComplete is the barrier before a switch: the endpoint controller has
// been seen to know all Pods, at least n, that the active Services are about to
// select.
func (p *plan) previewsComplete(c v1alpha1.Colour, n int32) bool {
	for _, ref := range p.spec().Services {
		svc := p.service(ref.Name)
		if svc == nil || svc.Preview.Colour != c || !svc.Preview.Endpoints.Only(c, int(n)) {
			return false
		}
	}
	return true
}

func (p *plan) claimed() bool {
	if slices.ContainsFunc(p.actions, func(a Action) bool { _, is := a.(Claim); return is }) {
		return false // a Service that was led astray is taken back first
	}
	for _, ref := range p.spec().Services {
		if svc := p.service(ref.Name); svc == nil || !p.usable(svc) || svc.Owner != p.snap.Release.Name {
			return false
		}
	}
	return len(p.spec().Services) > 0
}

// following are the Services given and those that lead to the active content
// besides: a Service that was taken out of the spec goes on following until it
// is deleted, because leaving it behind would leave it without Pods.
func (p *plan) following(services []v1alpha1.ServiceRef) []v1alpha1.ServiceRef {
	refs := slices.Clone(services)
	if p.st.Active != nil {
		for _, r := range p.st.Active.Services {
			if svc := p.service(r.Name); !names(refs, r.Name) && svc != nil && p.usable(svc) {
				refs = append(refs, r)
			}
		}
	}
	return refs
}

func orDefault(v *int32, d int32) int32 {
	if v == nil {
		return d
	}
	return *v
}

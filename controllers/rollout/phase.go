// Copyright The Countersign Authors.
// SPDX-License-Identifier: Apache-2.0

package rollout

import (
	"fmt"
	"strings"

	"github.com/countersign/countersign/api/v1alpha1"
	"github.com/countersign/countersign/controllers/approval"
)

// derive computes what is there for people from the facts.
func (p *plan) derive() {
	p.st.Phase = p.phase()
	p.st.WaitingFor = clip(p.waitingFor(), 256)
	p.st.Replicas, p.st.Selector = 0, ""
	if a := p.st.Active; a != nil {
		p.st.Replicas = p.snap.Workload(a.Colour).Total
		p.st.Selector = fmt.Sprintf("%s=%s,%s=%s", v1alpha1.ReleaseLabel, p.snap.Release.Name, v1alpha1.ColourLabel, a.Colour)
	}
	p.conditions()
}

func (p *plan) phase() v1alpha1.Phase {
	c, w := p.st.Candidate, Workload{}
	if c != nil {
		w = p.snap.Workload(c.Colour)
	}
	switch {
	case p.snap.Release.DeletionTimestamp != nil:
		return v1alpha1.PhaseDeleting
	case p.inRollback() && !p.stuck():
		return v1alpha1.PhaseRollingBack
	case p.inFlight() != nil && !p.stuck():
		return v1alpha1.PhaseSwitching
	case p.observing():
		return v1alpha1.PhaseObserving
	case p.restoring != nil:
		return v1alpha1.PhasePreparing
	case c != nil && (c.Halted != nil || p.verdict.Outcome == approval.Rejected):
		return v1alpha1.PhaseHalted
	case c != nil && p.spec().Paused:
		return v1alpha1.PhasePaused
	case c == nil && p.st.Active != nil:
		return v1alpha1.PhaseStable
	case c == nil || c.Digest == "" || !w.Complete(p.candidateReplicas()):
		return v1alpha1.PhasePreparing
	case c.TestedAt == nil:
		return v1alpha1.PhaseTesting
	}
	return v1alpha1.PhaseAwaitingApproval
}

// stuck tells that a switch is done but for the endpoints, which cannot follow
// because the target has no ready Pod. Nothing else waits for it.
func (p *plan) stuck() bool {
	return p.moving() == nil && p.snap.Workload(p.st.Switch.To.Colour).Ready == 0
}

// waitingFor is the answer to "what is it waiting for, and who can act".
func (p *plan) waitingFor() string {
	c := p.st.Candidate
	switch p.st.Phase {
	case v1alpha1.PhaseDeleting:
		return "clean-up; " + p.fate()
	case v1alpha1.PhaseRollingBack, v1alpha1.PhaseSwitching:
		return "the Services to lead to " + p.called(p.st.Switch.To)
	case v1alpha1.PhaseObserving:
		return fmt.Sprintf("%d seconds of observation", p.st.Active.ObserveSeconds)
	case v1alpha1.PhaseHalted:
		if c.Halted != nil && c.Halted.Retryable() {
			return "a mended template, or a retry (" + c.Halted.Reason + ")"
		}
		if c.Halted != nil {
			return "a mended template (" + c.Halted.Reason + ")"
		}
		return "the veto of " + list(p.verdict.Vetoes) + " to be withdrawn"
	}
	if p.restoring != nil {
		return fmt.Sprintf("the Pods of %s, to go back to %s", p.st.Active.Colour.Other(), short(p.restoring.Digest))
	}
	if len(p.blockers) > 0 {
		return p.blockers[0].reason
	}
	switch p.st.Phase {
	case v1alpha1.PhasePaused:
		return "spec.paused to be set to false"
	case v1alpha1.PhasePreparing:
		if c != nil && c.Round > 0 && c.ReadyAt == nil {
			return p.growth()
		}
		if c != nil {
			return "the Pods of " + string(c.Colour)
		}
	case v1alpha1.PhaseTesting:
		return "the checks before the switch" + p.inFull(c)
	case v1alpha1.PhaseAwaitingApproval:
		return p.missing() + p.marked()
	case v1alpha1.PhaseStable:
		if a := p.st.Active; a.Restart.Open() {
			return fmt.Sprintf("the Pods of %s to be made anew", a.Colour)
		}
	}
	return ""
}

// missing says which seats are free, or what else holds the candidate back.
func (p *plan) missing() string {
	switch {
	case p.way() != "" && !p.fenced():
		return "the switch that was called off to be fenced"
	case p.way() != "" && p.cameThrough():
		return "the endpoints of the switch that was called off to be gone"
	case p.way() != "" && p.reachable(p.st.Candidate.Colour):
		return "the traffic to leave " + string(p.st.Candidate.Colour)
	case p.frozen():
		return "the gate to be mended (" + v1alpha1.ReasonGateFrozen + ")"
	case p.way() != "" || p.verdict.Outcome == approval.Approved:
		return p.holdback()
	case p.verdict.Outcome == approval.Blocked:
		return p.verdict.Reason
	case !p.votesHelp() || p.verdict.Reason == v1alpha1.ReasonStopTheLine:
		return clause(p.verdict.Message)
	}
	seats := make([]string, 0, len(p.verdict.Missing))
	for _, m := range p.verdict.Missing {
		who := append(append([]string{}, m.Groups...), m.Users...)
		seats = append(seats, fmt.Sprintf("%d of %s (%s)", m.Count, m.Rule, list(who)))
	}
	if len(seats) == 0 {
		return clause(p.verdict.Message)
	}
	if len(p.st.Reviews) > 0 {
		seats = append(seats, p.unapproved())
	}
	return strings.Join(seats, "; ")
}

// Copyright The Countersign Authors.
// SPDX-License-Identifier: Apache-2.0

package rollout

import (
	"fmt"

	"github.com/countersign/countersign/api/v1alpha1"
	"github.com/countersign/countersign/controllers/approval"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// claimAbout is one condition as the facts have it.
type claimAbout struct {
	status  metav1.ConditionStatus
	reason  string
	message string
}

func yes(reason, message string) claimAbout { return claimAbout{metav1.ConditionTrue, reason, message} }
func no(reason, message string) claimAbout  { return claimAbout{metav1.ConditionFalse, reason, message} }
func open(reason, message string) claimAbout {
	return claimAbout{metav1.ConditionUnknown, reason, message}
}

// conditions sets all conditions from the facts. Reconciling, Stalled and
// Paused are there only when true, as kstatus wants it.
func (p *plan) conditions() {
	if p.snap.Release.DeletionTimestamp != nil {
		p.set(v1alpha1.ConditionReconciling, yes(v1alpha1.ReasonProgressing, "the Release is being deleted; "+p.fate()))
		return
	}
	p.set(v1alpha1.ConditionReady, p.ready())
	p.setIfTrue(v1alpha1.ConditionReconciling, p.reconciling())
	p.setIfTrue(v1alpha1.ConditionStalled, p.stalled())
	p.setIfTrue(v1alpha1.ConditionPaused, p.paused())
	p.setIfTrue(v1alpha1.ConditionReviewPending, p.reviewPending())
	p.set(v1alpha1.ConditionReleased, p.released())
	p.set(v1alpha1.ConditionAvailable, p.available())
	p.set(v1alpha1.ConditionCandidateReady, p.candidateReady())
	p.set(v1alpha1.ConditionTested, p.tested())
	p.set(v1alpha1.ConditionApproved, p.approved())
	p.set(v1alpha1.ConditionTrafficSettled, p.trafficSettled())
	p.set(v1alpha1.ConditionVerified, p.verified())
}

func (p *plan) set(kind string, c claimAbout) {
	meta.SetStatusCondition(&p.st.Conditions, metav1.Condition{
		Type: kind, Status: c.status, Reason: c.reason, Message: clip(c.message, 1024),
		ObservedGeneration: p.snap.Release.Generation, LastTransitionTime: p.now(),
	})
}

func (p *plan) setIfTrue(kind string, c claimAbout) {
	if c.status == metav1.ConditionTrue {
		p.set(kind, c)
		return
	}
	meta.RemoveStatusCondition(&p.st.Conditions, kind)
}

func (p *plan) ready() claimAbout {
	serving := p.st.Active != nil && p.snap.Workload(p.st.Active.Colour).Ready > 0
	switch {
	case p.st.Phase == v1alpha1.PhaseRollingBack:
		return no(v1alpha1.ReasonRollingBack, p.st.Switch.Message)
	case len(p.faults()) > 0:
		return no(p.faults()[0].reason, p.faults()[0].message)
	case p.st.Active != nil && !serving:
		return no(v1alpha1.ReasonUnavailable, fmt.Sprintf("no Pod of %s, which serves, is ready; look at its Pods: %s",
			p.st.Active.Colour, p.lookAt(p.st.Active.Content)))
	case p.st.Active != nil && p.st.Active.Failed != "":
		return no(v1alpha1.ReasonRollbackImpossible, p.failedMessage())
	}
	switch p.st.Phase {
	case v1alpha1.PhaseHalted:
		s := p.stalled()
		return no(s.reason, s.message)
	case v1alpha1.PhasePaused:
		if p.st.Active == nil {
			return p.unlessFirst(yes(v1alpha1.ReasonPaused, "the release is paused"))
		}
		return yes(v1alpha1.ReasonPaused, "the release is paused; the approved content serves")
	case v1alpha1.PhaseAwaitingApproval:
		return p.unlessFirst(yes(v1alpha1.ReasonAwaitingApproval, p.approved().message))
	case v1alpha1.PhaseStable:
		return yes(v1alpha1.ReasonServing, "the newest content serves")
	case v1alpha1.PhaseObserving:
		return yes(v1alpha1.ReasonObserving, "the newest content serves and is watched")
	}
	return no(v1alpha1.ReasonProgressing, "the operator works on it; it waits for "+p.st.WaitingFor)
}

// unlessFirst keeps a Release that never served anything from being Ready.
func (p *plan) unlessFirst(c claimAbout) claimAbout {
	if p.st.Active == nil {
		return no(v1alpha1.ReasonNothingPromoted, "nothing was let through yet; "+c.message)
	}
	return c
}

func (p *plan) failedMessage() string {
	return clip(p.st.Active.Failed, 700) + "; it was given up without going back: apply a mended template"
}

func (p *plan) reconciling() claimAbout {
	switch p.st.Phase {
	case v1alpha1.PhaseRollingBack:
		return yes(v1alpha1.ReasonRollingBack, "traffic moves back to what served before")
	case v1alpha1.PhaseSwitching, v1alpha1.PhasePreparing, v1alpha1.PhaseTesting:
		if len(p.blockers) == 0 {
			return yes(v1alpha1.ReasonProgressing, "the operator works on it; it waits for "+p.st.WaitingFor)
		}
	}
	return claimAbout{}
}

func (p *plan) stalled() claimAbout {
	c := p.st.Candidate
	switch {
	case len(p.faults()) > 0:
		return yes(p.faults()[0].reason, p.faults()[0].message)
	case p.st.Active != nil && p.st.Active.Failed != "":
		return yes(v1alpha1.ReasonRollbackImpossible, p.failedMessage())
	case c != nil && c.Halted != nil:
		return yes(c.Halted.Reason, c.Halted.Message)
	case p.verdict.Outcome == approval.Rejected:
		return yes(v1alpha1.ReasonRejected, p.verdict.Message)
	case p.verdict.Outcome == approval.Blocked && c != nil && c.Digest != "":
		return yes(p.verdict.Reason, p.blockedMessage())
	case p.frozen():
		return yes(v1alpha1.ReasonGateFrozen, p.frozenMessage())
	}
	return claimAbout{}
}

// frozen tells whether nothing but the gate can hold the candidate back: it
// could be promoted, and a guard was not seen to hold.
func (p *plan) frozen() bool {
	return (p.verdict.Outcome == approval.Approved || p.way() != "") && !p.snap.Gate.Intact
}

func (p *plan) frozenMessage() string {
	return "nothing is promoted, because the gate is frozen: " + p.snap.Gate.Why
}

// blockedMessage adds why the authors are not known, which only the reader of
// the receipts can say.
func (p *plan) blockedMessage() string {
	if p.verdict.Reason == v1alpha1.ReasonAuthorsUnknown && p.snap.Authors.Why != "" {
		return p.verdict.Message + " (" + p.snap.Authors.Why + ")"
	}
	return p.verdict.Message
}

func (p *plan) paused() claimAbout {
	if p.spec().Paused {
		return yes(v1alpha1.ReasonPausedBySpec, "spec.paused is true: no candidate is prepared or switched to; a rollback still happens")
	}
	return claimAbout{}
}

func (p *plan) released() claimAbout {
	if a := p.st.Active; a != nil && a.Revision == p.snap.Revision && len(p.snap.Problems) == 0 && p.st.Phase != v1alpha1.PhaseSwitching {
		return yes(v1alpha1.ReasonReleased, "the newest content of the spec serves")
	}
	if p.st.Phase == v1alpha1.PhaseHalted || len(p.blockers) > 0 {
		s := p.stalled()
		return no(s.reason, s.message)
	}
	if p.st.Phase == v1alpha1.PhaseAwaitingApproval {
		return no(v1alpha1.ReasonAwaitingApproval, p.approved().message)
	}
	return no(v1alpha1.ReasonProgressing, "the newest content of the spec does not serve yet; it waits for "+p.st.WaitingFor)
}

func (p *plan) available() claimAbout {
	a := p.st.Active
	switch {
	case a == nil && p.originServes():
		return yes(v1alpha1.ReasonOriginServing, fmt.Sprintf("Deployment %s serves, as before, because nothing was let through yet", p.st.Origin.Name))
	case a == nil:
		return no(v1alpha1.ReasonNothingPromoted, "nothing was let through yet, so the Services lead nowhere")
	}
	for i := range p.snap.Services {
		svc := &p.snap.Services[i]
		if p.usable(svc) && p.leads(svc.Name) && svc.Endpoints.Of(a.Colour) == 0 {
			return no(v1alpha1.ReasonNoReadyEndpoints, fmt.Sprintf("Service %s has no ready endpoint of %s", svc.Name, a.Colour))
		}
	}
	return yes(v1alpha1.ReasonActiveServing, fmt.Sprintf("%s serves %s", a.Colour, short(a.Digest)))
}

func (p *plan) candidateReady() claimAbout {
	c := p.st.Candidate
	switch {
	case c == nil:
		return open(v1alpha1.ReasonNoCandidate, "there is no candidate")
	case c.Halted != nil:
		return no(c.Halted.Reason, c.Halted.Message)
	case c.Digest != "" && p.snap.Workload(c.Colour).Complete(p.candidateReplicas()):
		return yes(v1alpha1.ReasonPodsAvailable, p.podsAvailable(c))
	case p.observing():
		return no(v1alpha1.ReasonObserving, "the idle colour is kept for going back until the observation ends")
	}
	return no(v1alpha1.ReasonScalingUp, fmt.Sprintf("the Pods of %s are not all available%s", c.Colour, p.because(c)))
}

func (p *plan) tested() claimAbout {
	c := p.st.Candidate
	switch {
	case c == nil:
		return open(v1alpha1.ReasonNoCandidate, "there is no candidate")
	case c.TestedAt != nil:
		return yes(v1alpha1.ReasonChecksPassed, fmt.Sprintf("%d checks passed", len(beforeSwitch(p.spec()))))
	case c.Halted != nil && c.Halted.Reason == v1alpha1.ReasonCheckFailed:
		return no(v1alpha1.ReasonCheckFailed, c.Halted.Message)
	}
	if why := p.inconclusive(v1alpha1.StageBeforeSwitch, c.Digest); why != "" {
		return no(v1alpha1.ReasonChecksInconclusive, why)
	}
	return no(v1alpha1.ReasonChecksRunning, "the checks before the switch have not all passed")
}

func (p *plan) approved() claimAbout {
	c := p.st.Candidate
	switch {
	case c == nil:
		return open(v1alpha1.ReasonNoCandidate, "there is no candidate")
	case c.Digest == "":
		return no(v1alpha1.ReasonProgressing, "the digest is not known yet; votes are taken as soon as the candidate stands in its colour")
	case p.frozen():
		return no(v1alpha1.ReasonGateFrozen, p.frozenMessage())
	case p.way() == v1alpha1.SwitchBreakGlass:
		return yes(v1alpha1.ReasonBreakGlass, fmt.Sprintf("%s lets it through by break-glass (%s: %s)", p.glass.User, p.glass.Ticket, p.glass.Reason))
	case p.verdict.Outcome == approval.Approved && len(p.st.Reviews) > 0:
		return no(v1alpha1.ReasonReviewPending, "every seat is filled, and "+p.reviewPending().message)
	case p.verdict.Outcome == approval.Approved:
		return yes(v1alpha1.ReasonQuorumMet, "every seat is filled")
	case p.votesHelp():
		return no(p.verdict.Reason, p.pointOfNoReturn("", "; ")+p.glassMessage()+fmt.Sprintf("%s%s; approve with: kubectl annotate release %s -n %s %s<you>=%s --overwrite",
			p.verdict.Message, p.configNote(), p.snap.Release.Name, p.snap.Release.Namespace, v1alpha1.VotePrefix, c.Digest))
	}
	return no(p.verdict.Reason, p.blockedMessage())
}

// votesHelp tells whether the candidate waits for votes, be it under a hold.
func (p *plan) votesHelp() bool {
	v := p.verdict
	return v.Outcome == approval.Pending && !v.QuorumMet && v.Reason != v1alpha1.ReasonUnsatisfiable
}

func (p *plan) trafficSettled() claimAbout {
	sw := p.st.Switch
	switch {
	case sw == nil:
		return open(v1alpha1.ReasonNothingPromoted, "there was no switch yet")
	case p.inFlight() == nil && p.anyAstray():
		return no(v1alpha1.ReasonSelectorConflict, "a Service does not lead to the colour that was switched to last, because someone else changed it")
	case p.inFlight() == nil:
		return yes(v1alpha1.ReasonEndpointsMatch, "the endpoints are those of the colour that was switched to last")
	case sw.PatchedAt == nil:
		return no(v1alpha1.ReasonSwitchIntended, fmt.Sprintf("the switch to %s is decided", p.called(sw.To)))
	}
	return no(v1alpha1.ReasonWaitingForEndpoints, fmt.Sprintf("the Services select %s; their endpoints follow", p.called(sw.To)))
}

func (p *plan) anyAstray() bool {
	for i := range p.snap.Services {
		if svc := &p.snap.Services[i]; p.leads(svc.Name) && p.usable(svc) && p.astray(svc) {
			return true
		}
	}
	return false
}

func (p *plan) verified() claimAbout {
	a := p.st.Active
	switch {
	case a == nil:
		return open(v1alpha1.ReasonNothingPromoted, "nothing was let through yet")
	case a.Failed != "":
		return no(v1alpha1.ReasonCheckFailed, p.failedMessage())
	case a.FinishedAt == nil && p.inconclusive(v1alpha1.StageAfterSwitch, a.Digest) != "":
		return no(v1alpha1.ReasonChecksInconclusive, p.inconclusive(v1alpha1.StageAfterSwitch, a.Digest)+"; it is watched until every check passes")
	case a.FinishedAt == nil:
		return no(v1alpha1.ReasonObserving, fmt.Sprintf("it is watched for %d seconds", a.ObserveSeconds))
	}
	return yes(v1alpha1.ReasonChecksPassed, "the observation ended well")
}

func (p *plan) selectorOf(c v1alpha1.Colour) string {
	return fmt.Sprintf("%s=%s,%s=%s", v1alpha1.ReleaseLabel, p.snap.Release.Name, v1alpha1.ColourLabel, c)
}

// Copyright The Countersign Authors.
// SPDX-License-Identifier: Apache-2.0

package v1alpha1

// Types of the conditions of a Release. Their meaning follows the kstatus
// convention: Reconciling and Stalled are present only when True.
const (
	// ConditionReady: True when approved content serves and nothing is wrong,
	// also while a candidate waits for people.
	ConditionReady = "Ready"
	// ConditionReconciling: the operator is working towards the newest spec.
	ConditionReconciling = "Reconciling"
	// ConditionStalled: the operator cannot go on until somebody acts.
	ConditionStalled = "Stalled"
	// ConditionReleased: True when the newest spec is what serves.
	ConditionReleased = "Released"
	// ConditionAvailable: True when the active colour has ready endpoints.
	ConditionAvailable = "Available"
	// ConditionCandidateReady: True when the candidate's Pods are all available.
	ConditionCandidateReady = "CandidateReady"
	// ConditionTested: True when the beforeSwitch checks passed.
	ConditionTested = "Tested"
	// ConditionApproved: True when the quorum for the candidate is met.
	ConditionApproved = "Approved"
	// ConditionTrafficSettled: True when the Services' endpoints are the active
	// colour's only.
	ConditionTrafficSettled = "TrafficSettled"
	// ConditionVerified: True when the active content passed its observation.
	ConditionVerified = "Verified"
	// ConditionReviewPending: True while somebody has to look at a use of
	// break-glass.
	ConditionReviewPending = "ReviewPending"
	// ConditionPaused: True while spec.paused holds the release.
	ConditionPaused = "Paused"
)

// Reasons that several conditions share.
const (
	// ReasonNoCandidate: there is no candidate.
	ReasonNoCandidate = "NoCandidate"
	// ReasonProgressing: the operator works on the candidate.
	ReasonProgressing = "Progressing"
	// ReasonAwaitingApproval: people have to vote.
	ReasonAwaitingApproval = "AwaitingApproval"
	// ReasonOutsideWindow: enough people agree, and traffic may not move at this
	// time.
	ReasonOutsideWindow = "OutsideWindow"
	// ReasonStopTheLine: a policy holds everything that it covers.
	ReasonStopTheLine = "StopTheLine"
	// ReasonUnsatisfiable: the policies demand what nobody can give.
	ReasonUnsatisfiable = "Unsatisfiable"
	// ReasonPaused: spec.paused holds the release.
	ReasonPaused = "Paused"
	// ReasonRollingBack: traffic moves back to the former colour.
	ReasonRollingBack = "RollingBack"
)

// Reasons of Ready.
const (
	// ReasonServing: the newest spec serves.
	ReasonServing = "Serving"
	// ReasonNothingPromoted: the first content has not been let through yet.
	ReasonNothingPromoted = "NothingPromoted"
	// ReasonUnavailable: the active colour has no ready endpoint.
	ReasonUnavailable = "Unavailable"
)

// Reasons of Stalled, and of a halted candidate.
const (
	// ReasonInvalidSpec: the spec contradicts itself; the message names the field.
	ReasonInvalidSpec = "InvalidSpec"
	// ReasonServiceMissing: a Service of spec.services does not exist.
	ReasonServiceMissing = "ServiceMissing"
	// ReasonServicePortsDiffer: a Service has other ports than those that
	// spec.services says.
	ReasonServicePortsDiffer = "ServicePortsDiffer"
	// ReasonServiceForeign: a Service belongs to another Release.
	ReasonServiceForeign = "ServiceForeign"
	// ReasonServiceUnsupported: a Service has a type that cannot be switched.
	ReasonServiceUnsupported = "ServiceUnsupported"
	// ReasonSelectorConflict: a Service's selector would lead traffic to Pods
	// that were not approved, or somebody keeps changing it, or deleting the Service.
	ReasonSelectorConflict = "SelectorConflict"
	// ReasonOriginUnusable: the Deployment of spec.workloadRef cannot be taken over.
	ReasonOriginUnusable = "OriginUnusable"
	// ReasonWorkloadForeign: a Deployment of the name that is needed exists and
	// does not belong to the Release.
	ReasonWorkloadForeign = "WorkloadForeign"
	// ReasonConfigMissing: a ConfigMap or Secret that the template refers to does
	// not exist, lacks a key, or cannot be read.
	ReasonConfigMissing = "ConfigMissing"
	// ReasonConfigForeign: an object of the name that a copy needs exists and
	// does not belong to the Release.
	ReasonConfigForeign = "ConfigForeign"
	// ReasonConfigLost: a copy that the serving content uses is gone or was
	// changed by someone else.
	ReasonConfigLost = "ConfigLost"
	// ReasonDrifted: the serving Deployment was changed by someone else.
	ReasonDrifted = "Drifted"
	// ReasonRestartStuck: Pods that are made anew do not become available in time;
	// those from before serve.
	ReasonRestartStuck = "RestartStuck"
	// ReasonBudgetConflict: somebody keeps changing a PodDisruptionBudget that the
	// operator makes.
	ReasonBudgetConflict = "BudgetConflict"
	// ReasonNoPolicy: no ApprovalPolicy with rules covers the namespace.
	ReasonNoPolicy = "NoPolicy"
	// ReasonGateFrozen: a guard of the gate was not seen to hold, so that nothing
	// is promoted (Stalled, Approved).
	ReasonGateFrozen = "GateFrozen"
	// ReasonAuthorsUnknown: who wrote the content is not proven.
	ReasonAuthorsUnknown = "AuthorsUnknown"
	// ReasonImageNotPinned: a policy demands images by digest, and one is not.
	ReasonImageNotPinned = "ImageNotPinned"
	// ReasonProgressDeadlineExceeded: the candidate did not become ready in time.
	ReasonProgressDeadlineExceeded = "ProgressDeadlineExceeded"
	// ReasonCheckFailed: a check failed.
	ReasonCheckFailed = "CheckFailed"
	// ReasonRejected: a person with a veto rejected the candidate.
	ReasonRejected = "Rejected"
	// ReasonAborted: somebody asked to give the candidate up.
	ReasonAborted = "Aborted"
	// ReasonRolledBack: the content failed after the switch.
	ReasonRolledBack = "RolledBack"
	// ReasonIrreversible: the active content failed and is marked irreversible, so
	// that people have to decide.
	ReasonIrreversible = "Irreversible"
	// ReasonRollbackImpossible: the active content failed and there is nothing
	// to go back to.
	ReasonRollbackImpossible = "RollbackImpossible"
)

// Reasons of the other conditions.
const (
	// ReasonReleased: the newest spec serves (Released).
	ReasonReleased = "Released"
	// ReasonOriginServing: what served before the Release goes on, because nothing
	// was let through yet (Available).
	ReasonOriginServing = "OriginServing"
	// ReasonActiveServing: the active colour has ready endpoints (Available).
	ReasonActiveServing = "ActiveServing"
	// ReasonNoReadyEndpoints: the active colour has none (Available).
	ReasonNoReadyEndpoints = "NoReadyEndpoints"
	// ReasonPodsAvailable: the candidate is complete (CandidateReady).
	ReasonPodsAvailable = "PodsAvailable"
	// ReasonScalingUp: the candidate is not complete (CandidateReady).
	ReasonScalingUp = "ScalingUp"
	// ReasonChecksPassed: all checks passed (Tested, Verified).
	ReasonChecksPassed = "ChecksPassed"
	// ReasonChecksRunning: checks have not all passed yet (Tested).
	ReasonChecksRunning = "ChecksRunning"
	// ReasonChecksInconclusive: a check could not find out (Tested, Verified).
	ReasonChecksInconclusive = "ChecksInconclusive"
	// ReasonQuorumMet: every seat is filled (Approved).
	ReasonQuorumMet = "QuorumMet"
	// ReasonEndpointsMatch: the endpoints are the active colour's (TrafficSettled).
	ReasonEndpointsMatch = "EndpointsMatch"
	// ReasonSwitchIntended: the decision is recorded, traffic moves next
	// (TrafficSettled).
	ReasonSwitchIntended = "SwitchIntended"
	// ReasonWaitingForEndpoints: the selectors are written, the endpoints lag
	// (TrafficSettled).
	ReasonWaitingForEndpoints = "WaitingForEndpoints"
	// ReasonObserving: the active content is watched (Verified).
	ReasonObserving = "Observing"
	// ReasonBreakGlass: somebody on call lets the candidate through (Approved).
	ReasonBreakGlass = "BreakGlass"
	// ReasonReviewPending: a use of break-glass has to be looked at first
	// (Approved, ReviewPending).
	ReasonReviewPending = "ReviewPending"
	// ReasonReviewOverdue: it should have been by now (ReviewPending).
	ReasonReviewOverdue = "ReviewOverdue"
	// ReasonPausedBySpec: spec.paused is true (Paused).
	ReasonPausedBySpec = "PausedBySpec"
)

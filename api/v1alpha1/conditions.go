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
	//
	// On: Approved=Unknown, CandidateReady=Unknown, Tested=Unknown.
	// Next: nothing; a change of content makes one.
	// Run: kubectl apply -f RELEASE.yaml
	ReasonNoCandidate = "NoCandidate"
	// ReasonProgressing: the operator works on the candidate.
	//
	// On: Approved=False, Ready=False, Reconciling=True, Released=False.
	// Next: nothing; the message says what it waits for.
	// Run: kubectl get release RELEASE -n NAMESPACE --watch
	ReasonProgressing = "Progressing"
	// ReasonAwaitingApproval: people have to vote.
	//
	// On: Approved=False, Ready=True, Released=False.
	// Next: people whom the message names look at what would be approved, and vote.
	// Run: kubectl annotate release RELEASE -n NAMESPACE --overwrite approvals.countersign.dev/YOU="$(kubectl get release RELEASE -n NAMESPACE -o jsonpath='{.status.candidate.digest}')"
	ReasonAwaitingApproval = "AwaitingApproval"
	// ReasonOutsideWindow: enough people agree, and traffic may not move at this
	// time.
	//
	// On: Approved=False.
	// Next: nothing: it is switched to when the window opens. In an emergency, somebody on call
	//   breaks the glass.
	// Run: kubectl get approvalpolicies -o jsonpath='{range .items[*]}{.metadata.name}: {.spec.windows}{"\n"}{end}'
	ReasonOutsideWindow = "OutsideWindow"
	// ReasonStopTheLine: a policy holds everything that it covers.
	//
	// On: Approved=False.
	// Next: ask whoever owns the policy that the message names to lift the hold.
	// Run: kubectl patch approvalpolicy POLICY --type=merge -p '{"spec":{"hold":null}}'
	ReasonStopTheLine = "StopTheLine"
	// ReasonUnsatisfiable: the policies demand what nobody can give.
	//
	// On: Approved=False.
	// Next: the owner of the policies mends what the message names: more people in a rule, or fewer
	//   seats.
	// Run: kubectl edit approvalpolicy POLICY
	ReasonUnsatisfiable = "Unsatisfiable"
	// ReasonPaused: spec.paused holds the release.
	//
	// On: Ready=True.
	// Next: end the pause when the release may go on.
	// Run: kubectl patch release RELEASE -n NAMESPACE --type=merge -p '{"spec":{"paused":false}}'
	ReasonPaused = "Paused"
	// ReasonRollingBack: traffic moves back to the former colour.
	//
	// On: Ready=False, Reconciling=True.
	// Next: nothing; then look at why, in the history.
	// Run: kubectl get release RELEASE -n NAMESPACE -o jsonpath='{.status.switch}'
	ReasonRollingBack = "RollingBack"
)

// Reasons of Ready.
const (
	// ReasonServing: the newest spec serves.
	//
	// On: Ready=True.
	// Next: nothing.
	// Run: kubectl describe release RELEASE -n NAMESPACE
	ReasonServing = "Serving"
	// ReasonNothingPromoted: the first content has not been let through yet.
	//
	// On: Available=False, Ready=False, TrafficSettled=Unknown, Verified=Unknown.
	// Next: whatever the message says that it waits for; the first content is let through like any
	//   other.
	// Run: kubectl describe release RELEASE -n NAMESPACE
	ReasonNothingPromoted = "NothingPromoted"
	// ReasonUnavailable: the active colour has no ready endpoint.
	//
	// On: Ready=False.
	// Next: look at the Pods that serve; going back is the quickest cure when the content is to
	//   blame.
	// Run: kubectl get pods -n NAMESPACE -l countersign.dev/release=RELEASE
	ReasonUnavailable = "Unavailable"
)

// Reasons of Stalled, and of a halted candidate.
const (
	// ReasonInvalidSpec: the spec contradicts itself; the message names the field.
	//
	// On: Ready=False, Released=False, Stalled=True.
	// Next: mend the field and apply it again.
	// Run: kubectl edit release RELEASE -n NAMESPACE
	ReasonInvalidSpec = "InvalidSpec"
	// ReasonServiceMissing: a Service of spec.services does not exist.
	//
	// On: Ready=False, Released=False, Stalled=True.
	// Next: create the Service without a selector, or write its ports into spec.services, so that
	//   the operator makes it.
	// Run: kubectl create service clusterip SERVICE -n NAMESPACE --tcp=80:8080 --dry-run=client -o yaml
	ReasonServiceMissing = "ServiceMissing"
	// ReasonServicePortsDiffer: a Service has other ports than those that
	// spec.services says.
	//
	// On: Ready=False, Released=False, Stalled=True.
	// Next: take the ports out of spec.services, so that those of the Service stand, or name a
	//   Service that does not exist.
	// Run: kubectl get service SERVICE -n NAMESPACE -o jsonpath='{.spec.ports}'
	ReasonServicePortsDiffer = "ServicePortsDiffer"
	// ReasonServiceForeign: a Service belongs to another Release.
	//
	// On: Ready=False, Released=False, Stalled=True.
	// Next: name another Service, or delete the Release that it belongs to.
	// Run: kubectl get service SERVICE -n NAMESPACE -o jsonpath='{.metadata.labels}'
	ReasonServiceForeign = "ServiceForeign"
	// ReasonServiceUnsupported: a Service has a type that cannot be switched.
	//
	// On: Ready=False, Released=False, Stalled=True.
	// Next: name a Service of type ClusterIP, NodePort or LoadBalancer.
	// Run: kubectl get service SERVICE -n NAMESPACE -o jsonpath='{.spec.type} {.spec.clusterIP}'
	ReasonServiceUnsupported = "ServiceUnsupported"
	// ReasonSelectorConflict: a Service's selector would lead traffic to Pods
	// that were not approved, or somebody keeps changing it, or deleting the Service.
	//
	// On: Ready=False, Released=False, Stalled=True, TrafficSettled=False.
	// Next: find out who writes the Service, and change its labels or take it out of what they
	//   sync.
	// Run: kubectl get service SERVICE -n NAMESPACE -o yaml --show-managed-fields
	ReasonSelectorConflict = "SelectorConflict"
	// ReasonOriginUnusable: the Deployment of spec.workloadRef cannot be taken over.
	//
	// On: Ready=False, Released=False, Stalled=True.
	// Next: mend what the message names, or take spec.workloadRef out.
	// Run: kubectl get deployment DEPLOYMENT -n NAMESPACE -o yaml
	ReasonOriginUnusable = "OriginUnusable"
	// ReasonWorkloadForeign: a Deployment of the name that is needed exists and
	// does not belong to the Release.
	//
	// On: Ready=False, Released=False, Stalled=True.
	// Next: delete or rename the Deployment, if it is of no use.
	// Run: kubectl delete deployment DEPLOYMENT -n NAMESPACE
	ReasonWorkloadForeign = "WorkloadForeign"
	// ReasonConfigMissing: a ConfigMap or Secret that the template refers to does
	// not exist, lacks a key, or cannot be read.
	//
	// On: Ready=False, Released=False, Stalled=True.
	// Next: create the ConfigMap or Secret, or mark the reference optional.
	// Run: kubectl get configmaps,secrets -n NAMESPACE
	ReasonConfigMissing = "ConfigMissing"
	// ReasonConfigForeign: an object of the name that a copy needs exists and
	// does not belong to the Release.
	//
	// On: Ready=False, Released=False, Stalled=True.
	// Next: delete the object that stands there; the message has the command.
	// Run: kubectl get configmaps,secrets -n NAMESPACE -l '!countersign.dev/release'
	ReasonConfigForeign = "ConfigForeign"
	// ReasonConfigLost: a copy that the serving content uses is gone or was
	// changed by someone else.
	//
	// On: Ready=False, Released=False, Stalled=True.
	// Next: release content again, so that it gets copies of its own, or go back.
	// Run: kubectl annotate release RELEASE -n NAMESPACE --overwrite countersign.dev/rollback="$(kubectl get release RELEASE -n NAMESPACE -o jsonpath='{.status.active.digest}')"
	ReasonConfigLost = "ConfigLost"
	// ReasonDrifted: the serving Deployment was changed by someone else.
	//
	// On: Ready=False, Stalled=True.
	// Next: release a candidate, or put the template back, as the message says; find out who
	//   changed it.
	// Run: kubectl get deployment RELEASE-COLOUR -n NAMESPACE -o yaml --show-managed-fields
	ReasonDrifted = "Drifted"
	// ReasonRestartStuck: Pods that are made anew do not become available in time;
	// those from before serve.
	//
	// On: Ready=False, Stalled=True.
	// Next: look at the Pods that do not start. Release mended content, or ask for another restart
	//   with a larger number.
	// Run: kubectl get pods -n NAMESPACE -l countersign.dev/release=RELEASE
	ReasonRestartStuck = "RestartStuck"
	// ReasonBudgetConflict: somebody keeps changing a PodDisruptionBudget that the
	// operator makes.
	//
	// On: Ready=False, Stalled=True.
	// Next: find out who writes the PodDisruptionBudget, and take it out of what they sync.
	// Run: kubectl get poddisruptionbudgets -n NAMESPACE -o yaml --show-managed-fields
	ReasonBudgetConflict = "BudgetConflict"
	// ReasonNoPolicy: no ApprovalPolicy with rules covers the namespace.
	//
	// On: Approved=False, Stalled=True.
	// Next: the owner of the policies covers the namespace.
	// Run: kubectl patch approvalpolicy POLICY --type=json -p '[{"op":"add","path":"/spec/namespaces/-","value":"NAMESPACE"}]'
	ReasonNoPolicy = "NoPolicy"
	// ReasonGateFrozen: a guard of the gate was not seen to hold, so that nothing
	// is promoted.
	//
	// On: Approved=False, Stalled=True.
	// Next: mend what the message names; promotions go on by themselves. Going back works
	//   meanwhile.
	// Run: kubectl countersign doctor RELEASE -n NAMESPACE
	ReasonGateFrozen = "GateFrozen"
	// ReasonAuthorsUnknown: who wrote the content is not proven.
	//
	// On: Approved=False, Stalled=True.
	// Next: apply the content that is active, and then the change again, with credentials of your
	//   own; a Release that serves nothing yet is deleted and created again. Where a policy refuses
	//   content of unknown authors, the message says so.
	// Run: kubectl apply -f ACTIVE.yaml && kubectl apply -f RELEASE.yaml
	ReasonAuthorsUnknown = "AuthorsUnknown"
	// ReasonImageNotPinned: a policy demands images by digest, and one is not.
	//
	// On: Ready=False, Released=False, Stalled=True.
	// Next: name the image by its digest.
	// Run: kubectl get release RELEASE -n NAMESPACE -o jsonpath='{..image}'
	ReasonImageNotPinned = "ImageNotPinned"
	// ReasonProgressDeadlineExceeded: the candidate did not become ready in time.
	//
	// On: CandidateReady=False, Ready=False, Released=False, Stalled=True.
	// Next: look at its Pods. Apply a mended template, or, when the cause lay elsewhere, try it
	//   again.
	// Run: kubectl annotate release RELEASE -n NAMESPACE --overwrite countersign.dev/retry="$(kubectl get release RELEASE -n NAMESPACE -o jsonpath='{.status.candidate.digest}')"
	ReasonProgressDeadlineExceeded = "ProgressDeadlineExceeded"
	// ReasonCheckFailed: a check failed.
	//
	// On: CandidateReady=False, Ready=False, Released=False, Stalled=True, Tested=False,
	//   Verified=False.
	// Next: read what the check found. Apply a mended template, or, when the cause lay elsewhere,
	//   try it again.
	// Run: kubectl get release RELEASE -n NAMESPACE -o jsonpath='{range .status.checks[*]}{.stage} {.name}: {.state}: {.message}{"\n"}{end}'
	ReasonCheckFailed = "CheckFailed"
	// ReasonRejected: a person with a veto rejected the candidate.
	//
	// On: Approved=False, Ready=False, Released=False, Stalled=True.
	// Next: ask whoever rejects it. Apply a mended template, or they take the veto back.
	// Run: kubectl annotate release RELEASE -n NAMESPACE approvals.countersign.dev/SLOT-
	ReasonRejected = "Rejected"
	// ReasonAborted: somebody asked to give the candidate up.
	//
	// On: CandidateReady=False, Ready=False, Released=False, Stalled=True.
	// Next: apply other content, or try it again; that takes votes again.
	// Run: kubectl annotate release RELEASE -n NAMESPACE --overwrite countersign.dev/retry="$(kubectl get release RELEASE -n NAMESPACE -o jsonpath='{.status.candidate.digest}')"
	ReasonAborted = "Aborted"
	// ReasonRolledBack: the content failed after the switch.
	//
	// On: CandidateReady=False, Ready=False, Released=False, Stalled=True.
	// Next: look at why, mend the content and apply it; the same template with another annotation
	//   is other content, too.
	// Run: kubectl get release RELEASE -n NAMESPACE -o jsonpath='{.status.candidate.halted.message}'
	ReasonRolledBack = "RolledBack"
	// ReasonIrreversible: the active content failed and is marked irreversible, so
	// that people have to decide.
	//
	// On: Ready=False, Stalled=True.
	// Next: decide: apply mended content, or go back all the same.
	// Run: kubectl annotate release RELEASE -n NAMESPACE --overwrite countersign.dev/rollback=irreversible:"$(kubectl get release RELEASE -n NAMESPACE -o jsonpath='{.status.active.digest}')"
	ReasonIrreversible = "Irreversible"
	// ReasonRollbackImpossible: the active content failed and there is nothing
	// to go back to.
	//
	// On: Ready=False, Stalled=True.
	// Next: apply mended content and have it let through; in an emergency, break the glass. A
	//   request that cannot be carried out is taken back.
	// Run: kubectl annotate release RELEASE -n NAMESPACE countersign.dev/rollback-
	ReasonRollbackImpossible = "RollbackImpossible"
)

// Reasons of the other conditions.
const (
	// ReasonReleased: the newest spec serves.
	//
	// On: Released=True.
	// Next: nothing.
	// Run: kubectl describe release RELEASE -n NAMESPACE
	ReasonReleased = "Released"
	// ReasonOriginServing: what served before the Release goes on, because nothing
	// was let through yet.
	//
	// On: Available=True.
	// Next: nothing; people vote on the first content.
	// Run: kubectl describe release RELEASE -n NAMESPACE
	ReasonOriginServing = "OriginServing"
	// ReasonActiveServing: the active colour has ready endpoints.
	//
	// On: Available=True.
	// Next: nothing.
	// Run: kubectl describe release RELEASE -n NAMESPACE
	ReasonActiveServing = "ActiveServing"
	// ReasonNoReadyEndpoints: the active colour has none.
	//
	// On: Available=False.
	// Next: look at the Pods that serve, and at the Service.
	// Run: kubectl get endpointslices -n NAMESPACE -l kubernetes.io/service-name=SERVICE
	ReasonNoReadyEndpoints = "NoReadyEndpoints"
	// ReasonPodsAvailable: the candidate is complete.
	//
	// On: CandidateReady=True.
	// Next: nothing.
	// Run: kubectl describe release RELEASE -n NAMESPACE
	ReasonPodsAvailable = "PodsAvailable"
	// ReasonScalingUp: the candidate is not complete.
	//
	// On: CandidateReady=False.
	// Next: nothing; when it takes long, look at its Pods.
	// Run: kubectl get pods -n NAMESPACE -l countersign.dev/release=RELEASE
	ReasonScalingUp = "ScalingUp"
	// ReasonChecksPassed: all checks passed.
	//
	// On: Tested=True, Verified=True.
	// Next: nothing.
	// Run: kubectl describe release RELEASE -n NAMESPACE
	ReasonChecksPassed = "ChecksPassed"
	// ReasonChecksRunning: checks have not all passed yet.
	//
	// On: Tested=False.
	// Next: nothing; what they find is in the status.
	// Run: kubectl get release RELEASE -n NAMESPACE -o jsonpath='{.status.checks}'
	ReasonChecksRunning = "ChecksRunning"
	// ReasonChecksInconclusive: a check could not find out.
	//
	// On: Tested=False, Verified=False.
	// Next: mend what the check asks: its message says what is missing, such as a Prometheus
	//   without data.
	// Run: kubectl get release RELEASE -n NAMESPACE -o jsonpath='{.status.checks}'
	ReasonChecksInconclusive = "ChecksInconclusive"
	// ReasonQuorumMet: every seat is filled.
	//
	// On: Approved=True.
	// Next: nothing.
	// Run: kubectl describe release RELEASE -n NAMESPACE
	ReasonQuorumMet = "QuorumMet"
	// ReasonEndpointsMatch: the endpoints are the active colour's.
	//
	// On: TrafficSettled=True.
	// Next: nothing.
	// Run: kubectl describe release RELEASE -n NAMESPACE
	ReasonEndpointsMatch = "EndpointsMatch"
	// ReasonSwitchIntended: the decision is recorded, traffic moves next
	//.
	//
	// On: TrafficSettled=False.
	// Next: nothing; it takes less than a second. If it stays, see whether the operator runs.
	// Run: kubectl get deployments -n countersign-system
	ReasonSwitchIntended = "SwitchIntended"
	// ReasonWaitingForEndpoints: the selectors are written, the endpoints lag
	//.
	//
	// On: TrafficSettled=False.
	// Next: nothing; if it stays, see whether the Pods are ready and the controllers of the cluster
	//   run.
	// Run: kubectl get endpointslices -n NAMESPACE -l kubernetes.io/service-name=SERVICE
	ReasonWaitingForEndpoints = "WaitingForEndpoints"
	// ReasonObserving: the active content is watched.
	//
	// On: CandidateReady=False, Ready=True, Verified=False.
	// Next: nothing; a check that fails leads back by itself.
	// Run: kubectl get release RELEASE -n NAMESPACE --watch
	ReasonObserving = "Observing"
	// ReasonBreakGlass: somebody on call lets the candidate through.
	//
	// On: Approved=True.
	// Next: nothing; somebody else reviews it afterwards.
	// Run: kubectl describe release RELEASE -n NAMESPACE
	ReasonBreakGlass = "BreakGlass"
	// ReasonReviewPending: a use of break-glass has to be looked at first
	//.
	//
	// On: Approved=False, ReviewPending=True.
	// Next: somebody whom a rule names, and who neither broke the glass nor wrote the content,
	//   looks at it and says so.
	// Run: kubectl annotate release RELEASE -n NAMESPACE --overwrite reviews.countersign.dev/YOU=DIGEST
	ReasonReviewPending = "ReviewPending"
	// ReasonReviewOverdue: it should have been by now.
	//
	// On: ReviewPending=True.
	// Next: the same, at once: nothing is promoted until then.
	// Run: kubectl annotate release RELEASE -n NAMESPACE --overwrite reviews.countersign.dev/YOU=DIGEST
	ReasonReviewOverdue = "ReviewOverdue"
	// ReasonPausedBySpec: spec.paused is true.
	//
	// On: Paused=True.
	// Next: end the pause when the release may go on.
	// Run: kubectl patch release RELEASE -n NAMESPACE --type=merge -p '{"spec":{"paused":false}}'
	ReasonPausedBySpec = "PausedBySpec"
)

// Copyright The Countersign Authors.
// SPDX-License-Identifier: Apache-2.0

package v1alpha1

import (
	"strconv"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// ReleaseStatus is what the operator found and decided.
type ReleaseStatus struct {
	// observedGeneration is the generation of the spec that this status is about.
	// +optional
	ObservedGeneration int64 `json:"observedGeneration,omitempty"`
	// conditions tell people and tools how the Release stands.
	// +optional
	// +listType=map
	// +listMapKey=type
	// +kubebuilder:validation:MaxItems=16
	Conditions []metav1.Condition `json:"conditions,omitempty"`
	// phase is where the newest content is in its life. It is derived from the
	// facts below and is there for people.
	// +optional
	Phase Phase `json:"phase,omitempty"`
	// approvals counts the seats that are filled and the seats there are, such
	// as 1/2.
	// +optional
	// +kubebuilder:validation:MaxLength=16
	Approvals string `json:"approvals,omitempty"`
	// waitingFor says in a few words what the Release waits for.
	// +optional
	// +kubebuilder:validation:MaxLength=256
	WaitingFor string `json:"waitingFor,omitempty"`
	// replicas is the number of Pods of the active colour (scale subresource).
	// +optional
	Replicas int32 `json:"replicas,omitempty"`
	// selector selects the Pods of the active colour (scale subresource).
	// +optional
	// +kubebuilder:validation:MaxLength=256
	Selector string `json:"selector,omitempty"`

	// sequence is the last number that a candidate got.
	// +optional
	Sequence int64 `json:"sequence,omitempty"`
	// epoch is the last number that a switch got.
	// +optional
	Epoch int64 `json:"epoch,omitempty"`
	// active is the content that was last switched to.
	// +optional
	Active *ActiveStatus `json:"active,omitempty"`
	// former is the content that was active before and is kept for going back.
	// +optional
	Former *FormerStatus `json:"former,omitempty"`
	// origin is what served before the Release took over (spec.workloadRef).
	// +optional
	Origin *OriginStatus `json:"origin,omitempty"`
	// kept are the contents that were let through and can be gone back to, the
	// latest first: the active one and, of those before it, as many as
	// spec.revisionHistoryLimit says. One that was gone back from is not.
	// +optional
	// +listType=map
	// +listMapKey=digest
	// +kubebuilder:validation:MaxItems=11
	Kept []KeptContent `json:"kept,omitempty"`
	// candidate is the newest content, when it differs from the active one.
	// +optional
	Candidate *CandidateStatus `json:"candidate,omitempty"`
	// switch is the switch in progress or the last one.
	// +optional
	Switch *SwitchStatus `json:"switch,omitempty"`
	// votes explains every vote on the Release, counted or not.
	// +optional
	// +listType=map
	// +listMapKey=slot
	// +kubebuilder:validation:MaxItems=32
	Votes []VoteStatus `json:"votes,omitempty"`
	// reviews are uses of break-glass that somebody else has to look at, the
	// earliest first. Until then nothing else is promoted by approvals.
	// +optional
	// +listType=map
	// +listMapKey=epoch
	// +kubebuilder:validation:MaxItems=4
	Reviews []PendingReview `json:"reviews,omitempty"`
	// checks are the latest results of the checks.
	// +optional
	// +listType=map
	// +listMapKey=stage
	// +listMapKey=name
	// +kubebuilder:validation:MaxItems=32
	Checks []CheckStatus `json:"checks,omitempty"`
	// budgets are what is known of the PodDisruptionBudgets of the colours.
	// +optional
	// +listType=map
	// +listMapKey=colour
	// +kubebuilder:validation:MaxItems=2
	Budgets []BudgetStatus `json:"budgets,omitempty"`
	// history lists the switches, the latest first.
	// +optional
	// +listType=map
	// +listMapKey=epoch
	// +kubebuilder:validation:MaxItems=10
	History []HistoryEntry `json:"history,omitempty"`
}

// Phase is where the newest content is in its life.
// +kubebuilder:validation:Enum=Preparing;Testing;AwaitingApproval;Switching;Observing;Stable;RollingBack;Halted;Paused;Deleting
type Phase string

// The phases. ARCHITECTURE.md shows how they follow one another.
const (
	// PhasePreparing: the idle colour is brought to the candidate.
	PhasePreparing Phase = "Preparing"
	// PhaseTesting: the beforeSwitch checks run against the candidate.
	PhaseTesting Phase = "Testing"
	// PhaseAwaitingApproval: the candidate is ready and waits for people.
	PhaseAwaitingApproval Phase = "AwaitingApproval"
	// PhaseSwitching: the decision is made and traffic moves.
	PhaseSwitching Phase = "Switching"
	// PhaseObserving: the candidate has the traffic and is watched.
	PhaseObserving Phase = "Observing"
	// PhaseStable: the newest content is active and finished.
	PhaseStable Phase = "Stable"
	// PhaseRollingBack: traffic moves back to the former colour.
	PhaseRollingBack Phase = "RollingBack"
	// PhaseHalted: the candidate failed or was rejected; the active colour serves.
	PhaseHalted Phase = "Halted"
	// PhasePaused: spec.paused holds the release.
	PhasePaused Phase = "Paused"
	// PhaseDeleting: the Release is being deleted.
	PhaseDeleting Phase = "Deleting"
)

// Content is one content of a Release that the gate let through, with all that
// is needed to watch it and to go back to it without looking at the spec, which
// may have moved on since.
type Content struct {
	// colour that holds it.
	Colour Colour `json:"colour"`
	// digest of everything that the approval covered.
	// +kubebuilder:validation:MaxLength=71
	Digest string `json:"digest"`
	// revision of the spec and configuration that it was made from.
	// +kubebuilder:validation:MaxLength=64
	Revision string `json:"revision"`
	// specRevision is that of the spec alone. Unset when it is the same.
	// +optional
	// +kubebuilder:validation:MaxLength=64
	SpecRevision string `json:"specRevision,omitempty"`
	// config are the ConfigMaps and Secrets that belong to it.
	// +optional
	// +listType=map
	// +listMapKey=kind
	// +listMapKey=name
	// +kubebuilder:validation:MaxItems=64
	Config []ConfigCopy `json:"config,omitempty"`
	// templateHash is the hash of the Deployment's Pod template.
	// +kubebuilder:validation:MaxLength=71
	TemplateHash string `json:"templateHash"`
	// sequence number of the content.
	Sequence int64 `json:"sequence"`
	// authors are everyone who changed the content before it was let through.
	// +optional
	// +listType=set
	// +kubebuilder:validation:MaxItems=64
	// +kubebuilder:validation:items:MaxLength=253
	Authors []string `json:"authors,omitempty"`
	// delegates are the programs among them that said each time for which person
	// they changed the content. That person is an author, too.
	// +optional
	// +listType=set
	// +kubebuilder:validation:MaxItems=64
	// +kubebuilder:validation:items:MaxLength=253
	Delegates []string `json:"delegates,omitempty"`
	// services that lead to it.
	// +listType=map
	// +listMapKey=name
	// +kubebuilder:validation:MaxItems=16
	Services []ServiceRef `json:"services"`
	// afterSwitch are the checks that it is watched with, as approved.
	// +optional
	// +listType=map
	// +listMapKey=name
	// +kubebuilder:validation:MaxItems=16
	AfterSwitch []Check `json:"afterSwitch,omitempty"`
	// irreversible as approved.
	// +optional
	Irreversible bool `json:"irreversible,omitempty"`
	// deletionPolicy as approved.
	// +optional
	DeletionPolicy DeletionPolicy `json:"deletionPolicy,omitempty"`
	// observeSeconds as approved.
	ObserveSeconds int32 `json:"observeSeconds"`
	// keepIdleSeconds as approved.
	KeepIdleSeconds int32 `json:"keepIdleSeconds"`
	// readinessGraceSeconds as approved.
	ReadinessGraceSeconds int32 `json:"readinessGraceSeconds"`
	// restart is the last request to make its Pods anew. Unset when there was none.
	// +optional
	Restart *RestartStatus `json:"restart,omitempty"`
}

// RollbackRequest is what a request to go back from the content has to say: its
// digest, and that it is irreversible, if it is.
func (c *Content) RollbackRequest() string {
	if c.Irreversible {
		return IrreversiblePrefix + c.Digest
	}
	return c.Digest
}

// OfSpec tells whether a content was made from the spec with this revision,
// whatever its ConfigMaps and Secrets hold.
func (c *Content) OfSpec(revision string) bool {
	if c.SpecRevision != "" {
		return c.SpecRevision == revision
	}
	return c.Revision == revision
}

// ActiveStatus is the content that was last switched to.
type ActiveStatus struct {
	Content `json:",inline"`
	// epoch of the switch that made it active.
	Epoch int64 `json:"epoch"`
	// since is when all Services selected it.
	Since metav1.Time `json:"since"`
	// finishedAt is when its observation ended, well or not. Unset while it is
	// observed.
	// +optional
	FinishedAt *metav1.Time `json:"finishedAt,omitempty"`
	// readyPeak is how many Pods were ready at once while it is observed, but no
	// more than are wanted. With fewer, some are missing.
	// +optional
	ReadyPeak int32 `json:"readyPeak,omitempty"`
	// unreadySince is since when some Pods are missing while it is observed.
	// +optional
	UnreadySince *metav1.Time `json:"unreadySince,omitempty"`
	// failingSince is since when content that is irreversible fails, so that people
	// have to decide.
	// +optional
	FailingSince *metav1.Time `json:"failingSince,omitempty"`
	// failed says how it failed when there was nothing to go back to.
	// +optional
	// +kubebuilder:validation:MaxLength=1024
	Failed string `json:"failed,omitempty"`
}

// FormerStatus is the content that was active before and is kept complete, so
// that going back takes one switch.
type FormerStatus struct {
	Content `json:",inline"`
	// keepUntil is when the colour is scaled to zero. Unset while the active
	// content is observed: until then it is kept.
	// +optional
	KeepUntil *metav1.Time `json:"keepUntil,omitempty"`
}

// OriginStatus is the Deployment that served before the Release, with what leads
// back to it.
type OriginStatus struct {
	// name of the Deployment.
	// +kubebuilder:validation:MaxLength=253
	Name string `json:"name"`
	// templateHash is that of its Pod template when the first switch was decided: it
	// is gone back to as it was.
	// +kubebuilder:validation:MaxLength=71
	TemplateHash string `json:"templateHash"`
	// services that led to it, with their selectors.
	// +listType=map
	// +listMapKey=name
	// +kubebuilder:validation:MaxItems=16
	Services []OriginService `json:"services"`
	// keepUntil is until when it can be gone back to. Unset while the first content
	// is observed: until then it can.
	// +optional
	KeepUntil *metav1.Time `json:"keepUntil,omitempty"`
	// leftAt is since when it is not gone back to any more.
	// +optional
	LeftAt *metav1.Time `json:"leftAt,omitempty"`
	// usedBy is another Service that still leads to its Pods, so that it is not
	// scaled to zero.
	// +optional
	// +kubebuilder:validation:MaxLength=63
	UsedBy string `json:"usedBy,omitempty"`
	// drainedAt is when it was seen to be scaled to zero, or gone. After that it is
	// left alone, whoever scales it up again.
	// +optional
	DrainedAt *metav1.Time `json:"drainedAt,omitempty"`
}

// OriginService is a Service as it led to what served before the Release.
type OriginService struct {
	// name of the Service.
	// +kubebuilder:validation:MaxLength=63
	Name string `json:"name"`
	// selector that it had.
	// +kubebuilder:validation:MaxProperties=64
	Selector map[string]string `json:"selector"`
}

// Selector that a Service had; nil when it did not lead to the origin.
func (o *OriginStatus) Selector(service string) map[string]string {
	if o == nil {
		return nil
	}
	for _, s := range o.Services {
		if s.Name == service {
			return s.Selector
		}
	}
	return nil
}

// KeptOrigin is what can be gone back to from the first content that was let through;
// nil when there is nothing, or not any more.
func (s *ReleaseStatus) KeptOrigin() *OriginStatus {
	if s.Origin == nil || s.Origin.LeftAt != nil || s.Former != nil {
		return nil
	}
	return s.Origin
}

// CandidateStatus is the newest content when it differs from the active one.
type CandidateStatus struct {
	// colour that holds it.
	Colour Colour `json:"colour"`
	// digest of everything that an approval of it covers. Empty until the
	// idle colour was brought to it.
	// +optional
	// +kubebuilder:validation:MaxLength=71
	Digest string `json:"digest,omitempty"`
	// revision of the spec and configuration that it is made from.
	// +kubebuilder:validation:MaxLength=64
	Revision string `json:"revision"`
	// specRevision is that of the spec alone. Unset when it is the same.
	// +optional
	// +kubebuilder:validation:MaxLength=64
	SpecRevision string `json:"specRevision,omitempty"`
	// config are the ConfigMaps and Secrets that belong to it.
	// +optional
	// +listType=map
	// +listMapKey=kind
	// +listMapKey=name
	// +kubebuilder:validation:MaxItems=64
	Config []ConfigCopy `json:"config,omitempty"`
	// templateHash is the hash of the Deployment's Pod template.
	// +optional
	// +kubebuilder:validation:MaxLength=71
	TemplateHash string `json:"templateHash,omitempty"`
	// putBackFrom is the hash of a template that was not the candidate's, from which
	// its Deployment was last put back. Unset while it holds the candidate.
	// +optional
	// +kubebuilder:validation:MaxLength=71
	PutBackFrom string `json:"putBackFrom,omitempty"`
	// sequence number; it grows whenever content changes.
	Sequence int64 `json:"sequence"`
	// observedGeneration is the generation of the spec that the digest is of.
	ObservedGeneration int64 `json:"observedGeneration"`
	// authors are everyone who changed content since the last promotion.
	// +optional
	// +listType=set
	// +kubebuilder:validation:MaxItems=64
	// +kubebuilder:validation:items:MaxLength=253
	Authors []string `json:"authors,omitempty"`
	// delegates are the programs among them that said each time for which person
	// they changed the content. That person is an author, too.
	// +optional
	// +listType=set
	// +kubebuilder:validation:MaxItems=64
	// +kubebuilder:validation:items:MaxLength=253
	Delegates []string `json:"delegates,omitempty"`
	// policies that the digest covers, as JSON. Demands that are added to them
	// leave the digest and its votes as they are; any other change makes them
	// void. Empty before there is a digest, and when they are too many to keep:
	// then every change makes the votes void.
	// +optional
	// +kubebuilder:validation:MaxLength=32768
	Policies string `json:"policies,omitempty"`
	// since is when this content was first seen.
	Since metav1.Time `json:"since"`
	// size says how many Pods it is to have. Unset until it is prepared.
	// +optional
	Size CandidateSize `json:"size,omitempty"`
	// round of the beforeSwitch checks: 0, and one more each time that it grows and
	// has to pass them again. What an earlier round found does not count.
	// +optional
	Round int32 `json:"round,omitempty"`
	// readyAt is when its Pods were first all available. Unset again when it grows.
	// +optional
	ReadyAt *metav1.Time `json:"readyAt,omitempty"`
	// testedReplicas is on how many Pods, at least, the checks of this round run,
	// and have passed once testedAt is set. Unset before.
	// +optional
	TestedReplicas int32 `json:"testedReplicas,omitempty"`
	// testedAt is when all beforeSwitch checks had passed. Unset again when it grows
	// and has to pass them on more Pods.
	// +optional
	TestedAt *metav1.Time `json:"testedAt,omitempty"`
	// progressSince is when the clock of progressDeadlineSeconds started; unset
	// while the release waits for people.
	// +optional
	ProgressSince *metav1.Time `json:"progressSince,omitempty"`
	// ignored are the uses of break-glass for it that do not count, each as its
	// slot and why. Each was told once, as event BreakGlassIgnored.
	// +optional
	// +listType=set
	// +kubebuilder:validation:MaxItems=8
	// +kubebuilder:validation:items:MaxLength=1024
	Ignored []string `json:"ignored,omitempty"`
	// halted says why the candidate was given up. Unset while it was not.
	// +optional
	Halted *HaltedStatus `json:"halted,omitempty"`
}

// CandidateSize says how many Pods a candidate is to have.
// +kubebuilder:validation:Enum=Preview;Full
type CandidateSize string

// How many Pods a candidate is to have.
const (
	// PreviewSize: spec.previewReplicas, but no more than spec.replicas.
	PreviewSize CandidateSize = "Preview"
	// FullSize: spec.replicas. It does not shrink again.
	FullSize CandidateSize = "Full"
)

// Name is how a request names the candidate: by its digest or, before there is
// one, by its sequence number.
func (c *CandidateStatus) Name() string {
	if c.Digest != "" {
		return c.Digest
	}
	return strconv.FormatInt(c.Sequence, 10)
}

// HaltedStatus says why a candidate was given up.
type HaltedStatus struct {
	// reason in one word.
	// +kubebuilder:validation:MaxLength=64
	Reason string `json:"reason"`
	// message for people, with what to do next.
	// +kubebuilder:validation:MaxLength=1024
	Message string `json:"message"`
	// at is when it was given up.
	At metav1.Time `json:"at"`
}

// Retryable tells whether the same content may be tried again: nobody has found
// it bad, as with traffic or by a rejection.
func (h *HaltedStatus) Retryable() bool {
	return h.Reason == ReasonCheckFailed || h.Reason == ReasonProgressDeadlineExceeded || h.Reason == ReasonAborted
}

// SwitchReason says why traffic moves.
// +kubebuilder:validation:Enum=Promote;BreakGlass;Rollback;Repair
type SwitchReason string

// Why traffic moves.
const (
	// SwitchPromote: the candidate was approved.
	SwitchPromote SwitchReason = "Promote"
	// SwitchBreakGlass: somebody on call let the candidate through.
	SwitchBreakGlass SwitchReason = "BreakGlass"
	// SwitchRollback: the active content failed.
	SwitchRollback SwitchReason = "Rollback"
	// SwitchRepair: somebody else changed a selector; it is put back.
	SwitchRepair SwitchReason = "Repair"
)

// SwitchStatus is the journal of one switch. It is written before traffic moves.
type SwitchStatus struct {
	// epoch of this switch.
	Epoch int64 `json:"epoch"`
	// reason for it.
	Reason SwitchReason `json:"reason"`
	// from is the colour that had the traffic. Unset at the first switch.
	// +optional
	From *Colour `json:"from,omitempty"`
	// to is the content that gets the traffic.
	To Content `json:"to"`
	// message says what caused it.
	// +optional
	// +kubebuilder:validation:MaxLength=1024
	Message string `json:"message,omitempty"`
	// approvers are the persons whose votes filled the seats.
	// +optional
	// +listType=set
	// +kubebuilder:validation:MaxItems=64
	// +kubebuilder:validation:items:MaxLength=253
	Approvers []string `json:"approvers,omitempty"`
	// breakGlass says who let it through without all approvals. Set exactly when
	// the reason is BreakGlass.
	// +optional
	BreakGlass *BrokenGlass `json:"breakGlass,omitempty"`
	// askedBy is who asked for a rollback by an annotation. Unset when nobody did.
	// +optional
	// +kubebuilder:validation:MaxLength=253
	AskedBy string `json:"askedBy,omitempty"`
	// intendedAt is when the decision was recorded.
	IntendedAt metav1.MicroTime `json:"intendedAt"`
	// patchedAt is when all Services were seen to select the target.
	// +optional
	PatchedAt *metav1.MicroTime `json:"patchedAt,omitempty"`
	// settledAt is when the endpoints of all Services were the target's only.
	// +optional
	SettledAt *metav1.MicroTime `json:"settledAt,omitempty"`
	// cancelledAt is when the switch was called off before any traffic moved.
	// +optional
	CancelledAt *metav1.MicroTime `json:"cancelledAt,omitempty"`
}

// VoteStatus explains one vote.
type VoteStatus struct {
	// slot is the part of the annotation's key after the slash.
	// +kubebuilder:validation:MaxLength=63
	Slot string `json:"slot"`
	// user who voted, as the API server authenticated them. Empty when no valid
	// receipt says so.
	// +optional
	// +kubebuilder:validation:MaxLength=253
	User string `json:"user,omitempty"`
	// decision is approve or reject.
	// +optional
	// +kubebuilder:validation:MaxLength=16
	Decision string `json:"decision,omitempty"`
	// counted is true when the vote has effect on the current candidate.
	Counted bool `json:"counted"`
	// rule is the seat that the vote fills, as policy/rule.
	// +optional
	// +kubebuilder:validation:MaxLength=320
	Rule string `json:"rule,omitempty"`
	// why it counts or not, for people.
	// +kubebuilder:validation:MaxLength=512
	Why string `json:"why"`
	// at is when the vote was cast.
	// +optional
	At *metav1.Time `json:"at,omitempty"`
}

// CheckStage is when a check runs.
// +kubebuilder:validation:Enum=BeforeSwitch;AfterSwitch
type CheckStage string

// When checks run.
const (
	StageBeforeSwitch CheckStage = "BeforeSwitch"
	StageAfterSwitch  CheckStage = "AfterSwitch"
)

// CheckState is what a check found.
// +kubebuilder:validation:Enum=Running;Passed;Failed;Inconclusive
type CheckState string

// What a check found.
const (
	// CheckRunning: it has neither passed nor failed yet.
	CheckRunning CheckState = "Running"
	// CheckPassed: it succeeded as often as it has to.
	CheckPassed CheckState = "Passed"
	// CheckFailed: it failed as often as it may. It stays so.
	CheckFailed CheckState = "Failed"
	// CheckInconclusive: it could not find out. That is not passed, and no
	// failure of the content either.
	CheckInconclusive CheckState = "Inconclusive"
)

// CheckStatus is the latest result of one check.
type CheckStatus struct {
	// stage in which it runs.
	Stage CheckStage `json:"stage"`
	// name of the check.
	// +kubebuilder:validation:MaxLength=40
	Name string `json:"name"`
	// digest of the content that it is about.
	// +kubebuilder:validation:MaxLength=71
	Digest string `json:"digest"`
	// state is what it found.
	State CheckState `json:"state"`
	// message of the latest failure, or what passed. It never has anything in
	// it that the other end sent, but for statuses and numbers, and the termination
	// message of a job.
	// +optional
	// +kubebuilder:validation:MaxLength=512
	Message string `json:"message,omitempty"`
	// at is when the state or the message changed.
	At metav1.Time `json:"at"`
	// job is the Job of a job check. Unset before there is one, and for others.
	// +optional
	Job *CheckJob `json:"job,omitempty"`
}

// CheckJob is the Job that a check runs as.
type CheckJob struct {
	// name of the Job in the Release's namespace.
	// +kubebuilder:validation:MaxLength=63
	Name string `json:"name"`
	// uid of the Job. Unset until it was seen.
	// +optional
	// +kubebuilder:validation:MaxLength=64
	UID string `json:"uid,omitempty"`
	// run is which run of the check it is, from 1. There is another when one proved
	// nothing.
	Run int32 `json:"run"`
	// trouble is what was last seen to keep its Pods from doing their work. Unset
	// when nothing was.
	// +optional
	// +kubebuilder:validation:MaxLength=384
	Trouble string `json:"trouble,omitempty"`
}

// HistoryEntry is one switch that happened.
type HistoryEntry struct {
	// epoch of the switch.
	Epoch int64 `json:"epoch"`
	// reason for it.
	Reason SwitchReason `json:"reason"`
	// colour that got the traffic.
	Colour Colour `json:"colour"`
	// digest of the content that got the traffic.
	// +kubebuilder:validation:MaxLength=71
	Digest string `json:"digest"`
	// approvers are the persons whose votes filled the seats.
	// +optional
	// +listType=set
	// +kubebuilder:validation:MaxItems=64
	// +kubebuilder:validation:items:MaxLength=253
	Approvers []string `json:"approvers,omitempty"`
	// breakGlass says who let it through without all approvals. Set exactly when
	// the reason is BreakGlass.
	// +optional
	BreakGlass *BrokenGlass `json:"breakGlass,omitempty"`
	// askedBy is who asked for a rollback by an annotation. Unset when nobody did.
	// +optional
	// +kubebuilder:validation:MaxLength=253
	AskedBy string `json:"askedBy,omitempty"`
	// at is when all Services selected it.
	At metav1.Time `json:"at"`
}

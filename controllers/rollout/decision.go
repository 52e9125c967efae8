// Copyright The Countersign Authors.
// SPDX-License-Identifier: Apache-2.0

package rollout

import (
	"time"

	"github.com/countersign/countersign/api/v1alpha1"
	"github.com/countersign/countersign/controllers/approval"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
)

// Decision is what to do about a Snapshot: first write Status, then carry out
// Actions in their order, then tell Notices, then look again at WakeAt.
type Decision struct {
	Status  v1alpha1.ReleaseStatus
	Actions []Action
	Notices []Notice
	// Checks that should run from now on; all others stop.
	Checks []CheckRun
	// WakeAt is when the passing of time alone changes the decision. Zero
	// means never.
	WakeAt time.Time
}

// Promotes tells whether the Decision begins to move traffic by an approval.
func (d Decision) Promotes() bool {
	for _, a := range d.Actions {
		if shift, is := a.(ShiftTraffic); is && shift.Policies != nil && !shift.Begun {
			return true
		}
	}
	return false
}

// Notice is an event to be told once Status is written.
type Notice struct {
	// Warning tells a warning from a normal event.
	Warning bool
	// Reason is one of the Notice constants.
	Reason  string
	Message string
}

// Reasons of notices: past tense, said once.
const (
	NoticeCandidateDetected  = "CandidateDetected"
	NoticeCandidateRetried   = "CandidateRetried"
	NoticeCandidateReady     = "CandidateReady"
	NoticeCandidateScaledUp  = "CandidateScaledUp"
	NoticeChecksPassed       = "ChecksPassed"
	NoticeApprovalCounted    = "ApprovalCounted"
	NoticeApprovalIgnored    = "ApprovalIgnored"
	NoticeReleaseApproved    = "ReleaseApproved"
	NoticeBreakGlassUsed     = "BreakGlassUsed"
	NoticeBreakGlassIgnored  = "BreakGlassIgnored"
	NoticeBreakGlassReviewed = "BreakGlassReviewed"
	NoticeReviewOverdue      = "ReviewOverdue"
	NoticeReleaseRejected    = "ReleaseRejected"
	NoticeReleaseHalted      = "ReleaseHalted"
	NoticeSwitchCancelled    = "SwitchCancelled"
	NoticeTrafficSwitched    = "TrafficSwitched"
	NoticeTrafficSettled     = "TrafficSettled"
	NoticeReleaseFinished    = "ReleaseFinished"
	NoticeRollbackStarted    = "RollbackStarted"
	NoticeRolledBack         = "RolledBack"
	NoticeSelectorRepaired   = "SelectorRepaired"
	NoticeOriginDrained      = "OriginDrained"
	NoticeOriginInUse        = "OriginInUse"
	NoticeColourRetired      = "ColourRetired"
	NoticeRestartStarted     = "RestartStarted"
	NoticeRestarted          = "Restarted"
	NoticeRestartCancelled   = "RestartCancelled"
	NoticeConfigRestored     = "ConfigRestored"
	NoticeBudgetRestored     = "BudgetRestored"
	NoticeBudgetLeftToOthers = "BudgetLeftToOthers"
	NoticeStalled            = "Stalled"
	NoticeWriteRefused       = "WriteRefused"
)

// Action is one write to the world. The set is closed.
type Action interface{ isAction() }

// Claim marks a Service as the Release's, so that the guards protect it.
type Claim struct {
	Service, ResourceVersion string
	// Park also makes the selector lead nowhere. It replaces Selector.
	Park bool
	// Back also makes the selector lead to the origin again, when not nil.
	Back     map[string]string
	Selector map[string]string
	Epoch    int64
}

// MarkService marks a Service as one that its owner may delete, or takes that back.
type MarkService struct {
	Service, ResourceVersion string
	Deletable                bool
}

// MakeService creates a Service that is not there, leading nowhere: whoever was
// asleep and does this late moves no traffic by it.
type MakeService struct {
	Service string
	Ports   []corev1.ServicePort
}

// Materialise brings a colour's Deployment to the content of the spec or, when
// Template is not nil, to content that is kept. An empty ResourceVersion means that
// it does not exist yet.
type Materialise struct {
	Colour          v1alpha1.Colour
	ResourceVersion string

	Revision string
	Replicas int32
	// Restarts is the number of the last restart of the content; 0 if there was none.
	Restarts int64
	// Config are the copies that its Pods use.
	Config []v1alpha1.ConfigCopy
	// Template of kept content, which refers to the copies by itself.
	Template *corev1.PodTemplateSpec
}

// KeepContent records content that was let through, so that it can be gone back to
// when no colour holds it any more.
type KeepContent struct {
	Name string
	KeptRecord
}

// DropKept deletes the record of content that is not kept any more.
type DropKept struct{ Name, UID string }

// CopyConfig copies a ConfigMap or Secret, if it still holds what it should.
type CopyConfig struct{ v1alpha1.ConfigCopy }

// MarkConfig marks a copy as unused, or as used again. What is to be removed is
// marked first, so that whoever needs it after all can say so before it is gone:
// a process that was asleep removes nothing that changed since.
type MarkConfig struct {
	v1alpha1.ConfigRef
	ResourceVersion string
	Unused          bool
}

// DropConfig deletes a copy as it was read.
type DropConfig struct {
	v1alpha1.ConfigRef
	UID, ResourceVersion string
}

// SurrenderConfig takes our mark off a copy and leaves it as it is.
type SurrenderConfig struct {
	v1alpha1.ConfigRef
	ResourceVersion string
}

// StartJob makes the Job of a check, with its Pods using the copies of Config.
type StartJob struct {
	Name   string
	Check  v1alpha1.Check
	Colour v1alpha1.Colour
	Digest string
	// Targets that it is aimed at, as its annotation has them.
	Targets string
	Config  []v1alpha1.ConfigCopy
}

// DropJob deletes the Job of a check, and its Pods.
type DropJob struct{ Name, UID string }

// Scale sets the replicas of a colour's Deployment.
type Scale struct {
	Colour          v1alpha1.Colour
	ResourceVersion string
	Replicas        int32
}

// Restart makes the Pods of a colour anew, as what they are, by the number of the
// restart in the template of its Deployment.
type Restart struct {
	Colour          v1alpha1.Colour
	ResourceVersion string
	Number          int64
}

// KeepBudget makes the PodDisruptionBudget of a colour, or puts it back. An empty
// ResourceVersion means that it does not exist.
type KeepBudget struct {
	Colour          v1alpha1.Colour
	ResourceVersion string
	MaxUnavailable  intstr.IntOrString
}

// DropBudget deletes the PodDisruptionBudget of a colour as it was read.
type DropBudget struct {
	Colour          v1alpha1.Colour
	ResourceVersion string
}

// SurrenderBudget takes our marks off the PodDisruptionBudget of a colour and
// ties it to the Deployment, so that it goes with it.
type SurrenderBudget struct {
	Colour          v1alpha1.Colour
	ResourceVersion string
}

// PointPreview makes a preview Service lead to a colour; it is created with
// Ports when it does not exist.
type PointPreview struct {
	Service, Preview string
	Exists           bool
	ResourceVersion  string
	Selector         map[string]string
	Colour           v1alpha1.Colour
	Ports            []corev1.ServicePort
}

// ShiftTraffic makes Services select a colour. Each write carries the
// Service's resourceVersion and an epoch that is larger than the one before.
type ShiftTraffic struct {
	Epoch int64
	To    v1alpha1.Colour
	// Policies is what the approval was judged by. When not nil, the policies
	// are read again, live, and nothing is written if they differ.
	Policies []approval.Policy
	// Added is the Release's own demand, for that reading.
	Added *v1alpha1.AddedApproval
	// ValidUntil is the moment from which nothing is written, unless the switch has
	// Begun: an approval lapses then, or a window closes. Zero means never.
	ValidUntil time.Time
	// Begun is true when some Services lead to the target already: to finish is
	// better than to stop half-way.
	Begun bool
	// Config is what the approval covers of ConfigMaps and Secrets. They and their
	// copies are read again as well, unless the switch has Begun.
	Config   []v1alpha1.ConfigCopy
	Services []ServiceWrite
}

// ServiceWrite is a Service to be written, as it was read.
type ServiceWrite struct {
	Name, ResourceVersion string
	Selector              map[string]string
	// Back is the selector that it gets on the way back to the origin; nil for one
	// that leads to a colour.
	Back map[string]string
}

// Fence raises the epoch of Services without moving them, so that a switch that
// was called off cannot be carried out by someone who has not heard of it.
type Fence struct {
	Epoch    int64
	Services []ServiceWrite
}

// DrainOrigin scales the Deployment that served before the Release to zero.
type DrainOrigin struct {
	Name, ResourceVersion string
}

// AddFinalizer and RemoveFinalizer change the Release's own finalizer.
type (
	AddFinalizer    struct{}
	RemoveFinalizer struct{}
)

// Sweep takes away votes and other statements that have no effect any more.
type Sweep struct {
	Annotations []string
}

// Surrender takes our marks off a Service or Deployment and leaves it as it is.
type Surrender struct {
	// Service to surrender, as it was read, or, when empty, the Deployment of
	// Colour. A Service that has moved since is judged again.
	Service, ResourceVersion string
	Colour                   v1alpha1.Colour
}

// Remove deletes a preview Service or, when Preview is empty, a Deployment.
// Only the object as it was read goes.
type Remove struct {
	Preview         string
	Colour          v1alpha1.Colour
	ResourceVersion string
}

func (Claim) isAction()           {}
func (MarkService) isAction()     {}
func (MakeService) isAction()     {}
func (Materialise) isAction()     {}
func (Scale) isAction()           {}
func (Restart) isAction()         {}
func (PointPreview) isAction()    {}
func (ShiftTraffic) isAction()    {}
func (Fence) isAction()           {}
func (DrainOrigin) isAction()     {}
func (AddFinalizer) isAction()    {}
func (RemoveFinalizer) isAction() {}
func (Sweep) isAction()           {}
func (Surrender) isAction()       {}
func (Remove) isAction()          {}
func (CopyConfig) isAction()      {}
func (MarkConfig) isAction()      {}
func (DropConfig) isAction()      {}
func (SurrenderConfig) isAction() {}
func (KeepBudget) isAction()      {}
func (DropBudget) isAction()      {}
func (SurrenderBudget) isAction() {}
func (KeepContent) isAction()     {}
func (DropKept) isAction()        {}
func (StartJob) isAction()        {}
func (DropJob) isAction()         {}

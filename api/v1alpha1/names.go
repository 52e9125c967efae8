// Copyright The Countersign Authors.
// SPDX-License-Identifier: Apache-2.0

package v1alpha1

// Labels and annotations of the operator. The admission policies in
// config/policy guard each of them.
const (
	// ReleaseLabel names the Release that an object belongs to. It is on the
	// Deployments, their Pods and the Services, in every selector, on the copies of
	// ConfigMaps and Secrets, and on the Jobs of checks and their Pods.
	ReleaseLabel = "countersign.dev/release"
	// ColourLabel is the colour of a Deployment or Pod. A Service that is
	// parked, because nothing was promoted yet, selects ColourNone.
	ColourLabel = "countersign.dev/colour"
	// RevisionLabel identifies the content of the Release's spec that a
	// Deployment and its Pods were made from (32 hex digits).
	RevisionLabel = "countersign.dev/revision"
	// RoleLabel tells the active Service from the preview Service.
	RoleLabel = "countersign.dev/role"

	// RestartsAnnotation, on the Pod template of a Deployment, is the number of the
	// last restart: a change makes the Pods anew, and nothing else. It is no part of
	// the content.
	RestartsAnnotation = "countersign.dev/restarts"

	// DeletableLabel is on a Service that follows the active content though what was
	// approved names it no longer: whoever owns it may delete it.
	DeletableLabel = "countersign.dev/deletable"

	// CheckLabel, on a Job and its Pods, is the name of the check that it is. These
	// Pods have no colour.
	CheckLabel = "countersign.dev/check"
	// DigestAnnotation, on such a Job, is the digest of the content under test, and
	// TargetsAnnotation the Pods that it was given the addresses of.
	DigestAnnotation  = "countersign.dev/digest"
	TargetsAnnotation = "countersign.dev/targets"

	// ConfigSourceAnnotation, on the copy of a ConfigMap or Secret, is the name
	// of the object that it was copied from.
	ConfigSourceAnnotation = "countersign.dev/copy-of"

	// UnusedLabel is on a copy of a ConfigMap or Secret that nothing uses and that
	// is about to be removed.
	UnusedLabel = "countersign.dev/unused"

	// EpochAnnotation, on a Service, is the epoch of the switch that wrote its
	// selector. It only grows: a writer with a smaller or equal one is refused.
	EpochAnnotation = "countersign.dev/epoch"
	// AuthorsAnnotation, on a Release, lists as a JSON array of usernames
	// everyone who changed its content since the last promotion.
	// Admission writes it; nobody else can.
	AuthorsAnnotation = "countersign.dev/authors"
	// AuthorsReceiptAnnotation is the signed statement behind AuthorsAnnotation.
	AuthorsReceiptAnnotation = "receipts.countersign.dev/authors"

	// VotePrefix begins the key of a vote. What follows is the voter's slot.
	VotePrefix = "approvals.countersign.dev/"
	// ReceiptPrefix begins the key of the receipt that admission puts beside a
	// vote in the same slot.
	ReceiptPrefix = "receipts.approvals.countersign.dev/"
	// CommentPrefix begins the key of a remark beside a vote in the same slot.
	CommentPrefix = "comments.approvals.countersign.dev/"

	// GlassPrefix begins the key by which somebody on call lets the candidate
	// through without the approvals that it lacks. The value is
	// <digest>;<ticket>;<reason>.
	GlassPrefix = "break-glass.countersign.dev/"
	// GlassReceiptPrefix begins the key of the receipt that admission puts
	// beside it in the same slot.
	GlassReceiptPrefix = "receipts.break-glass.countersign.dev/"
	// ReviewPrefix begins the key by which somebody else says afterwards that
	// they have looked at it. The value is the digest that was let through.
	ReviewPrefix = "reviews.countersign.dev/"
	// ReviewReceiptPrefix begins the key of the receipt beside a review.
	ReviewReceiptPrefix = "receipts.reviews.countersign.dev/"

	// OnBehalfOfAnnotation, on a Release, names the person for whom a program
	// changes the content. Only a program that a policy trusts can set it, and
	// all that it does is to make that person an author.
	OnBehalfOfAnnotation = "countersign.dev/on-behalf-of"

	// RollbackAnnotation asks to go back, at once and without any approval, from
	// the active content to the one before, which its colour still holds. The value is
	// the digest of the active content, so that it can be about nothing else. With a
	// slash and the digest of another content of status.kept behind it, it asks to go
	// back to that one, as soon as the idle colour was brought to it.
	RollbackAnnotation = "countersign.dev/rollback"
	// AbortAnnotation asks to give the candidate up, and RetryAnnotation to try one
	// again that was given up. The value is the candidate's digest or, before there
	// is one, its sequence number.
	AbortAnnotation = "countersign.dev/abort"
	RetryAnnotation = "countersign.dev/retry"
	// RestartAnnotation asks to make the Pods of the active content anew. The value is
	// its digest, a slash, and a number that is larger than that of the last request.
	RestartAnnotation = "countersign.dev/restart"
	// IrreversiblePrefix, before the digest in the value of RollbackAnnotation, says
	// that whoever asks knows that the content is marked irreversible.
	IrreversiblePrefix = "irreversible:"
	// RequesterSuffix ends the key beside such a request under which admission
	// puts who asks.
	RequesterSuffix = "-by"

	// RejectPrefix, before the digest in the value of a vote, makes it a
	// rejection.
	RejectPrefix = "reject:"

	// Finalizer lets the operator tidy up before a Release goes; the active
	// colour is left serving.
	Finalizer = "countersign.dev/release"

	// FieldManager owns the fields that the operator writes.
	FieldManager = "countersign"
)

// Values of RoleLabel.
const (
	RoleActive  = "active"
	RolePreview = "preview"
)

// ColourNone is what a parked Service selects: no Pod carries it.
const ColourNone = "none"

// Colour is the name of a slot, or Origin.
// +kubebuilder:validation:Enum=blue;green;origin
type Colour string

// The two colours.
const (
	Blue  Colour = "blue"
	Green Colour = "green"
)

// Origin stands for what served before the Release took over (spec.workloadRef).
// It is gone back to, and never holds content.
const Origin Colour = "origin"

// Other is the opposite colour.
func (c Colour) Other() Colour {
	if c == Blue {
		return Green
	}
	return Blue
}

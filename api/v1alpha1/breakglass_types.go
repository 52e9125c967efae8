// Copyright The Countersign Authors.
// SPDX-License-Identifier: Apache-2.0

package v1alpha1

import metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

// BreakGlass says who may let a candidate through in an emergency, without the
// approvals that it lacks and outside the windows. It opens nothing else: a hold,
// a veto, a failed check and a candidate that is not complete stay what they are.
// Somebody else has to look at it afterwards.
type BreakGlass struct {
	// groups whose members may do so, as the API server names them. Whoever
	// changed the content may not.
	// +required
	// +listType=set
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=16
	// +kubebuilder:validation:items:MinLength=1
	// +kubebuilder:validation:items:MaxLength=253
	Groups []string `json:"groups"`
	// reviewWithin is how long others have to look at it. When that is over, it
	// is told. Either way nothing else is promoted before. Defaults to 48h.
	// +optional
	// +kubebuilder:default="48h"
	ReviewWithin metav1.Duration `json:"reviewWithin,omitempty"`
}

// TrustedDelegate is a program that writes content for people, such as a GitOps
// controller, and says truly for whom.
type TrustedDelegate struct {
	// serviceAccount of the program, as namespace/name.
	// +required
	// +kubebuilder:validation:MinLength=3
	// +kubebuilder:validation:MaxLength=317
	// +kubebuilder:validation:Pattern=`^[a-z0-9]([-a-z0-9]*[a-z0-9])?/[a-z0-9]([-a-z0-9.]*[a-z0-9])?$`
	ServiceAccount string `json:"serviceAccount"`
}

// BrokenGlass says who let content through without the approvals that it
// lacked, and why.
type BrokenGlass struct {
	// by is who did, as the API server authenticated them.
	// +kubebuilder:validation:MaxLength=253
	By string `json:"by"`
	// ticket of the emergency.
	// +kubebuilder:validation:MaxLength=64
	Ticket string `json:"ticket"`
	// reason that they gave.
	// +kubebuilder:validation:MaxLength=512
	Reason string `json:"reason"`
	// reviewedBy is who looked at it afterwards. Unset until then.
	// +optional
	// +kubebuilder:validation:MaxLength=253
	ReviewedBy string `json:"reviewedBy,omitempty"`
	// reviewedAt is when they did.
	// +optional
	ReviewedAt *metav1.Time `json:"reviewedAt,omitempty"`
}

// PendingReview is a use of break-glass that somebody else has to look at before
// anything else is promoted.
type PendingReview struct {
	// epoch of the switch.
	Epoch int64 `json:"epoch"`
	// digest that was let through.
	// +kubebuilder:validation:MaxLength=71
	Digest string `json:"digest"`
	// by is who broke the glass.
	// +kubebuilder:validation:MaxLength=253
	By string `json:"by"`
	// ticket of the emergency.
	// +kubebuilder:validation:MaxLength=64
	Ticket string `json:"ticket"`
	// reason that they gave.
	// +kubebuilder:validation:MaxLength=512
	Reason string `json:"reason"`
	// authors of the content, who cannot review it.
	// +optional
	// +listType=set
	// +kubebuilder:validation:MaxItems=64
	// +kubebuilder:validation:items:MaxLength=253
	Authors []string `json:"authors,omitempty"`
	// dueBy is until when somebody should have looked at it.
	DueBy metav1.Time `json:"dueBy"`
	// overdue is true when nobody has by then.
	// +optional
	Overdue bool `json:"overdue,omitempty"`
}

// Promotes tells whether a switch lets a candidate through, rather than going
// back or putting right.
func (r SwitchReason) Promotes() bool { return r == SwitchPromote || r == SwitchBreakGlass }

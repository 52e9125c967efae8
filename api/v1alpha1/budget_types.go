// Copyright The Countersign Authors.
// SPDX-License-Identifier: Apache-2.0

package v1alpha1

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
)

// DisruptionBudget says how many Pods of a colour may be evicted at once, as when
// nodes are drained.
// +kubebuilder:validation:XValidation:rule="!has(self.maxUnavailable) || (type(self.maxUnavailable) == int ? self.maxUnavailable >= 1 : self.maxUnavailable.matches('^([1-9][0-9]?|100)%$'))",message="write disruptionBudget.maxUnavailable as a number from 1 on or as a percentage from 1% to 100%: with 0 no node with such a Pod could ever be drained"
type DisruptionBudget struct {
	// maxUnavailable is how many Pods of a colour may be away because of evictions
	// at the same time: a number, or a percentage of its Pods, which is rounded up.
	// At least 1, so that nodes can always be drained, one Pod at a time. Unset
	// means 25%.
	// +optional
	MaxUnavailable *intstr.IntOrString `json:"maxUnavailable,omitempty"`
}

// BudgetStatus is what is known of the PodDisruptionBudget of a colour.
type BudgetStatus struct {
	// colour whose Pods it is of.
	Colour Colour `json:"colour"`
	// maxUnavailable as it was last seen to be in force. Unset while there is none
	// of the operator's.
	// +optional
	// +kubebuilder:validation:MaxLength=16
	MaxUnavailable string `json:"maxUnavailable,omitempty"`
	// other is a PodDisruptionBudget of somebody else's that covers the Pods. Then
	// the operator makes none, because no Pod can be evicted that two of them cover.
	// +optional
	// +kubebuilder:validation:MaxLength=253
	Other string `json:"other,omitempty"`
	// repairedAt are the last times at which it was put back after somebody else had
	// changed or deleted it, the latest first.
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=3
	RepairedAt []metav1.Time `json:"repairedAt,omitempty"`
}

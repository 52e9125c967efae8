// Copyright The Countersign Authors.
// SPDX-License-Identifier: Apache-2.0

package v1alpha1

import metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

// ApprovalPolicy says who has to agree before a Release in the namespaces that
// it names may switch. All policies that name a namespace apply together. A
// Release that no policy covers is blocked.
//
// +kubebuilder:object:root=true
// +kubebuilder:resource:scope=Cluster,shortName=apol,categories=all
// +kubebuilder:printcolumn:name="Namespaces",type=string,JSONPath=`.spec.namespaces`
// +kubebuilder:printcolumn:name="Rules",type=string,JSONPath=`.spec.rules[*].name`
// +kubebuilder:printcolumn:name="Valid-For",type=string,JSONPath=`.spec.validFor`
// +kubebuilder:printcolumn:name="Age",type=date,JSONPath=`.metadata.creationTimestamp`
type ApprovalPolicy struct {
	metav1.TypeMeta `json:",inline"`
	// metadata is the standard object metadata.
	// +optional
	metav1.ObjectMeta `json:"metadata,omitempty"`
	// spec says who has to agree.
	// +required
	Spec ApprovalPolicySpec `json:"spec"`
}

// ApprovalPolicyList is a list of ApprovalPolicies.
// +kubebuilder:object:root=true
type ApprovalPolicyList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata,omitempty"`
	Items           []ApprovalPolicy `json:"items"`
}

// ApprovalPolicySpec says who has to agree.
// +kubebuilder:validation:XValidation:rule="!has(self.breakGlass) || !has(self.breakGlass.reviewWithin) || (duration(self.breakGlass.reviewWithin) >= duration('1m') && duration(self.breakGlass.reviewWithin) <= duration('720h'))",message="breakGlass.reviewWithin is from 1m to 720h, for example 48h"
// +kubebuilder:validation:XValidation:rule="!has(self.validFor) || (duration(self.validFor) >= duration('1m') && duration(self.validFor) <= duration('720h'))",message="validFor is from 1m to 720h, for example 24h"
type ApprovalPolicySpec struct {
	// namespaces that the policy covers, by name. A star stands for any
	// characters, as in prod-*. Labels are not looked at: who may label a
	// namespace must not be able to opt out.
	// +required
	// +listType=set
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=64
	// +kubebuilder:validation:items:MinLength=1
	// +kubebuilder:validation:items:MaxLength=63
	// +kubebuilder:validation:items:Pattern=`^[a-z0-9*]([-a-z0-9*]*[a-z0-9*])?$`
	Namespaces []string `json:"namespaces"`

	// rules are the seats to be filled. Each seat takes a person of its own:
	// one person never fills two, in whatever rules they are.
	// +required
	// +listType=map
	// +listMapKey=name
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=16
	Rules []ApprovalRule `json:"rules"`

	// minDistinctPersons is how many different persons have to approve in all.
	// Unset means as many as the rules have seats.
	// +optional
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=64
	MinDistinctPersons int32 `json:"minDistinctPersons,omitempty"`

	// authorsMayApprove lets those who changed the content approve it. Defaults
	// to false. Every policy that applies has to allow it.
	// +optional
	AuthorsMayApprove bool `json:"authorsMayApprove,omitempty"`

	// validFor is how long an approval counts, from the moment it was cast.
	// Defaults to 24h.
	// +optional
	// +kubebuilder:default="24h"
	ValidFor metav1.Duration `json:"validFor,omitempty"`

	// persons tell that several accounts are one person, who then counts once
	// and is an author with all of them.
	// +optional
	// +listType=map
	// +listMapKey=name
	// +kubebuilder:validation:MaxItems=256
	Persons []Person `json:"persons,omitempty"`

	// trustedDelegates are programs that may name the person for whom they
	// change content, by the annotation countersign.dev/on-behalf-of. That person
	// is an author then, and the content is not of an unknown author. Unset means
	// that no program is trusted.
	// +optional
	// +listType=map
	// +listMapKey=serviceAccount
	// +kubebuilder:validation:MaxItems=16
	TrustedDelegates []TrustedDelegate `json:"trustedDelegates,omitempty"`

	// breakGlass says who may let a candidate through in an emergency. Every
	// policy that covers the namespace has to have it and to admit the person.
	// Unset means that nobody may.
	// +optional
	BreakGlass *BreakGlass `json:"breakGlass,omitempty"`
}

// ApprovalRule is a number of seats and who may take them.
// +kubebuilder:validation:XValidation:rule="(has(self.users) && self.users.size() > 0) || (has(self.groups) && self.groups.size() > 0)",message="a rule names who may approve: add users or groups"
type ApprovalRule struct {
	// name of the rule; refusals and explanations quote it.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=63
	// +kubebuilder:validation:Pattern=`^[a-z0-9]([-a-z0-9]*[a-z0-9])?$`
	Name string `json:"name"`
	// count is how many persons have to approve under this rule.
	// +required
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=16
	Count int32 `json:"count"`
	// users who may take a seat, as the API server names them.
	// +optional
	// +listType=set
	// +kubebuilder:validation:MaxItems=64
	// +kubebuilder:validation:items:MinLength=1
	// +kubebuilder:validation:items:MaxLength=253
	Users []string `json:"users,omitempty"`
	// groups whose members may take a seat, as the API server names them.
	// +optional
	// +listType=set
	// +kubebuilder:validation:MaxItems=64
	// +kubebuilder:validation:items:MinLength=1
	// +kubebuilder:validation:items:MaxLength=253
	Groups []string `json:"groups,omitempty"`
	// canVeto makes a rejection by someone of this rule block the candidate
	// until they withdraw it. Defaults to false.
	// +optional
	CanVeto bool `json:"canVeto,omitempty"`
}

// Person is one human with several accounts.
type Person struct {
	// name of the person, for explanations.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=63
	Name string `json:"name"`
	// users are the accounts.
	// +required
	// +listType=set
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=16
	// +kubebuilder:validation:items:MinLength=1
	// +kubebuilder:validation:items:MaxLength=253
	Users []string `json:"users"`
}

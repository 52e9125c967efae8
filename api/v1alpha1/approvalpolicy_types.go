// Copyright The Countersign Authors.
// SPDX-License-Identifier: Apache-2.0

package v1alpha1

import metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

// ApprovalPolicy says who has to agree before a Release in the namespaces that
// it names may switch, when it may, and whether it may at all. All policies that
// name a namespace apply together. A Release that no policy with rules covers is
// blocked.
//
// +kubebuilder:object:root=true
// +kubebuilder:resource:scope=Cluster,shortName=apol,categories=all
// +kubebuilder:printcolumn:name="Namespaces",type=string,JSONPath=`.spec.namespaces`
// +kubebuilder:printcolumn:name="Rules",type=string,JSONPath=`.spec.rules[*].name`
// +kubebuilder:printcolumn:name="Valid-For",type=string,JSONPath=`.spec.validFor`
// +kubebuilder:printcolumn:name="Hold",type=string,JSONPath=`.spec.hold`
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

// ApprovalPolicySpec says who has to agree, when, and whether at all.
// +kubebuilder:validation:XValidation:rule="!has(self.breakGlass) || !has(self.breakGlass.reviewWithin) || (duration(self.breakGlass.reviewWithin) >= duration('1m') && duration(self.breakGlass.reviewWithin) <= duration('720h'))",message="breakGlass.reviewWithin is from 1m to 720h, for example 48h"
// +kubebuilder:validation:XValidation:rule="(has(self.rules) && self.rules.size() > 0) || (has(self.hold) && self.hold.size() > 0) || has(self.windows)",message="a policy demands something: add rules, windows or a hold"
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
	// one person never fills two, in whatever rules they are. A policy with
	// windows or a hold may have none; nothing is let through under such
	// policies alone.
	// +optional
	// +listType=map
	// +listMapKey=name
	// +kubebuilder:validation:MaxItems=16
	Rules []ApprovalRule `json:"rules,omitempty"`

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

	// windows say when a candidate may be switched to. They are looked at when
	// traffic would move, not when people vote, and never keep a rollback from
	// happening. Unset means at any time.
	// +optional
	Windows *Windows `json:"windows,omitempty"`

	// hold stops the line: as long as it says why, no candidate that the policy
	// covers is switched to, whoever approved it. Votes are taken all the same,
	// and a rollback still happens. Unset means that nothing is held.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=256
	// +kubebuilder:validation:Pattern=`^[^\x00-\x1f\x7f]+$`
	Hold string `json:"hold,omitempty"`

	// requireImageDigests refuses content with an image that is not named by its
	// digest, as in example.com/app@sha256:<64 hex digits>: a tag can be moved
	// after people approved what it stood for. Defaults to false.
	// +optional
	RequireImageDigests bool `json:"requireImageDigests,omitempty"`

	// unknownAuthor says what to do about content that a program wrote, such as
	// a GitOps controller, without naming the person it did so for. That person
	// may be among those who vote. RequireOneMore demands one more person than
	// otherwise, and Refuse lets nothing through. Defaults to RequireOneMore.
	// +optional
	// +kubebuilder:default=RequireOneMore
	UnknownAuthor UnknownAuthor `json:"unknownAuthor,omitempty"`
}

// UnknownAuthor is what to do about content whose author nobody knows.
// +kubebuilder:validation:Enum=RequireOneMore;Refuse
type UnknownAuthor string

// What to do about content whose author nobody knows.
const (
	// RequireOneMore demands one more person.
	RequireOneMore UnknownAuthor = "RequireOneMore"
	// RefuseUnknown lets nothing through.
	RefuseUnknown UnknownAuthor = "Refuse"
)

// Windows are the times at which traffic may move. They are read on the clock on
// the wall of timeZone, also on the days on which that clock is changed: what is
// skipped in spring still begins what is written for it, and what comes twice in
// autumn is in or out both times.
// +kubebuilder:validation:XValidation:rule="(has(self.allow) && self.allow.size() > 0) || (has(self.exclude) && self.exclude.size() > 0)",message="windows say when: add allow or exclude"
type Windows struct {
	// allow are the windows in which traffic may move. None means at any time
	// that is not excluded.
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=16
	Allow []Window `json:"allow,omitempty"`
	// exclude are times at which it may not. They win over allow.
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=32
	Exclude []Exclusion `json:"exclude,omitempty"`
	// timeZone by its name in the IANA time zone database, such as
	// Europe/Berlin. Unset means UTC.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=64
	// +kubebuilder:validation:Pattern=`^[A-Za-z0-9+_-]+(/[A-Za-z0-9+_-]+)*$`
	TimeZone string `json:"timeZone,omitempty"`
}

// Window opens again and again.
// +kubebuilder:validation:XValidation:rule="duration(self.duration) >= duration('1m') && duration(self.duration) <= duration('744h')",message="the duration of a window is from 1m to 744h, for example 8h"
type Window struct {
	// schedule says when it opens: minute, hour, day of the month, month and day
	// of the week, as in cron. "0 9 * * 1-5" is at 09:00 from Monday to Friday.
	// +required
	// +kubebuilder:validation:MinLength=9
	// +kubebuilder:validation:MaxLength=128
	Schedule string `json:"schedule"`
	// duration is how long it stays open, from 1m to 744h.
	// +required
	// +kubebuilder:validation:Type=string
	// +kubebuilder:validation:MaxLength=16
	Duration metav1.Duration `json:"duration"`
}

// Exclusion is a time at which no traffic moves: again and again by schedule and
// duration, or once by from and to.
// +kubebuilder:validation:XValidation:rule="has(self.schedule) == has(self.duration) && has(self.from) == has(self.to) && has(self.schedule) != has(self.from)",message="an exclusion has either schedule and duration, or from and to"
// +kubebuilder:validation:XValidation:rule="!has(self.duration) || (duration(self.duration) >= duration('1m') && duration(self.duration) <= duration('744h'))",message="the duration of an exclusion is from 1m to 744h, for example 48h"
// +kubebuilder:validation:XValidation:rule="!has(self.from) || !has(self.to) || timestamp(self.from) < timestamp(self.to)",message="an exclusion ends after it begins: write to later than from"
type Exclusion struct {
	// schedule says when it begins, as in allow.
	// +optional
	// +kubebuilder:validation:MinLength=9
	// +kubebuilder:validation:MaxLength=128
	Schedule string `json:"schedule,omitempty"`
	// duration is how long it lasts, from 1m to 744h.
	// +optional
	// +kubebuilder:validation:Type=string
	// +kubebuilder:validation:MaxLength=16
	Duration *metav1.Duration `json:"duration,omitempty"`
	// from is when it begins, such as 2026-12-23T00:00:00Z.
	// +optional
	From *metav1.Time `json:"from,omitempty"`
	// to is when it is over.
	// +optional
	To *metav1.Time `json:"to,omitempty"`
}

// ApprovalRule is a number of seats and who may take them.
// +kubebuilder:validation:XValidation:rule="(has(self.users) && self.users.size() > 0) || (has(self.groups) && self.groups.size() > 0) || (has(self.rbac) && self.rbac)",message="a rule names who may approve: add users or groups, or set rbac"
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
	// rbac lets those take a seat, too, whom RBAC allows the verb approve on the
	// resource approvalrules of the group countersign.dev, by the name
	// <policy>.<rule>, in the namespace of the Release. It is asked when they
	// vote and again before traffic moves. Whoever may do everything because
	// they are in system:masters may not do this. Defaults to false.
	// +optional
	RBAC bool `json:"rbac,omitempty"`
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

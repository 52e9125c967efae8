// Copyright The Countersign Authors.
// SPDX-License-Identifier: Apache-2.0

package v1alpha1

import (
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// Release describes an application that is released blue/green: what runs,
// which Services lead to it, how it is tested, and what more than the policies
// demand has to agree before traffic moves.
//
// +kubebuilder:object:root=true
// +kubebuilder:subresource:status
// +kubebuilder:subresource:scale:specpath=.spec.replicas,statuspath=.status.replicas,selectorpath=.status.selector
// +kubebuilder:resource:shortName=rel,categories=all
// +kubebuilder:printcolumn:name="Phase",type=string,JSONPath=`.status.phase`
// +kubebuilder:printcolumn:name="Active",type=string,JSONPath=`.status.active.colour`
// +kubebuilder:printcolumn:name="Candidate",type=string,JSONPath=`.status.candidate.colour`
// +kubebuilder:printcolumn:name="Approvals",type=string,JSONPath=`.status.approvals`
// +kubebuilder:printcolumn:name="Waiting-For",type=string,JSONPath=`.status.waitingFor`
// +kubebuilder:printcolumn:name="Age",type=date,JSONPath=`.metadata.creationTimestamp`
// +kubebuilder:printcolumn:name="Digest",type=string,priority=1,JSONPath=`.status.candidate.digest`
// +kubebuilder:printcolumn:name="Irreversible",type=boolean,priority=1,JSONPath=`.spec.irreversible`
// +kubebuilder:validation:XValidation:rule="self.metadata.name.size() <= 40",message="the name of a Release has at most 40 characters, because its Deployments and Services are named after it; choose a shorter name"
type Release struct {
	metav1.TypeMeta `json:",inline"`
	// metadata is the standard object metadata.
	// +optional
	metav1.ObjectMeta `json:"metadata,omitempty"`

	// spec is what should run and how it is let out.
	// +required
	Spec ReleaseSpec `json:"spec"`
	// status is what the operator found and decided. Nobody else can write it.
	// +optional
	Status ReleaseStatus `json:"status,omitempty"`
}

// ReleaseList is a list of Releases.
// +kubebuilder:object:root=true
type ReleaseList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata,omitempty"`
	Items           []Release `json:"items"`
}

// ReleaseSpec is what should run and how it is let out.
// +kubebuilder:validation:XValidation:rule="self.services.all(s, !has(s.preview) || !self.services.exists(t, t.name == s.preview))",message="a preview Service must not be one of the active Services: give services[].preview a name of its own, or leave it out to get <name>-preview"
// +kubebuilder:validation:XValidation:rule="self.services.all(s, has(s.preview) || !self.services.exists(t, t.name == s.name + '-preview'))",message="services[].preview defaults to <name>-preview, which is one of the active Services: set services[].preview to another name"
type ReleaseSpec struct {
	// replicas is the number of Pods of the active colour, and of the
	// candidate before it is switched to (see previewReplicas). It is also the target of the scale
	// subresource. It is not part of what is approved. Defaults to 1.
	// +optional
	// +kubebuilder:default=1
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=10000
	Replicas *int32 `json:"replicas,omitempty"`

	// previewReplicas is the number of Pods of the candidate until it is tested and
	// people let it through. Then it grows to replicas and the beforeSwitch checks
	// run again, on all of its Pods, before it is switched to. It is not part of
	// what is approved. Unset, or with no fewer than replicas, the candidate has all
	// of its Pods from the start.
	// +optional
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=10000
	PreviewReplicas *int32 `json:"previewReplicas,omitempty"`

	// template is the Pod that each colour runs. The labels
	// countersign.dev/* and the annotation countersign.dev/restarts are the
	// operator's own and must not be set.
	// +required
	Template corev1.PodTemplateSpec `json:"template"`

	// services are the Services that follow the active colour. They are in the
	// Release's namespace and belong to no other Release. One that does not exist is
	// made if its ports are written here. All of them move in one switch.
	// +required
	// +listType=map
	// +listMapKey=name
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=8
	Services []ServiceRef `json:"services"`

	// config says how the ConfigMaps and Secrets that the template refers to are
	// part of the content. Unset means that all of them are copied.
	// +optional
	Config *ConfigSpec `json:"config,omitempty"`

	// checks test the candidate before the switch and watch it after.
	// Unset means that only the readiness of the Pods counts.
	// +optional
	Checks *Checks `json:"checks,omitempty"`

	// minReadySeconds is how long a Pod of the candidate has to be ready
	// before it counts as available. Defaults to 0.
	// +optional
	// +kubebuilder:validation:Minimum=0
	// +kubebuilder:validation:Maximum=3600
	MinReadySeconds int32 `json:"minReadySeconds,omitempty"`

	// observeSeconds is how long after the switch the afterSwitch checks and
	// the readiness of the Pods are watched before the release is finished. In
	// that time a failure switches back. Defaults to 600.
	// +optional
	// +kubebuilder:default=600
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=604800
	ObserveSeconds int32 `json:"observeSeconds,omitempty"`

	// keepIdleSeconds is how long the former colour stays scaled up after the
	// release is finished. After that it is scaled to zero. Defaults to 3600.
	// +optional
	// +kubebuilder:default=3600
	// +kubebuilder:validation:Minimum=0
	// +kubebuilder:validation:Maximum=604800
	KeepIdleSeconds *int32 `json:"keepIdleSeconds,omitempty"`

	// revisionHistoryLimit is how many contents that were let through before are
	// kept besides the active one, each as a ControllerRevision with its copies of
	// ConfigMaps and Secrets, so that they can be gone back to by a request when no
	// colour holds them any more. It is not part of what is approved. Defaults to 5.
	// +optional
	// +kubebuilder:default=5
	// +kubebuilder:validation:Minimum=0
	// +kubebuilder:validation:Maximum=10
	RevisionHistoryLimit *int32 `json:"revisionHistoryLimit,omitempty"`

	// progressDeadlineSeconds is how long the candidate may take to become
	// ready and pass its checks. The time in which the release waits for people
	// does not count. Defaults to 600.
	// +optional
	// +kubebuilder:default=600
	// +kubebuilder:validation:Minimum=10
	// +kubebuilder:validation:Maximum=86400
	ProgressDeadlineSeconds int32 `json:"progressDeadlineSeconds,omitempty"`

	// readinessGraceSeconds is how long, while the release is observed, some
	// Pods of the active colour may be unready before it is switched back. A
	// colour without any ready Pod is switched back at once. Defaults to 15.
	// +optional
	// +kubebuilder:default=15
	// +kubebuilder:validation:Minimum=0
	// +kubebuilder:validation:Maximum=3600
	ReadinessGraceSeconds *int32 `json:"readinessGraceSeconds,omitempty"`

	// disruptionBudget says how many Pods of a colour may be evicted at once. Each
	// colour that has Pods gets a PodDisruptionBudget of its own, unless somebody
	// else's covers its Pods. It is not part of what is approved. Unset means 25%.
	// +optional
	DisruptionBudget *DisruptionBudget `json:"disruptionBudget,omitempty"`

	// approval adds demands to those of the policies. It cannot take any away:
	// its rules are judged as one more policy that has to agree.
	// +optional
	Approval *AddedApproval `json:"approval,omitempty"`

	// workloadRef is the Deployment that the Services lead to now. It goes on
	// serving, as it is, until the first content is let through. While that is
	// observed and kept for (keepIdleSeconds), going back leads to it; then it is
	// scaled to zero, once, unless another Service still leads to its Pods. It has
	// to exist, with at least one of the Services leading to it, until the first
	// content was let through, and says nothing afterwards. Unset means that
	// nothing is taken over.
	// +optional
	WorkloadRef *WorkloadRef `json:"workloadRef,omitempty"`

	// irreversible says that this content cannot be gone back from without harm,
	// as after a migration of a database. Everybody is told before they vote. Once
	// all Services lead to it, nothing goes back by itself: when it fails, people
	// decide. It is part of what is approved. Defaults to false.
	// +optional
	Irreversible bool `json:"irreversible,omitempty"`

	// deletionPolicy says what becomes of what serves when the Release is deleted.
	// Retain leaves it serving, and gives the Services and its Deployment back.
	// Delete takes all Deployments down and gives the Services back. It is part of
	// what is approved: nothing is taken down unless both the spec and the content
	// that serves say Delete. Unset means Retain.
	// +optional
	DeletionPolicy DeletionPolicy `json:"deletionPolicy,omitempty"`

	// paused holds the release where it is: nothing is materialised and no
	// candidate is switched to. A rollback still happens. Defaults to false.
	// +optional
	Paused bool `json:"paused,omitempty"`
}

// WorkloadRef names what served before the Release.
type WorkloadRef struct {
	// kind of it: Deployment, the default.
	// +optional
	// +kubebuilder:default=Deployment
	// +kubebuilder:validation:Enum=Deployment
	Kind string `json:"kind,omitempty"`
	// name of it in the Release's namespace.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	// +kubebuilder:validation:Pattern=`^[a-z0-9]([-.a-z0-9]*[a-z0-9])?$`
	Name string `json:"name"`
}

// DeletionPolicy says what becomes of what serves when a Release is deleted.
// +kubebuilder:validation:Enum=Retain;Delete
type DeletionPolicy string

// What becomes of what serves.
const (
	// RetainOnDeletion leaves it serving.
	RetainOnDeletion DeletionPolicy = "Retain"
	// DeleteOnDeletion takes it down.
	DeleteOnDeletion DeletionPolicy = "Delete"
)

// AddedApproval is what the Release demands beyond the policies.
type AddedApproval struct {
	// rules are seats to be filled, as in an ApprovalPolicy.
	// +required
	// +listType=map
	// +listMapKey=name
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=16
	Rules []ApprovalRule `json:"rules"`
}

// Copyright The Countersign Authors.
// SPDX-License-Identifier: Apache-2.0

package rollout

import (
	"time"

	"github.com/countersign/countersign/api/v1alpha1"
	"github.com/countersign/countersign/controllers/approval"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// Snapshot is all that Decide knows: values only, read before.
type Snapshot struct {
	// Now is the time of the reading.
	Now time.Time
	// Release as read. Its phase and conditions are never looked at.
	Release v1alpha1.Release
	// Revision of its spec with what the ConfigMaps and Secrets hold, and that of
	// the spec alone.
	Revision, SpecRevision string
	// Cluster is the id of the cluster, part of every digest.
	Cluster string
	// Problems of the spec, each a sentence that names the field and the remedy.
	Problems []string
	// Policies that apply to the Release, the one of spec.approval included.
	Policies []approval.Policy
	// Votes on the Release with what their receipts prove.
	Votes []approval.Vote
	// Glasses and Reviews on the Release with what their receipts prove.
	Glasses []approval.Glass
	Reviews []approval.Review
	// Config is what of ConfigMaps and Secrets there is.
	Config Config
	// Authors of the content as admission recorded them.
	Authors Authors
	// Blue and Green are the two workloads.
	Blue, Green Workload
	// Origin is what served before the Release, while that matters.
	Origin Origin
	// Services in the order of spec.services, then those that the active
	// content or a switch in progress has besides.
	Services []Service
	// Strays are previews of ours that are no Service's any more.
	Strays []Preview
	// Results of the checks.
	Results []CheckResult
	// Kept are the records of contents that were let through.
	Kept []Kept
	// Jobs are those of checks, and those of others with a name that one needs.
	Jobs []Job
	// Gate is what the self-test found. The zero value lets nothing through.
	Gate Gate
}

// Gate is whether the guards of a vote were seen to hold.
type Gate struct {
	// Intact is true when every guard was.
	Intact bool
	// Untested is true while no test has ended since the operator was started: not
	// even that a guard is missing is known then.
	Untested bool
	// Why not, and what to do about it, if not.
	Why string
}

// Authors is who changed the content since the last promotion.
type Authors struct {
	Names []string
	// Delegates are the programs among Names that said each time for whom they
	// wrote.
	Delegates []string
	// Known is true when a valid receipt proves Names for the current spec.
	Known bool
	// Why not, if not.
	Why string
}

// Workload is a colour's Deployment and its Pods.
type Workload struct {
	// Exists is false as soon as it is being deleted. It has a ResourceVersion
	// until it is gone.
	Exists bool
	// Foreign is true when the Deployment does not carry the Release's labels or,
	// of an origin, when it carries those of any.
	Foreign         bool
	Name            string
	ResourceVersion string
	// Revision of the spec that its template was made from.
	Revision string
	// Template as the API server keeps it, with its defaults.
	Template     corev1.PodTemplateSpec
	TemplateHash string
	// Restarts is the number of the last restart in its template; 0 if there was none.
	Restarts int64
	// Replicas wanted in the Deployment's spec.
	Replicas int32
	// Settled is true when the Deployment's status is about its newest spec.
	Settled bool
	// Total, Updated, Ready and Available Pods as the Deployment counts them.
	Total, Updated, Ready, Available int32
	Pods                             []Pod
	Budget                           Budget
	// Selector of its Pods. Read of an origin only: of a colour it is known.
	Selector *metav1.LabelSelector
}

// Budget is the PodDisruptionBudget of a colour.
type Budget struct {
	// Exists is true when it is there under its name and carries our labels.
	Exists          bool
	ResourceVersion string
	// MaxUnavailable as it is written in its spec.
	MaxUnavailable string
	// Intact is true when the rest of its spec is as the operator writes it.
	Intact bool
	// Other is one of somebody else's that covers the Pods or has the name.
	Other string
}

// Pod is one Pod of a colour.
type Pod struct {
	Name, IP, Revision string
	Ready, Terminating bool
	// Trouble is what keeps it from becoming ready; empty when nothing is known to.
	Trouble string
	// Images that its containers run, by container, as the kubelet tells them.
	Images map[string]string
}

// Job is one that a check runs as.
type Job struct {
	Name, UID string
	// Foreign is true when it is not the Release's, whatever its labels.
	Foreign bool
	// Leaving is true while it is being deleted.
	Leaving bool
	// Check and Digest that it is of, and Targets that it is aimed at.
	Check, Digest, Targets string
	// Done is true when it has ended: Succeeded tells how, and Reason why not.
	Done, Succeeded bool
	Reason          string
	// Trouble is what keeps its Pods from doing their work, or ended them.
	Trouble string
}

// Complete tells whether at least n Pods, and only Pods of the newest template,
// are available.
func (w Workload) Complete(n int32) bool {
	return w.Exists && !w.Foreign && w.Settled &&
		w.Replicas >= n && w.Total == w.Updated && w.Updated >= n && w.Available >= n
}

// leaving tells whether a Deployment is being deleted and still has its name.
func (w Workload) leaving() bool { return !w.Exists && w.ResourceVersion != "" }

// Service is an active Service and its preview.
type Service struct {
	Name string
	// Exists is false as soon as it is being deleted. It has a ResourceVersion
	// until it is gone.
	Exists bool
	// Owner is the Release that its label names; empty before it is claimed.
	Owner string
	// Deletable is true when it is marked as one that its owner may delete.
	Deletable bool
	// Unsupported says why the Service cannot be switched; empty if it can.
	Unsupported     string
	ResourceVersion string
	Selector        map[string]string
	// Colour that the selector leads to, or Origin when it is the one that led to
	// what served before; empty when it is neither.
	Colour v1alpha1.Colour
	// Parked is true when the selector is ours and leads nowhere.
	Parked bool
	// Epoch of the last switch that wrote the selector.
	Epoch     int64
	Ports     []corev1.ServicePort
	Endpoints Endpoints
	Preview   Preview
}

// Preview is the Service that leads to the candidate.
type Preview struct {
	Name   string
	Exists bool
	// Foreign is true when it exists and is not the Release's preview.
	Foreign         bool
	ResourceVersion string
	Selector        map[string]string
	Colour          v1alpha1.Colour
	Ports           []corev1.ServicePort
	Endpoints       Endpoints
}

// Endpoints counts the ready endpoints of a Service by whose Pods they are.
type Endpoints struct {
	Blue, Green, Other int
	// Outdated are those of Blue and Green whose Pods were made from another
	// template than the one that their Deployment has now.
	Outdated int
}

// Of is the number of ready endpoints of a colour.
func (e Endpoints) Of(c v1alpha1.Colour) int {
	switch c {
	case v1alpha1.Blue:
		return e.Blue
	case v1alpha1.Origin:
		return e.Other
	}
	return e.Green
}

// Only tells whether there are at least n ready endpoints, all of what colour c
// holds now.
func (e Endpoints) Only(c v1alpha1.Colour, n int) bool {
	return e.Of(c) >= n && e.Outdated == 0 && e.Of(c) == e.Blue+e.Green+e.Other
}

// Workload of a colour.
func (s *Snapshot) Workload(c v1alpha1.Colour) Workload {
	switch c {
	case v1alpha1.Blue:
		return s.Blue
	case v1alpha1.Origin:
		return s.Origin.Workload
	}
	return s.Green
}

// InUse tells whether any Service selects the colour, by whatever labels, or
// still has endpoints of it. Preview Services do not count: they carry no live
// traffic.
func (s *Snapshot) InUse(c v1alpha1.Colour) bool {
	labels := s.Workload(c).Template.Labels
	for _, svc := range s.Services {
		if svc.Exists && (svc.Colour == c || svc.Endpoints.Of(c) > 0 || catchesPods(svc.Selector, labels)) {
			return true
		}
	}
	return false
}

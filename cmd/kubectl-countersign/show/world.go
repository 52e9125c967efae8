// Copyright The Countersign Authors.
// SPDX-License-Identifier: Apache-2.0

package show

import (
	"slices"
	"time"

	"github.com/countersign/countersign/api/v1alpha1"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
)

// World is what was read of a Release and what it stands in. Only the Release is
// always there: people may read some of the rest, or none.
type World struct {
	Release v1alpha1.Release
	// Policies of the cluster.
	Policies []v1alpha1.ApprovalPolicy
	// Deployments of the colours.
	Deployments map[v1alpha1.Colour]*appsv1.Deployment
	// Services that the Release names, with their previews, by name.
	Services map[string]*corev1.Service
	// ConfigMaps that are copies, by name.
	ConfigMaps map[string]*corev1.ConfigMap
	// Cluster is its id; empty if it could not be read.
	Cluster string
	// Person who asks; nil if the API server does not say.
	Person *Person
	// Unread says what could not be read, and what to ask for.
	Unread []string
	// Now is when it was read.
	Now time.Time
}

// Person is who asks, as the API server authenticated them.
type Person struct {
	User   string
	Groups []string
	// Permitted are the IDs of the rules under which RBAC lets them approve.
	Permitted []string
}

func (w *World) status() *v1alpha1.ReleaseStatus { return &w.Release.Status }

// NotRead notes, once, what could not be read and what to ask for.
func (w *World) NotRead(what string) {
	if !slices.Contains(w.Unread, what) {
		w.Unread = append(w.Unread, what)
	}
}

// Copyright The Countersign Authors.
// SPDX-License-Identifier: Apache-2.0

package observe

import (
	"context"
	"fmt"
	"slices"

	"github.com/countersign/countersign/api/v1alpha1"
	"github.com/countersign/countersign/controllers/rollout"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// origin reads what served before the Release, as long as that is to be taken over,
// gone back to, or scaled to zero. It has no label of ours, so that no cache holds
// it: it is read live, which ends with the first releases.
func (o *Observer) origin(ctx context.Context, s *rollout.Snapshot) error {
	rel := &s.Release
	name := originName(rel)
	if name == "" {
		return nil
	}
	var d appsv1.Deployment
	err := o.Live.Get(ctx, types.NamespacedName{Namespace: rel.Namespace, Name: name}, &d)
	if apierrors.IsNotFound(err) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("get Deployment %s/%s: %w", rel.Namespace, name, err)
	}
	if err := fill(&s.Origin.Workload, &d); err != nil {
		return err
	}
	s.Origin.Selector, s.Origin.Foreign = d.Spec.Selector, d.Labels[v1alpha1.ReleaseLabel] != ""
	if a := rel.Status.Active; a != nil && a.FinishedAt != nil {
		s.Origin.UsedBy, err = o.usersOf(ctx, rel, &d)
	}
	return err
}

// originName is the Deployment to look at; empty if none matters.
func originName(rel *v1alpha1.Release) string {
	origin := rel.Status.Origin
	switch {
	case rel.Status.Active == nil && rel.Status.Switch == nil && rel.Spec.WorkloadRef == nil:
		return ""
	case rel.Status.Active == nil && rel.Spec.WorkloadRef != nil:
		return rel.Spec.WorkloadRef.Name
	case origin == nil || origin.DrainedAt != nil:
		return ""
	}
	return origin.Name
}

// usersOf are the Services of other people that lead to its Pods.
func (o *Observer) usersOf(ctx context.Context, rel *v1alpha1.Release, d *appsv1.Deployment) (names []string, err error) {
	var list corev1.ServiceList
	if err := o.Live.List(ctx, &list, client.InNamespace(rel.Namespace)); err != nil {
		return nil, fmt.Errorf("list the Services of namespace %s: %w", rel.Namespace, err)
	}
	for i := range list.Items {
		selector := list.Items[i].Spec.Selector
		if len(selector) > 0 && labels.SelectorFromSet(selector).Matches(labels.Set(d.Spec.Template.Labels)) {
			names = append(names, list.Items[i].Name)
		}
	}
	slices.Sort(names)
	return names, nil
}

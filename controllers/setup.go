// Copyright The Countersign Authors.
// SPDX-License-Identifier: Apache-2.0

package controllers

import (
	"context"
	"fmt"
	"time"

	"github.com/countersign/countersign/api/v1alpha1"
	"github.com/countersign/countersign/controllers/access"
	"github.com/countersign/countersign/controllers/checks"
	"github.com/countersign/countersign/controllers/receipt"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/selection"
	"k8s.io/apimachinery/pkg/types"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller"
	"sigs.k8s.io/controller-runtime/pkg/event"
	"sigs.k8s.io/controller-runtime/pkg/handler"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"
	"sigs.k8s.io/controller-runtime/pkg/source"
)

// serviceIndex finds Releases by the Services that their spec names.
const serviceIndex = "spec.services.name"

// Options of Setup.
type Options struct {
	// Verifier knows the keys of receipts.
	Verifier *receipt.Verifier
	// Gate lets promotions through.
	Gate Gate
	// JudgeAgain gets something when the gate freezes or thaws, or other keys are
	// trusted. May be nil.
	JudgeAgain <-chan event.GenericEvent
	// Unreleased is the namespace of the self-test.
	Unreleased string
	// Cluster is the id of the cluster.
	Cluster string
	// Workers is how many Releases are handled at once. Defaults to 4.
	Workers int
	// Teller tells events and metrics. May be nil.
	Teller Teller
}

// CacheOptions keep out of memory what does not belong to a Release: only
// Deployments, Pods and EndpointSlices with its label are watched.
func CacheOptions() (cache.Options, error) {
	ours, err := labels.NewRequirement(v1alpha1.ReleaseLabel, selection.Exists, nil)
	if err != nil {
		return cache.Options{}, fmt.Errorf("selector of %s: %w", v1alpha1.ReleaseLabel, err)
	}
	selector := cache.ByObject{Label: labels.NewSelector().Add(*ours)}
	return cache.Options{
		DefaultTransform: cache.TransformStripManagedFields(),
		ByObject: map[client.Object]cache.ByObject{
			&appsv1.Deployment{}:         selector,
			&corev1.Pod{}:                selector,
			&discoveryv1.EndpointSlice{}: selector,
		},
	}, nil
}

// Setup adds the reconciler to a manager.
func Setup(ctx context.Context, mgr ctrl.Manager, o Options) error {
	changed := make(chan event.GenericEvent, 256)
	runner := checks.NewProber(func(release types.NamespacedName) {
		select {
		case changed <- event.GenericEvent{Object: &v1alpha1.Release{ObjectMeta: metav1.ObjectMeta{Namespace: release.Namespace, Name: release.Name}}}:
		case <-ctx.Done():
		}
	})
	if err := mgr.Add(runner); err != nil {
		return fmt.Errorf("add the checks: %w", err)
	}
	reviewer, err := access.NewReviewer(mgr)
	if err != nil {
		return err
	}
	r := &Reconciler{
		Client: mgr.GetClient(), Live: mgr.GetAPIReader(), Checks: runner,
		Verifier: o.Verifier, Gate: o.Gate, Unreleased: o.Unreleased, Cluster: o.Cluster, Now: time.Now, Teller: o.Teller,
		Access: reviewer,
	}
	err = mgr.GetFieldIndexer().IndexField(ctx, &v1alpha1.Release{}, serviceIndex, servicesNamed)
	if err != nil {
		return fmt.Errorf("index Releases by Service: %w", err)
	}
	workers := o.Workers
	if workers == 0 {
		workers = 4
	}
	builder := ctrl.NewControllerManagedBy(mgr).
		Named("release").
		For(&v1alpha1.Release{}).
		Watches(&appsv1.Deployment{}, handler.EnqueueRequestsFromMapFunc(byLabel)).
		Watches(&corev1.Pod{}, handler.EnqueueRequestsFromMapFunc(byLabel)).
		Watches(&discoveryv1.EndpointSlice{}, handler.EnqueueRequestsFromMapFunc(byLabel)).
		Watches(&corev1.Service{}, handler.EnqueueRequestsFromMapFunc(r.byService)).
		Watches(&v1alpha1.ApprovalPolicy{}, handler.EnqueueRequestsFromMapFunc(r.all)).
		WatchesRawSource(source.Channel(changed, &handler.EnqueueRequestForObject{})).
		WithOptions(controller.Options{MaxConcurrentReconciles: workers})
	if o.JudgeAgain != nil {
		builder.WatchesRawSource(source.Channel(o.JudgeAgain, handler.EnqueueRequestsFromMapFunc(r.all)))
	}
	return builder.Complete(r)
}

func servicesNamed(o client.Object) []string {
	rel, ok := o.(*v1alpha1.Release)
	if !ok {
		return nil
	}
	names := make([]string, 0, 2*len(rel.Spec.Services))
	for _, s := range rel.Spec.Services {
		names = append(names, s.Name, s.PreviewName())
	}
	return names
}

func byLabel(_ context.Context, o client.Object) []reconcile.Request {
	name := o.GetLabels()[v1alpha1.ReleaseLabel]
	if name == "" {
		return nil
	}
	return []reconcile.Request{{NamespacedName: types.NamespacedName{Namespace: o.GetNamespace(), Name: name}}}
}

// byService also finds Releases that wait for a Service to be there.
func (r *Reconciler) byService(ctx context.Context, o client.Object) []reconcile.Request {
	requests := byLabel(ctx, o)
	var named v1alpha1.ReleaseList
	if err := r.Client.List(ctx, &named, client.InNamespace(o.GetNamespace()), client.MatchingFields{serviceIndex: o.GetName()}); err != nil {
		ctrl.LoggerFrom(ctx).Error(err, "list the Releases that name a Service", "service", client.ObjectKeyFromObject(o))
	}
	return append(requests, requestsFor(named.Items)...)
}

// all Releases are looked at when a policy changes: which namespaces it covered
// before is not known.
func (r *Reconciler) all(ctx context.Context, _ client.Object) []reconcile.Request {
	var list v1alpha1.ReleaseList
	if err := r.Client.List(ctx, &list); err != nil {
		ctrl.LoggerFrom(ctx).Error(err, "list the Releases after a policy changed")
	}
	return requestsFor(list.Items)
}

func requestsFor(releases []v1alpha1.Release) []reconcile.Request {
	requests := make([]reconcile.Request, len(releases))
	for i := range releases {
		requests[i].NamespacedName = client.ObjectKeyFromObject(&releases[i])
	}
	return requests
}

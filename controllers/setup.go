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
	"github.com/countersign/countersign/controllers/observe"
	"github.com/countersign/countersign/controllers/receipt"
	"github.com/countersign/countersign/controllers/snapshot"
	"github.com/go-logr/logr"
	appsv1 "k8s.io/api/apps/v1"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	policyv1 "k8s.io/api/policy/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/selection"
	"k8s.io/apimachinery/pkg/types"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/builder"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller"
	"sigs.k8s.io/controller-runtime/pkg/event"
	"sigs.k8s.io/controller-runtime/pkg/handler"
	"sigs.k8s.io/controller-runtime/pkg/predicate"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"
	"sigs.k8s.io/controller-runtime/pkg/source"
)

// Indexes find Releases by the Services that their spec names, and by the
// ConfigMaps and Secrets that their template refers to.
const (
	serviceIndex = "spec.services.name"
	configIndex  = "spec.template.config"
)

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
	// ConfigKey is the key that the contents of Secrets are hashed with.
	ConfigKey []byte
	// Cluster is the id of the cluster.
	Cluster string
	// Workers is how many Releases are handled at once. Defaults to 4.
	Workers int
	// Teller tells events and metrics. May be nil.
	Teller Teller
}

// CacheOptions keep out of memory what does not belong to a Release: only
// Deployments, Pods, Jobs, ControllerRevisions and EndpointSlices with its label are
// watched. Of ConfigMaps and Secrets only the metadata are, and of these only what tells that one
// changed: it tells which to read. What is never in a template and there is much
// of is left out.
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
			&batchv1.Job{}:               selector,
			&appsv1.ControllerRevision{}: selector,
			&discoveryv1.EndpointSlice{}: selector,
			&corev1.ConfigMap{}: {
				Field: fields.OneTermNotEqualSelector("metadata.name", "kube-root-ca.crt"), Transform: identityOnly,
			},
			&corev1.Secret{}: {
				Field: fields.OneTermNotEqualSelector("type", "helm.sh/release.v1"), Transform: identityOnly,
			},
		},
	}, nil
}

// identityOnly leaves what tells one object and version from another. What else
// metadata hold may be as secret as the object: kubectl apply keeps a copy of all
// of it in an annotation.
func identityOnly(o any) (any, error) {
	m, is := o.(metav1.Object)
	if !is {
		return nil, fmt.Errorf("%T has no metadata", o)
	}
	m.SetAnnotations(nil)
	m.SetManagedFields(nil)
	m.SetOwnerReferences(nil)
	m.SetFinalizers(nil)
	var ours map[string]string
	for _, key := range []string{v1alpha1.ReleaseLabel, v1alpha1.UnusedLabel} {
		if value, has := m.GetLabels()[key]; has {
			if ours == nil {
				ours = map[string]string{}
			}
			ours[key] = value
		}
	}
	m.SetLabels(ours)
	return o, nil
}

// Setup adds the reconciler to a manager.
func Setup(ctx context.Context, mgr ctrl.Manager, o Options) error {
	changed := make(chan event.GenericEvent, 256)
	runner := checks.NewProber(mgr.GetAPIReader(), func(release types.NamespacedName) {
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
		Verifier: o.Verifier, Hasher: snapshot.NewHasher(o.ConfigKey), Memory: &observe.Memory{}, Gate: o.Gate, Unreleased: o.Unreleased, Cluster: o.Cluster, Now: time.Now, Teller: o.Teller,
		Access: reviewer,
	}
	err = mgr.GetFieldIndexer().IndexField(ctx, &v1alpha1.Release{}, serviceIndex, servicesNamed)
	if err != nil {
		return fmt.Errorf("index Releases by Service: %w", err)
	}
	if err := mgr.GetFieldIndexer().IndexField(ctx, &v1alpha1.Release{}, configIndex, configNamed); err != nil {
		return fmt.Errorf("index Releases by ConfigMap and Secret: %w", err)
	}
	workers := o.Workers
	if workers == 0 {
		workers = 4
	}
	// Their status changes with each Pod.
	specOrLabels := builder.WithPredicates(predicate.Or[client.Object](predicate.GenerationChangedPredicate{}, predicate.LabelChangedPredicate{}))
	b := ctrl.NewControllerManagedBy(mgr).
		Named("release").
		For(&v1alpha1.Release{}).
		Watches(&appsv1.Deployment{}, handler.EnqueueRequestsFromMapFunc(byLabel)).
		Watches(&corev1.Pod{}, handler.EnqueueRequestsFromMapFunc(byLabel)).
		Watches(&batchv1.Job{}, handler.EnqueueRequestsFromMapFunc(byLabel)).
		Watches(&appsv1.ControllerRevision{}, handler.EnqueueRequestsFromMapFunc(byLabel)).
		Watches(&discoveryv1.EndpointSlice{}, handler.EnqueueRequestsFromMapFunc(byLabel)).
		Watches(&policyv1.PodDisruptionBudget{}, handler.EnqueueRequestsFromMapFunc(r.inNamespace), specOrLabels).
		Watches(&corev1.Service{}, handler.EnqueueRequestsFromMapFunc(r.byService)).
		WatchesMetadata(&corev1.ConfigMap{}, handler.EnqueueRequestsFromMapFunc(r.byConfig(v1alpha1.ConfigMap))).
		WatchesMetadata(&corev1.Secret{}, handler.EnqueueRequestsFromMapFunc(r.byConfig(v1alpha1.Secret))).
		Watches(&v1alpha1.ApprovalPolicy{}, handler.EnqueueRequestsFromMapFunc(r.all)).
		WatchesRawSource(source.Channel(changed, &handler.EnqueueRequestForObject{})).
		WithOptions(controller.Options{MaxConcurrentReconciles: workers}).
		WithLogConstructor(aboutRelease(mgr.GetLogger()))
	if o.JudgeAgain != nil {
		b.WatchesRawSource(source.Channel(o.JudgeAgain, handler.EnqueueRequestsFromMapFunc(r.all)))
	}
	return b.Complete(r)
}

// aboutRelease makes the logger of a reconcile, with the keys that all lines about a
// Release have (telemetry.LogValues). It knows no more of it than its name.
func aboutRelease(base logr.Logger) func(*reconcile.Request) logr.Logger {
	return func(req *reconcile.Request) logr.Logger {
		if req == nil {
			return base.WithValues("controller", "release")
		}
		return base.WithValues("controller", "release", "namespace", req.Namespace, "release", req.Name)
	}
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

func configNamed(o client.Object) []string {
	rel, ok := o.(*v1alpha1.Release)
	if !ok {
		return nil
	}
	copied, _ := snapshot.Split(rel.Spec)
	names := make([]string, 0, len(copied))
	for _, s := range copied {
		names = append(names, configKey(s.Kind, s.Name))
	}
	return names
}

func configKey(kind v1alpha1.ConfigKind, name string) string { return string(kind) + "/" + name }

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

// byConfig finds Releases whose template refers to an object, and the one that a
// copy belongs to.
func (r *Reconciler) byConfig(kind v1alpha1.ConfigKind) handler.MapFunc {
	return func(ctx context.Context, o client.Object) []reconcile.Request {
		var named v1alpha1.ReleaseList
		err := r.Client.List(ctx, &named, client.InNamespace(o.GetNamespace()), client.MatchingFields{configIndex: configKey(kind, o.GetName())})
		if err != nil {
			ctrl.LoggerFrom(ctx).Error(err, "list the Releases that refer to an object", "kind", kind, "object", client.ObjectKeyFromObject(o))
		}
		return append(byLabel(ctx, o), requestsFor(named.Items)...)
	}
}

// inNamespace finds all Releases of a namespace: whose Pods somebody's
// PodDisruptionBudget covers, or covered before, is not known.
func (r *Reconciler) inNamespace(ctx context.Context, o client.Object) []reconcile.Request {
	var list v1alpha1.ReleaseList
	if err := r.Client.List(ctx, &list, client.InNamespace(o.GetNamespace())); err != nil {
		ctrl.LoggerFrom(ctx).Error(err, "list the Releases beside a PodDisruptionBudget", "budget", client.ObjectKeyFromObject(o))
	}
	return requestsFor(list.Items)
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

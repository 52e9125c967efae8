// Copyright The Countersign Authors.
// SPDX-License-Identifier: Apache-2.0

package act

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"strconv"

	"github.com/countersign/countersign/api/v1alpha1"
	"github.com/countersign/countersign/controllers/rollout"
	"github.com/countersign/countersign/controllers/snapshot"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/intstr"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller/controllerutil"
)

// keptReplicaSets is how many ReplicaSets of former templates a Deployment
// keeps. Going back is done by the other colour, so few are of use.
const keptReplicaSets = 2

// deployment is a colour's Deployment as the spec, or content that is kept, wants it.
// It has no owner reference: deleting a Release must not take what serves along.
func deployment(rel *v1alpha1.Release, m rollout.Materialise) *appsv1.Deployment {
	labels := selectorOf(rel.Name, string(m.Colour))
	template := rel.Spec.Template.DeepCopy()
	if m.Template != nil {
		template = m.Template.DeepCopy()
	}
	if template.Labels == nil {
		template.Labels = map[string]string{}
	}
	snapshot.Rewrite(template, m.Config)
	maps.Copy(template.Labels, labels)
	template.Labels[v1alpha1.RevisionLabel] = m.Revision
	if m.Restarts > 0 {
		numberRestart(template, m.Restarts)
	}
	kept, deadline := int32(keptReplicaSets), rel.Spec.ProgressDeadlineSeconds
	whole, none := intstr.FromString("100%"), intstr.FromInt32(0)
	d := &appsv1.Deployment{
		ObjectMeta: metav1.ObjectMeta{
			Namespace: rel.Namespace, Name: rollout.WorkloadName(rel.Name, m.Colour), Labels: maps.Clone(labels),
		},
		Spec: appsv1.DeploymentSpec{
			Replicas: &m.Replicas, Selector: &metav1.LabelSelector{MatchLabels: labels}, Template: *template,
			MinReadySeconds: rel.Spec.MinReadySeconds, RevisionHistoryLimit: &kept,
			Strategy: appsv1.DeploymentStrategy{
				Type:          appsv1.RollingUpdateDeploymentStrategyType,
				RollingUpdate: &appsv1.RollingUpdateDeployment{MaxSurge: &whole, MaxUnavailable: &none},
			},
		},
	}
	if deadline > rel.Spec.MinReadySeconds {
		d.Spec.ProgressDeadlineSeconds = &deadline
	}
	return d
}

func (a *Actor) materialise(ctx context.Context, rel *v1alpha1.Release, m rollout.Materialise) error {
	want := deployment(rel, m)
	if m.ResourceVersion == "" {
		if err := a.Client.Create(ctx, want); err != nil {
			return fmt.Errorf("create Deployment %s/%s: %w", want.Namespace, want.Name, err)
		}
		return nil
	}
	have, err := a.deployment(ctx, rel, m.Colour, m.ResourceVersion)
	if err != nil {
		return err
	}
	next := have.DeepCopy()
	maps.Copy(next.Labels, want.Labels)
	want.Spec.Selector = have.Spec.Selector // immutable
	next.Spec = want.Spec
	return a.patchAsRead(ctx, "Deployment", have, next)
}

func (a *Actor) scale(ctx context.Context, rel *v1alpha1.Release, s rollout.Scale) error {
	have, err := a.deployment(ctx, rel, s.Colour, s.ResourceVersion)
	if err != nil {
		return err
	}
	next := have.DeepCopy()
	next.Spec.Replicas = &s.Replicas
	return a.patchAsRead(ctx, "Deployment", have, next)
}

// restart changes nothing but the number, so that the Deployment replaces its Pods
// by others like them.
func (a *Actor) restart(ctx context.Context, rel *v1alpha1.Release, r rollout.Restart) error {
	have, err := a.deployment(ctx, rel, r.Colour, r.ResourceVersion)
	if err != nil {
		return err
	}
	next := have.DeepCopy()
	numberRestart(&next.Spec.Template, r.Number)
	return a.patchAsRead(ctx, "Deployment", have, next)
}

func numberRestart(template *corev1.PodTemplateSpec, number int64) {
	if template.Annotations == nil {
		template.Annotations = map[string]string{}
	}
	template.Annotations[v1alpha1.RestartsAnnotation] = strconv.FormatInt(number, 10)
}

// drainOrigin is a patch of its own: no cache holds that Deployment, and what else
// is in it is not ours.
func (a *Actor) drainOrigin(ctx context.Context, rel *v1alpha1.Release, o rollout.DrainOrigin) error {
	patch, err := json.Marshal(map[string]any{
		"metadata": map[string]any{"resourceVersion": o.ResourceVersion}, "spec": map[string]any{"replicas": 0},
	})
	if err != nil {
		return fmt.Errorf("encode the patch of Deployment %s/%s: %w", rel.Namespace, o.Name, err)
	}
	d := &appsv1.Deployment{ObjectMeta: metav1.ObjectMeta{Namespace: rel.Namespace, Name: o.Name}}
	if err := a.Client.Patch(ctx, d, client.RawPatch(types.MergePatchType, patch)); err != nil {
		return fmt.Errorf("scale Deployment %s/%s to zero: %w", rel.Namespace, o.Name, err)
	}
	return nil
}

// deployment is the one that was decided about; a conflict if it has changed.
func (a *Actor) deployment(ctx context.Context, rel *v1alpha1.Release, c v1alpha1.Colour, version string) (*appsv1.Deployment, error) {
	var d appsv1.Deployment
	key := types.NamespacedName{Namespace: rel.Namespace, Name: rollout.WorkloadName(rel.Name, c)}
	if err := a.Client.Get(ctx, key, &d); err != nil {
		return nil, fmt.Errorf("get Deployment %s: %w", key, err)
	}
	if version != "" {
		if err := unchanged(&d, schema.GroupResource{Group: "apps", Resource: "deployments"}, version); err != nil {
			return nil, err
		}
	}
	return &d, nil
}

// unchanged is a conflict if what was decided about has changed since.
func unchanged(o client.Object, resource schema.GroupResource, version string) error {
	if o.GetResourceVersion() == version {
		return nil
	}
	return apierrors.NewConflict(resource, o.GetName(), fmt.Errorf("it changed since the decision"))
}

// patchAsRead writes what differs, unless somebody else wrote meanwhile.
func (a *Actor) patchAsRead(ctx context.Context, kind string, have, next client.Object) error {
	patch := client.MergeFromWithOptions(have, client.MergeFromWithOptimisticLock{})
	if err := a.Client.Patch(ctx, next, patch); err != nil {
		return fmt.Errorf("patch %s %s/%s: %w", kind, have.GetNamespace(), have.GetName(), err)
	}
	return nil
}

func (a *Actor) surrenderWorkload(ctx context.Context, rel *v1alpha1.Release, c v1alpha1.Colour) error {
	have, err := a.deployment(ctx, rel, c, "")
	if err != nil {
		return client.IgnoreNotFound(err)
	}
	next := have.DeepCopy()
	delete(next.Labels, v1alpha1.ReleaseLabel)
	delete(next.Labels, v1alpha1.ColourLabel)
	return a.patchAsRead(ctx, "Deployment", have, next)
}

func (a *Actor) remove(ctx context.Context, rel *v1alpha1.Release, r rollout.Remove) error {
	var obj client.Object = &appsv1.Deployment{ObjectMeta: metav1.ObjectMeta{
		Namespace: rel.Namespace, Name: rollout.WorkloadName(rel.Name, r.Colour),
	}}
	if r.Preview != "" {
		obj = &corev1.Service{ObjectMeta: metav1.ObjectMeta{Namespace: rel.Namespace, Name: r.Preview}}
	}
	options := []client.DeleteOption{client.PropagationPolicy(metav1.DeletePropagationBackground)}
	if r.ResourceVersion != "" {
		options = append(options, client.Preconditions{ResourceVersion: &r.ResourceVersion})
	}
	err := a.Client.Delete(ctx, obj, options...)
	if client.IgnoreNotFound(err) != nil {
		return fmt.Errorf("delete %T %s/%s: %w", obj, obj.GetNamespace(), obj.GetName(), err)
	}
	return nil
}

func (a *Actor) setFinalizer(ctx context.Context, rel *v1alpha1.Release, present bool) error {
	next := rel.DeepCopy()
	if present {
		controllerutil.AddFinalizer(next, v1alpha1.Finalizer)
	} else {
		controllerutil.RemoveFinalizer(next, v1alpha1.Finalizer)
	}
	if err := a.Client.Patch(ctx, next, client.MergeFromWithOptions(rel, client.MergeFromWithOptimisticLock{})); err != nil {
		return fmt.Errorf("patch the finalizer of Release %s/%s: %w", rel.Namespace, rel.Name, err)
	}
	rel.ResourceVersion, rel.Finalizers = next.ResourceVersion, next.Finalizers
	return nil
}

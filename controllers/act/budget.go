// Copyright The Countersign Authors.
// SPDX-License-Identifier: Apache-2.0

package act

import (
	"context"
	"fmt"
	"maps"

	"github.com/countersign/countersign/api/v1alpha1"
	"github.com/countersign/countersign/controllers/rollout"
	policyv1 "k8s.io/api/policy/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// budget is the PodDisruptionBudget of a colour. It covers Pods that are ready
// only: one that never gets ready must not keep a node from being drained.
func budget(rel *v1alpha1.Release, k rollout.KeepBudget) *policyv1.PodDisruptionBudget {
	labels := selectorOf(rel.Name, string(k.Colour))
	always := policyv1.AlwaysAllow
	return &policyv1.PodDisruptionBudget{
		ObjectMeta: metav1.ObjectMeta{Namespace: rel.Namespace, Name: rollout.WorkloadName(rel.Name, k.Colour), Labels: labels},
		Spec: policyv1.PodDisruptionBudgetSpec{
			MaxUnavailable: &k.MaxUnavailable, Selector: &metav1.LabelSelector{MatchLabels: maps.Clone(labels)},
			UnhealthyPodEvictionPolicy: &always,
		},
	}
}

func (a *Actor) keepBudget(ctx context.Context, rel *v1alpha1.Release, k rollout.KeepBudget) error {
	want := budget(rel, k)
	if k.ResourceVersion == "" {
		if err := a.Client.Create(ctx, want); err != nil {
			return fmt.Errorf("create PodDisruptionBudget %s/%s: %w", want.Namespace, want.Name, err)
		}
		return nil
	}
	have, err := a.budget(ctx, want, k.ResourceVersion)
	if err != nil {
		return err
	}
	next := have.DeepCopy()
	next.Spec = want.Spec
	return a.patchAsRead(ctx, "PodDisruptionBudget", have, next)
}

func (a *Actor) dropBudget(ctx context.Context, rel *v1alpha1.Release, d rollout.DropBudget) error {
	b := budget(rel, rollout.KeepBudget{Colour: d.Colour})
	err := a.Client.Delete(ctx, b, client.Preconditions{ResourceVersion: &d.ResourceVersion})
	if client.IgnoreNotFound(err) != nil {
		return fmt.Errorf("delete PodDisruptionBudget %s/%s: %w", b.Namespace, b.Name, err)
	}
	return nil
}

// surrenderBudget makes the Deployment its owner: whoever deletes that one is rid
// of it.
func (a *Actor) surrenderBudget(ctx context.Context, rel *v1alpha1.Release, s rollout.SurrenderBudget) error {
	have, err := a.budget(ctx, budget(rel, rollout.KeepBudget{Colour: s.Colour}), s.ResourceVersion)
	if err != nil {
		return client.IgnoreNotFound(err)
	}
	d, err := a.deployment(ctx, rel, s.Colour, "")
	if err != nil {
		return client.IgnoreNotFound(err)
	}
	next := have.DeepCopy()
	delete(next.Labels, v1alpha1.ReleaseLabel)
	delete(next.Labels, v1alpha1.ColourLabel)
	next.OwnerReferences = []metav1.OwnerReference{{APIVersion: "apps/v1", Kind: "Deployment", Name: d.Name, UID: d.UID}}
	return a.patchAsRead(ctx, "PodDisruptionBudget", have, next)
}

// budget is the one that was decided about; a conflict if it has changed.
func (a *Actor) budget(ctx context.Context, of *policyv1.PodDisruptionBudget, version string) (*policyv1.PodDisruptionBudget, error) {
	var b policyv1.PodDisruptionBudget
	key := client.ObjectKeyFromObject(of)
	if err := a.Client.Get(ctx, key, &b); err != nil {
		return nil, fmt.Errorf("get PodDisruptionBudget %s: %w", key, err)
	}
	if err := unchanged(&b, schema.GroupResource{Group: "policy", Resource: "poddisruptionbudgets"}, version); err != nil {
		return nil, err
	}
	return &b, nil
}

// Copyright The Countersign Authors.
// SPDX-License-Identifier: Apache-2.0

package act_test

import (
	"maps"
	"testing"

	"github.com/countersign/countersign/api/v1alpha1"
	"github.com/countersign/countersign/controllers/rollout"
	appsv1 "k8s.io/api/apps/v1"
	policyv1 "k8s.io/api/policy/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/util/intstr"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

func TestKeepBudget(t *testing.T) {
	c := newCluster(t)
	keep := rollout.KeepBudget{Colour: v1alpha1.Blue, MaxUnavailable: intstr.FromString("25%")}
	c.must(release(), keep)
	b := get[policyv1.PodDisruptionBudget](c, "shop-blue")
	if b.Spec.MaxUnavailable.String() != "25%" || !maps.Equal(b.Spec.Selector.MatchLabels, ours("blue")) || !maps.Equal(b.Labels, ours("blue")) || len(b.OwnerReferences) > 0 {
		t.Errorf("it is %v %+v", b.Labels, b.Spec)
	}
	if p := b.Spec.UnhealthyPodEvictionPolicy; p == nil || *p != policyv1.AlwaysAllow {
		t.Errorf("a Pod that never gets ready would keep a node from being drained: %v", p)
	}
	one := intstr.FromInt32(1)
	spoilt := b.DeepCopy()
	spoilt.Spec.MaxUnavailable, spoilt.Spec.MinAvailable, spoilt.Spec.Selector.MatchLabels = nil, &one, map[string]string{"app": "shop"}
	if err := c.Update(t.Context(), spoilt); err != nil {
		t.Fatal(err)
	}
	again := rollout.KeepBudget{Colour: v1alpha1.Blue, ResourceVersion: spoilt.ResourceVersion, MaxUnavailable: intstr.FromInt32(2)}
	c.must(release(), again)
	next := get[policyv1.PodDisruptionBudget](c, "shop-blue")
	if next.Spec.MinAvailable != nil || next.Spec.MaxUnavailable.String() != "2" || !maps.Equal(next.Spec.Selector.MatchLabels, ours("blue")) {
		t.Errorf("it is now %+v", next.Spec)
	}
	if err := c.carry(release(), again); !apierrors.IsConflict(err) {
		t.Errorf("of another version: %v", err)
	}
	if err := c.carry(release(), keep); !apierrors.IsAlreadyExists(err) {
		t.Errorf("made twice: %v", err)
	}
}

func TestDropBudget(t *testing.T) {
	c := newCluster(t)
	c.must(release(), rollout.KeepBudget{Colour: v1alpha1.Blue, MaxUnavailable: intstr.FromInt32(1)})
	b := get[policyv1.PodDisruptionBudget](c, "shop-blue")
	if err := c.carry(release(), rollout.DropBudget{Colour: v1alpha1.Blue, ResourceVersion: "1" + b.ResourceVersion}); !apierrors.IsConflict(err) {
		t.Errorf("of another version: %v", err)
	}
	drop := rollout.DropBudget{Colour: v1alpha1.Blue, ResourceVersion: b.ResourceVersion}
	c.must(release(), drop, drop)
	if err := c.Get(t.Context(), client.ObjectKeyFromObject(b), b); !apierrors.IsNotFound(err) {
		t.Errorf("it is there: %v", err)
	}
}

// I17: what is given back keeps its budget, which goes with it.
func TestSurrenderBudget(t *testing.T) {
	c := newCluster(t)
	c.must(release(), rollout.Materialise{Colour: v1alpha1.Blue, Revision: "r1", Replicas: 3},
		rollout.KeepBudget{Colour: v1alpha1.Blue, MaxUnavailable: intstr.FromInt32(1)})
	b := get[policyv1.PodDisruptionBudget](c, "shop-blue")
	surrender := rollout.SurrenderBudget{Colour: v1alpha1.Blue, ResourceVersion: b.ResourceVersion}
	c.must(release(), surrender)
	d, next := get[appsv1.Deployment](c, "shop-blue"), get[policyv1.PodDisruptionBudget](c, "shop-blue")
	if len(next.Labels) > 0 || len(next.OwnerReferences) != 1 || next.OwnerReferences[0].Name != d.Name || next.OwnerReferences[0].UID != d.UID || next.Spec.MaxUnavailable.String() != "1" {
		t.Errorf("it is %+v %+v", next.ObjectMeta, next.Spec)
	}
	if err := c.carry(release(), surrender); !apierrors.IsConflict(err) {
		t.Errorf("of another version: %v", err)
	}
	c.must(release(), rollout.SurrenderBudget{Colour: v1alpha1.Green, ResourceVersion: "1"})
}

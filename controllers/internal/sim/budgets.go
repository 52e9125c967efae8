// Copyright The Countersign Authors.
// SPDX-License-Identifier: Apache-2.0

package sim

import (
	"strings"

	"github.com/countersign/countersign/api/v1alpha1"
	policyv1 "k8s.io/api/policy/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/intstr"
)

func budgetKey(name string) key {
	return key{kindBudget, types.NamespacedName{Namespace: namespace, Name: name}}
}

// spoilBudgets: somebody changes or deletes a budget, or makes one of their own.
func (s *sim) spoilBudgets() {
	s.seen.add("budgets spoilt")
	own := budgetKey("team")
	k := budgetKey(releaseName + "-" + pick(s, []string{"blue", "green"}))
	switch n := s.rng.IntN(4); {
	case n == 0 && s.server.get(own) == nil:
		_, err := s.server.create(intruder, &policyv1.PodDisruptionBudget{
			ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: own.Name},
			Spec:       policyv1.PodDisruptionBudgetSpec{Selector: &metav1.LabelSelector{MatchLabels: map[string]string{"app": "shop"}}},
		})
		s.must(err)
	case n == 0:
		s.must(s.server.remove(intruder, own, nil))
	case s.server.get(k) == nil:
	case n == 1:
		s.must(s.server.remove(intruder, k, nil))
	default:
		inStorage(s, k, func(b *policyv1.PodDisruptionBudget) {
			none := intstr.FromInt32(0)
			if b.Spec.MaxUnavailable = &none; n == 2 {
				b.Spec.Selector = &metav1.LabelSelector{}
			}
		})
	}
}

// budgetsAtRest: each colour with Pods has a budget of its own, or somebody else's
// covers it, or it is told that somebody insists. No Pod is covered by two.
func (s *sim) budgetsAtRest(rel *v1alpha1.Release) {
	for _, c := range []v1alpha1.Colour{v1alpha1.Blue, v1alpha1.Green} {
		d := s.deployment(c)
		if d == nil || !labelled(d) {
			continue
		}
		ours, others := false, 0
		for _, b := range live[*policyv1.PodDisruptionBudget](s, kindBudget, nil) {
			selector, err := metav1.LabelSelectorAsSelector(b.Spec.Selector)
			s.must(err)
			switch {
			case b.Name == d.Name:
				ours = true
			case selector.Matches(labels.Set(d.Spec.Template.Labels)):
				others++
			}
		}
		if want := *d.Spec.Replicas > 0 && others == 0; ours != want && !s.insists(rel) {
			s.violate("D27", "%s has %d Pods, a budget of its own: %t, and %d of others", d.Name, *d.Spec.Replicas, ours, others)
		}
	}
}

// insists tells whether it is told that somebody keeps changing a budget.
func (s *sim) insists(rel *v1alpha1.Release) bool {
	stalled := conditionOf(&rel.Status, v1alpha1.ConditionStalled)
	for _, b := range rel.Status.Budgets {
		if len(b.RepairedAt) == 3 && stalled != nil {
			return true
		}
	}
	return false
}

// budgetsGivenBack: none carries our marks once the Release is gone.
func (s *sim) budgetsGivenBack() {
	for _, b := range live[*policyv1.PodDisruptionBudget](s, kindBudget, nil) {
		if labelled(b) && strings.HasPrefix(b.Name, releaseName) {
			s.violate("I17", "PodDisruptionBudget %s still carries our marks", b.Name)
		}
	}
}

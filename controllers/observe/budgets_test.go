// Copyright The Countersign Authors.
// SPDX-License-Identifier: Apache-2.0

package observe_test

import (
	"testing"

	"github.com/countersign/countersign/api/v1alpha1"
	"github.com/countersign/countersign/controllers/rollout"
	policyv1 "k8s.io/api/policy/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// budget is one as the operator makes it.
func budget(name string, change func(*policyv1.PodDisruptionBudget)) *policyv1.PodDisruptionBudget {
	quarter, always := intstr.FromString("25%"), policyv1.AlwaysAllow
	b := &policyv1.PodDisruptionBudget{ObjectMeta: meta(name, v1alpha1.ReleaseLabel, "shop", v1alpha1.ColourLabel, "blue")}
	b.Spec = policyv1.PodDisruptionBudgetSpec{
		MaxUnavailable: &quarter, UnhealthyPodEvictionPolicy: &always,
		Selector: &metav1.LabelSelector{MatchLabels: map[string]string{v1alpha1.ReleaseLabel: "shop", v1alpha1.ColourLabel: "blue"}},
	}
	if change != nil {
		change(b)
	}
	return b
}

func covering(name string, selector *metav1.LabelSelector) *policyv1.PodDisruptionBudget {
	b := budget(name, nil)
	b.Labels, b.Spec.Selector = nil, selector
	return b
}

func TestBudgets(t *testing.T) {
	blue := deployment("blue")
	blue.Spec.Template.Labels = map[string]string{"app": "shop", v1alpha1.ReleaseLabel: "shop", v1alpha1.ColourLabel: "blue"}
	two := intstr.FromInt32(2)
	app := func(name string) *metav1.LabelSelector {
		return &metav1.LabelSelector{MatchLabels: map[string]string{"app": name}}
	}
	ours := rollout.Budget{Exists: true, ResourceVersion: "999", MaxUnavailable: "25%", Intact: true}
	spoilt := ours
	spoilt.Intact = false
	for name, tc := range map[string]struct {
		there []client.Object
		want  rollout.Budget
	}{
		"none":     {nil, rollout.Budget{}},
		"ours":     {[]client.Object{budget("shop-blue", nil)}, ours},
		"elsewise": {[]client.Object{budget("shop-blue", func(b *policyv1.PodDisruptionBudget) { b.Spec.MaxUnavailable = &two })}, rollout.Budget{Exists: true, ResourceVersion: "999", MaxUnavailable: "2", Intact: true}},
		"minAvailable": {[]client.Object{budget("shop-blue", func(b *policyv1.PodDisruptionBudget) { b.Spec.MaxUnavailable, b.Spec.MinAvailable = nil, &two })},
			rollout.Budget{Exists: true, ResourceVersion: "999"}},
		"another selector": {[]client.Object{budget("shop-blue", func(b *policyv1.PodDisruptionBudget) { b.Spec.Selector = app("x") })}, spoilt},
		"no selector":      {[]client.Object{budget("shop-blue", func(b *policyv1.PodDisruptionBudget) { b.Spec.Selector = nil })}, spoilt},
		"an expression more": {[]client.Object{budget("shop-blue", func(b *policyv1.PodDisruptionBudget) {
			b.Spec.Selector.MatchExpressions = []metav1.LabelSelectorRequirement{{Key: "x", Operator: metav1.LabelSelectorOpExists}}
		})}, spoilt},
		"unready Pods": {[]client.Object{budget("shop-blue", func(b *policyv1.PodDisruptionBudget) { b.Spec.UnhealthyPodEvictionPolicy = nil })}, spoilt},
		"of our name": {[]client.Object{budget("shop-blue", func(b *policyv1.PodDisruptionBudget) {
			b.Labels[v1alpha1.ReleaseLabel], b.Spec.Selector = "other", app("x")
		})}, rollout.Budget{Other: "shop-blue"}},
		"somebody else's":  {[]client.Object{covering("b", app("shop")), covering("a", app("shop"))}, rollout.Budget{Other: "a"}},
		"of all Pods":      {[]client.Object{covering("a", &metav1.LabelSelector{})}, rollout.Budget{Other: "a"}},
		"of others":        {[]client.Object{covering("a", app("x")), covering("b", nil)}, rollout.Budget{}},
		"not to be read":   {[]client.Object{covering("a", &metav1.LabelSelector{MatchExpressions: []metav1.LabelSelectorRequirement{{Key: "app", Operator: "?"}}})}, rollout.Budget{}},
		"of another place": {[]client.Object{elsewhere(covering("a", app("shop")))}, rollout.Budget{}},
		"beside ours":      {[]client.Object{budget("shop-blue", nil), covering("z", app("shop"))}, rollout.Budget{Exists: true, ResourceVersion: "999", MaxUnavailable: "25%", Intact: true, Other: "z"}},
		"the other colour's": {[]client.Object{budget("shop-green", func(b *policyv1.PodDisruptionBudget) {
			b.Labels[v1alpha1.ColourLabel], b.Spec.Selector = "green", app("x")
		})}, rollout.Budget{}},
	} {
		t.Run(name, func(t *testing.T) {
			if got := see(t, append(tc.there, blue.DeepCopy())...).Blue.Budget; got != tc.want {
				t.Errorf("got %+v, want %+v", got, tc.want)
			}
		})
	}
}

func elsewhere(b *policyv1.PodDisruptionBudget) *policyv1.PodDisruptionBudget {
	b.Namespace = "stage"
	return b
}

// Copyright The Countersign Authors.
// SPDX-License-Identifier: Apache-2.0

package observe

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"

	"github.com/countersign/countersign/api/v1alpha1"
	"github.com/countersign/countersign/controllers/rollout"
	policyv1 "k8s.io/api/policy/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

func (o *Observer) budgets(ctx context.Context, s *rollout.Snapshot) error {
	rel := &s.Release
	var list policyv1.PodDisruptionBudgetList
	if err := o.Client.List(ctx, &list, client.InNamespace(rel.Namespace)); err != nil {
		return fmt.Errorf("list PodDisruptionBudgets in namespace %s: %w", rel.Namespace, err)
	}
	slices.SortFunc(list.Items, func(a, b policyv1.PodDisruptionBudget) int { return cmp.Compare(a.Name, b.Name) })
	for colour, w := range map[v1alpha1.Colour]*rollout.Workload{v1alpha1.Blue: &s.Blue, v1alpha1.Green: &s.Green} {
		for i := range list.Items {
			readBudget(rel.Name, colour, &list.Items[i], w)
		}
	}
	return nil
}

func readBudget(release string, colour v1alpha1.Colour, b *policyv1.PodDisruptionBudget, w *rollout.Workload) {
	ours := map[string]string{v1alpha1.ReleaseLabel: release, v1alpha1.ColourLabel: string(colour)}
	switch {
	case b.DeletionTimestamp != nil:
	case b.Name == w.Name && b.Labels[v1alpha1.ReleaseLabel] == release && b.Labels[v1alpha1.ColourLabel] == string(colour):
		w.Budget.Exists, w.Budget.ResourceVersion = true, b.ResourceVersion
		if b.Spec.MaxUnavailable != nil {
			w.Budget.MaxUnavailable = b.Spec.MaxUnavailable.String()
		}
		policy := b.Spec.UnhealthyPodEvictionPolicy
		w.Budget.Intact = b.Spec.MinAvailable == nil && policy != nil && *policy == policyv1.AlwaysAllow &&
			b.Spec.Selector != nil && len(b.Spec.Selector.MatchExpressions) == 0 && maps.Equal(b.Spec.Selector.MatchLabels, ours)
	case b.Name == w.Name || covers(b, w.Template.Labels):
		w.Budget.Other = cmp.Or(w.Budget.Other, b.Name)
	}
}

// covers tells whether a budget is about Pods with these labels. One whose
// selector cannot be read is about none.
func covers(b *policyv1.PodDisruptionBudget, of map[string]string) bool {
	selector, err := metav1.LabelSelectorAsSelector(b.Spec.Selector)
	return err == nil && len(of) > 0 && selector.Matches(labels.Set(of))
}

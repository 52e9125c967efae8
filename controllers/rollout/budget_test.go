// Copyright The Countersign Authors.
// SPDX-License-Identifier: Apache-2.0

package rollout_test

import (
	"slices"
	"testing"
	"time"

	"github.com/countersign/countersign/api/v1alpha1"
	"github.com/countersign/countersign/controllers/rollout"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
)

func (w *world) wantsBudgets(blueHas, greenHas string) {
	w.t.Helper()
	for c, want := range map[v1alpha1.Colour]string{blue: blueHas, green: greenHas} {
		got := ""
		if b := w.budgets[c]; b.exists {
			got = b.max
		}
		if got != want {
			w.t.Errorf("the budget of %s is %q, want %q", c, got, want)
		}
	}
}

// wantsBudgeted that was done to budgets since the last time it was asked.
func (w *world) wantsBudgeted(want ...string) {
	w.t.Helper()
	if !slices.Equal(w.budgeted, want) {
		w.t.Errorf("it did %q to budgets, want %q", w.budgeted, want)
	}
	w.budgeted = nil
}

// disrupt sets spec.disruptionBudget.
func (w *world) disrupt(max *intstr.IntOrString) {
	w.respec(func(s *v1alpha1.ReleaseSpec) {
		s.DisruptionBudget = nil
		if max != nil {
			s.DisruptionBudget = &v1alpha1.DisruptionBudget{MaxUnavailable: max}
		}
	})
}

func TestBudgets(t *testing.T) {
	scenarios(t, map[string]func(*testing.T){
		"D27 each colour has its own, from its first Pod to the last": func(t *testing.T) {
			w := newWorld(t)
			w.run()
			w.wantsBudgets("25%", "")
			w.approve("bob")
			w.run()
			w.pass(600 * time.Second)
			w.edit("v2")
			w.run()
			w.wantsBudgets("25%", "25%")
			w.approve("bob")
			w.run()
			w.pass(600 * time.Second)
			w.wantsBudgets("25%", "25%")
			w.pass(3600 * time.Second)
			w.wantsReplicas(blue, 0)
			w.wantsBudgets("", "25%")
			w.wantsBudgeted("Keep blue 25%", "Keep green 25%", "Drop blue")
			w.wantsNoNotice(rollout.NoticeBudgetRestored)
		},
		"D27 it stays while the colour that is scaled down still has Pods": func(t *testing.T) {
			w := secondObserved(t)
			w.pass(600 * time.Second)
			s := w.snapshot()
			s.Blue.Replicas = 0
			if d := rollout.Decide(s); slices.ContainsFunc(d.Actions, isDropBudget) {
				t.Errorf("it is dropped while there are %d Pods: %v", s.Blue.Total, d.Actions)
			}
			s.Blue.Total = 0
			if d := rollout.Decide(s); !slices.ContainsFunc(d.Actions, isDropBudget) {
				t.Errorf("it is kept without any Pod: %v", d.Actions)
			}
		},
		"D27 what is done to the other colour leaves it alone": func(t *testing.T) {
			w := secondObserved(t)
			w.budgeted = nil
			w.colours[blue] = &colour{}
			w.run()
			w.wantsBudgets("", "25%")
			w.wantsBudgeted("Drop blue")
		},
		"another size of it, and back": func(t *testing.T) {
			w := serving(t)
			w.budgeted = nil
			w.disrupt(ptr(intstr.FromInt32(2)))
			w.run()
			w.wantsBudgets("2", "")
			w.disrupt(nil)
			w.run()
			w.wantsBudgeted("Keep blue 2", "Keep blue 25%")
			w.wants(v1alpha1.PhaseStable) // it is not content
			w.wantsNoNotice(rollout.NoticeBudgetRestored)
		},
		"somebody deletes it": func(t *testing.T) {
			w := serving(t)
			w.budgets[blue].exists = false
			w.run()
			w.wantsBudgets("25%", "")
			w.wantsNotice(rollout.NoticeBudgetRestored)
		},
		"somebody changes it": func(t *testing.T) {
			for _, spoil := range []func(*budget){func(b *budget) { b.max = "100%" }, func(b *budget) { b.spoilt = true }} {
				w := serving(t)
				w.touch(&w.budgets[blue].version, func() { spoil(w.budgets[blue]) })
				w.run()
				w.wantsBudgets("25%", "")
				w.wantsNotice(rollout.NoticeBudgetRestored)
			}
		},
		"somebody who insists is left alone for a while, and named": func(t *testing.T) {
			w := serving(t)
			w.budgeted = nil
			for range 4 {
				w.budgets[blue].exists = false
				w.run()
			}
			w.wantsBudgeted("Keep blue 25%", "Keep blue 25%", "Keep blue 25%")
			w.wantsStalled(v1alpha1.ReasonBudgetConflict, "PodDisruptionBudget shop-blue")
			w.pass(599 * time.Second)
			w.wantsBudgets("", "")
			w.pass(time.Second)
			w.wantsBudgets("25%", "")
			w.wantsReady(metav1.ConditionTrue, v1alpha1.ReasonServing)
		},
		"that holds no candidate back": func(t *testing.T) {
			w := serving(t)
			for range 4 {
				w.budgets[blue].exists = false
				w.run()
			}
			w.release("v2")
			w.wants(v1alpha1.PhaseObserving)
		},
		"one of somebody else's is told once, and takes its place": func(t *testing.T) {
			w := serving(t)
			w.budgeted = nil
			w.budgets[blue].other = "mine"
			w.run()
			w.wantsBudgets("", "")
			w.wantsNotice(rollout.NoticeBudgetLeftToOthers)
			w.wantsReady(metav1.ConditionTrue, v1alpha1.ReasonServing)
			w.told = nil
			w.pass(time.Hour)
			w.wantsNoNotice(rollout.NoticeBudgetLeftToOthers)
			w.budgets[blue].other = ""
			w.run()
			w.wantsBudgets("25%", "")
			w.wantsNoNotice(rollout.NoticeBudgetRestored)
			w.wantsBudgeted("Drop blue", "Keep blue 25%")
		},
		"a colour that is not ours has none of ours": func(t *testing.T) {
			w := newWorld(t)
			w.colours[blue] = &colour{exists: true, foreign: true, replicas: 3}
			w.run()
			w.wantsBudgets("", "")
		},
		"after a deletion what serves keeps it": func(t *testing.T) {
			w := secondObserved(t)
			w.pass(600 * time.Second)
			w.budgeted, w.rel.DeletionTimestamp = nil, &metav1.Time{Time: w.now}
			w.run()
			w.wantsBudgeted("Drop blue", "Surrender green")
		},
		"a deletion that takes all down takes it, too": func(t *testing.T) {
			w := serving(t, mortal)
			w.budgeted, w.rel.DeletionTimestamp = nil, &metav1.Time{Time: w.now}
			w.run()
			w.wantsBudgeted("Drop blue")
		},
	})
}

func isDropBudget(a rollout.Action) bool { _, is := a.(rollout.DropBudget); return is }

// Copyright The Countersign Authors.
// SPDX-License-Identifier: Apache-2.0

package rollout_test

import (
	"testing"
	"time"

	"github.com/countersign/countersign/api/v1alpha1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

func TestPromotion(t *testing.T) {
	scenarios(t, map[string]func(*testing.T){
		"step by step": func(t *testing.T) {
			w := serving(t, withChecks, withTwoServices)
			w.edit("v2")
			w.run()
			w.wantsActions("Materialise green 3", "PointPreview shop-preview green", "PointPreview admin-preview green")
			w.wants(v1alpha1.PhaseAwaitingApproval)
			w.wantsReady(metav1.ConditionTrue, v1alpha1.ReasonAwaitingApproval)
			w.wantsCondition(v1alpha1.ConditionReleased, metav1.ConditionFalse, v1alpha1.ReasonAwaitingApproval)
			w.wantsCondition(v1alpha1.ConditionTested, metav1.ConditionTrue, v1alpha1.ReasonChecksPassed)
			w.wantsTraffic(blue)
			w.approve("carol")
			w.run()
			w.wantsActions("Shift green epoch 2")
			w.wantsTraffic(green)
			w.wantsReplicas(blue, 3) // I3
			w.pass(600 * time.Second)
			w.wants(v1alpha1.PhaseStable)
			w.wantsReplicas(blue, 3)
			w.pass(3600 * time.Second)
			w.wantsReplicas(blue, 0)
			w.wantsActions("Scale blue 0")
			w.wantsNotice("ColourRetired")
		},
		"D12 the decision is on record before traffic moves": func(t *testing.T) {
			w := serving(t)
			w.edit("v2")
			w.run()
			w.approve("bob")
			w.writes = 0 // the operator dies after the commit
			w.step()
			w.wants(v1alpha1.PhaseSwitching)
			w.wantsCondition(v1alpha1.ConditionTrafficSettled, metav1.ConditionFalse, v1alpha1.ReasonSwitchIntended)
			w.wantsTraffic(blue)
			if sw := w.rel.Status.Switch; sw.Epoch != 2 || len(sw.Approvers) != 1 || sw.Approvers[0] != "bob" || *sw.From != blue {
				t.Errorf("the record is %+v", sw)
			}
			w.writes = 9
			w.run()
			w.wantsTraffic(green)
			if h := w.rel.Status.History; len(h) != 2 || h[0].Epoch != 2 || h[0].Approvers[0] != "bob" {
				t.Errorf("it resumes once, and the history is %+v", h)
			}
		},
		"D08 D09 the former colour is not touched while endpoints still use it": func(t *testing.T) {
			w := serving(t, func(w *world) { w.rel.Spec.KeepIdleSeconds, w.rel.Spec.ObserveSeconds = ptr(int32(0)), 1 })
			w.edit("v2")
			w.run()
			w.lag = true
			w.approve("bob")
			w.run()
			w.pass(time.Hour)
			w.wants(v1alpha1.PhaseSwitching)
			w.wantsReplicas(blue, 3)
			w.lag = false
			w.run()
			w.pass(time.Second)
			w.wants(v1alpha1.PhaseStable)
			w.wantsReplicas(blue, 3) // nodes may still send to it
			w.pass(2 * time.Second)
			w.wantsReplicas(blue, 0)
		},
		"traffic does not move to fewer Pods than serve": func(t *testing.T) {
			w := serving(t)
			w.edit("v2")
			w.run()
			w.did = nil
			w.touch(&w.colours[blue].version, func() { w.colours[blue].replicas = 5 }) // by hand
			w.approve("bob")
			w.step()
			w.wantsActions("Scale blue 3")
			if sw := w.rel.Status.Switch; sw.Epoch != 1 {
				t.Errorf("a switch was decided: %+v", sw)
			}
			w.run()
			w.wantsActions("Shift green epoch 2")
			w.wantsTraffic(green)
		},
		"the live colour lost Pods": func(t *testing.T) {
			w := serving(t)
			w.edit("v2")
			w.run()
			w.colours[blue].missing = 3
			w.run()
			w.wantsReady(metav1.ConditionFalse, v1alpha1.ReasonUnavailable)
			w.wantsCondition(v1alpha1.ConditionAvailable, metav1.ConditionFalse, v1alpha1.ReasonNoReadyEndpoints)
			w.approve("bob")
			w.run()
			w.wantsTraffic(green)
			w.wantsReady(metav1.ConditionTrue, v1alpha1.ReasonObserving)
		},
		"sec/05 A, B, A needs votes again": func(t *testing.T) {
			w := serving(t)
			w.edit("v2")
			w.run()
			second := w.rel.Status.Candidate.Digest
			w.edit("v1")
			w.run()
			if c := w.rel.Status.Candidate; c != nil {
				t.Errorf("what serves is its own candidate: %+v", c)
			}
			w.wants(v1alpha1.PhaseStable)
			w.edit("v2")
			w.run()
			if c := w.rel.Status.Candidate; c.Digest == second || c.Sequence != 3 {
				t.Errorf("the second time it is %+v", c)
			}
			w.votes["bob"] = vote("bob", second, w.now)
			w.run()
			w.wants(v1alpha1.PhaseAwaitingApproval)
		},
		"sec/52 back to former content while it is still warm needs votes": func(t *testing.T) {
			w := secondObserved(t)
			w.edit("v1")
			w.run()
			w.wants(v1alpha1.PhaseObserving)
			w.wantsCondition(v1alpha1.ConditionCandidateReady, metav1.ConditionTrue, v1alpha1.ReasonPodsAvailable)
			w.approve("bob")
			w.run()
			w.wantsTraffic(green)
			w.wantsActions()
			w.pass(600 * time.Second)
			w.wantsTraffic(blue)
			w.wants(v1alpha1.PhaseObserving)
		},
		"content edited while it is observed waits for the end of that": func(t *testing.T) {
			w := secondObserved(t)
			w.edit("v3")
			w.run()
			w.wants(v1alpha1.PhaseObserving)
			w.wantsActions() // I3
			w.wantsCondition(v1alpha1.ConditionCandidateReady, metav1.ConditionFalse, v1alpha1.ReasonObserving)
			w.pass(600 * time.Second)
			w.wants(v1alpha1.PhaseAwaitingApproval)
			w.wantsActions("Materialise blue 3", "PointPreview shop-preview blue")
			if f := w.rel.Status.Former; f != nil {
				t.Errorf("%+v is kept, and its colour is another's", f)
			}
		},
		"sec/04 content edited between decision and traffic calls it off": func(t *testing.T) {
			w := decided(t)
			w.edit("v3")
			w.run()
			w.wantsNotice("SwitchCancelled")
			w.wantsTraffic(blue)
			w.wants(v1alpha1.PhaseAwaitingApproval)
			w.wantsActions("Fence epoch 2", "Materialise green 3")
		},
		"sec/35 authors add up while the candidate changes": func(t *testing.T) {
			w := serving(t)
			w.edit("v2")
			w.run()
			w.authors.Names = []string{"bob"}
			w.edit("v3")
			w.run()
			w.approve("bob")
			w.run()
			w.wants(v1alpha1.PhaseAwaitingApproval)
			if a := w.rel.Status.Candidate.Authors; len(a) != 2 {
				t.Errorf("the authors are %v, want both", a)
			}
			w.approve("carol")
			w.run()
			w.wants(v1alpha1.PhaseObserving)
		},
	})
}

// decided is a world where the operator died after it had recorded that traffic
// goes from blue to green, and before it wrote any Service.
func decided(t tester, changes ...func(*world)) *world {
	w := serving(t, changes...)
	w.edit("v2")
	w.run()
	w.approve("bob")
	w.writes = 0
	w.step()
	w.wants(v1alpha1.PhaseSwitching)
	w.writes, w.did, w.told = 1<<30, nil, nil
	return w
}

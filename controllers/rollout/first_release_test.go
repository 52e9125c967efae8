// Copyright The Countersign Authors.
// SPDX-License-Identifier: Apache-2.0

package rollout_test

import (
	"testing"
	"time"

	"github.com/countersign/countersign/api/v1alpha1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

func TestFirstRelease(t *testing.T) {
	scenarios(t, map[string]func(*testing.T){
		"D04 the gate applies to it": func(t *testing.T) {
			w := newWorld(t)
			w.run()
			w.wants(v1alpha1.PhaseAwaitingApproval)
			w.wantsTraffic("")
			w.wantsReady(metav1.ConditionFalse, v1alpha1.ReasonNothingPromoted)
			w.wantsCondition(v1alpha1.ConditionAvailable, metav1.ConditionFalse, v1alpha1.ReasonNothingPromoted)
			w.wantsCondition(v1alpha1.ConditionTrafficSettled, metav1.ConditionUnknown, v1alpha1.ReasonNothingPromoted)
			w.wantsWaiting("1 of qa (bob, carol)")
			w.pass(1000 * time.Hour) // I15: people take their time
			w.wants(v1alpha1.PhaseAwaitingApproval)
			w.wantsCondition(v1alpha1.ConditionStalled, "", "")
		},
		"paused, it does not claim to serve": func(t *testing.T) {
			w := newWorld(t)
			w.respec(func(s *v1alpha1.ReleaseSpec) { s.Paused = true })
			w.run()
			w.wants(v1alpha1.PhasePaused)
			w.wantsReady(metav1.ConditionFalse, v1alpha1.ReasonNothingPromoted)
			if c := w.condition(v1alpha1.ConditionReady); c.Message != "nothing was let through yet; the release is paused" {
				t.Errorf("Ready says %q", c.Message)
			}
		},
		"from nothing to Stable": func(t *testing.T) {
			w := newWorld(t)
			w.run()
			w.wantsActions("AddFinalizer", "Park shop", "Materialise blue 3", "PointPreview shop-preview blue")
			w.approve("bob")
			w.run()
			w.wantsActions("Shift blue epoch 1")
			w.wants(v1alpha1.PhaseObserving)
			w.wantsReady(metav1.ConditionTrue, v1alpha1.ReasonObserving)
			w.wantsTraffic(blue)
			w.pass(599 * time.Second)
			w.wants(v1alpha1.PhaseObserving)
			w.pass(time.Second)
			w.wants(v1alpha1.PhaseStable)
			w.wantsReady(metav1.ConditionTrue, v1alpha1.ReasonServing)
			w.wantsCondition(v1alpha1.ConditionReleased, metav1.ConditionTrue, v1alpha1.ReasonReleased)
			w.wantsCondition(v1alpha1.ConditionReconciling, "", "")
			for _, n := range []string{"CandidateDetected", "CandidateReady", "ChecksPassed", "ApprovalCounted", "ReleaseApproved", "TrafficSwitched", "TrafficSettled", "ReleaseFinished"} {
				w.wantsNotice(n)
			}
			w.wantsActions()
		},
		"D04 a Service that serves others keeps serving them until the switch": func(t *testing.T) {
			w := newWorld(t)
			w.services["shop"].selector = map[string]string{"app": "legacy"}
			w.services["shop"].others = 2
			w.run()
			w.wants(v1alpha1.PhaseAwaitingApproval)
			w.wantsActions("AddFinalizer", "Claim shop", "Materialise blue 3", "PointPreview shop-preview blue")
			w.services["shop"].others = 0 // its endpoints go with the selector
			w.approve("bob")
			w.run()
			w.wantsTraffic(blue)
		},
		"a selector that would catch the candidate is parked when it serves nobody": func(t *testing.T) {
			w := newWorld(t)
			w.services["shop"].selector = map[string]string{"app": "shop"}
			w.run()
			w.wants(v1alpha1.PhaseAwaitingApproval)
			if e := w.services["shop"].endpoints.Blue; e != 0 {
				t.Errorf("%d Pods of the candidate get traffic", e)
			}
		},
		"a selector that would catch the candidate and serves others is a fault": func(t *testing.T) {
			w := newWorld(t)
			w.services["shop"].selector = map[string]string{"app": "shop"}
			w.services["shop"].others = 2
			w.run()
			w.wantsStalled(v1alpha1.ReasonSelectorConflict, "give spec.template.metadata.labels a value")
			w.wantsActions("AddFinalizer")
		},
		"a selector of labels that are ours and serves others is a fault": func(t *testing.T) {
			w := newWorld(t)
			w.services["shop"].selector = map[string]string{v1alpha1.ReleaseLabel: "shop"}
			w.services["shop"].others = 2
			w.run()
			w.wantsStalled(v1alpha1.ReasonSelectorConflict, "kubectl edit service shop -n prod")
		},
		"D04 a Service that leads to a colour before anyone approved is parked": func(t *testing.T) {
			w := newWorld(t)
			w.run()
			w.services["shop"].selector = ours("blue")
			w.run()
			w.wantsTraffic("")
			w.approve("bob")
			w.run()
			w.wantsTraffic(blue)
			w.wants(v1alpha1.PhaseObserving)
		},
		"pods that never come up run into the deadline": func(t *testing.T) {
			w := newWorld(t)
			w.colours[blue].slow = true
			w.run()
			w.wants(v1alpha1.PhasePreparing)
			w.wantsCondition(v1alpha1.ConditionCandidateReady, metav1.ConditionFalse, v1alpha1.ReasonScalingUp)
			w.pass(600 * time.Second)
			w.wants(v1alpha1.PhaseHalted)
			w.wantsStalled(v1alpha1.ReasonProgressDeadlineExceeded, "kubectl describe pods")
			w.wantsNotice("ReleaseHalted")
		},
		"it may recover from losing all Pods, for there is nothing to go back to": func(t *testing.T) {
			w := observing(t)
			w.colours[blue].missing = 3
			w.run()
			w.wantsStalled(v1alpha1.ReasonRollbackImpossible, "nothing to go back to")
			w.pass(20 * time.Second)
			w.colours[blue].missing = 0
			w.run()
			w.wants(v1alpha1.PhaseObserving)
			w.wantsReady(metav1.ConditionTrue, v1alpha1.ReasonObserving)
			w.wantsActions()
		},
		"when it fails for good, mended content can be released": func(t *testing.T) {
			w := observing(t, withChecks)
			w.outcomes["live"] = v1alpha1.CheckFailed
			w.run()
			w.wants(v1alpha1.PhaseStable)
			w.wantsReady(metav1.ConditionFalse, v1alpha1.ReasonRollbackImpossible)
			w.wantsCondition(v1alpha1.ConditionVerified, metav1.ConditionFalse, v1alpha1.ReasonCheckFailed)
			w.wantsNotice("Stalled")
			w.outcomes["live"] = v1alpha1.CheckPassed
			w.release("v2")
			w.wants(v1alpha1.PhaseObserving)
			w.wantsTraffic(green)
		},
		"mended content replaces Pods that crash before the endpoints follow": func(t *testing.T) {
			w := newWorld(t)
			w.run()
			w.approve("bob")
			w.lag = true
			w.run()
			w.wants(v1alpha1.PhaseSwitching)
			w.wantsCondition(v1alpha1.ConditionTrafficSettled, metav1.ConditionFalse, v1alpha1.ReasonWaitingForEndpoints)
			w.lag, w.colours[blue].missing = false, 3
			w.run()
			w.wants(v1alpha1.PhaseObserving)
			w.wantsStalled(v1alpha1.ReasonRollbackImpossible, "no Pod of blue is ready")
			w.release("v2")
			w.wants(v1alpha1.PhaseObserving)
			w.wantsTraffic(green)
		},
	})
}

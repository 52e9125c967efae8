// Copyright The Countersign Authors.
// SPDX-License-Identifier: Apache-2.0

package rollout_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/countersign/countersign/api/v1alpha1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// What other tools got wrong and no other table plays (docs/defects.md).
func TestDefects(t *testing.T) {
	scenarios(t, map[string]func(*testing.T){
		"D01 checks that find nothing out do not keep it": func(t *testing.T) {
			w := secondObserved(t, withChecks)
			w.outcomes["live"] = v1alpha1.CheckInconclusive
			w.run()
			w.wantsTraffic(green)
			w.colours[green].missing = 3
			w.step()
			w.wantsTraffic(blue)
		},
		"D07 a preview is led only to a candidate that is complete": func(t *testing.T) {
			w := serving(t)
			w.colours[green].slow = true
			w.edit("v2")
			w.run()
			w.wantsActions("Materialise green 3")
			w.colours[green].slow, w.colours[green].missing = false, 1
			w.run()
			w.wantsActions()
			w.colours[green].missing = 0
			w.run()
			w.wantsActions("PointPreview shop-preview green")
		},
		"D14 a colour that somebody scaled to zero gets its size back": func(t *testing.T) {
			w := serving(t)
			w.touch(&w.colours[blue].version, func() { w.colours[blue].replicas = 0 })
			w.run()
			w.wantsActions("Scale blue 3")
			w.wantsTraffic(blue)
			w.wantsReady(metav1.ConditionTrue, v1alpha1.ReasonServing)
		},
		"D16 a change of size together with content, while people decide": func(t *testing.T) {
			w := serving(t)
			w.edit("v2")
			w.run()
			w.respec(func(s *v1alpha1.ReleaseSpec) { s.Replicas, s.Template = ptr(int32(5)), template("v3") })
			w.run()
			w.wantsReplicas(blue, 5)
			w.wantsReplicas(green, 5)
			w.wants(v1alpha1.PhaseAwaitingApproval)
			w.approve("bob")
			w.run()
			w.wantsTraffic(green)
		},
		"D17 what serves has more Pods than the spec says": func(t *testing.T) {
			w := serving(t)
			w.edit("v2")
			w.run()
			w.approve("bob")
			w.touch(&w.colours[blue].version, func() { w.colours[blue].replicas = 6 })
			w.step()
			if e := w.rel.Status.Epoch; e != 1 {
				t.Errorf("it goes from 6 Pods to 3, in epoch %d", e)
			}
			w.run()
			w.wantsTraffic(green)
		},
		"D18 people take three months": func(t *testing.T) {
			w := serving(t, withChecks)
			w.edit("v2")
			w.run()
			w.pass(90 * 24 * time.Hour)
			w.wants(v1alpha1.PhaseAwaitingApproval)
			w.wantsReady(metav1.ConditionTrue, v1alpha1.ReasonAwaitingApproval)
			w.wantsCondition(v1alpha1.ConditionStalled, "", "")
			w.wantsReplicas(green, 3)
			w.approve("bob")
			w.run()
			w.wantsTraffic(green)
		},
		"D19 what let one content through lets no other through": func(t *testing.T) {
			w := secondObserved(t)
			if len(w.votes) == 0 {
				t.Fatal("the votes are gone")
			}
			w.edit("v3")
			w.run()
			w.pass(2 * time.Hour)
			w.wants(v1alpha1.PhaseAwaitingApproval)
			w.wantsTraffic(green)
		},
		"D25 it is not released before all of the traffic is there": func(t *testing.T) {
			w := serving(t)
			w.wantsCondition(v1alpha1.ConditionReleased, metav1.ConditionTrue, v1alpha1.ReasonReleased)
			w.edit("v2")
			w.step()
			w.wantsCondition(v1alpha1.ConditionReleased, metav1.ConditionFalse, v1alpha1.ReasonProgressing)
			w.run()
			w.wantsCondition(v1alpha1.ConditionReleased, metav1.ConditionFalse, v1alpha1.ReasonAwaitingApproval)
			w.lag = true
			w.approve("bob")
			w.run()
			w.wantsCondition(v1alpha1.ConditionReleased, metav1.ConditionFalse, v1alpha1.ReasonProgressing)
			w.wantsCondition(v1alpha1.ConditionReconciling, metav1.ConditionTrue, v1alpha1.ReasonProgressing)
			w.lag = false
			w.run()
			w.wantsCondition(v1alpha1.ConditionReleased, metav1.ConditionTrue, v1alpha1.ReasonReleased)
		},
	})
}

// Whatever a selector is changed to while a candidate is ready, it is led back
// and approves nothing.
func TestSelectorIsNoApproval(t *testing.T) {
	for name, selector := range map[string]map[string]string{
		"none":              nil,
		"without our keys":  {"app": "shop"},
		"without a colour":  {v1alpha1.ReleaseLabel: "shop"},
		"without a Release": {v1alpha1.ColourLabel: "green"},
		"with an empty key": {v1alpha1.ReleaseLabel: "shop", v1alpha1.ColourLabel: ""},
		"to the candidate":  ours("green"),
	} {
		t.Run("D05 a selector "+name, func(t *testing.T) {
			w := serving(t)
			w.edit("v2")
			w.run()
			w.wants(v1alpha1.PhaseAwaitingApproval)
			w.touch(&w.services["shop"].version, func() { w.services["shop"].selector = selector })
			w.run()
			w.wantsTraffic(blue)
			w.wantsNotice("SelectorRepaired")
			w.wants(v1alpha1.PhaseAwaitingApproval)
			if a := w.rel.Status.Active; a.Sequence != 1 {
				t.Errorf("active is %+v, want the first content", a)
			}
		})
	}
}

// The operator dies between any two writes of a switch, and another goes on.
func TestKilledInASwitch(t *testing.T) {
	for n := range 3 {
		t.Run(fmt.Sprintf("D12 after %d of two writes", n), func(t *testing.T) {
			w := serving(t, withTwoServices)
			w.edit("v2")
			w.run()
			w.approve("bob")
			w.did, w.writes = nil, n
			w.step()
			w.results, w.writes = nil, 9
			w.run()
			w.wantsTraffic(green)
			w.wants(v1alpha1.PhaseObserving)
			if st := w.rel.Status; st.Epoch != 2 || len(st.History) != 2 {
				t.Errorf("epoch %d after %d switches, want one more than before", st.Epoch, len(st.History))
			}
			if slices.ContainsFunc(w.did, func(a string) bool { return strings.HasPrefix(a, "Shift") && a != "Shift green epoch 2" }) {
				t.Errorf("it did %q", w.did)
			}
		})
		t.Run(fmt.Sprintf("D12 on the way back, after %d of two writes", n), func(t *testing.T) {
			w := secondObserved(t, withTwoServices)
			w.colours[green].missing, w.writes = 3, n
			w.step()
			w.results, w.writes = nil, 9
			w.run()
			w.wantsTraffic(blue)
			if e := w.rel.Status.Epoch; e != 3 {
				t.Errorf("it is epoch %d, want 3", e)
			}
		})
	}
}

// Going back and forward again leaves one colour that serves and one that is
// drained.
func TestBackAndForward(t *testing.T) {
	scenarios(t, map[string]func(*testing.T){
		"D15 back, forward and back": func(t *testing.T) {
			w := finished(t)
			w.askBack("olga")
			w.run()
			w.wantsTraffic(blue)
			w.pass(3599 * time.Second) // green is about to be drained
			w.respec(func(s *v1alpha1.ReleaseSpec) { s.Template.Annotations = map[string]string{"try": "2"} })
			w.run()
			w.approve("bob")
			w.run()
			w.wantsTraffic(green)
			w.pass(2 * time.Hour / 3)
			w.askBack("olga")
			w.run()
			w.wantsTraffic(blue)
			w.pass(2 * time.Hour)
			w.wantsReplicas(blue, 3)
			w.wantsReplicas(green, 0)
			w.release("v3")
			w.wantsTraffic(green)
			w.pass(2 * time.Hour)
			w.wants(v1alpha1.PhaseStable)
			w.wantsReplicas(green, 3)
			w.wantsReplicas(blue, 0)
		},
		"D15 back in the last moment in which the former colour is kept": func(t *testing.T) {
			w := finished(t)
			w.pass(3600*time.Second - time.Millisecond)
			w.askBack("olga")
			w.run()
			w.wantsTraffic(blue)
			w.pass(2 * time.Hour)
			w.wantsReplicas(blue, 3)
			w.wantsReplicas(green, 0)
		},
	})
}

// Copyright The Countersign Authors.
// SPDX-License-Identifier: Apache-2.0

package rollout_test

import (
	"maps"
	"testing"
	"time"

	"github.com/countersign/countersign/api/v1alpha1"
	"github.com/countersign/countersign/controllers/rollout"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

var legacy = map[string]string{"app": "legacy"}

// withOrigin has a Deployment that serves through the Service, and is to be taken
// over.
func withOrigin(w *world) {
	t := corev1.PodTemplateSpec{ObjectMeta: metav1.ObjectMeta{Labels: legacy}, Spec: template("v0").Spec}
	w.origin = &colour{exists: true, version: 1, template: t, replicas: 2}
	w.services["shop"].selector = legacy
	w.rel.Spec.WorkloadRef = &v1alpha1.WorkloadRef{Kind: "Deployment", Name: "legacy"}
}

func (w *world) readOrigin(s *rollout.Snapshot) {
	if w.origin != nil {
		s.Origin.Workload, s.Origin.UsedBy = w.asRead(w.origin, "legacy"), w.usedBy
		s.Origin.Selector = &metav1.LabelSelector{MatchLabels: legacy}
	}
}

// mayLeadBack is I1 of a way back to what served before: only a rollback goes there,
// to what stands as it did, by the selectors that were on record before.
func (w *world) mayLeadBack(s rollout.Snapshot, sw *v1alpha1.SwitchStatus, a rollout.ShiftTraffic) {
	w.t.Helper()
	st := s.Release.Status
	if sw.Reason != v1alpha1.SwitchRollback || st.Origin == nil || st.Origin.LeftAt != nil || st.Former != nil {
		w.t.Errorf("I1: epoch %d (%s) leads to the origin: %+v", sw.Epoch, sw.Reason, st.Origin)
		return
	}
	for _, write := range a.Services {
		if led := st.Origin.Selector(write.Name); led != nil && !maps.Equal(led, write.Back) {
			w.t.Errorf("I1: Service %s is led to %v, and led to %v before", write.Name, write.Back, led)
		}
	}
}

func (w *world) wantsOrigin(service string) {
	w.t.Helper()
	if svc := w.services[service]; !maps.Equal(svc.selector, legacy) {
		w.t.Errorf("Service %s leads to %v, want what served before", service, svc.selector)
	}
}

func TestTakeOver(t *testing.T) {
	scenarios(t, map[string]func(*testing.T){
		"D04 what serves is not touched until people agree": func(t *testing.T) {
			w := newWorld(t, withOrigin)
			w.run()
			w.wants(v1alpha1.PhaseAwaitingApproval)
			w.wantsActions("AddFinalizer", "Claim shop", "Materialise blue 3", "PointPreview shop-preview blue")
			w.wantsOrigin("shop")
			w.wantsCondition(v1alpha1.ConditionAvailable, metav1.ConditionTrue, v1alpha1.ReasonOriginServing)
			w.pass(time.Hour)
			w.wantsActions()
			w.wantsOrigin("shop")
		},
		"it is kept while the first content is observed and for its time, then scaled to zero once": func(t *testing.T) {
			w := observing(t, withOrigin)
			w.wantsTraffic(blue)
			w.pass(600 * time.Second)
			w.wants(v1alpha1.PhaseStable)
			w.pass(3599 * time.Second)
			w.wantsActions()
			w.pass(time.Second)
			w.wantsActions("DrainOrigin")
			w.wantsNotice("OriginDrained")
			w.origin.replicas = 2 // somebody wants it after all
			w.pass(time.Hour)
			w.wantsActions()
			if w.origin.replicas != 2 {
				t.Errorf("it has %d Pods, and somebody wants 2", w.origin.replicas)
			}
		},
		"when the first content fails, what served before serves again": func(t *testing.T) {
			w := observing(t, withOrigin)
			w.colours[blue].missing = 3
			w.run()
			w.wantsActions("Shift origin epoch 2")
			w.wantsOrigin("shop")
			w.wants(v1alpha1.PhaseHalted)
			w.wantsStalled(v1alpha1.ReasonRolledBack, "no Pod of blue is ready")
			w.wantsCondition(v1alpha1.ConditionAvailable, metav1.ConditionTrue, v1alpha1.ReasonOriginServing)
			w.pass(2 * time.Hour)
			w.wantsActions()
			w.colours[blue].missing = 0
			w.release("v2")
			w.wantsTraffic(blue)
			w.wants(v1alpha1.PhaseObserving)
		},
		"a failed check leads back, too, and so does whoever asks": func(t *testing.T) {
			w := observing(t, withOrigin, withChecks)
			w.outcomes["live"] = v1alpha1.CheckFailed
			w.run()
			w.wantsOrigin("shop")
			w = serving(t, withOrigin)
			w.ask(v1alpha1.RollbackAnnotation, w.rel.Status.Active.Digest, "olga")
			w.run()
			w.wantsOrigin("shop")
			if h := w.rel.Status.History[0]; h.Colour != v1alpha1.Origin || h.AskedBy != "olga" {
				t.Errorf("the history says %+v", h)
			}
		},
		"half switched, it is compensated": func(t *testing.T) {
			w := newWorld(t, withOrigin, withTwoServices)
			w.run()
			w.approve("bob")
			w.writes = 1
			for range 3 {
				w.step()
			}
			if svc := w.services["shop"]; svc.selector[v1alpha1.ColourLabel] != "blue" {
				t.Fatalf("it is not half switched: %v", svc.selector)
			}
			w.colours[blue].missing = 3
			w.writes = 1 << 30
			w.run()
			w.wantsOrigin("shop")
			w.wants(v1alpha1.PhaseHalted)
			if svc := w.services["admin"]; svc.selector[v1alpha1.ColourLabel] != v1alpha1.ColourNone {
				t.Errorf("a Service that led nowhere leads to %v", svc.selector)
			}
		},
		"it is not gone back to when it was changed since": func(t *testing.T) {
			w := observing(t, withOrigin)
			w.origin.template.Spec.Containers = []corev1.Container{{Name: "app", Image: "unknown"}}
			w.colours[blue].missing = 3
			w.run()
			w.wantsStalled(v1alpha1.ReasonRollbackImpossible, "nothing to go back to")
			w.wantsTraffic(blue)
		},
		"it is not gone back to when the content after the first fails": func(t *testing.T) {
			w := secondObserved(t, withOrigin)
			w.colours[green].missing = 3
			w.run()
			w.wantsTraffic(blue)
			w.ask(v1alpha1.RollbackAnnotation, w.rel.Status.Active.Digest, "olga")
			w.pass(time.Minute)
			w.wantsTraffic(blue)
		},
		"it stays while another Service leads to its Pods, and that is told once": func(t *testing.T) {
			w := serving(t, withOrigin)
			w.usedBy = []string{"internal"}
			w.pass(2 * time.Hour)
			w.wantsActions()
			w.wantsNotice("OriginInUse")
			w.told, w.usedBy = nil, nil
			w.pass(time.Minute)
			w.wantsActions("DrainOrigin")
			w.wantsNoNotice("OriginInUse")
		},
		"a Service that is led to the candidate before people agree is led back": func(t *testing.T) {
			w := newWorld(t, withOrigin)
			w.run()
			w.services["shop"].selector = ours("blue")
			w.run()
			w.wantsOrigin("shop")
		},
		"one that is not there, leads nowhere, is another Release's or has more Pods": func(t *testing.T) {
			for name, c := range map[string]struct {
				change func(*world)
				says   string
			}{
				"missing":  {func(w *world) { w.origin.exists = false }, "does not exist in namespace prod"},
				"foreign":  {func(w *world) { w.origin.foreign = true }, "belongs to a Release"},
				"no Pods":  {func(w *world) { w.services["shop"].selector = map[string]string{"app": "else"} }, "no Service of spec.services leads to the Pods"},
				"too many": {func(w *world) { w.origin.replicas = 5 }, "--replicas=5"},
			} {
				w := newWorld(t, withOrigin)
				c.change(w)
				w.run()
				w.wantsStalled(v1alpha1.ReasonOriginUnusable, c.says)
				if w.colours[blue].exists && name != "too many" {
					t.Errorf("%s: a candidate is prepared", name)
				}
			}
		},
		"it is let go when the Release is deleted": func(t *testing.T) {
			w := newWorld(t, withOrigin)
			w.run()
			w.rel.DeletionTimestamp = new(metav1.NewTime(w.now))
			w.run()
			w.wantsOrigin("shop")
			if w.services["shop"].owner != "" || w.origin.replicas != 2 {
				t.Errorf("it is kept: %+v, %+v", w.services["shop"], w.origin)
			}
		},
	})
}

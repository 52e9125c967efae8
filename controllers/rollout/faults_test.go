// Copyright The Countersign Authors.
// SPDX-License-Identifier: Apache-2.0

package rollout_test

import (
	"testing"
	"time"

	"github.com/countersign/countersign/api/v1alpha1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// Each fault keeps a candidate out, says what to do, and ends when it is mended.
// What serves goes on serving.
func TestFaults(t *testing.T) {
	for name, row := range map[string]struct {
		reason, says string
		breaks       func(*world)
		mends        func(*world)
	}{
		"a Service is not there": {v1alpha1.ReasonServiceMissing, "create it",
			func(w *world) { delete(w.services, "admin") }, func(w *world) { w.addService("admin") }},
		"a Service is not there, and can be made": {v1alpha1.ReasonServiceMissing, "or set services[].ports, so that the operator makes it: kubectl edit release shop -n prod",
			func(w *world) { delete(w.services, "admin") }, func(w *world) { w.setPorts("admin", 80) }},
		"a Service has other ports": {v1alpha1.ReasonServicePortsDiffer, `kubectl patch release shop -n prod --type=json -p '[{"op":"remove","path":"/spec/services/1/ports"}]', or name a Service there that does not exist`,
			func(w *world) { w.setPorts("admin", 81) }, func(w *world) { w.setPorts("admin") }},
		"a Service is another Release's": {v1alpha1.ReasonServiceForeign, "belongs to Release other",
			func(w *world) { w.services["admin"].owner = "other" }, func(w *world) { w.services["admin"].owner = "" }},
		"a Service has no selector to switch": {v1alpha1.ReasonServiceUnsupported, "is headless",
			func(w *world) { w.services["admin"].unsupported = "is headless" }, func(w *world) { w.services["admin"].unsupported = "" }},
		"the preview's name is taken": {v1alpha1.ReasonServiceForeign, "set services[].preview to another name",
			func(w *world) { w.addService("admin-preview") }, func(w *world) { delete(w.services, "admin-preview") }},
		"the Deployment's name is taken": {v1alpha1.ReasonWorkloadForeign, "kubectl delete deployment shop-green",
			func(w *world) {
				w.touch(&w.colours[green].version, func() { *w.colours[green] = colour{exists: true, foreign: true} })
			},
			func(w *world) { w.colours[green] = &colour{} }},
		"the spec contradicts itself": {v1alpha1.ReasonInvalidSpec, "mend it",
			func(w *world) { w.problems = []string{"spec.x is wrong; mend it"} }, func(w *world) { w.problems = nil }},
		"no policy": {v1alpha1.ReasonNoPolicy, "ask the platform team",
			func(w *world) { w.policies = nil }, func(w *world) { w.policies = newWorld(w.t).policies }},
		"the authors are not proven": {v1alpha1.ReasonAuthorsUnknown, "(as told)",
			func(w *world) { w.authors.Known, w.authors.Why = false, "as told" }, func(w *world) { w.authors.Known = true }},
	} {
		t.Run(name, func(t *testing.T) {
			w := serving(t)
			withTwoServices(w)
			w.edit("v2")
			row.breaks(w)
			w.run()
			w.approveIfAny()
			w.run()
			w.wantsStalled(row.reason, row.says)
			w.wantsNotice("Stalled")
			if svc := w.services["shop"]; svc.selector[v1alpha1.ColourLabel] != "blue" || svc.endpoints.Blue != 3 {
				t.Errorf("what serves is disturbed: %+v", svc)
			}
			row.mends(w)
			w.run()
			w.wantsCondition(v1alpha1.ConditionStalled, "", "")
			w.approveIfAny()
			w.run()
			w.wantsTraffic(green)
		})
	}
}

func (w *world) approveIfAny() {
	if c := w.rel.Status.Candidate; c != nil {
		w.approve("bob")
	}
}

func TestMoreServicesThanCanFollow(t *testing.T) {
	w := serving(t, func(w *world) {
		w.rel.Spec.Services = nil
		for _, name := range []string{"shop", "a", "b", "c", "d", "e", "f", "g", "h"} {
			w.addService(name)
			w.rel.Spec.Services = append(w.rel.Spec.Services, v1alpha1.ServiceRef{Name: name})
		}
	})
	w.respec(func(s *v1alpha1.ReleaseSpec) {
		s.Services = nil
		for _, name := range []string{"i", "j", "k", "l", "m", "n", "o", "p"} {
			w.addService(name)
			s.Services = append(s.Services, v1alpha1.ServiceRef{Name: name})
		}
	})
	w.run()
	w.wantsStalled(v1alpha1.ReasonInvalidSpec, "17 Services follow")
}

// What keeps the Pods of a candidate from starting is said while it is waited for,
// and when it is given up.
func TestTroubledCandidate(t *testing.T) {
	w := serving(t)
	w.edit("v2")
	w.colours[green] = &colour{slow: true, trouble: "its container app cannot start with image v2 (ImagePullBackOff)"}
	w.run()
	w.wantsCondition(v1alpha1.ConditionCandidateReady, metav1.ConditionFalse, v1alpha1.ReasonScalingUp)
	if m, want := w.condition(v1alpha1.ConditionCandidateReady).Message, "the Pods of green are not all available: its container app cannot start with image v2 (ImagePullBackOff)"; m != want {
		t.Errorf("it says %q, want %q", m, want)
	}
	w.pass(600 * time.Second)
	w.wantsStalled(v1alpha1.ReasonProgressDeadlineExceeded,
		"green did not become ready and tested within 600 seconds: its container app cannot start with image v2 (ImagePullBackOff); look at its Pods: kubectl describe pods")
	w.wantsTraffic(blue)
}

func TestDrift(t *testing.T) {
	scenarios(t, map[string]func(*testing.T){
		"of what serves is told, and what was approved is not forgotten": func(t *testing.T) {
			w := serving(t)
			w.touch(&w.colours[blue].version, func() { w.colours[blue].template = template("evil") })
			w.run()
			w.wantsStalled(v1alpha1.ReasonDrifted, "kubectl rollout undo deployment shop-blue -n prod")
			w.wantsReady(metav1.ConditionFalse, v1alpha1.ReasonDrifted)
			w.wantsActions() // I2: what serves is not changed by us
			w.release("v2")
			w.wantsTraffic(green)
		},
		"of the candidate is undone": func(t *testing.T) {
			w := serving(t)
			w.edit("v2")
			w.run()
			d := w.rel.Status.Candidate.Digest
			w.touch(&w.colours[green].version, func() { w.colours[green].template = template("evil") })
			w.approve("bob")
			w.step()
			w.wantsTraffic(blue)
			w.run()
			w.wantsTraffic(green)
			if a := w.rel.Status.Active; a.Digest != d || w.colours[green].template.Spec.Containers[0].Image != "v2" {
				t.Errorf("what was promoted is %+v", a)
			}
		},
		"the Deployment that serves is deleted": func(t *testing.T) {
			w := serving(t)
			w.colours[blue] = &colour{}
			w.run()
			w.wantsActions("Materialise blue 3")
			w.wantsReady(metav1.ConditionTrue, v1alpha1.ReasonServing)
		},
		"it is deleted, the spec has moved on and the former content is warm": func(t *testing.T) {
			w := secondObserved(t)
			w.pass(600 * time.Second)
			w.respec(func(s *v1alpha1.ReleaseSpec) { s.Template = template("v3"); s.Paused = true })
			w.colours[green] = &colour{}
			w.run()
			w.wantsTraffic(blue)
			w.wantsReady(metav1.ConditionTrue, v1alpha1.ReasonPaused)
		},
		"of the candidate is undone as often as it is done": func(t *testing.T) {
			w := serving(t)
			w.edit("v2")
			w.run()
			d := w.rel.Status.Candidate.Digest
			for range 3 {
				w.touch(&w.colours[green].version, func() { w.colours[green].template = template("evil") })
				w.run()
				if got := w.rel.Status.Candidate.Digest; got != d || w.image(green) != "v2" {
					t.Fatalf("the candidate was %s and is %s, of %s", d, got, w.image(green))
				}
			}
		},
		"what people voted on was never the spec's": func(t *testing.T) {
			w := serving(t)
			w.edit("v2")
			for !w.colours[green].exists {
				w.step()
			}
			w.touch(&w.colours[green].version, func() { w.colours[green].template.Spec.Containers[0].Image = "evil" })
			w.run()
			w.respec(func(s *v1alpha1.ReleaseSpec) { s.Paused = true })
			w.run()
			w.approve("bob")
			first := w.rel.Status.Candidate.Digest
			w.colours[green] = &colour{}
			w.respec(func(s *v1alpha1.ReleaseSpec) { s.Paused = false })
			w.run()
			w.wants(v1alpha1.PhaseAwaitingApproval)
			w.wantsTraffic(blue)
			if c := w.rel.Status.Candidate; first == "" || c.Digest == first || w.image(green) != "v2" {
				t.Errorf("the candidate was %q and is %q, of %s", first, c.Digest, w.image(green))
			}
			w.approve("bob")
			w.run()
			w.wantsTraffic(green)
		},
		"both are deleted": func(t *testing.T) {
			w := secondObserved(t, unrecorded)
			w.pass(600 * time.Second)
			w.edit("v3")
			w.colours[blue], w.colours[green] = &colour{}, &colour{}
			w.run()
			w.wantsReady(metav1.ConditionFalse, v1alpha1.ReasonUnavailable)
			w.approve("bob")
			w.run()
			w.wantsTraffic(blue)
			w.wantsReady(metav1.ConditionTrue, v1alpha1.ReasonObserving)
		},
		"a Deployment that is being deleted is waited for": func(t *testing.T) {
			w := serving(t)
			w.colours[blue].exists, w.colours[blue].leaving = false, true
			w.colours[green] = &colour{leaving: true, version: 9}
			w.edit("v2")
			w.run()
			w.wantsActions()
			w.colours[green] = &colour{}
			w.run()
			w.wantsActions("Materialise green 3", "PointPreview shop-preview green")
		},
		"the one that serves is waited for, too": func(t *testing.T) {
			w := serving(t)
			w.colours[blue].exists, w.colours[blue].leaving = false, true
			w.run()
			w.wantsActions()
			w.colours[blue] = &colour{}
			w.run()
			w.wantsActions("Materialise blue 3")
		},
		"the digest without a cluster id": func(t *testing.T) {
			w := newWorld(t)
			w.rel.UID = ""
			w.run()
			w.wantsStalled(v1alpha1.ReasonInvalidSpec, "the uid is not known")
		},
	})
}

func TestPause(t *testing.T) {
	w := serving(t)
	w.respec(func(s *v1alpha1.ReleaseSpec) { s.Paused, s.Template = true, template("v2") })
	w.run()
	w.wants(v1alpha1.PhasePaused)
	w.wantsActions()
	w.wantsReady(metav1.ConditionTrue, v1alpha1.ReasonPaused)
	w.wantsCondition(v1alpha1.ConditionPaused, metav1.ConditionTrue, v1alpha1.ReasonPausedBySpec)
	w.wantsWaiting("spec.paused")
	w.pass(1000 * time.Hour)
	w.wants(v1alpha1.PhasePaused)
	w.respec(func(s *v1alpha1.ReleaseSpec) { s.Paused = false })
	w.run()
	w.wants(v1alpha1.PhaseAwaitingApproval)
	w.wantsCondition(v1alpha1.ConditionPaused, "", "")
}

func TestRetire(t *testing.T) {
	scenarios(t, map[string]func(*testing.T){
		"D09 not while a Service that is not ours to write leads there": func(t *testing.T) {
			w := serving(t, withTwoServices)
			w.release("v2")
			w.pass(700 * time.Second)
			w.services["admin"].selector, w.services["admin"].unsupported = ours("blue"), "is headless"
			w.pass(2 * time.Hour)
			w.wantsReplicas(blue, 3)
		},
		"not while it is being gone back to": func(t *testing.T) {
			w := secondObserved(t)
			w.pass(600 * time.Second)
			w.edit("v3")
			w.problems = []string{"spec.x is wrong; mend it"} // so that there is no candidate
			w.colours[green], w.writes = &colour{}, 0
			w.step()
			w.wants(v1alpha1.PhaseRollingBack)
			w.now, w.writes = w.now.Add(2*time.Hour), 9
			w.step()
			w.wantsTraffic(blue)
			w.wantsReplicas(blue, 3)
		},
		"the former colour is kept as long as approved": func(t *testing.T) {
			w := secondObserved(t)
			w.respec(func(s *v1alpha1.ReleaseSpec) { s.KeepIdleSeconds = ptr(int32(0)) }) // of the next content
			w.run()
			w.respec(func(s *v1alpha1.ReleaseSpec) { s.KeepIdleSeconds = ptr(int32(3600)) })
			w.pass(600 * time.Second)
			w.pass(3599 * time.Second)
			w.wantsReplicas(blue, 3)
			w.pass(time.Second)
			w.wantsReplicas(blue, 0)
			w.pass(1000 * time.Hour)
			w.wantsActions("Scale blue 0")
		},
		"D09 not while a Service of ours still leads there": func(t *testing.T) {
			w := serving(t, withTwoServices)
			w.release("v2")
			w.pass(700 * time.Second)
			w.services["admin"].selector, w.writes = ours("blue"), 0
			for range 3 {
				w.now = w.now.Add(2 * time.Hour)
				w.step()
			}
			w.wantsReplicas(blue, 3)
		},
	})
}

func TestDeletion(t *testing.T) {
	deleted := func(w *world) {
		now := metav1.NewTime(w.now)
		w.rel.DeletionTimestamp = &now
		w.run()
		if len(w.rel.Finalizers) > 0 {
			w.t.Errorf("it does not let go")
		}
		w.wants(v1alpha1.PhaseDeleting)
	}
	scenarios(t, map[string]func(*testing.T){
		"I2 what traffic was led away from just now stays until nodes have followed": func(t *testing.T) {
			w := rolledBack(t)
			now := metav1.NewTime(w.now)
			w.rel.DeletionTimestamp = &now
			w.run()
			w.wantsActions()
			w.wants(v1alpha1.PhaseDeleting)
			w.pass(3 * time.Second)
			w.wantsActions("Remove shop-preview", "Surrender shop", "Surrender blue", "Remove green", "RemoveFinalizer")
		},
		"D14 I17 what serves goes on serving": func(t *testing.T) {
			w := serving(t)
			w.edit("v2")
			w.run()
			w.did = nil
			deleted(w)
			w.wantsActions("Remove shop-preview", "Surrender shop", "Surrender blue", "Remove green", "RemoveFinalizer")
			w.wantsTraffic(blue)
			w.wantsReplicas(blue, 3)
		},
		"D14 half switched, both stay": func(t *testing.T) {
			w := halfSwitched(t)
			deleted(w)
			w.wantsReplicas(blue, 3)
			w.wantsReplicas(green, 3)
		},
		"before anything was promoted": func(t *testing.T) {
			w := newWorld(t)
			w.run()
			deleted(w)
			if w.colours[blue].exists {
				t.Errorf("the candidate stays")
			}
		},
		"what is another's stays": func(t *testing.T) {
			w := serving(t)
			w.colours[green] = &colour{exists: true, foreign: true, version: 9}
			w.services["shop"].owner = "other"
			deleted(w)
			w.wantsActions("Remove shop-preview", "Surrender blue", "RemoveFinalizer")
		},
	})
}

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
)

func TestChecks(t *testing.T) {
	scenarios(t, map[string]func(*testing.T){
		"D06 they ask the candidate's own ready Pods": func(t *testing.T) {
			w := serving(t, withChecks)
			w.outcomes["smoke"] = v1alpha1.CheckRunning
			w.edit("v2")
			w.run()
			w.wants(v1alpha1.PhaseTesting)
			w.wantsCondition(v1alpha1.ConditionTested, metav1.ConditionFalse, v1alpha1.ReasonChecksRunning)
			if len(w.last.Checks) != 1 {
				t.Fatalf("these run: %+v", w.last.Checks)
			}
			r := w.last.Checks[0]
			if r.Stage != v1alpha1.StageBeforeSwitch || r.Digest != w.rel.Status.Candidate.Digest || len(r.Targets) != 3 ||
				r.Targets[0].Pod != "shop-green-0" || r.Targets[0].Port != 8080 {
				t.Errorf("it runs %+v", r)
			}
		},
		"only Pods that are ready, stay and have an address are asked": func(t *testing.T) {
			w := secondObserved(t, withChecks)
			s := w.snapshot()
			s.Green.Pods[0].Terminating, s.Green.Pods[1].IP = true, ""
			s.Green.Pods = append(s.Green.Pods, s.Green.Pods[2], s.Green.Pods[2])
			s.Green.Pods[3].Ready, s.Green.Pods[4].Revision = false, "older"
			if c := rollout.Decide(s).Checks; len(c) != 1 || len(c[0].Targets) != 1 || c[0].Targets[0].Pod != "shop-green-2" {
				t.Errorf("these run: %+v", c)
			}
		},
		"one that fails halts": func(t *testing.T) {
			w := serving(t, withChecks)
			w.outcomes["smoke"] = v1alpha1.CheckFailed
			w.edit("v2")
			w.run()
			w.wants(v1alpha1.PhaseHalted)
			w.wantsStalled(v1alpha1.ReasonCheckFailed, "check smoke failed: as told; to try again")
			w.approve("bob")
			w.outcomes["smoke"] = v1alpha1.CheckPassed
			w.run()
			w.wantsTraffic(blue)
			w.pass(3600 * time.Second)
			w.wantsReplicas(green, 0)
			w.outcomes["smoke"] = v1alpha1.CheckPassed
			w.release("v3")
			w.wantsTraffic(green)
		},
		"one that never comes to an end runs into the deadline": func(t *testing.T) {
			w := secondObserved(t, withChecks)
			w.outcomes["smoke"] = v1alpha1.CheckRunning
			w.edit("v1") // its Pods are there from the start
			w.run()
			w.pass(600 * time.Second)
			w.wants(v1alpha1.PhaseTesting)
			w.pass(600 * time.Second)
			w.wants(v1alpha1.PhaseHalted)
			w.wantsStalled(v1alpha1.ReasonProgressDeadlineExceeded, "to try again")
		},
		"D02 a Pod lost while it waits for people": func(t *testing.T) {
			w := serving(t, withChecks)
			w.edit("v2")
			w.run()
			w.colours[green].missing = 1
			w.run()
			w.wants(v1alpha1.PhasePreparing)
			w.approve("bob")
			w.pass(1000 * time.Second)
			w.wantsTraffic(blue)
			w.wantsCondition(v1alpha1.ConditionStalled, "", "") // D18, I15
			w.colours[green].missing = 0
			w.run()
			w.wantsTraffic(green)
		},
		"D02 a Pod lost during the tests": func(t *testing.T) {
			w := serving(t, withChecks)
			w.outcomes["smoke"] = v1alpha1.CheckRunning
			w.edit("v2")
			w.run()
			w.approve("bob")
			w.colours[green].missing = 1
			w.outcomes["smoke"] = v1alpha1.CheckPassed
			w.run()
			w.wantsTraffic(blue)
			if w.rel.Status.Candidate.TestedAt != nil {
				t.Errorf("it counts as tested, and it is not complete")
			}
		},
		"what passed before a restart is not run again": func(t *testing.T) {
			w := serving(t, withChecks, func(w *world) {
				w.rel.Spec.Checks.BeforeSwitch = append(w.rel.Spec.Checks.BeforeSwitch, check("slow"))
			})
			w.outcomes["slow"] = v1alpha1.CheckRunning
			w.edit("v2")
			w.run()
			w.outcomes["smoke"] = v1alpha1.CheckRunning // as after a restart
			w.run()
			i := slices.IndexFunc(w.rel.Status.Checks, func(c v1alpha1.CheckStatus) bool { return c.Name == "smoke" })
			if w.rel.Status.Checks[i].State != v1alpha1.CheckPassed {
				t.Errorf("the checks are %+v", w.rel.Status.Checks)
			}
		},
		"those after the switch are the ones that were approved": func(t *testing.T) {
			w := secondObserved(t, withChecks)
			w.respec(func(s *v1alpha1.ReleaseSpec) { s.Checks = nil })
			w.run()
			if len(w.last.Checks) != 1 || w.last.Checks[0].Check.Name != "live" {
				t.Errorf("these run: %+v", w.last.Checks)
			}
			w.outcomes["live"] = v1alpha1.CheckFailed
			w.run()
			w.wantsTraffic(blue)
		},
		"the observation is as long as approved": func(t *testing.T) {
			w := secondObserved(t)
			w.respec(func(s *v1alpha1.ReleaseSpec) { s.ObserveSeconds = 1 })
			w.pass(599 * time.Second)
			w.wants(v1alpha1.PhaseObserving)
		},
		"a port that the template does not name has no number": func(t *testing.T) {
			w := serving(t, withChecks)
			w.outcomes["smoke"] = v1alpha1.CheckRunning
			w.respec(func(s *v1alpha1.ReleaseSpec) { s.Checks.BeforeSwitch[0].HTTP.Port.StrVal = "nope" })
			w.run()
			if p := w.last.Checks[0].Targets[0].Port; p != 0 {
				t.Errorf("the port is %d", p)
			}
		},
	})
}

// A change of size in every phase (D03, D16, D17).
func TestSize(t *testing.T) {
	phases := map[string]func(tester, ...func(*world)) *world{
		"Stable": serving, "Observing": secondObserved, "Switching": decided, "Halted": rolledBack,
		"AwaitingApproval": func(t tester, changes ...func(*world)) *world {
			w := serving(t, changes...)
			w.edit("v2")
			w.run()
			return w
		},
		"Preparing": func(t tester, changes ...func(*world)) *world {
			w := serving(t, changes...)
			w.edit("v2")
			w.colours[green].missing = 1
			w.run()
			return w
		},
	}
	for name, in := range phases {
		for _, n := range []int32{7, 1} {
			t.Run("D03 D16 another size while it is "+name, func(t *testing.T) {
				w := in(t)
				w.scale(n)
				w.run()
				w.pass(30 * time.Second)
				w.wantsReplicas(w.rel.Status.Active.Colour, n)
				if f := w.rel.Status.Former; f != nil {
					w.wantsReplicas(f.Colour, n)
				}
				if c := w.rel.Status.Candidate; c != nil && c.Halted == nil {
					w.wantsReplicas(c.Colour, n)
				}
				if w.rel.Status.Phase != v1alpha1.PhaseHalted && slices.Contains(w.told, "RollbackStarted") {
					t.Errorf("a change of size went back")
				}
			})
		}
	}
	scenarios(t, map[string]func(*testing.T){
		"D03 Pods that were only just asked for are not missing": func(t *testing.T) {
			w := secondObserved(t)
			w.scale(10)
			w.step()
			w.colours[green].missing = 7
			w.run()
			w.pass(60 * time.Second)
			w.wants(v1alpha1.PhaseObserving)
			w.wantsTraffic(green)
			w.colours[green].missing = 0
			w.run()
			w.colours[green].missing = 1
			w.run()
			w.pass(15 * time.Second)
			w.wantsTraffic(blue)
		},
		"D17 the candidate has at least what the live colour is about to have": func(t *testing.T) {
			w := serving(t)
			w.edit("v2")
			w.run()
			w.scale(5)
			w.approve("bob")
			w.step()
			w.wantsTraffic(blue)
			w.run()
			w.wantsTraffic(green)
			w.wantsReplicas(green, 5)
		},
		"D16 it needs no new votes": func(t *testing.T) {
			w := serving(t)
			w.edit("v2")
			w.run()
			d := w.rel.Status.Candidate.Digest
			w.scale(5)
			w.run()
			if w.rel.Status.Candidate.Digest != d {
				t.Errorf("another size is another digest")
			}
		},
	})
}

// Copyright The Countersign Authors.
// SPDX-License-Identifier: Apache-2.0

package rollout_test

import (
	"testing"
	"time"

	"github.com/countersign/countersign/api/v1alpha1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

func TestRollback(t *testing.T) {
	scenarios(t, map[string]func(*testing.T){
		"D01 no ready Pod": func(t *testing.T) {
			w := secondObserved(t)
			w.colours[green].missing = 3
			w.lag = true
			w.step()
			w.wants(v1alpha1.PhaseRollingBack)
			w.wantsReady(metav1.ConditionFalse, v1alpha1.ReasonRollingBack)
			w.wantsTraffic(blue) // in the decision that saw it
			w.lag = false
			w.run()
			w.wants(v1alpha1.PhaseHalted)
			w.wantsStalled(v1alpha1.ReasonRolledBack, "to try again, apply a mended template")
			w.wantsNotice("RollbackStarted")
			w.wantsNotice("RolledBack")
			w.wantsActions("Shift blue epoch 3")
		},
		"a check that fails": func(t *testing.T) {
			w := secondObserved(t, withChecks)
			w.outcomes["live"] = v1alpha1.CheckFailed
			w.run()
			w.wantsNoNotice("ApprovalCounted")
			w.wantsTraffic(blue)
			w.wantsStalled(v1alpha1.ReasonRolledBack, "check live failed")
		},
		"some Pods missing for too long": func(t *testing.T) {
			w := secondObserved(t)
			w.colours[green].missing = 1
			w.run()
			w.pass(14 * time.Second)
			w.wants(v1alpha1.PhaseObserving)
			w.pass(time.Second)
			w.wantsTraffic(blue)
		},
		"Pods missing for a moment": func(t *testing.T) {
			w := secondObserved(t)
			w.colours[green].missing = 1
			w.run()
			w.pass(14 * time.Second)
			w.colours[green].missing = 0
			w.run()
			w.pass(5 * time.Second)
			w.colours[green].missing = 1
			w.run()
			w.pass(14 * time.Second)
			w.wants(v1alpha1.PhaseObserving)
			w.wantsTraffic(green)
		},
		"Pods missing when the observation would end": func(t *testing.T) {
			w := secondObserved(t)
			w.pass(595 * time.Second)
			w.colours[green].missing = 1
			w.run()
			w.pass(10 * time.Second)
			w.wants(v1alpha1.PhaseObserving)
			w.pass(5 * time.Second)
			w.wantsTraffic(blue)
		},
		"what failed before a restart has failed": func(t *testing.T) {
			w := secondObserved(t, withChecks)
			w.colours[blue].missing, w.outcomes["live"] = 3, v1alpha1.CheckFailed
			w.run()
			w.wantsTraffic(green)
			w.outcomes["live"] = v1alpha1.CheckRunning
			w.run()
			w.colours[blue].missing = 0
			w.run()
			w.wantsTraffic(blue)
		},
		"D01 it asks nobody and waits for nothing": func(t *testing.T) {
			w := secondObserved(t)
			w.policies, w.votes = nil, nil
			w.authors.Known = false
			w.problems = []string{"spec.x is wrong; mend it"}
			w.respec(func(s *v1alpha1.ReleaseSpec) { s.Paused = true })
			w.colours[blue].missing = 2 // the target is not complete
			w.colours[green].missing = 3
			w.run()
			w.wantsTraffic(blue)
		},
		"D01 before the endpoints have followed": func(t *testing.T) {
			w := serving(t)
			w.edit("v2")
			w.run()
			w.approve("bob")
			w.lag = true
			w.run()
			w.wants(v1alpha1.PhaseSwitching)
			w.colours[green].missing = 3
			w.run()
			w.wantsTraffic(blue)
			w.lag = false
			w.run()
			w.wants(v1alpha1.PhaseHalted)
		},
		"a Service was led away in the same moment": func(t *testing.T) {
			w := secondObserved(t)
			was := w.rel.Status.Epoch
			w.colours[green].missing = 3
			w.touch(&w.services["shop"].version, func() { w.services["shop"].selector = ours("blue") })
			w.lag = true
			w.step()
			if sw := w.rel.Status.Switch; sw.Reason != v1alpha1.SwitchRollback || sw.Epoch != was+1 {
				t.Errorf("the switch is %+v, want a rollback in epoch %d", sw, was+1)
			}
			w.lag = false
			w.run()
			w.wantsTraffic(blue)
		},
		"a Service is astray when the observation would end": func(t *testing.T) {
			w := secondObserved(t)
			w.pass(600*time.Second - time.Millisecond)
			w.touch(&w.services["shop"].version, func() { w.services["shop"].selector = ours("blue") })
			w.now = w.now.Add(time.Minute)
			w.step()
			if a := w.rel.Status.Active; a.FinishedAt != nil {
				t.Errorf("it is finished while a Service is astray: %+v", a)
			}
			w.run()
			w.wantsTraffic(green)
			w.wants(v1alpha1.PhaseObserving) // from the start: it was not seen under traffic
		},
		"D01 half switched, and the target dies": func(t *testing.T) {
			w := halfSwitched(t)
			w.colours[green].missing = 3
			w.run()
			w.wantsTraffic(blue)
			w.wants(v1alpha1.PhaseHalted)
			w.wantsActions("Shift blue epoch 3")
			if a := w.rel.Status.Active; a.Sequence != 1 || a.Epoch != 3 {
				t.Errorf("active is %+v, want the first content", a)
			}
		},
		"half switched, and a Service refuses for too long": func(t *testing.T) {
			w := halfSwitched(t)
			w.writes = 0
			for range 3 {
				w.step()
			}
			w.wants(v1alpha1.PhaseSwitching)
			w.now = w.now.Add(600 * time.Second)
			w.step()
			w.wants(v1alpha1.PhaseRollingBack)
		},
		"the same content is not promoted again": func(t *testing.T) {
			w := rolledBack(t)
			w.pass(time.Hour)
			w.policies[0].ValidFor *= 2 // another digest
			w.run()
			w.wants(v1alpha1.PhaseHalted)
			w.approve("bob")
			w.run()
			w.wantsTraffic(blue)
		},
		"C23 the same content with another annotation is": func(t *testing.T) {
			w := rolledBack(t)
			w.did = nil
			w.respec(func(s *v1alpha1.ReleaseSpec) { s.Template.Annotations = map[string]string{"try": "2"} })
			w.run()
			w.wantsActions() // nodes may still send to what was gone back from
			w.pass(3 * time.Second)
			w.wants(v1alpha1.PhaseAwaitingApproval)
			w.approve("bob")
			w.run()
			w.wantsTraffic(green)
		},
		"the authors of what failed are authors of what follows": func(t *testing.T) {
			w := secondObserved(t)
			w.authors.Names = []string{"carol"}
			w.edit("v3")
			w.run()
			w.colours[green].missing = 3
			w.run()
			if a := w.rel.Status.Candidate.Authors; len(a) != 2 || a[0] != "carol" || a[1] != "dev" {
				t.Errorf("the authors are %v, want carol and dev", a)
			}
			w.wantsTraffic(blue)
		},
		"sec/44 I11 one for each epoch, and never forward": func(t *testing.T) {
			w := rolledBack(t)
			w.colours[blue].missing = 3
			w.run()
			w.wantsTraffic(blue)
			w.wantsActions()
			w.wantsReady(metav1.ConditionFalse, v1alpha1.ReasonUnavailable)
		},
		"D15 the failed colour is scaled to zero in time": func(t *testing.T) {
			w := rolledBack(t)
			w.pass(3599 * time.Second)
			w.wantsReplicas(green, 3)
			w.pass(time.Second)
			w.wantsReplicas(green, 0)
		},
		"a target without ready Pods is waited for": func(t *testing.T) {
			w := secondObserved(t)
			w.colours[blue].missing, w.colours[green].missing = 3, 3
			w.run()
			w.wantsStalled(v1alpha1.ReasonRollbackImpossible, "no ready Pod to go back to")
			w.wantsTraffic(green)
			w.pass(time.Hour)
			w.wants(v1alpha1.PhaseObserving)
			w.colours[blue].missing = 2
			w.run()
			w.wantsTraffic(blue)
		},
		"a target that is gone does not keep mended content out": func(t *testing.T) {
			w := secondObserved(t, withChecks)
			w.colours[blue] = &colour{}
			w.outcomes["live"] = v1alpha1.CheckFailed
			w.run()
			w.wantsReady(metav1.ConditionFalse, v1alpha1.ReasonRollbackImpossible)
			w.outcomes["live"] = v1alpha1.CheckPassed
			w.pass(3 * time.Second)
			w.release("v3")
			w.wants(v1alpha1.PhaseObserving)
			w.wantsTraffic(blue)
		},
		"a target that was changed is none": func(t *testing.T) {
			w := secondObserved(t)
			w.touch(&w.colours[blue].version, func() { w.colours[blue].template = template("other") })
			w.colours[green].missing = 3
			w.run()
			w.wantsTraffic(green)
			w.wantsStalled(v1alpha1.ReasonRollbackImpossible, "nothing to go back to")
		},
		"both dead for good do not keep mended content out": func(t *testing.T) {
			w := secondObserved(t)
			w.colours[green].missing = 3
			w.run()
			w.wantsTraffic(blue)
			w.colours[blue].missing = 3
			w.run()
			w.edit("v3")
			w.run()
			w.pass(3 * time.Second)
			w.approve("bob")
			w.run()
			w.wantsTraffic(green)
		},
		"a target that dies before its endpoints are there does not either": func(t *testing.T) {
			w := secondObserved(t)
			w.lag = true
			w.colours[green].missing = 3
			w.run()
			w.wants(v1alpha1.PhaseRollingBack)
			w.colours[blue].missing, w.lag = 3, false
			w.edit("v3")
			w.run()
			w.wants(v1alpha1.PhaseAwaitingApproval)
			w.approve("bob")
			w.run()
			w.wantsTraffic(green)
			w.wants(v1alpha1.PhaseObserving)
		},
		"it does not wait for a repair that cannot be written": func(t *testing.T) {
			w := secondObserved(t, withTwoServices)
			w.services["shop"].selector = map[string]string{"app": "shop"}
			w.writes = 0
			w.step()
			w.colours[green].missing = 3
			w.step()
			w.wants(v1alpha1.PhaseRollingBack)
			w.writes = 9
			w.run()
			w.wantsTraffic(blue)
			w.wantsStalled(v1alpha1.ReasonRolledBack, "no Pod of green is ready")
		},
		"after a restart nothing is finished by what checks said before": func(t *testing.T) {
			w := secondObserved(t, withChecks)
			w.results, w.outcomes["live"] = nil, v1alpha1.CheckRunning
			w.now = w.now.Add(time.Hour)
			w.run()
			w.wants(v1alpha1.PhaseObserving)
			w.outcomes["live"] = v1alpha1.CheckFailed
			w.run()
			w.wantsTraffic(blue)
		},
		"a Service that only the failed content had comes along": func(t *testing.T) {
			w := serving(t)
			withTwoServices(w)
			w.release("v2")
			w.wantsTraffic(green)
			w.colours[green].missing = 3
			w.run()
			w.wantsTraffic(blue)
			w.respec(func(s *v1alpha1.ReleaseSpec) { s.Services = s.Services[:1]; s.Template = template("v1") })
			w.run()
			w.pass(3 * time.Second)
			w.release("v3")
			w.wantsTraffic(green)
		},
	})
}

// rolledBack is a world where green failed and blue serves again.
func rolledBack(t tester, changes ...func(*world)) *world {
	w := secondObserved(t, changes...)
	w.colours[green].missing = 3
	w.run()
	w.wants(v1alpha1.PhaseHalted)
	w.wantsTraffic(blue)
	w.colours[green].missing = 0
	w.run()
	w.did, w.told = nil, nil
	return w
}

// halfSwitched is a world where the operator died after it had led one of two
// Services to green.
func halfSwitched(t tester) *world {
	w := decided(t, withTwoServices)
	w.services["admin"].selector, w.services["admin"].epoch = ours("green"), 2
	w.touch(&w.services["admin"].version, func() {})
	return w
}

// Copyright The Countersign Authors.
// SPDX-License-Identifier: Apache-2.0

package rollout_test

import (
	"slices"
	"testing"
	"time"

	"github.com/countersign/countersign/api/v1alpha1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// askOf asks for something about the candidate.
func (w *world) askOf(key, by string) {
	w.t.Helper()
	if w.rel.Status.Candidate == nil {
		w.t.Fatalf("there is no candidate to ask about")
	}
	w.ask(key, w.rel.Status.Candidate.Name(), by)
}

// awaiting is a world whose second content waits for approval.
func awaiting(t tester, changes ...func(*world)) *world {
	w := serving(t, changes...)
	w.edit("v2")
	w.run()
	w.wants(v1alpha1.PhaseAwaitingApproval)
	w.did, w.told = nil, nil
	return w
}

func TestAbort(t *testing.T) {
	scenarios(t, map[string]func(*testing.T){
		"while it waits for people": func(t *testing.T) {
			w := awaiting(t)
			w.askOf(v1alpha1.AbortAnnotation, "olga")
			w.run()
			w.wants(v1alpha1.PhaseHalted)
			w.wantsActions()
			w.wantsTraffic(blue)
			w.wantsNotice("ReleaseHalted")
			w.wantsStalled(v1alpha1.ReasonAborted, "olga asked to give it up; to try again, apply a mended template, or as it is: kubectl annotate release shop -n prod --overwrite countersign.dev/retry=sha256:")
			w.wantsWaiting("a mended template, or a retry (Aborted)")
			w.approve("bob")
			w.run()
			w.wantsTraffic(blue)
		},
		"before there is a digest": func(t *testing.T) {
			w := serving(t)
			w.colours[green].leaving = true
			w.edit("v2")
			w.run()
			w.ask(v1alpha1.AbortAnnotation, "2", "olga")
			w.run()
			w.wantsStalled(v1alpha1.ReasonAborted, "countersign.dev/retry=2")
		},
		"the digest came after it was named by its number": func(t *testing.T) {
			w := awaiting(t)
			w.ask(v1alpha1.AbortAnnotation, "2", "olga")
			w.run()
			w.wants(v1alpha1.PhaseHalted)
		},
		"of other content": func(t *testing.T) {
			w := awaiting(t)
			w.ask(v1alpha1.AbortAnnotation, w.rel.Status.Active.Digest, "olga")
			w.run()
			w.wants(v1alpha1.PhaseAwaitingApproval)
		},
		"what follows is not hit": func(t *testing.T) {
			w := awaiting(t)
			w.askOf(v1alpha1.AbortAnnotation, "olga")
			w.run()
			w.edit("v3")
			w.run()
			w.approve("bob")
			w.run()
			w.wantsTraffic(green)
			w.wants(v1alpha1.PhaseObserving)
		},
		"what serves is not given up": func(t *testing.T) {
			w := secondObserved(t)
			w.ask(v1alpha1.AbortAnnotation, w.rel.Status.Active.Digest, "olga")
			w.run()
			w.wants(v1alpha1.PhaseObserving)
		},
		"while it is paused": func(t *testing.T) {
			w := awaiting(t)
			w.respec(func(s *v1alpha1.ReleaseSpec) { s.Paused = true })
			w.askOf(v1alpha1.AbortAnnotation, "olga")
			w.run()
			w.wants(v1alpha1.PhaseHalted)
		},
		"the switch is decided and nothing has moved": func(t *testing.T) {
			w := awaiting(t)
			w.approve("bob")
			w.writes = 0
			w.step()
			w.askOf(v1alpha1.AbortAnnotation, "olga")
			w.step()
			w.writes = 1 << 30
			w.run()
			w.wantsTraffic(blue)
			w.wantsNotice("SwitchCancelled")
			w.wantsStalled(v1alpha1.ReasonAborted, "olga asked to give it up")
		},
		"half of the Services have moved": func(t *testing.T) {
			w := halfSwitched(t)
			w.askOf(v1alpha1.AbortAnnotation, "olga")
			w.run()
			w.wantsTraffic(blue)
			w.wantsStalled(v1alpha1.ReasonRolledBack, "olga asked to give it up while the Services were being switched")
			if h := w.rel.Status.History[0]; h.AskedBy != "olga" {
				t.Errorf("on record is %+v, want olga", h)
			}
		},
		"half of the Services have moved to something else": func(t *testing.T) {
			w := halfSwitched(t)
			w.rel.Status.Candidate.Digest = "sha256:other"
			w.askOf(v1alpha1.AbortAnnotation, "olga")
			w.writes = 0
			w.step()
			w.wants(v1alpha1.PhaseSwitching)
		},
		"the first content, and half of the Services have moved": func(t *testing.T) {
			w := newWorld(t, withTwoServices)
			w.run()
			w.approve("bob")
			w.writes = 1
			w.step()
			w.askOf(v1alpha1.AbortAnnotation, "olga")
			w.step()
			if c := w.rel.Status.Candidate; c.Halted != nil {
				t.Errorf("it is given up half-way, and nothing can be gone back to: %+v", c.Halted)
			}
			w.writes = 1 << 30
			w.run()
			w.wants(v1alpha1.PhaseObserving)
		},
		"the first content, and nothing serves": func(t *testing.T) {
			w := newWorld(t)
			w.run()
			w.askOf(v1alpha1.AbortAnnotation, "olga")
			w.run()
			w.wants(v1alpha1.PhaseHalted)
			w.wantsReady(metav1.ConditionFalse, v1alpha1.ReasonAborted)
		},
	})
}

func TestRetry(t *testing.T) {
	// failed is a world whose second content failed its check.
	failed := func(t *testing.T) *world {
		w := serving(t, withChecks)
		w.edit("v2")
		w.outcomes["smoke"] = v1alpha1.CheckFailed
		w.run()
		w.wantsStalled(v1alpha1.ReasonCheckFailed, "or as it is: kubectl annotate release shop")
		w.outcomes["smoke"], w.did, w.told = v1alpha1.CheckPassed, nil, nil
		return w
	}
	scenarios(t, map[string]func(*testing.T){
		"C23 after a check that failed": func(t *testing.T) {
			w := failed(t)
			was := *w.rel.Status.Candidate.DeepCopy()
			w.askOf(v1alpha1.RetryAnnotation, "dave")
			w.run()
			w.wants(v1alpha1.PhaseAwaitingApproval)
			w.wantsActions() // the Pods are there
			w.wantsNotice("CandidateRetried")
			if c := w.rel.Status.Candidate; c.Sequence != was.Sequence+1 || c.Digest == was.Digest || !slices.Equal(c.Authors, was.Authors) {
				t.Errorf("the candidate is %+v, want one of its own after %+v", c, was)
			}
			w.approve("bob")
			w.run()
			w.wantsTraffic(green)
		},
		"votes are cast again": func(t *testing.T) {
			w := failed(t)
			w.approve("bob")
			w.askOf(v1alpha1.RetryAnnotation, "dave")
			w.run()
			w.wants(v1alpha1.PhaseAwaitingApproval)
			w.wantsTraffic(blue)
		},
		"the authors of before are authors still": func(t *testing.T) {
			w := failed(t)
			w.authors.Names = []string{"carol"}
			w.askOf(v1alpha1.RetryAnnotation, "dave")
			w.run()
			if a := w.rel.Status.Candidate.Authors; !slices.Equal(a, []string{"carol", "dev"}) {
				t.Errorf("the authors are %v, want carol and dev", a)
			}
		},
		"it fails again, and a request is carried out once": func(t *testing.T) {
			w := failed(t)
			w.outcomes["smoke"] = v1alpha1.CheckFailed
			w.askOf(v1alpha1.RetryAnnotation, "dave")
			w.run()
			w.wants(v1alpha1.PhaseHalted)
			if n := w.rel.Status.Sequence; n != 3 {
				t.Errorf("the sequence is %d, want 3", n)
			}
		},
		"C24 after the deadline": func(t *testing.T) {
			w := serving(t)
			w.colours[green].slow = true
			w.edit("v2")
			w.run()
			w.pass(600 * time.Second)
			w.wantsStalled(v1alpha1.ReasonProgressDeadlineExceeded, "or as it is: kubectl annotate release shop")
			w.askOf(v1alpha1.RetryAnnotation, "dave")
			w.run()
			w.wants(v1alpha1.PhasePreparing)
			w.pass(599 * time.Second)
			w.wants(v1alpha1.PhasePreparing)
			w.colours[green].slow = false
			w.run()
			w.wants(v1alpha1.PhaseAwaitingApproval)
		},
		"after it was scaled to zero": func(t *testing.T) {
			w := failed(t)
			w.pass(3600 * time.Second)
			w.wantsReplicas(green, 0)
			w.askOf(v1alpha1.RetryAnnotation, "dave")
			w.run()
			w.wantsReplicas(green, 3)
			w.wants(v1alpha1.PhaseAwaitingApproval)
		},
		"after it was given up": func(t *testing.T) {
			w := awaiting(t)
			w.askOf(v1alpha1.AbortAnnotation, "olga")
			w.run()
			was := w.rel.Annotations
			w.askOf(v1alpha1.RetryAnnotation, "dave")
			for key, value := range was {
				w.rel.Annotations[key] = value // it stays where it is
			}
			w.run()
			w.wants(v1alpha1.PhaseAwaitingApproval)
		},
		"what was changed meanwhile is put back": func(t *testing.T) {
			w := failed(t)
			w.colours[green].template = template("evil")
			w.askOf(v1alpha1.RetryAnnotation, "dave")
			w.run()
			w.wantsActions("Materialise green 3")
			w.wants(v1alpha1.PhaseAwaitingApproval)
		},
		"of other content": func(t *testing.T) {
			w := failed(t)
			w.ask(v1alpha1.RetryAnnotation, w.rel.Status.Active.Digest, "dave")
			w.run()
			w.wants(v1alpha1.PhaseHalted)
		},
		"not what was gone back from": func(t *testing.T) {
			w := rolledBack(t)
			w.askOf(v1alpha1.RetryAnnotation, "dave")
			w.run()
			w.wants(v1alpha1.PhaseHalted)
			w.wantsActions()
		},
		"not what was rejected": func(t *testing.T) {
			w := awaiting(t)
			w.reject("bob")
			w.run()
			w.wants(v1alpha1.PhaseHalted)
			was := w.rel.Status.Sequence
			w.askOf(v1alpha1.RetryAnnotation, "dave")
			w.run()
			w.wants(v1alpha1.PhaseHalted)
			if w.rel.Status.Sequence != was {
				t.Error("rejected content is another candidate now")
			}
		},
		"other content came in the same moment": func(t *testing.T) {
			w := failed(t)
			w.askOf(v1alpha1.RetryAnnotation, "dave")
			w.edit("v3")
			w.run()
			w.wantsNoNotice("CandidateRetried")
			w.approve("bob")
			w.run()
			w.wantsTraffic(green)
		},
		"the spec is wrong meanwhile": func(t *testing.T) {
			w := failed(t)
			w.askOf(v1alpha1.RetryAnnotation, "dave")
			w.edit("v3")
			w.problems = []string{"spec.x is wrong; mend it"}
			w.run()
			w.wantsNoNotice("CandidateRetried")
		},
	})
}

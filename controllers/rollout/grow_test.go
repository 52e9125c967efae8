// Copyright The Countersign Authors.
// SPDX-License-Identifier: Apache-2.0

package rollout_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/countersign/countersign/api/v1alpha1"
	"github.com/countersign/countersign/controllers/approval"
	"github.com/countersign/countersign/controllers/rollout"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// withPreview has candidates with one Pod of three until people let them through.
func withPreview(w *world) { w.preview(1) }

func (w *world) preview(n int32) {
	w.respec(func(s *v1alpha1.ReleaseSpec) { s.PreviewReplicas = &n })
}

// small is a world whose second content was tested on one Pod and waits for people.
func small(t tester, changes ...func(*world)) *world {
	t.Helper()
	w := awaiting(t, append([]func(*world){withChecks, withPreview}, changes...)...)
	w.wantsReplicas(green, 1)
	return w
}

// growing is a world whose second content is approved, has all of its Pods, and is
// tested on them.
func growing(t tester, changes ...func(*world)) *world {
	t.Helper()
	w := small(t, changes...)
	w.outcomes["smoke"] = v1alpha1.CheckRunning
	w.approve("bob")
	w.run()
	w.wants(v1alpha1.PhaseTesting)
	w.wantsReplicas(green, 3)
	w.wantsTraffic(blue)
	return w
}

// wantsTested on so many Pods, in a round; 0 Pods for not yet.
func (w *world) wantsTested(size v1alpha1.CandidateSize, round, pods int32) {
	w.t.Helper()
	c := w.rel.Status.Candidate
	tested := int32(0)
	if c.TestedAt != nil {
		tested = c.TestedReplicas
	}
	if c.Size != size || c.Round != round || tested != pods {
		w.t.Errorf("it is %s and was tested in round %d on %d Pods; want %s, %d, %d", c.Size, c.Round, tested, size, round, pods)
	}
}

func TestPreviewReplicas(t *testing.T) {
	scenarios(t, map[string]func(*testing.T){
		"few Pods until people let it through, all of them before the switch": func(t *testing.T) {
			w := serving(t, withChecks, withPreview)
			w.edit("v2")
			w.run()
			w.wants(v1alpha1.PhaseAwaitingApproval)
			w.wantsActions("Materialise green 1", "PointPreview shop-preview green")
			w.wantsCondition(v1alpha1.ConditionCandidateReady, metav1.ConditionTrue, v1alpha1.ReasonPodsAvailable)
			w.wantsCondition(v1alpha1.ConditionTested, metav1.ConditionTrue, v1alpha1.ReasonChecksPassed)
			w.wantsTested(v1alpha1.PreviewSize, 0, 1)
			w.pass(100 * time.Hour)
			w.wantsReplicas(green, 1)
			w.approve("bob")
			w.run()
			w.wantsActions("Scale green 3", "Shift green epoch 2")
			w.wants(v1alpha1.PhaseObserving)
			w.wantsNotice("CandidateScaledUp")
			w.wantsReplicas(green, 3)
			w.wantsReplicas(blue, 3)
		},
		"the first content is no other": func(t *testing.T) {
			w := newWorld(t, withPreview)
			w.run()
			w.wants(v1alpha1.PhaseAwaitingApproval)
			w.wantsReplicas(blue, 1)
			w.approve("bob")
			w.run()
			w.wantsTraffic(blue)
			w.wantsReplicas(blue, 3)
		},
		"what is missing is told while it grows, and the votes stay": func(t *testing.T) {
			w := small(t)
			digest := w.rel.Status.Candidate.Digest
			w.approve("bob")
			w.step()
			w.colours[green].missing = 2
			w.step()
			w.colours[green].missing = 2
			w.run()
			w.wants(v1alpha1.PhasePreparing)
			w.wantsWaiting("the candidate to grow to 3 Pods")
			w.wantsCondition(v1alpha1.ConditionApproved, metav1.ConditionTrue, v1alpha1.ReasonQuorumMet)
			w.wantsCondition(v1alpha1.ConditionCandidateReady, metav1.ConditionFalse, v1alpha1.ReasonScalingUp)
			w.wantsCondition(v1alpha1.ConditionTested, metav1.ConditionFalse, v1alpha1.ReasonChecksRunning)
			w.wantsCondition(v1alpha1.ConditionStalled, "", "")
			w.wantsTested(v1alpha1.FullSize, 1, 0)
			w.colours[green].missing, w.outcomes["smoke"] = 0, v1alpha1.CheckRunning
			w.run()
			w.wants(v1alpha1.PhaseTesting)
			w.wantsWaiting("the checks before the switch on all of its 3 Pods")
			w.colours[green].missing = 1 // after it had grown
			w.run()
			w.wantsWaiting("the Pods of green")
			if got := w.rel.Status.Candidate.Digest; got != digest {
				t.Errorf("the digest was %s and is %s", digest, got)
			}
			w.wantsTraffic(blue)
		},
		"the checks ask all Pods": func(t *testing.T) {
			w := growing(t)
			r := w.last.Checks
			if len(r) != 1 || r[0].Round != 1 || len(r[0].Targets) != 3 {
				t.Errorf("these run: %+v", r)
			}
			w.outcomes["smoke"] = v1alpha1.CheckPassed
			w.run()
			w.wantsTraffic(green)
		},
		"what was found on few Pods does not count": func(t *testing.T) {
			w := growing(t)
			for round, tested := range []bool{false, true} {
				s := w.snapshot()
				s.Results[0].Round, s.Results[0].State = int32(round), v1alpha1.CheckPassed
				if d := rollout.Decide(s); (d.Status.Switch.Epoch == 2) != tested {
					t.Errorf("with a result of round %d: %+v", round, d.Status.Checks)
				}
			}
		},
		"a check that fails on all of them halts": func(t *testing.T) {
			w := growing(t)
			w.outcomes["smoke"] = v1alpha1.CheckFailed
			w.run()
			w.wants(v1alpha1.PhaseHalted)
			w.wantsStalled(v1alpha1.ReasonCheckFailed, "check smoke failed")
			w.wantsTraffic(blue)
		},
		"a Job is run once more, as another Job": func(t *testing.T) {
			w := jobbed(t)
			w.preview(1)
			w.edit("v3")
			w.run()
			first := *w.theJob()
			w.succeed()
			w.run()
			w.wants(v1alpha1.PhaseAwaitingApproval)
			w.approve("bob")
			w.run()
			w.wants(v1alpha1.PhaseTesting)
			w.wantsTraffic(blue)
			again := w.theJob()
			if again.Name == first.Name || strings.Count(first.Targets, "=") != 1 || strings.Count(again.Targets, "=") != 3 {
				t.Errorf("it ran %+v, and then %+v", first, again)
			}
			w.succeed()
			w.run()
			w.wantsTraffic(green)
		},
		"the deadline runs anew, and ends it with a sentence": func(t *testing.T) {
			w := small(t)
			w.pass(100 * time.Hour) // of people, which does not count
			w.approve("bob")
			w.step()
			w.colours[green].slow = true
			w.run()
			w.pass(599 * time.Second)
			w.wants(v1alpha1.PhasePreparing)
			w.pass(time.Second)
			w.wants(v1alpha1.PhaseHalted)
			w.wantsStalled(v1alpha1.ReasonProgressDeadlineExceeded, "green did not become ready and tested on all of its 3 Pods within 600 seconds; look at its Pods: kubectl describe pods")
			w.wantsTraffic(blue)
		},
		"the gate is frozen": func(t *testing.T) {
			w := small(t)
			w.frozen = "a guard is gone"
			w.approve("bob")
			w.run()
			w.wantsReplicas(green, 1)
			w.frozen = ""
			w.run()
			w.wantsTraffic(green)
		},
		"it grows when the window opens": func(t *testing.T) {
			w := small(t)
			w.policy(func(p *approval.Policy) {
				p.Windows = approval.Windows{Allow: []approval.Window{{Schedule: "0 14 * * *", Duration: time.Hour}}}
			})
			w.approve("bob")
			w.run()
			w.wantsReplicas(green, 1)
			w.pass(3 * time.Hour)
			w.wantsReplicas(green, 3)
			w.wantsTraffic(green)
		},
		"images have to be known of all of its Pods, few or many": func(t *testing.T) {
			w := newWorld(t, withPreview, func(w *world) {
				w.policies[0].RequireImageDigests, w.rel.Spec.Template = true, template(pinned)
			})
			w.run()
			w.approve("bob")
			w.run()
			w.wantsTraffic(blue)
		},
		"break-glass lets it grow, too": func(t *testing.T) {
			w := small(t, onCall)
			w.outcomes["smoke"] = v1alpha1.CheckRunning
			w.breakGlass()
			w.run()
			w.wantsTraffic(blue)
			w.wantsReplicas(green, 3)
			w.outcomes["smoke"] = v1alpha1.CheckPassed
			w.run()
			w.wantsTraffic(green)
		},
	})
}

// Whatever comes between, the candidate neither shrinks and grows nor is switched to
// before it was tested in full.
func TestGrowingIsInterrupted(t *testing.T) {
	scenarios(t, map[string]func(*testing.T){
		"a vote is withdrawn": func(t *testing.T) {
			w := growing(t)
			w.withdraw("bob")
			w.outcomes["smoke"] = v1alpha1.CheckPassed
			w.run()
			w.wants(v1alpha1.PhaseAwaitingApproval)
			w.wantsTested(v1alpha1.FullSize, 1, 3)
			w.pass(100 * time.Hour)
			w.wantsReplicas(green, 3)
			w.did = nil
			w.approve("carol")
			w.run()
			w.wantsActions("Shift green epoch 2")
		},
		"a window closes": func(t *testing.T) {
			w := small(t)
			w.outcomes["smoke"] = v1alpha1.CheckRunning
			w.policies[0].Windows = approval.Windows{Exclude: []approval.Window{{Schedule: "30 * * * *", Duration: 30 * time.Minute}}}
			w.now = w.now.Truncate(time.Hour).Add(85 * time.Minute)
			w.approve("bob")
			w.run()
			w.wantsReplicas(green, 3)
			w.pass(6 * time.Minute)
			w.outcomes["smoke"] = v1alpha1.CheckPassed
			w.run()
			w.wants(v1alpha1.PhaseAwaitingApproval)
			w.wantsTraffic(blue)
			w.did = nil
			w.pass(30 * time.Minute)
			w.wantsActions("Shift green epoch 2")
		},
		"the operator starts anew": func(t *testing.T) {
			w := small(t)
			w.approve("bob")
			w.step() // on record, and not yet carried out
			w.wantsReplicas(green, 1)
			w.results = nil
			w.run()
			w.wantsTraffic(green)
			w.wantsReplicas(green, 3)
		},
		"a pause": func(t *testing.T) {
			w := growing(t)
			w.respec(func(s *v1alpha1.ReleaseSpec) { s.Paused = true })
			w.outcomes["smoke"] = v1alpha1.CheckPassed
			w.pass(100 * time.Minute)
			w.wants(v1alpha1.PhasePaused)
			w.wantsReplicas(green, 3)
			w.respec(func(s *v1alpha1.ReleaseSpec) { s.Paused = false })
			w.run()
			w.wantsTraffic(green)
		},
		"it is given up, and tried again as a small one": func(t *testing.T) {
			w := growing(t)
			w.askOf(v1alpha1.AbortAnnotation, "olga")
			w.run()
			w.wants(v1alpha1.PhaseHalted)
			w.outcomes["smoke"] = v1alpha1.CheckPassed
			w.askOf(v1alpha1.RetryAnnotation, "olga")
			w.run()
			w.wants(v1alpha1.PhaseAwaitingApproval)
			w.wantsReplicas(green, 1)
			w.wantsTested(v1alpha1.PreviewSize, 0, 1)
		},
		"other content": func(t *testing.T) {
			w := growing(t)
			w.outcomes["smoke"] = v1alpha1.CheckPassed
			w.edit("v3")
			w.run()
			w.wants(v1alpha1.PhaseAwaitingApproval)
			w.wantsReplicas(green, 1)
			w.wantsTested(v1alpha1.PreviewSize, 0, 1)
			w.wantsTraffic(blue)
		},
		"a policy that makes the votes void": func(t *testing.T) {
			w := growing(t)
			w.outcomes["smoke"] = v1alpha1.CheckPassed
			w.policy(func(p *approval.Policy) { p.Rules[0].Users = []string{"erin"} })
			w.run()
			w.wants(v1alpha1.PhaseAwaitingApproval)
			w.wantsReplicas(green, 3)
			w.wantsTested(v1alpha1.FullSize, 1, 3)
		},
		"all Pods of what serves are lost after the switch": func(t *testing.T) {
			w := growing(t)
			w.outcomes["smoke"] = v1alpha1.CheckPassed
			w.run()
			w.wantsTraffic(green)
			w.colours[green].slow = true
			w.run()
			w.wantsTraffic(blue)
			w.wantsReplicas(blue, 3)
		},
		"content that is kept for going back is not made smaller": func(t *testing.T) {
			w := secondObserved(t, withPreview)
			w.pass(600 * time.Second)
			w.did = nil
			w.edit("v1")
			w.run()
			w.wants(v1alpha1.PhaseAwaitingApproval)
			w.wantsReplicas(blue, 3)
			w.wantsTested(v1alpha1.FullSize, 0, 3)
			w.pass(2 * time.Hour)
			w.wantsReplicas(blue, 3)
		},
		"kept content is gone back to with all of its Pods, in the place of a small candidate": func(t *testing.T) {
			w, first, _ := third(t, withPreview)
			w.edit("v4")
			w.run()
			w.wantsReplicas(green, 1)
			w.lag = true
			w.askFar(first, "olga")
			w.run()
			w.wantsReplicas(green, 3)
			w.wantsTraffic(blue) // one endpoint is known
			w.lag = false
			w.run()
			w.wantsTraffic(green)
			w.pass(3 * time.Second)
			w.wantsReplicas(blue, 1)
			w.wants(v1alpha1.PhaseAwaitingApproval)
			w.wantsTested(v1alpha1.PreviewSize, 0, 1)
		},
		"a record that does not say the size": func(t *testing.T) {
			w := awaiting(t, withChecks)
			c := w.rel.Status.Candidate
			c.Size, c.TestedReplicas = "", 0
			w.outcomes["smoke"] = v1alpha1.CheckRunning
			w.approve("bob")
			w.run()
			w.wants(v1alpha1.PhaseTesting)
			w.wantsTraffic(blue)
		},
	})
}

// The size changes in every phase, be it by an autoscaler.
func TestSizeOfPreviews(t *testing.T) {
	scenarios(t, map[string]func(*testing.T){
		"as many as serve, or more, are all of them": func(t *testing.T) {
			unset := awaiting(t, withChecks)
			for _, n := range []int32{3, 7} {
				w := awaiting(t, withChecks, func(w *world) { w.preview(n) })
				w.wantsReplicas(green, 3)
				w.approve("bob")
				w.run()
				w.wantsActions("Shift green epoch 2")
				w.wantsNoNotice("CandidateScaledUp")
				if len(unset.rel.Status.Conditions) != len(w.rel.Status.Conditions) {
					t.Errorf("the conditions are %+v", w.rel.Status.Conditions)
				}
			}
		},
		"D16 larger while it waits": func(t *testing.T) {
			w := small(t)
			w.scale(7)
			w.run()
			w.wantsReplicas(green, 1)
			w.wantsReplicas(blue, 7)
			w.approve("bob")
			w.run()
			w.wantsTraffic(green)
			w.wantsReplicas(green, 7)
		},
		"D16 smaller while it waits, so that what was tested is all of it": func(t *testing.T) {
			w := small(t)
			w.scale(1)
			w.run()
			w.did = nil
			w.approve("bob")
			w.run()
			w.wantsActions("Shift green epoch 2")
		},
		"D16 larger, or smaller, while it grows": func(t *testing.T) {
			for _, n := range []int32{5, 2} {
				w := growing(t)
				w.scale(n)
				w.run()
				w.wants(v1alpha1.PhaseTesting)
				w.wantsReplicas(green, n)
				w.outcomes["smoke"] = v1alpha1.CheckPassed
				w.run()
				w.wantsTraffic(green)
			}
		},
		"larger after it was tested in full": func(t *testing.T) {
			w := growing(t)
			w.withdraw("bob")
			w.outcomes["smoke"] = v1alpha1.CheckPassed
			w.run()
			w.scale(5)
			w.run()
			w.wantsReplicas(green, 5)
			w.wantsTested(v1alpha1.FullSize, 1, 3)
			w.approve("bob")
			w.run()
			w.wantsTraffic(green)
		},
		"larger while it is tested, so that fewer may have been asked": func(t *testing.T) {
			w := serving(t, withChecks, func(w *world) { w.preview(5) })
			w.outcomes["smoke"] = v1alpha1.CheckRunning
			w.edit("v2")
			w.run()
			w.scale(4)
			w.run()
			w.wantsReplicas(green, 4)
			w.outcomes["smoke"] = v1alpha1.CheckPassed
			w.run()
			w.wantsTested(v1alpha1.PreviewSize, 0, 3)
			w.outcomes["smoke"] = v1alpha1.CheckRunning
			w.approve("bob")
			w.run()
			w.wants(v1alpha1.PhaseTesting)
			w.wantsTraffic(blue)
		},
		"smaller while it is tested, so that fewer are asked": func(t *testing.T) {
			w := serving(t, withChecks, func(w *world) { w.preview(3) })
			w.outcomes["smoke"] = v1alpha1.CheckRunning
			w.edit("v2")
			w.run()
			w.scale(2)
			w.run()
			w.outcomes["smoke"] = v1alpha1.CheckPassed
			w.run()
			w.wantsTested(v1alpha1.PreviewSize, 0, 2)
		},
		"previewReplicas is changed while it waits": func(t *testing.T) {
			w := small(t)
			digest := w.rel.Status.Candidate.Digest
			w.preview(2)
			w.run()
			w.wants(v1alpha1.PhaseAwaitingApproval)
			w.wantsReplicas(green, 2)
			w.wantsTested(v1alpha1.PreviewSize, 0, 1)
			w.outcomes["smoke"] = v1alpha1.CheckRunning
			w.respec(func(s *v1alpha1.ReleaseSpec) { s.PreviewReplicas = nil })
			w.run()
			w.wants(v1alpha1.PhaseTesting)
			w.wantsReplicas(green, 3)
			w.wantsTested(v1alpha1.FullSize, 1, 0)
			w.outcomes["smoke"] = v1alpha1.CheckPassed
			w.preview(1) // too late to have any effect
			w.run()
			w.wants(v1alpha1.PhaseAwaitingApproval)
			w.wantsReplicas(green, 3)
			w.wantsTested(v1alpha1.FullSize, 1, 3)
			if got := w.rel.Status.Candidate.Digest; got != digest {
				t.Errorf("another previewReplicas is another digest")
			}
		},
		"previewReplicas is taken out while it is tested": func(t *testing.T) {
			w := serving(t, withChecks, withPreview)
			w.outcomes["smoke"] = v1alpha1.CheckRunning
			w.edit("v2")
			w.run()
			w.pass(500 * time.Second)
			w.respec(func(s *v1alpha1.ReleaseSpec) { s.PreviewReplicas = nil })
			w.run()
			w.wantsReplicas(green, 3)
			w.pass(599 * time.Second)
			w.wants(v1alpha1.PhaseTesting)
			w.wantsTested(v1alpha1.FullSize, 1, 0)
			w.pass(time.Second)
			w.wants(v1alpha1.PhaseHalted)
		},
		"a Deployment that somebody scales": func(t *testing.T) {
			w := small(t)
			w.colours[green].replicas = 3
			w.run()
			w.wantsReplicas(green, 1)
			if n := slices.Index(w.did, "Scale green 1"); n < 0 {
				t.Errorf("it did %q", w.did)
			}
		},
	})
}

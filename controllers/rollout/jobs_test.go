// Copyright The Countersign Authors.
// SPDX-License-Identifier: Apache-2.0

package rollout_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/countersign/countersign/api/v1alpha1"
	"github.com/countersign/countersign/controllers/rollout"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
)

const testTemplate = `{"metadata":{"labels":{"app":"test"}},"spec":{"containers":[{"name":"test","image":"test:1"}]}}`

// withJob declares a check that is a Job.
func withJob(w *world) {
	w.rel.Spec.Checks = &v1alpha1.Checks{BeforeSwitch: []v1alpha1.Check{{
		Name: "e2e", Job: &v1alpha1.JobCheck{Template: runtime.RawExtension{Raw: []byte(testTemplate)}, TimeoutSeconds: 300},
	}}}
}

// writeJob makes and deletes Jobs as the API server does, and tells whether to go on.
func (w *world) writeJob(a rollout.Action) bool {
	switch a := a.(type) {
	case rollout.StartJob:
		if w.jobs[a.Name] != nil {
			return false
		}
		w.version++
		w.jobs[a.Name] = &rollout.Job{Name: a.Name, UID: fmt.Sprint("job-", w.version), Check: a.Check.Name, Digest: a.Digest, Targets: a.Targets}
	case rollout.DropJob:
		if job := w.jobs[a.Name]; job == nil || job.UID != a.UID {
			return false
		}
		delete(w.jobs, a.Name)
	}
	return true
}

// theJob is the only one.
func (w *world) theJob() *rollout.Job {
	w.t.Helper()
	if len(w.jobs) != 1 {
		w.t.Fatalf("there are %d Jobs: %v; it did %v", len(w.jobs), w.jobs, w.did)
	}
	for _, job := range w.jobs {
		return job
	}
	return nil
}

func (w *world) succeed() { job := w.theJob(); job.Done, job.Succeeded = true, true }

func (w *world) fail(reason string) { job := w.theJob(); job.Done, job.Reason = true, reason }

// wantsCheck is what the check has come to.
func (w *world) wantsCheck(state v1alpha1.CheckState, part string) {
	w.t.Helper()
	for _, c := range w.rel.Status.Checks {
		if c.Name == "e2e" && (c.State != state || !strings.Contains(c.Message, part)) {
			w.t.Errorf("the check is %s: %s; want %s, saying %q", c.State, c.Message, state, part)
		}
	}
	if len(w.rel.Status.Checks) == 0 {
		w.t.Errorf("there is no check")
	}
}

// jobbed is a world whose second content is being tested.
func jobbed(t tester) *world {
	w := newWorld(t, withJob)
	w.run()
	w.succeed()
	w.approve("bob")
	w.run()
	w.pass(600 * time.Second)
	w.wants(v1alpha1.PhaseStable)
	w.wantsTraffic(blue)
	w.jobs = map[string]*rollout.Job{} // its time to live is over
	w.run()
	w.edit("v2")
	w.did, w.told = nil, nil
	w.run()
	return w
}

func TestJobs(t *testing.T) {
	scenarios(t, map[string]func(*testing.T){
		"one is run once, on the candidate's own Pods": func(t *testing.T) {
			w := jobbed(t)
			w.wants(v1alpha1.PhaseTesting)
			job, digest := w.theJob(), w.rel.Status.Candidate.Digest
			if job.Targets != "shop-green-0=10.0.0.0,shop-green-1=10.0.0.1,shop-green-2=10.0.0.2" || job.Digest != digest || len(w.last.Checks) > 0 {
				t.Errorf("it runs %+v, and %+v", job, w.last.Checks)
			}
			w.wantsCheck(v1alpha1.CheckRunning, "Job "+job.Name+" runs; to follow it: kubectl logs job/"+job.Name+" -n prod -f")
			w.approve("bob")
			w.run()
			w.wantsTraffic(blue)
			w.succeed()
			w.run()
			w.wantsTraffic(green)
			if n := strings.Count(strings.Join(w.did, " "), "StartJob"); n != 1 {
				t.Errorf("it was run %d times: %q", n, w.did)
			}
		},
		"it is on record before it is made, and made once, whatever ends the operator": func(t *testing.T) {
			w := jobbed(t)
			c := &w.rel.Status.Checks[0]
			made := w.theJob()
			w.jobs, c.Job.UID = map[string]*rollout.Job{}, "" // ended before it was made
			w.run()
			if again := w.theJob(); again.Name != made.Name || c.Job.Run != 1 {
				t.Errorf("it made %s, and then %s", made.Name, again.Name)
			}
		},
		"one that fails halts, and another try is another Job": func(t *testing.T) {
			w := jobbed(t)
			first := w.theJob().Name
			w.theJob().Trouble = `its container test ended with exit code 1 and says "no answer"`
			w.fail("BackoffLimitExceeded")
			w.run()
			w.wants(v1alpha1.PhaseHalted)
			w.wantsStalled(v1alpha1.ReasonCheckFailed, "check e2e failed: Job "+first+` failed: its container test ended with exit code 1 and says "no answer"; see what it says: kubectl logs job/`+first+" -n prod; to try again")
			if w.theJob().Name != first {
				t.Errorf("its logs are gone")
			}
			w.rel.Annotations = map[string]string{v1alpha1.RetryAnnotation: w.rel.Status.Candidate.Digest}
			w.run()
			if again := w.theJob(); again.Name == first {
				t.Errorf("it is the same Job")
			}
			w.succeed()
			w.approve("bob")
			w.run()
			w.wantsTraffic(green)
		},
		"one that hangs says what it waited for": func(t *testing.T) {
			w := jobbed(t)
			w.theJob().Trouble = "its container test cannot start with image nope:1 (ImagePullBackOff)"
			w.run()
			w.wantsCheck(v1alpha1.CheckRunning, " runs: its container test cannot start with image nope:1 (ImagePullBackOff)")
			w.theJob().Trouble = "" // its Pods are gone by then
			w.fail("DeadlineExceeded")
			w.run()
			w.wantsStalled(v1alpha1.ReasonCheckFailed, "did not end within 300 seconds: its container test cannot start with image nope:1 (ImagePullBackOff); mend what it waits for, or write a larger job.timeoutSeconds")
		},
		"one that is deleted is run again, until that has happened too often": func(t *testing.T) {
			w := jobbed(t)
			for n := 2; n <= 5; n++ {
				w.jobs = map[string]*rollout.Job{}
				w.run()
				w.theJob()
				if got := w.rel.Status.Checks[0].Job.Run; got != int32(n) {
					t.Errorf("it is run %d, want %d", got, n)
				}
			}
			w.jobs = map[string]*rollout.Job{}
			w.run()
			w.wantsCheck(v1alpha1.CheckInconclusive, "was deleted before its result was known, and 5 runs proved nothing, so that it is not run again; find out what")
			w.approve("bob")
			w.pass(600 * time.Second)
			w.wantsStalled(v1alpha1.ReasonProgressDeadlineExceeded, "check e2e is inconclusive: Job ")
			w.wantsTraffic(blue)
		},
		"what it says of Pods that are gone proves nothing": func(t *testing.T) {
			w := jobbed(t)
			w.theJob().Targets = "shop-green-0=10.0.0.0,shop-green-1=10.0.0.1,shop-green-gone=10.0.0.2"
			w.succeed()
			w.approve("bob")
			w.run()
			w.wantsTraffic(blue)
			if job := w.theJob(); job.Done || w.rel.Status.Checks[0].Job.Run != 2 {
				t.Errorf("it is %+v", job)
			}
		},
		"nor without any Pods": func(t *testing.T) {
			w := jobbed(t)
			w.theJob().Targets = ""
			w.succeed()
			w.run()
			if w.rel.Status.Candidate.TestedAt != nil || w.theJob().Done {
				t.Errorf("it counts: %+v", w.rel.Status.Checks)
			}
		},
		"nor while the Pods are not all known": func(t *testing.T) {
			w := jobbed(t)
			w.succeed()
			s := w.snapshot()
			s.Green.Pods[1].IP = ""
			d := rollout.Decide(s)
			if c := d.Status.Checks[0]; c.State != v1alpha1.CheckRunning || !strings.Contains(c.Message, "there are not all ready Pods") || len(d.Actions) > 0 {
				t.Errorf("it is %+v, %v", c, d.Actions)
			}
		},
		"more Pods do not void it": func(t *testing.T) {
			w := jobbed(t)
			w.scale(5)
			w.run()
			w.succeed()
			w.approve("bob")
			w.run()
			w.wantsTraffic(green)
		},
		"one of other content does not count": func(t *testing.T) {
			w := jobbed(t)
			w.theJob().Digest = "sha256:" + strings.Repeat("0", 64)
			w.succeed()
			s := w.snapshot()
			if d := rollout.Decide(s); d.Status.Candidate.TestedAt != nil || d.Status.Checks[0].State != v1alpha1.CheckInconclusive {
				t.Errorf("it counts: %+v", d.Status.Checks)
			}
		},
		"one of another check does not count": func(t *testing.T) {
			w := jobbed(t)
			w.theJob().Check = "other"
			w.succeed()
			if d := rollout.Decide(w.snapshot()); d.Status.Candidate.TestedAt != nil {
				t.Errorf("it counts: %+v", d.Status.Checks)
			}
		},
		"another object of its name does not count": func(t *testing.T) {
			w := jobbed(t)
			w.theJob().UID = "other"
			w.succeed()
			w.run()
			if w.rel.Status.Candidate.TestedAt != nil || w.rel.Status.Checks[0].Job.Run != 2 {
				t.Errorf("it counts: %+v", w.rel.Status.Checks)
			}
		},
		"somebody else's in its place is named": func(t *testing.T) {
			w := jobbed(t)
			w.theJob().Foreign = true
			w.succeed()
			w.run()
			w.wantsCheck(v1alpha1.CheckInconclusive, "is somebody else's; delete it: kubectl delete job "+w.theJob().Name+" -n prod")
			w.wantsCondition(v1alpha1.ConditionTested, metav1.ConditionFalse, v1alpha1.ReasonChecksInconclusive)
		},
		"somebody else's is left alone": func(t *testing.T) {
			w := serving(t)
			w.jobs["other"] = &rollout.Job{Name: "other", UID: "other", Foreign: true}
			w.run()
			w.theJob()
		},
		"one that is being deleted does not count": func(t *testing.T) {
			w := jobbed(t)
			w.theJob().Leaving = true
			w.succeed()
			w.run()
			w.wantsCheck(v1alpha1.CheckRunning, "is being deleted")
		},
		"the Jobs of content that is replaced, given up or deleted go": func(t *testing.T) {
			for name, change := range map[string]func(*world){
				"replaced": func(w *world) { w.edit("v3"); w.colours[green].slow = true },
				"aborted": func(w *world) {
					w.rel.Annotations = map[string]string{v1alpha1.AbortAnnotation: w.rel.Status.Candidate.Digest}
				},
				"reverted": func(w *world) { w.edit("v1") },
				"deleted":  func(w *world) { w.rel.DeletionTimestamp = ptr(metav1.NewTime(w.now)) },
			} {
				w := jobbed(t)
				change(w)
				w.run()
				if len(w.jobs) > 0 {
					t.Errorf("%s: there is %v", name, w.jobs)
				}
			}
		},
		"it waits for its delay": func(t *testing.T) {
			w := serving(t)
			w.respec(func(s *v1alpha1.ReleaseSpec) {
				withJob(w)
				s.Checks.BeforeSwitch[0].InitialDelaySeconds = 20
			})
			w.run()
			w.wantsCheck(v1alpha1.CheckRunning, "it is run 20 seconds after the Pods became ready")
			if len(w.jobs) > 0 {
				t.Errorf("it runs")
			}
			w.pass(20 * time.Second)
			w.theJob()
		},
		"it waits for the preview Services": func(t *testing.T) {
			w := serving(t)
			w.lag = true
			w.respec(func(*v1alpha1.ReleaseSpec) { withJob(w) })
			w.run()
			w.wantsCheck(v1alpha1.CheckRunning, "the endpoints of the preview Services are not complete")
			w.lag = false
			w.run()
			w.theJob()
		},
		"a Service that would find its Pods holds it": func(t *testing.T) {
			w := newWorld(t, withJob, withTwoServices, func(w *world) {
				w.services["admin"].selector, w.services["admin"].owner = map[string]string{"app": "test"}, ""
			})
			w.run()
			s := w.snapshot()
			s.Services[1].Selector = map[string]string{"app": "test"}
			s.Release.Status.Checks, s.Jobs = nil, nil
			d := rollout.Decide(s)
			if c := d.Status.Checks; len(c) != 1 || c[0].State != v1alpha1.CheckInconclusive || !strings.Contains(c[0].Message, "Service admin selects Pods with the labels of job.template") {
				t.Errorf("the checks are %+v", c)
			}
		},
		"paused, none is started": func(t *testing.T) {
			w := serving(t)
			w.respec(func(s *v1alpha1.ReleaseSpec) { withJob(w); s.Paused = true })
			w.run()
			if len(w.jobs) > 0 {
				t.Errorf("it runs")
			}
			w.respec(func(s *v1alpha1.ReleaseSpec) { s.Paused = false })
			w.run()
			w.theJob()
		},
		"changed and changed back, it is run for what it is then": func(t *testing.T) {
			w := serving(t)
			w.respec(func(*v1alpha1.ReleaseSpec) { withJob(w) })
			w.run()
			first := w.theJob().Name
			w.respec(func(s *v1alpha1.ReleaseSpec) { s.Checks = nil })
			w.run()
			if len(w.jobs) > 0 || w.rel.Status.Candidate != nil {
				t.Errorf("it is not as before: %v, %+v", w.jobs, w.rel.Status.Candidate)
			}
			w.respec(func(*v1alpha1.ReleaseSpec) { withJob(w) })
			w.run()
			if again := w.theJob(); again.Name == first {
				t.Errorf("it goes by what an earlier candidate's Job found")
			}
		},
		"an unfinished one is named when the time is over": func(t *testing.T) {
			w := jobbed(t)
			w.pass(600 * time.Second)
			w.wantsStalled(v1alpha1.ReasonProgressDeadlineExceeded, "check e2e has no result: Job ")
			if len(w.jobs) > 0 {
				t.Errorf("it still runs: %v", w.jobs)
			}
		},
	})
}

// A demand for image digests is one for those of tests, too.
func TestImagesOfJobs(t *testing.T) {
	w := serving(t)
	w.policies[0].RequireImageDigests = true
	pinned := "test@sha256:" + strings.Repeat("0a", 32)
	w.rel.Spec.Template.Spec.Containers[0].Image = pinned
	w.respec(func(*v1alpha1.ReleaseSpec) { withJob(w) })
	w.run()
	w.wantsStalled(v1alpha1.ReasonImageNotPinned, "spec.checks.beforeSwitch[name=e2e].job.template.spec.containers[name=test].image")
	w.respec(func(s *v1alpha1.ReleaseSpec) {
		s.Checks.BeforeSwitch[0].Job.Template.Raw = []byte(strings.ReplaceAll(testTemplate, "test:1", pinned))
	})
	w.run()
	w.theJob()
}

// Copyright The Countersign Authors.
// SPDX-License-Identifier: Apache-2.0

package rollout

import (
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/countersign/countersign/api/v1alpha1"
	"github.com/countersign/countersign/controllers/jobcheck"
)

// maxJobRuns is how often a check that is a Job is run, when what came of it
// proved nothing.
const maxJobRuns = 5

// reasonDeadline is why a Job failed that did not end in time.
const reasonDeadline = "DeadlineExceeded"

// runJobs brings the checks that are Jobs a step further. A Job is on record
// before it is made, so that it is made once, whatever ends the operator.
func (p *plan) runJobs(c *v1alpha1.CandidateStatus, declared []v1alpha1.Check, w Workload) {
	pods := aims(targets(v1alpha1.Check{}, w, p.candidateReplicas()))
	for _, d := range declared {
		if d.Job == nil {
			continue
		}
		now := v1alpha1.CheckStatus{Stage: v1alpha1.StageBeforeSwitch, Name: d.Name, Digest: c.Digest, State: v1alpha1.CheckRunning, At: p.now()}
		if had := p.checkStatus(now); had != nil {
			if had.State == v1alpha1.CheckPassed || had.State == v1alpha1.CheckFailed {
				continue
			}
			if had.Job != nil {
				job := *had.Job
				now.Job = &job
			}
		}
		p.runJob(c, d, pods, &now)
		now.Message = clip(now.Message, 512)
		p.setCheck(now)
	}
	p.sortChecks()
}

func aims(known []CheckTarget) (pods []jobcheck.Target) {
	for _, t := range known {
		pods = append(pods, jobcheck.Target{Pod: t.Pod, IP: t.IP})
	}
	return pods
}

func (p *plan) checkStatus(of v1alpha1.CheckStatus) *v1alpha1.CheckStatus {
	for i := range p.st.Checks {
		if have := &p.st.Checks[i]; have.Stage == of.Stage && have.Name == of.Name && have.Digest == of.Digest {
			return have
		}
	}
	return nil
}

// runJob says in now what came of a check so far, and starts its Job when there
// is none.
func (p *plan) runJob(c *v1alpha1.CandidateStatus, d v1alpha1.Check, pods []jobcheck.Target, now *v1alpha1.CheckStatus) {
	if now.Job == nil {
		p.startJob(c, d, pods, now, "")
		return
	}
	job := p.job(now.Job.Name)
	switch {
	case job == nil && now.Job.UID == "":
		p.makeJob(c, d, pods, now)
	case job == nil || now.Job.UID != "" && job.UID != now.Job.UID:
		p.startJob(c, d, pods, now, "was deleted before its result was known")
	case job.Foreign || job.Check != d.Name || job.Digest != c.Digest:
		p.wake(p.snap.Now.Add(unwatched))
		now.State = v1alpha1.CheckInconclusive
		now.Message = fmt.Sprintf("Job %s stands where the check's belongs, and is somebody else's; delete it: kubectl delete job %s -n %s", job.Name, job.Name, p.snap.Release.Namespace)
	case job.Leaving:
		now.Message = fmt.Sprintf("Job %s is being deleted", job.Name)
	case len(pods) > 0 && !jobcheck.Still(job.Targets, pods):
		p.startJob(c, d, pods, now, "was about Pods that changed")
	default:
		p.readJob(d, pods, job, now)
	}
}

// readJob says what a Job of which nothing is wrong found.
func (p *plan) readJob(d v1alpha1.Check, pods []jobcheck.Target, job *Job, now *v1alpha1.CheckStatus) {
	now.Job.UID = job.UID
	if job.Trouble != "" {
		now.Job.Trouble = clip(job.Trouble, 384)
	}
	logs := fmt.Sprintf("kubectl logs job/%s -n %s", job.Name, p.snap.Release.Namespace)
	because := ""
	if now.Job.Trouble != "" {
		because = ": " + now.Job.Trouble
	}
	switch {
	case !job.Done && because != "":
		now.Message = fmt.Sprintf("Job %s runs%s", job.Name, because)
	case !job.Done:
		now.Message = fmt.Sprintf("Job %s runs; to follow it: %s -f", job.Name, logs)
	case len(pods) == 0:
		now.Message = fmt.Sprintf("Job %s has ended, and there are not all ready Pods, of which one has to know whether they are those that it tested", job.Name)
	case job.Succeeded:
		now.State, now.Message = v1alpha1.CheckPassed, fmt.Sprintf("Job %s succeeded", job.Name)
	case job.Reason == reasonDeadline:
		now.State, now.Message = v1alpha1.CheckFailed, fmt.Sprintf(
			"Job %s did not end within %d seconds%s; mend what it waits for, or write a larger job.timeoutSeconds", job.Name, d.Job.TimeoutSeconds, because)
	default:
		now.State, now.Message = v1alpha1.CheckFailed, fmt.Sprintf("Job %s failed%s; see what it says: %s", job.Name, because, logs)
	}
}

// startJob begins another run of a check, if it may. why is what was wrong with
// the one before; empty for the first.
func (p *plan) startJob(c *v1alpha1.CandidateStatus, d v1alpha1.Check, pods []jobcheck.Target, now *v1alpha1.CheckStatus, why string) {
	run := jobcheck.Run{Release: p.snap.Release.Name, UID: string(p.snap.Release.UID), Check: d.Name, Digest: c.Digest, Round: c.Round, Number: 1}
	if now.Job != nil {
		run.Number = now.Job.Run + 1
	}
	if run.Number > maxJobRuns {
		now.State = v1alpha1.CheckInconclusive
		now.Message = fmt.Sprintf("Job %s %s, and %d runs proved nothing, so that it is not run again; find out what replaces the Pods or deletes the Jobs: kubectl get events -n %s",
			now.Job.Name, why, maxJobRuns, p.snap.Release.Namespace)
		return
	}
	if held := p.jobHeld(c, d, pods); held != "" {
		if now.Message = held; held == p.bystander(d) {
			now.State = v1alpha1.CheckInconclusive
		}
		return
	}
	now.Job = &v1alpha1.CheckJob{Name: run.Name(), Run: run.Number}
	p.makeJob(c, d, pods, now)
	if why != "" {
		now.Message += fmt.Sprintf(", as run %d: the one before %s", run.Number, why)
	}
}

// makeJob makes the Job that is on record.
func (p *plan) makeJob(c *v1alpha1.CandidateStatus, d v1alpha1.Check, pods []jobcheck.Target, now *v1alpha1.CheckStatus) {
	if held := p.jobHeld(c, d, pods); held != "" {
		now.Message = held
		return
	}
	now.Message = fmt.Sprintf("Job %s is started", now.Job.Name)
	p.do(StartJob{Name: now.Job.Name, Check: d, Colour: c.Colour, Digest: c.Digest, Targets: jobcheck.Targets(pods), Config: c.Config})
}

// jobHeld says what a Job waits for before it is started; empty if for nothing.
func (p *plan) jobHeld(c *v1alpha1.CandidateStatus, d v1alpha1.Check, pods []jobcheck.Target) string {
	switch {
	case c.ReadyAt != nil && !p.due(c.ReadyAt.Add(time.Duration(d.InitialDelaySeconds)*time.Second)):
		return fmt.Sprintf("it is run %d seconds after the Pods became ready", d.InitialDelaySeconds)
	case len(pods) == 0:
		return "there are not all ready Pods to test"
	case !p.previewsComplete(c.Colour, p.candidateReplicas()):
		return "the endpoints of the preview Services are not complete"
	}
	return p.bystander(d)
}

// bystander says which Service would send traffic to the Pods of a Job; empty if
// none would. One that is not claimed yet selects as its owner wrote it.
func (p *plan) bystander(d v1alpha1.Check) string {
	template, err := jobcheck.Template(d.Job)
	if err != nil {
		return "job.template is no Pod template"
	}
	labels := map[string]string{v1alpha1.ReleaseLabel: p.snap.Release.Name, v1alpha1.CheckLabel: d.Name}
	maps.Copy(labels, template.Labels)
	for _, svc := range p.snap.Services {
		if svc.Exists && catchesPods(svc.Selector, labels) {
			return fmt.Sprintf("Service %s selects Pods with the labels of job.template, which would get its traffic; take them out of spec.checks.beforeSwitch[name=%s].job.template.metadata.labels", svc.Name, d.Name)
		}
	}
	return ""
}

// unfinishedJob says which check is still run as a Job; empty when none is.
func (p *plan) unfinishedJob(digest string) string {
	for _, c := range p.st.Checks {
		if c.Stage == v1alpha1.StageBeforeSwitch && c.Digest == digest && c.Job != nil && c.State == v1alpha1.CheckRunning {
			return fmt.Sprintf("check %s has no result: %s", c.Name, c.Message)
		}
	}
	return ""
}

func (p *plan) job(name string) *Job {
	for i := range p.snap.Jobs {
		if p.snap.Jobs[i].Name == name {
			return &p.snap.Jobs[i]
		}
	}
	return nil
}

// dropJobs deletes the Jobs that nobody needs: those of other content than the
// candidate and what serves, earlier runs, and those that still run for content
// that was given up.
func (p *plan) dropJobs() {
	for _, job := range p.snap.Jobs {
		if !job.Foreign && !job.Leaving && !p.keepsJob(job) {
			p.do(DropJob{Name: job.Name, UID: job.UID})
		}
	}
}

func (p *plan) keepsJob(job Job) bool {
	if p.snap.Release.DeletionTimestamp != nil {
		return false
	}
	if a := p.st.Active; a != nil && a.Digest == job.Digest {
		return job.Done
	}
	c := p.st.Candidate
	if c == nil || c.Digest == "" || c.Digest != job.Digest || c.Halted != nil && !job.Done {
		return false
	}
	return slices.ContainsFunc(p.st.Checks, func(k v1alpha1.CheckStatus) bool {
		return k.Digest == job.Digest && k.Job != nil && k.Job.Name == job.Name && (k.Job.UID == "" || k.Job.UID == job.UID)
	})
}

// Copyright The Countersign Authors.
// SPDX-License-Identifier: Apache-2.0

package sim

import (
	"slices"

	"github.com/countersign/countersign/api/v1alpha1"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
)

// jobPassed notes that a Job really passed, if what it asked was the content that
// it is about.
func (o *oracle) jobPassed(j *batchv1.Job, addresses []string) {
	digest := environment(j, v1alpha1.EnvDigest)
	for _, p := range live[*corev1.Pod](o.sim, kindPod, nil) {
		if slices.Contains(addresses, p.Status.PodIP) && imageOf(p) != o.offered[digest].image {
			return
		}
	}
	o.passedOn(digest, j.Labels[v1alpha1.CheckLabel], len(addresses))
}

// observeJob: I10. A Job that the operator has seen is not made again, unless
// somebody else took it away. Nothing fences the creation by a leader that was
// asleep and is none any more: what it makes is of no use to anybody, is removed,
// and its result is not looked at.
func (o *oracle) observeJob(r record) {
	switch {
	case r.after == nil && !isOperator(r.actor):
		delete(o.known, r.key.Name)
	case r.before == nil && isOperator(r.actor) && o.known[r.key.Name] && !o.asleep(r.actor):
		o.sim.violate("I10", "Job %s is made again", r.key.Name)
	case r.before == nil && r.after.GetLabels()[v1alpha1.ColourLabel] != "":
		o.sim.violate("I4", "Job %s has a colour", r.key.Name)
	}
}

// asleep tells whether a process leads no more and has not noticed.
func (o *oracle) asleep(actor string) bool {
	by := o.sim.operatorNamed(actor)
	return by == nil || by.deposed
}

// jobsSeen notes which Jobs are on record as seen.
func (o *oracle) jobsSeen(now *v1alpha1.ReleaseStatus) {
	for _, c := range now.Checks {
		if c.Job != nil && c.Job.UID != "" && o.sim.server.get(jobKey(c.Job.Name)) != nil {
			o.known[c.Job.Name] = true
		}
	}
}

// jobsAtRest: I13. No Job is left behind.
func (s *sim) jobsAtRest(rel *v1alpha1.Release) {
	for _, j := range live[*batchv1.Job](s, kindJob, nil) {
		digest, st := environment(j, v1alpha1.EnvDigest), rel.Status
		if len(j.Status.Conditions) == 0 {
			s.violate("I13", "Job %s does not end", j.Name)
		}
		if (st.Active == nil || st.Active.Digest != digest) && (st.Candidate == nil || st.Candidate.Digest != digest) {
			s.violate("I13", "Job %s is left behind", j.Name)
		}
	}
}

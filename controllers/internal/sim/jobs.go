// Copyright The Countersign Authors.
// SPDX-License-Identifier: Apache-2.0

package sim

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"time"

	"github.com/countersign/countersign/api/v1alpha1"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
)

const jobController = "job-controller"

// jobs are the tests that developers write, in lives where there are any. They
// draw lots of their own, so that all other lives are as they would be without.
type jobs struct {
	on    bool
	rng   *rand.Rand
	facts map[types.UID]*jobFacts
}

// jobFacts is what becomes of a Job.
type jobFacts struct {
	endsAt time.Time
	// fails: its own doing, whatever the candidate answers.
	fails bool
	// hangs: it does not end by itself.
	hangs bool
}

func newJobs(seed uint64) *jobs {
	return &jobs{on: seed%5 == 4, rng: rand.New(rand.NewPCG(seed, 0x6a6f6273)), facts: map[types.UID]*jobFacts{}}
}

// tested tells whether checks are Jobs at times in this life.
func (s *sim) tested() bool { return s.jobs.on }

func (s *sim) jobChecks() []v1alpha1.Check {
	if !s.tested() || s.jobs.rng.IntN(3) == 0 {
		return nil
	}
	return []v1alpha1.Check{{
		Name: "e2e", InitialDelaySeconds: int32(s.jobs.rng.IntN(5)), Job: &v1alpha1.JobCheck{
			Template:       runtime.RawExtension{Raw: []byte(`{"spec":{"containers":[{"name":"test","image":"test:1"}]}}`)},
			TimeoutSeconds: int32(10 + s.jobs.rng.IntN(40)),
		},
	}}
}

// jobController runs the Jobs there are, and at times somebody deletes one.
func (s *sim) jobController() {
	if !s.tested() {
		return
	}
	for _, j := range live[*batchv1.Job](s, kindJob, nil) {
		owner := s.release()
		switch facts := s.jobs.facts[j.UID]; {
		case owner == nil || len(j.OwnerReferences) != 1 || j.OwnerReferences[0].UID != owner.UID:
			s.must(s.server.remove("garbage-collector", keyOf(j), nil))
		case !s.calm && s.weather.mischief+s.weather.intrusion > 0 && s.jobs.rng.IntN(300) == 0:
			s.meddle(j)
		case facts == nil:
			s.jobs.facts[j.UID] = s.newFacts(j)
		case len(j.Status.Conditions) > 0:
		case !s.clock.Before(facts.endsAt):
			s.endJob(j, facts)
		}
	}
}

func (s *sim) newFacts(j *batchv1.Job) *jobFacts {
	facts := &jobFacts{endsAt: s.clock.Add(time.Duration(1+s.jobs.rng.IntN(30)) * time.Second)}
	limit := s.clock.Add(time.Duration(*j.Spec.ActiveDeadlineSeconds) * time.Second)
	if s.calm {
		facts.endsAt = s.clock.Add(5 * time.Second)
	} else {
		facts.fails, facts.hangs = s.jobs.rng.IntN(10) == 0, s.jobs.rng.IntN(10) == 0
	}
	if facts.hangs || limit.Before(facts.endsAt) {
		facts.endsAt, facts.hangs = limit, true
	}
	return facts
}

// meddle tries to tell a lie about a Job, or to be rid of it; the guards refuse it
// where they are, and who can reach etcd deletes it.
func (s *sim) meddle(j *batchv1.Job) {
	if s.jobs.rng.IntN(2) == 0 && s.weather.guards && len(j.Status.Conditions) == 0 {
		next := j.DeepCopy()
		next.Status.Conditions = []batchv1.JobCondition{{Type: batchv1.JobComplete, Status: corev1.ConditionTrue}}
		if _, err := s.server.updateStatus("mallory", next); err == nil {
			s.violate("I6", "mallory says that Job %s has succeeded, and no guard refuses it", j.Name)
		}
		return
	}
	s.seen.add("jobs deleted by others")
	s.must(s.server.remove(intruder, keyOf(j), nil))
}

// endJob says how a Job ended: it asks all addresses that it was given.
func (s *sim) endJob(j *batchv1.Job, facts *jobFacts) {
	end := batchv1.JobCondition{Type: batchv1.JobComplete, Status: corev1.ConditionTrue}
	addresses := strings.Split(environment(j, v1alpha1.EnvAddresses), ",")
	switch {
	case facts.hangs:
		end.Type, end.Reason = batchv1.JobFailed, "DeadlineExceeded"
	case facts.fails || slices.ContainsFunc(addresses, func(ip string) bool { return !s.answers(namespace, ip) }):
		end.Type, end.Reason = batchv1.JobFailed, "BackoffLimitExceeded"
	default:
		s.oracle.jobPassed(j, addresses)
	}
	if end.Type == batchv1.JobFailed {
		s.oracle.checkFailed(environment(j, v1alpha1.EnvDigest))
	}
	s.seen.add(fmt.Sprintf("jobs that ended as %s", end.Type))
	next := j.DeepCopy()
	next.Status.Conditions = []batchv1.JobCondition{end}
	_, err := s.server.updateStatus(jobController, next)
	s.must(err)
}

func environment(j *batchv1.Job, name string) string {
	for _, e := range j.Spec.Template.Spec.Containers[0].Env {
		if e.Name == name {
			return e.Value
		}
	}
	return ""
}

func jobKey(name string) key {
	return key{kindJob, types.NamespacedName{Namespace: namespace, Name: name}}
}

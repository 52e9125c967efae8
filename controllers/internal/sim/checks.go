// Copyright The Countersign Authors.
// SPDX-License-Identifier: Apache-2.0

package sim

import (
	"cmp"
	"reflect"
	"slices"
	"time"

	"github.com/countersign/countersign/api/v1alpha1"
	"github.com/countersign/countersign/controllers/checks"
	"k8s.io/apimachinery/pkg/types"
)

// runner is a checks.Runner on the simulation's clock.
type runner struct {
	operator *operator
	probes   []*probe
}

// probe is one declared check.
type probe struct {
	run              checks.Run
	result           checks.Result
	next             time.Time
	passes, failures int32
}

func (p *probe) is(r checks.Run) bool {
	return p.run.Stage == r.Stage && p.run.Digest == r.Digest && p.run.Round == r.Round && reflect.DeepEqual(p.run.Check, r.Check)
}

// Sync implements checks.Runner.
func (r *runner) Sync(_ types.NamespacedName, runs []checks.Run) {
	next := make([]*probe, 0, len(runs))
	for _, run := range runs {
		i := slices.IndexFunc(r.probes, func(p *probe) bool { return p.is(run) })
		if i >= 0 {
			r.probes[i].run.Targets = run.Targets
			next = append(next, r.probes[i])
			continue
		}
		now := r.operator.sim.clock
		next = append(next, &probe{run: run, next: now.Add(time.Duration(run.Check.InitialDelaySeconds) * time.Second), result: checks.Result{
			Stage: run.Stage, Name: run.Check.Name, Digest: run.Digest, Round: run.Round, State: v1alpha1.CheckRunning, Message: "not run yet", At: now,
		}})
	}
	r.probes = next
}

// Results implements checks.Runner.
func (r *runner) Results(types.NamespacedName) []checks.Result {
	out := make([]checks.Result, len(r.probes))
	for i, p := range r.probes {
		out[i] = p.result
	}
	slices.SortFunc(out, func(a, b checks.Result) int {
		return cmp.Or(cmp.Compare(a.Stage, b.Stage), cmp.Compare(a.Name, b.Name))
	})
	return out
}

// Forget implements checks.Runner.
func (r *runner) Forget(types.NamespacedName) { r.probes = nil }

// tick runs what is due.
func (r *runner) tick() {
	s := r.operator.sim
	for _, p := range r.probes {
		if s.clock.Before(p.next) {
			continue
		}
		p.next = s.clock.Add(time.Duration(max(p.run.Check.PeriodSeconds, 1)) * time.Second)
		if p.count(r.ask(p.run), s.unclear(), s.clock) {
			r.operator.queue.pending = true
			if p.result.State == v1alpha1.CheckPassed {
				s.oracle.checkPassed(p.run)
			}
			if p.result.State == v1alpha1.CheckFailed {
				s.oracle.checkFailed(p.run.Digest)
			}
		}
	}
}

func (r *runner) ask(run checks.Run) bool {
	for _, t := range run.Targets {
		if !r.operator.sim.answers(namespace, t.IP) {
			return false
		}
	}
	return len(run.Targets) > 0
}

// count a round, and tell whether the state changed. One that could not find out ends
// a row of successes, and leaves the failures as they are.
func (p *probe) count(ok, unclear bool, now time.Time) bool {
	before := p.result.State
	needed := max(p.run.Check.SuccessThreshold, 1)
	if p.run.Stage == v1alpha1.StageAfterSwitch {
		needed = 1
	}
	switch {
	case unclear:
		p.passes = 0
	case ok:
		p.passes, p.failures = p.passes+1, 0
	default:
		p.passes, p.failures = 0, p.failures+1
	}
	switch {
	case before == v1alpha1.CheckFailed:
	case unclear:
		if before != v1alpha1.CheckPassed || p.run.Stage == v1alpha1.StageAfterSwitch {
			p.result.State, p.result.Message = v1alpha1.CheckInconclusive, "whoever knows does not answer"
		}
	case !ok && p.failures >= max(p.run.Check.FailureThreshold, 1):
		p.result.State, p.result.Message = v1alpha1.CheckFailed, "a Pod did not answer as expected"
	case ok && p.passes >= needed:
		p.result.State, p.result.Message = v1alpha1.CheckPassed, "every Pod answered as expected"
	}
	if p.result.State == before {
		return false
	}
	p.result.At = now
	return true
}

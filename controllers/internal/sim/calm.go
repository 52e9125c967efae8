// Copyright The Countersign Authors.
// SPDX-License-Identifier: Apache-2.0

package sim

import (
	"slices"
	"time"

	"github.com/countersign/countersign/api/v1alpha1"
)

// settleDown ends a seed: all faults stop, the world has to come to rest, and
// what people then ask for has to happen.
func (s *sim) settleDown() {
	s.calm, s.outage, s.down = true, false, false
	s.logf("calm")
	s.oneOperator()
	s.rest("after the storm")
	s.mend()
	s.rest("after what was broken is mended")
	s.letOut()
	s.insistOnSelector()
	s.insistOnDeleting()
	s.spoilInTheCalm()
	if s.rng.IntN(3) == 0 {
		s.goesBack()
	}
	if s.recorded() && s.records.rng.IntN(2) == 0 {
		s.goesFar()
	}
	if s.rng.IntN(4) == 0 {
		s.goesAway()
	}
	s.stillQuiet()
}

// oneOperator leaves the leader; at times it is started anew.
func (s *sim) oneOperator() {
	for _, o := range slices.Clone(s.operators) {
		o.sleeps = 0
		for o.run != nil && !o.deposed {
			o.resume()
		}
	}
	anew := s.rng.IntN(3) == 0
	for _, o := range slices.Clone(s.operators) {
		if o.deposed || o.keyless || anew {
			o.kill("the storm is over")
		}
	}
	if len(s.operators) == 0 {
		s.startOperator()
	}
}

// rest lets time go by until nothing happens any more: I13, I10.
func (s *sim) rest(when string) {
	if !s.await(func() bool { return false }) {
		s.violate("I13", "the world does not come to rest %s", when)
	}
	s.atRest()
}

// await lets time go by until done, or until nothing would happen any more. It
// tells whether it got there.
func (s *sim) await(done func() bool) bool {
	began := s.steps
	for quiet := 0; quiet < 400; quiet++ {
		if s.steps-began > 5000 {
			return false
		}
		before := s.server.version
		s.calmStep()
		if done() {
			return true
		}
		if s.server.version != before {
			quiet = 0
			continue
		}
		if s.busy() {
			continue
		}
		next := s.nextEvent()
		if next.IsZero() {
			return true
		}
		if next.After(s.clock) {
			s.clock = next
		}
	}
	return true
}

func (s *sim) calmStep() {
	s.steps++
	s.clock = s.clock.Add(100 * time.Millisecond)
	s.controllers()
	for _, o := range slices.Clone(s.operators) {
		o.catchUp()
		o.runner.tick()
		o.step()
	}
	s.oracle.afterStep()
}

func (s *sim) busy() bool {
	return slices.ContainsFunc(s.operators, func(o *operator) bool { return o.queue.pending || o.run != nil })
}

// nextEvent is when something may happen by the passing of time alone; zero when
// nothing does.
func (s *sim) nextEvent() (next time.Time) {
	earliest := func(t time.Time) {
		if !t.IsZero() && (next.IsZero() || t.Before(next)) {
			next = t
		}
	}
	for _, o := range s.operators {
		earliest(o.queue.due)
		for _, p := range o.runner.probes {
			if p.result.State != v1alpha1.CheckFailed && p.run.Targets != nil {
				earliest(p.next)
			}
		}
	}
	for _, facts := range s.pods {
		if facts.readyAt.After(s.clock) {
			earliest(facts.readyAt)
		}
	}
	for _, facts := range s.jobs.facts {
		if facts.endsAt.After(s.clock) {
			earliest(facts.endsAt)
		}
	}
	for _, d := range s.deployments() {
		if d.Status.ReadyReplicas > d.Status.AvailableReplicas {
			earliest(s.clock.Add(time.Second))
		}
	}
	for _, at := range s.sickAt {
		if at.After(s.clock) {
			earliest(at)
		}
	}
	return next
}

// stillQuiet asks the operator again, now and much later: nothing is written.
func (s *sim) stillQuiet() {
	s.rest("at the end")
	for _, later := range []time.Duration{0, time.Hour, 48 * time.Hour} {
		s.clock = s.clock.Add(later)
		s.rest("when a long time has passed")
		before := s.server.version
		for _, o := range s.operators {
			o.queue.pending = true
		}
		for range 3 {
			s.calmStep()
		}
		if s.server.version != before {
			s.violate("I13", "nothing changed, and something is written")
		}
	}
}

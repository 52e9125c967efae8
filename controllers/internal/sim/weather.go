// Copyright The Countersign Authors.
// SPDX-License-Identifier: Apache-2.0

package sim

import (
	"math/rand/v2"
	"time"
)

// weather is how rough one seed is. The rates are per thousand chances.
type weather struct {
	steps int
	// guards: the admission policies are installed.
	guards bool
	// Faults of a call of the operator.
	crash, conflict, serverError, timeout int
	// pause is how often the operator stands still in the middle of a call.
	pause int
	// lag is how often a kind of its cache is not brought up to date in a step.
	lag int
	// People and events, for each step.
	edit, vote, glass, mischief, policy, intrusion, churn, jump, takeover, outage, deletion, request int
	// plots is how often a promotion is disturbed after it was decided.
	plots int
}

// newWeather is fair, or rough in one way, or in every way.
func newWeather(rng *rand.Rand) weather {
	w := weather{
		steps: 260 + rng.IntN(200), guards: rng.IntN(4) > 0,
		lag: 100, pause: 5, edit: 6 + rng.IntN(25), vote: 300, glass: 15, request: 8, mischief: 20, policy: 3, churn: 5, jump: 2, takeover: 2, deletion: 1, plots: 50,
	}
	switch rng.IntN(6) {
	case 0: // fair
		w.mischief, w.policy, w.churn, w.takeover = 0, 0, 0, 0
	case 1: // crashes
		w.crash, w.timeout, w.takeover = 40, 30, 15
	case 2: // leaders that sleep
		w.pause, w.takeover, w.lag, w.plots = 90, 25, 400, 400
	case 3: // people
		w.mischief, w.policy, w.edit, w.intrusion, w.plots, w.glass, w.request = 150, 25, 30, 15, 400, 60, 30
	case 4: // the cluster
		w.churn, w.jump, w.outage, w.intrusion, w.conflict, w.serverError = 40, 10, 4, 10, 30, 30
	case 5: // all of it
		w.crash, w.timeout, w.conflict, w.serverError = 12, 12, 12, 12
		w.pause, w.takeover, w.lag, w.plots = 40, 12, 250, 300
		w.mischief, w.policy, w.intrusion, w.churn, w.jump, w.outage, w.deletion = 70, 12, 8, 12, 5, 2, 2
	}
	return w
}

// faults of the cluster, and people's mistakes with it.
func (s *sim) faults() {
	w := &s.weather
	if s.calm {
		s.outage = false
		return
	}
	switch {
	case s.outage:
		s.outage = s.rng.IntN(12) > 0
	case s.chance(w.outage):
		s.outage = true
		s.logf("the API server stops answering")
	}
	if s.chance(w.jump) {
		s.jump()
	}
	if s.chance(w.takeover) {
		s.takeover()
	}
	if s.chance(w.churn) && !s.outage {
		s.churn()
	}
}

// jump lets a long time pass, or puts the clock back a little.
func (s *sim) jump() {
	by := []time.Duration{-20 * time.Second, time.Minute, 5 * time.Minute, 20 * time.Minute, 2 * time.Hour}[s.rng.IntN(5)]
	s.clock = s.clock.Add(by)
	s.logf("the clock jumps by %s", by)
}

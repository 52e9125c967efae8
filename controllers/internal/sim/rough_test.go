// Copyright The Countersign Authors.
// SPDX-License-Identifier: Apache-2.0

package sim

import (
	"testing"

	"github.com/countersign/countersign/controllers/rollout"
)

// TestRoughLives: nothing is violated in lives that are much rougher than those
// of TestSeeds in one way, content gets through in them, and when all is calm
// they come to rest.
func TestRoughLives(t *testing.T) {
	const seeds = 4
	for name, rough := range map[string]func(*weather){
		"D10 caches that nearly always lag, of leaders that sleep": func(w *weather) { w.lag, w.pause, w.takeover = 800, 60, 20 },
		"D11 every fourth write in conflict":                       func(w *weather) { w.conflict, w.edit, w.vote = 250, 6, 500 },
		"D12 D19 killed in every tenth call":                       func(w *weather) { w.crash, w.timeout = 100, 30 },
	} {
		t.Run(name, func(t *testing.T) {
			switched := 0
			for seed := range uint64(seeds) {
				switched += through(t, seed, rough)
			}
			t.Logf("%d switches in %d lives", switched, seeds)
			if switched == 0 {
				t.Errorf("nothing got through in %d lives", seeds)
			}
		})
	}
}

// through plays a life to its end, and counts what got through.
func through(t *testing.T, seed uint64, rough func(*weather)) int {
	t.Helper()
	s := newSim(seed)
	rough(&s.weather)
	defer s.stopAll()
	defer func() {
		if p := recover(); p != nil {
			t.Error(asDefect(s, p))
		}
	}()
	s.begin()
	for range s.weather.steps {
		s.step()
	}
	got := s.seen.notices[rollout.NoticeTrafficSwitched]
	s.settleDown()
	return got
}

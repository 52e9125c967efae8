// Copyright The Countersign Authors.
// SPDX-License-Identifier: Apache-2.0

package sim

import (
	"context"
	"errors"
	"testing"

	"github.com/countersign/countersign/controllers"
	"github.com/countersign/countersign/controllers/rollout"
)

// lateGate was intact when it was tested last, and is found not to be whenever a
// promotion is about to be carried out.
type lateGate struct{ intactGate }

func (lateGate) Try(context.Context) error { return errors.New("a guard is gone") }

// frozenGate was found not to be intact.
type frozenGate struct{ lateGate }

func (frozenGate) State() rollout.Gate { return rollout.Gate{Why: "a guard is gone"} }

// TestFrozenGate: whatever happens in a life, nothing is promoted while the gate
// is not intact.
func TestFrozenGate(t *testing.T) {
	const seeds = 12
	for name, row := range map[string]struct {
		gate controllers.Gate
		want bool
	}{
		"intact":                     {intactGate{}, true}, // or the rows show nothing
		"sec/53 found at the commit": {lateGate{}, false},
		"sec/53 found before":        {frozenGate{}, false},
		"sec/62 there is none":       {nil, false},
	} {
		t.Run(name, func(t *testing.T) {
			promoted := 0
			for seed := range uint64(seeds) {
				promoted += promotions(t, seed, row.gate)
			}
			t.Logf("%d promotions in %d lives", promoted, seeds)
			if (promoted > 0) != row.want {
				t.Errorf("%d promotions in %d lives, want some: %t", promoted, seeds, row.want)
			}
		})
	}
}

func promotions(t *testing.T, seed uint64, gate controllers.Gate) int {
	t.Helper()
	s := newSim(seed)
	s.gate = gate
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
	return s.seen.events["promotions"]
}

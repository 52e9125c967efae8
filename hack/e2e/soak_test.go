// Copyright The Countersign Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"testing"

	"github.com/countersign/countersign/hack/e2e/operator"
)

// TestSoak is a short soak: `make soak` is the long one.
func TestSoak(t *testing.T) {
	real(t)
	if err := operator.Deploy(t.Context(), cluster, t.Output()); err != nil {
		t.Fatal(err)
	}
	if err := runSoak(t.Context(), cluster, soakOptions{promotions: 4, rollbacks: 1}, t.Output()); err != nil {
		t.Fatal(err)
	}
}

// TestRollbacksAreSpread: as many fall sick as were asked for, not all at once.
func TestRollbacksAreSpread(t *testing.T) {
	for _, c := range []struct{ promotions, rollbacks, longest int }{
		{100, 20, 4}, {4, 1, 3}, {5, 5, 0}, {7, 3, 2}, {10, 0, 10}, {1, 1, 0},
	} {
		o := soakOptions{promotions: c.promotions, rollbacks: c.rollbacks}
		sick, well, longest := 0, 0, 0
		for i := 1; i <= c.promotions; i++ {
			if o.fallsSick(i) {
				sick, well = sick+1, 0
			} else {
				well++
			}
			longest = max(longest, well)
		}
		if sick != c.rollbacks || longest != c.longest {
			t.Errorf("%d of %d fall sick with up to %d well between them, want %d and %d", sick, c.promotions, longest, c.rollbacks, c.longest)
		}
	}
}

func TestSoakOptions(t *testing.T) {
	for _, o := range []soakOptions{{}, {promotions: 1, rollbacks: 2}, {promotions: 1, rollbacks: -1}, {promotions: 1001}} {
		if err := o.check(); err == nil {
			t.Errorf("%+v are let through", o)
		}
	}
	if err := (soakOptions{promotions: 100, rollbacks: 20}).check(); err != nil {
		t.Error(err)
	}
}

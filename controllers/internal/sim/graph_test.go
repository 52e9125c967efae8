// Copyright The Countersign Authors.
// SPDX-License-Identifier: Apache-2.0

package sim

import (
	"slices"
	"testing"

	"github.com/countersign/countersign/api/v1alpha1"
	"github.com/countersign/countersign/controllers/rollout"
)

// gone is where a Release ends.
const gone v1alpha1.Phase = "gone"

// checkGraph compares the steps that were seen with those that are declared.
// One that is declared and never seen is an error only in a long run: some
// need several rare things in a row.
func (c *coverage) checkGraph(t *testing.T, long bool) {
	t.Helper()
	declared := rollout.PhaseGraph()
	for e := range c.edges {
		if e.to != gone && !slices.Contains(declared[e.from], e.to) {
			t.Errorf("a Release went from phase %q to %q (%d seeds), which rollout.PhaseGraph does not have", e.from, e.to, c.edges[e])
		}
	}
	for from, tos := range declared {
		for _, to := range tos {
			if c.edges[edge{from, to}] == 0 && long {
				t.Errorf("rollout.PhaseGraph has a step from %q to %q, and no seed took it", from, to)
			}
		}
	}
}

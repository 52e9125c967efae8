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

// checkGraph holds the steps that were seen against those that are declared,
// and lists those that were declared and not seen.
func (c *coverage) checkGraph(t *testing.T) {
	t.Helper()
	declared := rollout.PhaseGraph()
	for e := range c.edges {
		if e.to != gone && !slices.Contains(declared[e.from], e.to) {
			t.Errorf("%d seeds went from phase %q to %q, which rollout.PhaseGraph does not have", c.edges[e], e.from, e.to)
		}
	}
	for from, tos := range declared {
		for _, to := range tos {
			if c.edges[edge{from, to}] == 0 {
				t.Logf("no seed went from phase %q to %q", from, to)
			}
		}
	}
}

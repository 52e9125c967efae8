// Copyright The Countersign Authors.
// SPDX-License-Identifier: Apache-2.0

package celcost

import (
	"testing"

	celconfig "k8s.io/apiserver/pkg/apis/cel"
)

// share is the part of the API server's budget that a policy may use.
const share = 5

// TestWithinBudget sends the worst that the schema and the policies admit: a
// Release all of whose slots are taken, with receipts as long as the bound on
// annotations lets them be.
func TestWithinBudget(t *testing.T) {
	for _, r := range requests() {
		for _, p := range policies(t) {
			if !p.asks(r) {
				continue
			}
			t.Run(r.what+"/"+p.object.Name, func(t *testing.T) {
				total, dearest := p.cost(t, r)
				t.Logf("%d of %d (%.1f%%), dearest expression %d of %d (%.1f%%)", total, celconfig.RuntimeCELCostBudget,
					percent(total, celconfig.RuntimeCELCostBudget), dearest, celconfig.PerCallLimit, percent(dearest, celconfig.PerCallLimit))
				if total > celconfig.RuntimeCELCostBudget/share {
					t.Errorf("it costs %d, want at most a fifth of %d", total, celconfig.RuntimeCELCostBudget)
				}
				if dearest > celconfig.PerCallLimit/share {
					t.Errorf("one expression costs %d, want at most a fifth of %d", dearest, celconfig.PerCallLimit)
				}
			})
		}
	}
}

func percent(part, whole int64) float64 { return 100 * float64(part) / float64(whole) }

// Copyright The Countersign Authors.
// SPDX-License-Identifier: Apache-2.0

package selftest

import "github.com/prometheus/client_golang/prometheus"

var (
	intact = prometheus.NewGaugeVec(prometheus.GaugeOpts{
		Name: "countersign_gate_intact",
		Help: "1 while a guard was seen to hold at its last test, 0 while it was not: then nothing is promoted. Of the replica that leads. Put the guard back: apply the install again.",
	}, []string{"guard"})
	frozen = prometheus.NewGauge(prometheus.GaugeOpts{
		Name: "countersign_gate_frozen",
		Help: "1 while the self-test lets nothing be promoted, 0 while the gate is open to votes. countersign_gate_intact says which guard does not hold. Of the replica that leads.",
	})
)

// Collectors are the metrics of the self-test.
func Collectors() []prometheus.Collector { return []prometheus.Collector{intact, frozen} }

func oneIf(b bool) float64 {
	if b {
		return 1
	}
	return 0
}

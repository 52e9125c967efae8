// Copyright The Countersign Authors.
// SPDX-License-Identifier: Apache-2.0

package selftest

import (
	"fmt"

	"github.com/prometheus/client_golang/prometheus"
	"sigs.k8s.io/controller-runtime/pkg/metrics"
)

var intact = prometheus.NewGaugeVec(prometheus.GaugeOpts{
	Name: "countersign_gate_intact",
	Help: "1 while a guard was seen to hold at its last test, 0 while it was not: then nothing is promoted. Of the replica that leads.",
}, []string{"guard"})

// Register makes the metrics known to the registry that the manager serves.
func Register() error {
	if err := metrics.Registry.Register(intact); err != nil {
		return fmt.Errorf("register the metrics of the self-test: %w", err)
	}
	return nil
}

func oneIf(b bool) float64 {
	if b {
		return 1
	}
	return 0
}

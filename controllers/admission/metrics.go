// Copyright The Countersign Authors.
// SPDX-License-Identifier: Apache-2.0

package admission

import (
	"errors"

	"github.com/prometheus/client_golang/prometheus"
	"sigs.k8s.io/controller-runtime/pkg/metrics"
)

var decisions = prometheus.NewCounterVec(prometheus.CounterOpts{
	Name: "countersign_admission_decisions_total",
	Help: "Writes to Releases that the webhook reviewed, and why it refused.",
}, []string{"operation", "allowed", "reason"})

func registerMetrics() error {
	err := metrics.Registry.Register(decisions)
	if already := (prometheus.AlreadyRegisteredError{}); errors.As(err, &already) {
		return nil
	}
	return err
}

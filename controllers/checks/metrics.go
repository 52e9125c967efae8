// Copyright The Countersign Authors.
// SPDX-License-Identifier: Apache-2.0

package checks

import (
	"errors"

	"github.com/countersign/countersign/api/v1alpha1"
	"github.com/prometheus/client_golang/prometheus"
)

var (
	rounds = prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "countersign_check_runs_total",
		Help: "Times that a check asked its Pods, by what came of it; Jobs are not among them. Where many are inconclusive, mend the check: status.checks of the Release says what it could not find out.",
	}, []string{"kind", "stage", "result"})
	lasted = prometheus.NewHistogramVec(prometheus.HistogramOpts{
		Name:    "countersign_check_duration_seconds",
		Help:    "How long a check took to ask all of its Pods. Where it takes as long as its timeoutSeconds, look at what it asks.",
		Buckets: []float64{.005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 30},
	}, []string{"kind"})
)

// Collectors are the metrics of the checks.
func Collectors() []prometheus.Collector { return []prometheus.Collector{rounds, lasted} }

// countRound counts a round that asked somebody.
func countRound(run Run, err error, seconds float64) {
	result := "passed"
	switch {
	case errors.Is(err, errNobody):
		return
	case errors.Is(err, errMoved), isUnclear(err):
		result = "inconclusive"
	case err != nil:
		result = "failed"
	}
	kind := kindOf(run.Check)
	rounds.WithLabelValues(kind, string(run.Stage), result).Inc()
	lasted.WithLabelValues(kind).Observe(seconds)
}

func kindOf(c v1alpha1.Check) string {
	switch {
	case c.HTTP != nil:
		return "http"
	case c.TCP != nil:
		return "tcp"
	case c.GRPC != nil:
		return "grpc"
	case c.Prometheus != nil:
		return "prometheus"
	}
	return "none"
}

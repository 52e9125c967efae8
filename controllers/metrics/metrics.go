// Copyright The Countersign Authors.
// SPDX-License-Identifier: Apache-2.0

// Package metrics knows all metrics of each part, for the process that serves them
// and for docs/metrics.md.
package metrics

import (
	"errors"
	"fmt"
	"runtime"
	"runtime/debug"
	"slices"

	"github.com/countersign/countersign/controllers/admission"
	"github.com/countersign/countersign/controllers/checks"
	"github.com/countersign/countersign/controllers/notify"
	"github.com/countersign/countersign/controllers/selftest"
	"github.com/countersign/countersign/controllers/telemetry"
	"github.com/prometheus/client_golang/prometheus"
)

// Operator are the metrics of what reconciles.
func Operator() []prometheus.Collector {
	return slices.Concat(telemetry.Collectors(), selftest.Collectors(), checks.Collectors(), notify.Collectors())
}

// Webhook are the metrics of admission.
func Webhook() []prometheus.Collector { return admission.Collectors() }

// Version of the program.
func Version() string {
	if info, ok := debug.ReadBuildInfo(); ok {
		return info.Main.Version
	}
	return "unknown"
}

// Build says what the process was built from.
func Build() prometheus.Collector {
	commit := "unknown"
	if info, ok := debug.ReadBuildInfo(); ok {
		for _, s := range info.Settings {
			if s.Key == "vcs.revision" {
				commit = s.Value
			}
		}
	}
	return prometheus.NewGaugeFunc(prometheus.GaugeOpts{
		Name:        "countersign_build_info",
		Help:        "1, with what the process was built from. Operator and webhook of different versions freeze the gate: bring both to one by an upgrade.",
		ConstLabels: prometheus.Labels{"version": Version(), "commit": commit, "go": runtime.Version()},
	}, func() float64 { return 1 })
}

// Register makes metrics known. A process that is both parts registers some twice.
func Register(registry prometheus.Registerer, collectors ...prometheus.Collector) error {
	for _, c := range collectors {
		err := registry.Register(c)
		if already := (prometheus.AlreadyRegisteredError{}); err != nil && !errors.As(err, &already) {
			return fmt.Errorf("register metrics: %w", err)
		}
	}
	return nil
}

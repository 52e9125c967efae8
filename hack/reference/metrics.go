// Copyright The Countersign Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"io"
	"strings"

	"github.com/countersign/countersign/controllers/metrics"
	"github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"
)

// labelLimit is more labels than a metric may have.
const labelLimit = 6

func metricsPage(w io.Writer) error {
	operator, err := families(metrics.Operator())
	if err != nil {
		return err
	}
	webhook, err := families(metrics.Webhook())
	if err != nil {
		return err
	}
	both, err := families([]prometheus.Collector{metrics.Build()})
	if err != nil {
		return err
	}
	fmt.Fprint(w, `# Metrics

Made from the metrics that are registered, by `+"`make generate`"+`. [observability.md](observability.md) says how to collect them and what alerts there are. Besides these, both processes serve those of Go, of its client of the API server and of [controller-runtime](https://book.kubebuilder.io/reference/metrics-reference).

The replica that leads knows the Releases; the others serve no series of them. The series of a Release go with it. What has neither a Release nor its namespace as a label has a fixed number of series.
`)
	for _, part := range []struct {
		title    string
		families []*dto.MetricFamily
	}{{"Of the operator", operator}, {"Of the webhook", webhook}, {"Of both", both}} {
		fmt.Fprintf(w, "\n## %s\n\n| metric | type | labels | what it says, and what to do |\n|---|---|---|---|\n", part.title)
		for _, f := range part.families {
			fmt.Fprintf(w, "| `%s` | %s | %s | %s |\n", f.GetName(), strings.ToLower(f.GetType().String()), labels(f), f.GetHelp())
		}
	}
	return nil
}

// families are the metrics in the order of their names, each with one series.
func families(collectors []prometheus.Collector) ([]*dto.MetricFamily, error) {
	registry := prometheus.NewRegistry()
	for _, c := range collectors {
		if err := registry.Register(c); err != nil {
			return nil, err
		}
		if err := populate(c); err != nil {
			return nil, err
		}
	}
	return registry.Gather()
}

// populate makes a series: a metric with labels does not say what it is before it
// has one.
func populate(c prometheus.Collector) error {
	var with func(...string) error
	switch vec := c.(type) {
	case *prometheus.CounterVec:
		with = func(values ...string) error { _, err := vec.GetMetricWithLabelValues(values...); return err }
	case *prometheus.GaugeVec:
		with = func(values ...string) error { _, err := vec.GetMetricWithLabelValues(values...); return err }
	case *prometheus.HistogramVec:
		with = func(values ...string) error { _, err := vec.GetMetricWithLabelValues(values...); return err }
	default:
		return nil
	}
	var err error
	for n := range labelLimit {
		if err = with(make([]string, n)...); err == nil {
			return nil
		}
	}
	return fmt.Errorf("a metric has more than %d labels: %w", labelLimit-1, err)
}

func labels(f *dto.MetricFamily) string {
	var names []string
	for _, pair := range f.GetMetric()[0].GetLabel() {
		names = append(names, "`"+pair.GetName()+"`")
	}
	return strings.Join(names, ", ")
}

// Copyright The Countersign Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/countersign/countersign/controllers/keys"
	"github.com/countersign/countersign/controllers/metrics"
	"github.com/countersign/countersign/controllers/rollout"
	"github.com/countersign/countersign/controllers/selftest"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil/promlint"
)

// labelsThereAre have few values, but for namespace and name, which a Release has,
// and guard, which is the name of a policy that is built in.
var labelsThereAre = []string{
	"namespace", "name", "phase", "reason", "from", "to", "outcome", "step", "trigger", "counted", "guard", "kind", "stage", "result",
	"handler", "operation", "allowed", "version", "commit", "go",
}

// The names of the metrics are as Prometheus wants them, none of the labels can have
// any value there is, and each says what it is and what to do.
func TestMetricsAreInOrder(t *testing.T) {
	all, err := families(slices.Concat(metrics.Operator(), metrics.Webhook(), []prometheus.Collector{metrics.Build()}))
	if err != nil {
		t.Fatal(err)
	}
	problems, err := promlint.NewWithMetricFamilies(all).Lint()
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range problems {
		t.Errorf("%s: %s", p.Metric, p.Text)
	}
	if len(all) < 18 {
		t.Errorf("only %d metrics", len(all))
	}
	for _, f := range all {
		if !strings.HasPrefix(f.GetName(), "countersign_") {
			t.Errorf("%s is not named after the program", f.GetName())
		}
		if !strings.Contains(f.GetHelp(), ". ") {
			t.Errorf("%s does not say what to do: %s", f.GetName(), f.GetHelp())
		}
		for _, l := range f.GetMetric()[0].GetLabel() {
			if !slices.Contains(labelsThereAre, l.GetName()) {
				t.Errorf("%s has the label %s", f.GetName(), l.GetName())
			}
		}
	}
}

// Whoever tells events beside the reconciler explains them.
func TestEventsAreExplained(t *testing.T) {
	for file, events := range map[string][]rollout.Explanation{
		"../../controllers/selftest/events.go": selftest.Events(), "../../controllers/keys/events.go": keys.Events(),
	} {
		source, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		var declared, explained []string
		for _, found := range regexp.MustCompile(`(?m)^\tevent\w+ += "(\w+)"$`).FindAllSubmatch(source, -1) {
			declared = append(declared, string(found[1]))
		}
		for _, e := range events {
			explained = append(explained, e.Reason)
		}
		if len(declared) == 0 || !slices.Equal(declared, explained) {
			t.Errorf("%s declares %q and explains %q", file, declared, explained)
		}
	}
}

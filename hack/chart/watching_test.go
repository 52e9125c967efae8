// Copyright The Countersign Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"encoding/json"
	"reflect"
	"strings"
	"testing"
)

// The alerts and the dashboard of the chart are those of config/observability, and
// name the namespace of the install.
func TestWatching(t *testing.T) {
	const values = "prometheusRule: {create: true}\ndashboard: {create: true}"
	want, got := kustomize(t, "config/observability"), mustRender(t, values)
	rule, dashboard := "PrometheusRule "+namespace+"/countersign", "ConfigMap "+namespace+"/countersign-dashboard"
	if !reflect.DeepEqual(got[rule]["spec"], want[rule]["spec"]) || want[rule] == nil {
		t.Errorf("the alerts are, by the chart,\n%s\nand by kustomize\n%s", text(t, got[rule]), text(t, want[rule]))
	}
	if !reflect.DeepEqual(got[dashboard], want[dashboard]) || want[dashboard] == nil {
		t.Errorf("the dashboard is, by the chart,\n%s\nand by kustomize\n%s", text(t, got[dashboard]), text(t, want[dashboard]))
	}
	elsewhere, _, err := render(t, "gate", values)
	if err != nil {
		t.Fatal(err)
	}
	alerts, err := json.Marshal(elsewhere["PrometheusRule gate/countersign"])
	if err != nil || strings.Contains(string(alerts), namespace) || !strings.Contains(string(alerts), "-n gate ") {
		t.Errorf("in namespace gate the alerts are %v\n%s", err, alerts)
	}
}

// Copyright The Countersign Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
)

// watching are the alerts and the dashboard of config/observability. Both have {{ in
// them for Prometheus and Grafana, so that they are files of the chart, which Helm
// does not evaluate, and no templates.
func watching(root string, files map[string][]byte) error {
	rule, err := os.ReadFile(filepath.Join(root, "config/observability/prometheusrule.yaml"))
	if err != nil {
		return err
	}
	_, spec, found := strings.Cut(string(rule), "\nspec:\n")
	if !found {
		return errors.New("config/observability/prometheusrule.yaml has no spec")
	}
	dashboard, err := os.ReadFile(filepath.Join(root, "config/observability/dashboard.json"))
	if err != nil {
		return err
	}
	files[directory+"/files/alerts.yaml"] = []byte("# Made from config/observability by hack/chart; change that, and run: make generate\n" + spec)
	files[directory+"/files/dashboard.json"] = dashboard
	return nil
}

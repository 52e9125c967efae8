// Copyright The Countersign Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"sigs.k8s.io/yaml"
)

const examples = "config/gitops/flux"

// TestExamplesAgree: the expressions that are not run are those that are.
func TestExamplesAgree(t *testing.T) {
	tried := expressions(t, readFile(t, filepath.Join(examples, "ready-while-people-decide.yaml")))
	if got := expressions(t, readFile(t, filepath.Join(examples, "helmrelease.yaml"))); !reflect.DeepEqual(got, tried) {
		t.Errorf("the HelmRelease has %v", got)
	}
	_, rest, _ := strings.Cut(readFile(t, "docs/gitops.md"), "### Ready")
	_, rest, _ = strings.Cut(rest, "```yaml\n")
	block, _, _ := strings.Cut(rest, "```")
	if got := expressions(t, block); !reflect.DeepEqual(got, tried) {
		t.Errorf("docs/gitops.md has %v", got)
	}
}

// expressions are the health checks of an example.
func expressions(t *testing.T, text string) any {
	t.Helper()
	var example struct {
		Spec struct {
			HealthCheckExprs []map[string]string `json:"healthCheckExprs"`
		} `json:"spec"`
	}
	if err := yaml.Unmarshal([]byte(text), &example); err != nil {
		t.Fatal(err)
	}
	if len(example.Spec.HealthCheckExprs) != 1 {
		t.Fatalf("%d health checks; want that of a Release", len(example.Spec.HealthCheckExprs))
	}
	return example.Spec.HealthCheckExprs[0]
}

func readFile(t *testing.T, file string) string {
	t.Helper()
	raw, err := os.ReadFile(filepath.Join(root, file))
	if err != nil {
		t.Fatal(err)
	}
	return string(raw)
}

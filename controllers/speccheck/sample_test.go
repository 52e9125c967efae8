// Copyright The Countersign Authors.
// SPDX-License-Identifier: Apache-2.0

package speccheck_test

import (
	"os"
	"testing"

	"github.com/countersign/countersign/api/v1alpha1"
	"github.com/countersign/countersign/controllers/speccheck"
	"sigs.k8s.io/yaml"
)

// The example of docs/checks.md is admitted.
func TestSample(t *testing.T) {
	raw, err := os.ReadFile("../../config/samples/checks/release.yaml")
	if err != nil {
		t.Fatal(err)
	}
	var rel v1alpha1.Release
	if err := yaml.UnmarshalStrict(raw, &rel); err != nil {
		t.Fatal(err)
	}
	if rel.Spec.Checks == nil || len(rel.Spec.Checks.BeforeSwitch) == 0 {
		t.Error("it has no checks")
	}
	for _, problem := range speccheck.Problems(rel.Spec) {
		t.Error(problem)
	}
}

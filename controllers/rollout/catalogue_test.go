// Copyright The Countersign Authors.
// SPDX-License-Identifier: Apache-2.0

package rollout_test

import (
	"strings"
	"testing"

	"github.com/countersign/countersign/controllers/rollout"
)

// Every notice is explained, once.
func TestCatalogue(t *testing.T) {
	declared, explained := constants("decision.go", "Notice"), map[string]bool{}
	for _, e := range rollout.Catalogue() {
		if explained[e.Reason] {
			t.Errorf("%s is explained twice", e.Reason)
		}
		explained[e.Reason] = true
		if !strings.HasSuffix(e.Means, ".") || e.Next == "" || strings.ContainsAny(e.Means+e.Next, "|\n") {
			t.Errorf("%s: it says %q and %q", e.Reason, e.Means, e.Next)
		}
	}
	for _, problem := range compare(declared, explained) {
		t.Error(strings.Replace(strings.Replace(problem, "no scenario gives it", "Catalogue does not explain it", 1), "is given", "is explained", 1))
	}
}

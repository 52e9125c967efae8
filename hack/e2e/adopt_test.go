// Copyright The Countersign Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"testing"

	"github.com/countersign/countersign/hack/cluster/identity"
	"github.com/countersign/countersign/hack/e2e/operator"
)

// TestAdopt takes over a Deployment that serves, under load, and gives it back.
func TestAdopt(t *testing.T) {
	real(t)
	if err := operator.Deploy(t.Context(), cluster, t.Output()); err != nil {
		t.Fatal(err)
	}
	if err := tellAdopt(t.Context(), cluster); err != nil {
		t.Fatal(err)
	}
	d, err := newDemo(t.Context(), cluster)
	if err != nil {
		t.Fatal(err)
	}
	d.Do(identity.Admin, "delete", "namespace", "shop", "--wait", "--timeout=120s") // another story has it next
	if err := d.Err(); err != nil {
		t.Fatal(err)
	}
}

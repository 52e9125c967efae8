// Copyright The Countersign Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"testing"

	"github.com/countersign/countersign/hack/e2e/operator"
)

// TestDemo is the whole story, with the operator in Pods and a client that
// counts every failed request.
func TestDemo(t *testing.T) {
	real(t)
	if err := operator.Deploy(t.Context(), cluster, t.Output()); err != nil {
		t.Fatal(err)
	}
	if err := tellDemo(t.Context(), cluster); err != nil {
		t.Fatal(err)
	}
}

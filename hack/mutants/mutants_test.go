// Copyright The Countersign Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"slices"
	"testing"
)

// Guards that are moved or renamed are not lost from the lists unseen.
func TestGuardsAreThere(t *testing.T) {
	t.Chdir("../..")
	for _, g := range slices.Concat(simGuards(), gateGuards()) {
		if _, err := g.overlay(t.TempDir()); err != nil {
			t.Errorf("%s: %v", g.name, err)
		}
	}
}

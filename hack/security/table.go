// Copyright The Countersign Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import "slices"

// row is one attack on the gate, and what stands against it.
type row struct {
	number   int
	attacker string
	attack   string
	// refused says in a few words how it fails.
	refused string
	// defence says what stands against it, and where.
	defence string
	// residual is what is left. Empty: nothing that is known.
	residual string
	// accepted is the heading of SECURITY.md under which the attack is accepted.
	// Empty: tests show that it fails.
	accepted string
}

// table is all of them, in order of their numbers.
func table() []row {
	return slices.Concat(approvalRows(), contentRows(), trafficRows(), platformRows())
}

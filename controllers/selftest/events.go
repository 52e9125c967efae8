// Copyright The Countersign Authors.
// SPDX-License-Identifier: Apache-2.0

package selftest

import "github.com/countersign/countersign/controllers/rollout"

// Reasons of the events of the gate.
const (
	eventIntact = "GateIntact"
	eventFrozen = "GateFrozen"
)

// Events explains them. They are about the Release that the gate is tried with.
func Events() []rollout.Explanation {
	return []rollout.Explanation{
		{Reason: eventIntact, Means: "Every guard refused what it has to refuse: promotions go on.", Next: "Nothing."},
		{Reason: eventFrozen, Means: "A guard was not seen to hold, so that nothing is promoted; rollbacks go on. The message says which.", Next: "Put it back by applying the install again, and find out who has changed it. docs/gate.md has more."},
	}
}

// Copyright The Countersign Authors.
// SPDX-License-Identifier: Apache-2.0

package keys

import "github.com/countersign/countersign/controllers/rollout"

// Reasons of the events of the keys.
const (
	eventRestored = "KeysRestored"
	eventRotated  = "KeyRotated"
)

// Events explains them. They are about the ConfigMap of the keys that are trusted.
func Events() []rollout.Explanation {
	return []rollout.Explanation{
		{Reason: eventRestored, Means: "The ConfigMap of the keys that receipts are trusted by was deleted, and is written again as it was.", Next: "Find out who, in the audit log of the API server."},
		{Reason: eventRotated, Means: "Receipts are signed with another key from now on; the message says why.", Next: "Nothing, unless nobody has asked for it and the former key was not old: find out then who has deleted its Secret."},
	}
}

// Copyright The Countersign Authors.
// SPDX-License-Identifier: Apache-2.0

package approval

import (
	"testing"
	"time"
)

// That nothing is lacking where nothing is demanded opens no gate, even if
// Evaluate should come to ask.
func TestNothingDemandedIsNotComplete(t *testing.T) {
	b := newBallot(nil, Subject{Digest: "d", Authors: []string{"dev"}, AuthorsKnown: true}, nil)
	b.sort()
	if b.fill(time.Time{}).complete() {
		t.Error("no policy is a quorum")
	}
	if (Verdict{}).Outcome == Approved {
		t.Error("the zero verdict approves")
	}
}

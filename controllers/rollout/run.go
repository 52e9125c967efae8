// Copyright The Countersign Authors.
// SPDX-License-Identifier: Apache-2.0

package rollout

import (
	"time"

	"github.com/countersign/countersign/api/v1alpha1"
)

// CheckTarget is a Pod that a check is aimed at.
type CheckTarget struct {
	// Pod name, for messages.
	Pod string
	// IP of the Pod.
	IP string
	// Port to ask.
	Port int32
}

// CheckRun is one check that should be running.
type CheckRun struct {
	Stage v1alpha1.CheckStage
	// Digest of the content under test. A run with another digest is another
	// run: its results start from nothing.
	Digest string
	// Round of the candidate, when it has to pass its checks once more. It, too,
	// makes another run; 0 after the switch.
	Round int32
	Check v1alpha1.Check
	// Targets all have to answer. A run without targets neither passes nor fails.
	Targets []CheckTarget
}

// CheckResult is what a run found so far.
type CheckResult struct {
	Stage  v1alpha1.CheckStage
	Name   string
	Digest string
	Round  int32
	// State is Passed once successThreshold rounds in a row succeeded, Failed
	// once failureThreshold rounds in a row failed, else Running. A failed
	// check stays failed until its digest or round changes.
	State   v1alpha1.CheckState
	Message string
	At      time.Time
}

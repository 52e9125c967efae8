// Copyright The Countersign Authors.
// SPDX-License-Identifier: Apache-2.0

// Package checks runs the checks of Releases beside the reconciler. What should
// run is declared with Sync, as often as one likes; a Runner starts, keeps and
// stops checks so that just those run, and tells through a callback when a
// result changed. Results are never older than the digest that they name.
package checks

import (
	"time"

	"github.com/countersign/countersign/api/v1alpha1"
	"k8s.io/apimachinery/pkg/types"
)

// Target is a Pod that a check is aimed at.
type Target struct {
	// Pod name, for messages.
	Pod string
	// IP of the Pod.
	IP string
	// Port to ask.
	Port int32
}

// Run is one check that should be running.
type Run struct {
	Stage v1alpha1.CheckStage
	// Digest of the content under test. A run with another digest is another
	// run: its results start from nothing.
	Digest string
	Check  v1alpha1.Check
	// Targets all have to answer. A run without targets fails.
	Targets []Target
}

// Result is what a run found so far.
type Result struct {
	Stage  v1alpha1.CheckStage
	Name   string
	Digest string
	// State is Passed once successThreshold rounds in a row succeeded, Failed
	// once failureThreshold rounds in a row failed, else Running. A failed
	// check stays failed until its digest changes.
	State   v1alpha1.CheckState
	Message string
	At      time.Time
}

// Runner keeps the declared checks running.
type Runner interface {
	// Sync makes the given runs of a Release, and no others, run.
	Sync(release types.NamespacedName, runs []Run)
	// Results are the latest of the runs that were declared.
	Results(release types.NamespacedName) []Result
	// Forget stops everything for a Release.
	Forget(release types.NamespacedName)
}

// Copyright The Countersign Authors.
// SPDX-License-Identifier: Apache-2.0

// Package checks runs the checks of Releases beside the reconciler. What should
// run is declared with Sync, as often as one likes; a Runner starts, keeps and
// stops checks so that just those run, and tells through a callback when a
// result changed. Results are never older than the digest and round that they name.
package checks

import (
	"github.com/countersign/countersign/controllers/rollout"
	"k8s.io/apimachinery/pkg/types"
)

// What a Runner is told and tells is declared where it is decided.
type (
	Target = rollout.CheckTarget
	Run    = rollout.CheckRun
	Result = rollout.CheckResult
)

// Runner keeps the declared checks running.
type Runner interface {
	// Sync makes the given runs of a Release, and no others, run.
	Sync(release types.NamespacedName, runs []Run)
	// Results are the latest of the runs that were declared.
	Results(release types.NamespacedName) []Result
	// Forget stops everything for a Release.
	Forget(release types.NamespacedName)
}

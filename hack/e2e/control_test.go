// Copyright The Countersign Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"testing"

	"github.com/countersign/countersign/api/v1alpha1"
)

// TestControl is what people can ask of a Release that runs: to give a candidate
// up, to try it again, to hold it, and to go back, also while it is held.
func TestControl(t *testing.T) {
	g := newStage(t, "e2e-control")
	g.promote("v1", 1)

	given := g.candidate("v2", 2)
	g.ask(v1alpha1.AbortAnnotation, digestOf(given))
	g.awaitHalted(v1alpha1.ReasonAborted)

	g.ask(v1alpha1.RetryAnnotation, digestOf(given))
	again := g.AwaitCandidate(given.Status.Candidate.Sequence)
	g.check()
	if digestOf(again) == digestOf(given) {
		t.Error("a candidate that is tried again has the digest that it had: earlier votes would count")
	}

	g.pause(true)
	g.vote(again, "alice", "bob")
	g.Await("the votes are counted while it is paused", func(r *v1alpha1.Release) bool {
		return r.Status.Phase == v1alpha1.PhasePaused && r.Status.Approvals == "2/2"
	})
	g.check()
	if seen := fmt.Sprint(g.switches.Seen()); seen != "[epoch 1 blue]" {
		t.Errorf("the Service was switched as %s while the Release was paused", seen)
	}
	g.pause(false)
	promoted := g.awaitEpoch(2)
	g.AwaitPhase(v1alpha1.PhaseStable)

	g.pause(true)
	g.ask(v1alpha1.RollbackAnnotation, promoted.Status.Active.Digest)
	back := g.awaitEpoch(3)
	if last := back.Status.History[0]; last.Reason != v1alpha1.SwitchRollback || last.AskedBy != "dev@example.com" {
		t.Errorf("the last switch on record is %+v, want a rollback that dev@example.com asked for", last)
	}
	if seen := fmt.Sprint(g.switches.Seen()); seen != "[epoch 1 blue epoch 2 green epoch 3 blue]" {
		t.Errorf("the Service was switched as %s", seen)
	}
	g.pause(false)
	g.awaitHalted(v1alpha1.ReasonRolledBack)
	g.wantsAnswer("the Service", "services/shop:80", "v1")
}

// ask writes a request as a developer.
func (g *stage) ask(annotation, digest string) {
	g.t.Helper()
	g.Do("dev", "annotate", "release", "shop", "-n", g.Release.Namespace, "--overwrite", annotation+"="+digest)
	g.check()
}

func (g *stage) pause(paused bool) {
	g.t.Helper()
	g.Do("dev", "patch", "release", "shop", "-n", g.Release.Namespace, "--type=merge", "-p", fmt.Sprintf(`{"spec":{"paused":%t}}`, paused))
	g.check()
}

func (g *stage) awaitHalted(reason string) {
	g.t.Helper()
	g.Await("it is halted because of "+reason, func(r *v1alpha1.Release) bool {
		c := r.Status.Candidate
		return r.Status.Phase == v1alpha1.PhaseHalted && c != nil && c.Halted != nil && c.Halted.Reason == reason
	})
	g.check()
}

// Copyright The Countersign Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"slices"
	"testing"

	"github.com/countersign/countersign/api/v1alpha1"
	"github.com/countersign/countersign/hack/e2e/story"
	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
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

// TestRestart has the Pods of what serves made anew while a client counts every
// request that fails.
func TestRestart(t *testing.T) {
	g := newStage(t, "e2e-restart")
	g.promote("v1", 1)
	before := g.podsOf("blue")
	load, err := story.StartLoad(cluster, t.TempDir(), "http://shop.e2e-restart/", 100)
	if err != nil {
		t.Fatal(err)
	}
	g.ask(v1alpha1.RestartAnnotation, g.now().Status.Active.Digest+"/1")
	rel := g.Await("all Pods are made anew", func(r *v1alpha1.Release) bool {
		return r.Status.Active.Restart != nil && r.Status.Active.Restart.FinishedAt != nil
	})
	g.check()
	sum, err := load.Stop(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	t.Log(sum)
	if sum.Failed+sum.Unexpected+sum.Sick > 0 || sum.Sent == 0 {
		t.Errorf("requests failed: %s", sum)
	}
	after := g.podsOf("blue")
	for _, name := range before {
		if slices.Contains(after, name) {
			t.Errorf("Pod %s was there before", name)
		}
	}
	if len(after) != 2 || rel.Status.Epoch != 1 || rel.Status.Active.Restart.AskedBy != "dev@example.com" {
		t.Errorf("Pods are %v, epoch %d, %+v", after, rel.Status.Epoch, rel.Status.Active.Restart)
	}
}

// podsOf are the names of the Pods of a colour that stay.
func (g *stage) podsOf(colour string) (names []string) {
	g.t.Helper()
	for _, pod := range g.staying(colour) {
		names = append(names, pod.Name)
	}
	return names
}

// staying are the Pods of a colour that are not about to end.
func (g *stage) staying(colour string) []corev1.Pod {
	g.t.Helper()
	var pods corev1.PodList
	err := g.Client.List(g.t.Context(), &pods, client.InNamespace(g.Release.Namespace), client.MatchingLabels{v1alpha1.ColourLabel: colour})
	if err != nil {
		g.t.Fatal(err)
	}
	return slices.DeleteFunc(pods.Items, func(p corev1.Pod) bool { return p.DeletionTimestamp != nil })
}

// Copyright The Countersign Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/countersign/countersign/api/v1alpha1"
	"github.com/countersign/countersign/hack/cluster/identity"
	"github.com/countersign/countersign/hack/e2e/operator"
	"github.com/countersign/countersign/hack/e2e/story"
	"k8s.io/apimachinery/pkg/types"
)

// stage is a namespace with a Release, the operator being a process that can be
// killed.
type stage struct {
	*story.Story
	t        *testing.T
	program  *operator.Program
	running  *operator.Process
	switches *story.Switchboard
}

func newStage(t *testing.T, namespace string) *stage {
	t.Helper()
	real(t)
	program, err := operator.Prepare(t.Context(), cluster, t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	root, err := operator.Root()
	if err != nil {
		t.Fatal(err)
	}
	s, err := story.Tell(t.Context(), cluster, root, types.NamespacedName{Namespace: namespace, Name: "shop"}, t.Output())
	if err != nil {
		t.Fatal(err)
	}
	g := &stage{Story: s, t: t, program: program}
	// Pods of another test's operator would act beside ours.
	s.Do(identity.Admin, "delete", "deployment", operator.Account, operator.Webhook, "-n", operator.Namespace, "--ignore-not-found", "--wait", "--cascade=foreground")
	g.start()
	// What a run before left; its Release ends with the operator's help.
	s.Do(identity.Admin, "delete", "namespace", namespace, "--ignore-not-found", "--wait", "--timeout=120s")
	s.Apply(identity.Admin, "the stage", strings.ReplaceAll(stageManifest, "NAMESPACE", namespace))
	if g.switches, err = s.WatchSwitches("shop"); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := g.running.Kill(); err != nil {
			t.Error(err)
		}
	})
	g.check()
	return g
}

func (g *stage) start() {
	g.t.Helper()
	var err error
	if g.running, err = g.program.Start(g.t.Context()); err != nil {
		g.t.Fatal(err)
	}
}

func (g *stage) kill() {
	g.t.Helper()
	if err := g.running.Kill(); err != nil {
		g.t.Fatal(err)
	}
}

func (g *stage) check() {
	g.t.Helper()
	if err := g.Err(); err != nil {
		g.t.Fatalf("%v\nthe operator's log ends with:\n%s", err, g.program.LogTail())
	}
}

// candidate applies a version of the application and waits until it can be
// voted on.
func (g *stage) candidate(version string, replicas int) *v1alpha1.Release {
	g.t.Helper()
	before := g.now().Status.Sequence
	g.Apply("dev", "version "+version, strings.NewReplacer(
		"NAMESPACE", g.Release.Namespace, "VERSION", version, "REPLICAS", fmt.Sprint(replicas)).Replace(releaseManifest))
	rel := g.AwaitCandidate(before)
	g.check()
	return rel
}

func (g *stage) now() *v1alpha1.Release {
	rel := &v1alpha1.Release{}
	if err := g.Client.Get(g.t.Context(), g.Release, rel); err != nil {
		return &v1alpha1.Release{}
	}
	return rel
}

func (g *stage) vote(rel *v1alpha1.Release, users ...string) {
	g.t.Helper()
	for _, user := range users {
		g.Do(user, "annotate", "release", "shop", "-n", g.Release.Namespace, "--overwrite", v1alpha1.VotePrefix+user+"="+digestOf(rel))
	}
	g.check()
}

func (g *stage) awaitEpoch(epoch int64) *v1alpha1.Release {
	g.t.Helper()
	rel := g.Await(fmt.Sprintf("epoch %d is settled", epoch), func(r *v1alpha1.Release) bool {
		sw := r.Status.Switch
		return sw != nil && sw.Epoch == epoch && sw.SettledAt != nil
	})
	g.check()
	return rel
}

func (g *stage) promote(version string, epoch int64) {
	g.t.Helper()
	g.vote(g.candidate(version, 2), "alice", "bob")
	g.awaitEpoch(epoch)
	g.AwaitPhase(v1alpha1.PhaseStable)
	g.check()
}

// TestKilledBetweenCommitAndPatch kills the operator when the decision is on
// record and no Service is written yet.
func TestKilledBetweenCommitAndPatch(t *testing.T) {
	g := newStage(t, "e2e-crash")
	g.promote("v1", 1)
	rel := g.candidate("v2", 2)
	g.Do(identity.Admin, "apply", "-f", hold)
	g.check()
	g.awaitHold(true)
	g.vote(rel, "alice", "bob")
	g.Await("the decision is on record", func(r *v1alpha1.Release) bool {
		sw := r.Status.Switch
		return sw != nil && sw.Epoch == 2 && sw.PatchedAt == nil
	})
	g.kill()
	g.Do(identity.Admin, "delete", "-f", hold)
	g.awaitHold(false)
	if got := g.switches.Seen(); len(got) != 1 || got[0] != "epoch 1 blue" {
		t.Errorf("before the restart the Service was switched as %v, want only the first time", got)
	}
	g.start()
	after := g.awaitEpoch(2)
	g.AwaitPhase(v1alpha1.PhaseStable)
	g.check()
	if after.Status.Epoch != 2 || len(after.Status.History) != 2 {
		t.Errorf("epoch is %d with %d switches on record, want 2 and 2", after.Status.Epoch, len(after.Status.History))
	}
	if got := fmt.Sprint(g.switches.Seen()); got != "[epoch 1 blue epoch 2 green]" {
		t.Errorf("the Service was switched as %s, want exactly one switch for each promotion", got)
	}
}

// awaitHold waits until the operator is held back, or no longer is.
func (g *stage) awaitHold(held bool) {
	g.t.Helper()
	if err := awaitHold(g.t.Context(), cluster, g.Release.Namespace, held); err != nil {
		g.t.Fatal(err)
	}
}

// TestKilledAnywhere kills the operator at some moment after the deciding vote,
// again and again, while a client counts every request that fails.
func TestKilledAnywhere(t *testing.T) {
	g := newStage(t, "e2e-kill")
	g.promote("v1", 1)
	load, err := story.StartLoad(cluster, t.TempDir(), "http://shop.e2e-kill/", 100)
	if err != nil {
		t.Fatal(err)
	}
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	random := rand.New(rand.NewPCG(seed, 0))
	want := []string{"epoch 1 blue"}
	for i := range 4 {
		epoch, colour := int64(i+2), []string{"green", "blue"}[i%2]
		g.vote(g.candidate([]string{"v2", "v3", "v4", "v5"}[i], 2), "alice", "bob")
		time.Sleep(time.Duration(random.IntN(80)) * time.Millisecond) // the moment is what is tried out
		g.kill()
		g.start()
		rel := g.awaitEpoch(epoch)
		if rel.Status.Epoch != epoch {
			t.Errorf("epoch is %d, want %d", rel.Status.Epoch, epoch)
		}
		want = append(want, fmt.Sprintf("epoch %d %s", epoch, colour))
		g.AwaitPhase(v1alpha1.PhaseStable)
		g.check()
	}
	sum, err := load.Stop(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	t.Log(sum)
	if sum.Failed+sum.Unexpected+sum.Sick > 0 || sum.Sent == 0 {
		t.Errorf("requests failed: %s", sum)
	}
	if got := g.switches.Seen(); fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("the Service was switched as %v, want %v", got, want)
	}
}

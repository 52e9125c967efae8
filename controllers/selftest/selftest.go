// Copyright The Countersign Authors.
// SPDX-License-Identifier: Apache-2.0

// Package selftest finds out whether the gate still holds. It asks, as dry-run,
// for what the admission policies have to refuse; it compares these with what
// this version ships; and it has the webhook sign something. When any of it is
// not as it has to be, the gate is frozen: nothing is promoted. What serves goes
// on serving, and rollbacks go on, because they need nothing of the gate.
//
// The requests are made by an account of their own, in a namespace of their own:
// the operator's are let through by the very policies that are tried.
package selftest

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"sync"
	"time"

	"github.com/countersign/countersign/controllers/receipt"
	"github.com/countersign/countersign/controllers/rollout"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/client-go/tools/events"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/log"
)

const (
	// Period between two tests while the gate is intact: a guard that is lost is
	// noticed within half a minute, however long a test takes.
	Period = 25 * time.Second
	// again is the pause while it is frozen.
	again = 2 * time.Second
	// settle is how long a change of the configuration is waited for to end.
	settle = 100 * time.Millisecond
	// limit of one test, so that what waits for one is not kept for long.
	limit = 3 * time.Second
	// firstTest is how long State waits for the first test, so that a fresh
	// process does not tell everybody that there was none yet.
	firstTest = time.Second
)

// The guards that are no policies.
const (
	guardConfiguration = "configuration"
	guardWebhook       = "webhook"
	guardKeys          = "keys"
	votesPolicy        = "release-votes.countersign.dev"
)

// Tester tests the gate. It is a Runnable for the manager. The zero gate is
// frozen: one that was never tested lets nothing through.
type Tester struct {
	// Operator asks as the operator, without a cache; Probe asks as the probe,
	// and all it asks is dry-run.
	Operator, Probe client.Client
	// Configuration reads policies, bindings and the webhook's configuration. It
	// may be a cache.
	Configuration client.Reader
	// Manifests is what these have to be.
	Manifests *Manifests
	// Verifier knows the keys of receipts.
	Verifier *receipt.Verifier
	// Keys looks whether they are still the operator's.
	Keys func(context.Context) error
	// Cluster is the id of the cluster, SystemNamespace the operator's.
	Cluster, SystemNamespace, OperatorUser string
	// Changed is called when the gate freezes or thaws. May be nil.
	Changed func()
	// Recorder tells events. May be nil.
	Recorder events.EventRecorder

	once   sync.Once
	first  chan struct{} // closed by the first test
	grace  chan struct{} // closed when State waits no longer for it
	kicked chan struct{}
	trying chan struct{} // holds something while Try tests

	mu    sync.Mutex
	gate  rollout.Gate
	began uint64 // number of the test that was begun last
	tried uint64 // number of the test that Try has finished last
	froze uint64 // number of the test that has frozen the gate last
}

func (t *Tester) init() {
	t.once.Do(func() {
		t.first, t.grace = make(chan struct{}), make(chan struct{})
		t.kicked, t.trying = make(chan struct{}, 1), make(chan struct{}, 1)
		t.gate = rollout.Gate{Untested: true, Why: "the gate has not been tested yet"}
		time.AfterFunc(firstTest, func() { close(t.grace) })
	})
}

// State is what the last test found.
func (t *Tester) State() rollout.Gate {
	t.init()
	select {
	case <-t.first:
	case <-t.grace:
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.gate
}

// Try tests what stands between a vote and its counting, now: a promotion is
// about to be carried out. Those that ask while it tests share the next test.
// A gate that is frozen is not tried again: Start does that.
func (t *Tester) Try(ctx context.Context) error {
	t.init()
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	t.mu.Lock()
	gate, wanted := t.gate, t.began+1
	t.mu.Unlock()
	if gate.Intact {
		select {
		case <-ctx.Done():
			return fmt.Errorf("wait for the self-test: %w", ctx.Err())
		case t.trying <- struct{}{}:
		}
		if !t.hasTried(wanted) {
			t.test(ctx, false)
		}
		<-t.trying
		gate = t.State()
	}
	if !gate.Intact {
		return errors.New(gate.Why)
	}
	return nil
}

// hasTried tells whether Try has finished a test that began not before this one.
func (t *Tester) hasTried(wanted uint64) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.tried >= wanted
}

// NeedLeaderElection is true: only the leader promotes.
func (t *Tester) NeedLeaderElection() bool { return true }

// Kick has the gate tested soon, because its configuration changed.
func (t *Tester) Kick() {
	t.init()
	select {
	case t.kicked <- struct{}{}:
	default:
	}
}

// Start tests until ctx is done.
func (t *Tester) Start(ctx context.Context) error {
	t.init()
	for {
		t.test(ctx, true)
		pause := Period
		if !t.State().Intact {
			pause = again
		}
		timer := time.NewTimer(pause)
		select {
		case <-ctx.Done():
			timer.Stop()
			return nil
		case <-t.kicked:
			timer.Reset(settle)
			<-timer.C
		case <-timer.C:
		}
	}
}

// finding is what was found out about one guard.
type finding struct {
	guard string
	err   error
}

// attempt finds something out.
type attempt struct {
	guard string
	try   func() error
}

// attempts are all there are, or those that tell about a vote.
func (t *Tester) attempts(ctx context.Context, whole bool) []attempt {
	list := []attempt{
		{guardConfiguration, func() error { return t.Manifests.compare(ctx, t.Configuration) }},
		{guardKeys, func() error { return t.Keys(ctx) }},
		{guardWebhook, func() error { return t.roundTrip(ctx) }},
	}
	for _, p := range probes() {
		if whole || p.policy == votesPolicy {
			list = append(list, attempt{p.policy, func() error { return p.run(ctx, t.Probe) }})
		}
	}
	return list
}

// test makes the attempts, and records what it found: the whole of them one
// after the other, so as not to be in anybody's way, and a part of them at once,
// because a promotion waits for it.
func (t *Tester) test(ctx context.Context, whole bool) {
	t.mu.Lock()
	t.began++
	number := t.began
	t.mu.Unlock()
	bounded, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	list := t.attempts(bounded, whole)
	findings := make([]finding, len(list))
	var wait sync.WaitGroup
	if whole {
		t.prepare(bounded)
	}
	for i, a := range list {
		if whole {
			findings[i] = finding{a.guard, a.try()}
		} else {
			wait.Go(func() { findings[i] = finding{a.guard, a.try()} })
		}
	}
	wait.Wait()
	if ctx.Err() == nil {
		t.record(ctx, findings, number, whole)
	}
	t.finish(number, whole)
}

// record takes the findings over. The first that is bad stands for all: the
// order is that in which one explains the next. A part cannot thaw what the
// whole has frozen, and neither can a test that began before the one that froze.
func (t *Tester) record(ctx context.Context, findings []finding, number uint64, whole bool) {
	gate := rollout.Gate{Intact: true}
	for _, f := range findings {
		intact.WithLabelValues(f.guard).Set(oneIf(f.err == nil))
		if f.err != nil && gate.Intact {
			gate = rollout.Gate{Why: f.guard + ": " + f.err.Error()}
		}
	}
	t.mu.Lock()
	before := t.gate
	switch {
	case !gate.Intact:
		t.gate, t.froze = gate, max(t.froze, number)
	case whole && number > t.froze:
		t.gate = gate
	}
	now := t.gate
	t.mu.Unlock()
	frozen.Set(oneIf(!now.Intact))
	if now == before {
		return
	}
	t.tell(ctx, now)
	if t.Changed != nil {
		t.Changed()
	}
}

func (t *Tester) finish(number uint64, whole bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if !whole {
		t.tried = max(t.tried, number)
	}
	select {
	case <-t.first:
	default:
		close(t.first)
	}
}

func (t *Tester) tell(ctx context.Context, gate rollout.Gate) {
	logger := log.FromContext(ctx).WithName("gate")
	kind, reason, note := corev1.EventTypeNormal, eventIntact, "every guard refused what it has to refuse"
	if !gate.Intact {
		kind, reason, note = corev1.EventTypeWarning, eventFrozen, "nothing is promoted: "+gate.Why
	}
	logger.Info(note, "reason", reason)
	if t.Recorder != nil {
		t.Recorder.Eventf(Fixture(), nil, kind, reason, "Test", "%s", note[:min(len(note), 1024)])
	}
}

// Check is a health check: it fails before the first test. A frozen gate is not
// a process that is not ready: it still rolls back.
func (t *Tester) Check(*http.Request) error {
	t.init()
	select {
	case <-t.first:
		return nil
	default:
		return errors.New("the gate has not been tested yet")
	}
}

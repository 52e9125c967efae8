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
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
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
	// Period between two tests while the gate is intact.
	Period = 30 * time.Second
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

	once    sync.Once
	first   chan struct{} // closed by the first test
	grace   chan struct{} // closed when State waits no longer for it
	kicked  chan struct{}
	running chan struct{} // holds something while a test runs

	mu    sync.Mutex
	gate  rollout.Gate
	done  uint64 // tests that were finished
	began uint64 // tests that were begun
}

func (t *Tester) init() {
	t.once.Do(func() {
		t.first, t.grace = make(chan struct{}), make(chan struct{})
		t.kicked, t.running = make(chan struct{}, 1), make(chan struct{}, 1)
		t.gate.Why = "the gate has not been tested yet"
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
// about to be carried out. Those that ask while a test runs share the next one.
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
		case t.running <- struct{}{}:
		}
		if !t.finished(wanted) {
			t.test(ctx, func(p probe) bool { return p.policy == "release-votes.countersign.dev" })
		}
		<-t.running
		gate = t.State()
	}
	if !gate.Intact {
		return errors.New(gate.Why)
	}
	return nil
}

// finished tells whether a test with this number, or a later one, was finished.
func (t *Tester) finished(wanted uint64) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.done >= wanted
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
		t.running <- struct{}{}
		t.test(ctx, func(probe) bool { return true })
		<-t.running
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

// test runs all at once, and records what it found.
func (t *Tester) test(ctx context.Context, chosen func(probe) bool) {
	t.mu.Lock()
	t.began++
	t.mu.Unlock()
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	var findings []finding
	whole := chosen(probe{})
	if whole {
		if err := t.prepare(ctx); err != nil {
			log.FromContext(ctx).Error(err, "Could not prepare the self-test")
		}
	}
	found := make(chan finding)
	start := func(guard string, try func() error) {
		findings = append(findings, finding{})
		go func() { found <- finding{guard, try()} }()
	}
	start(guardConfiguration, func() error { return t.Manifests.compare(ctx, t.Configuration) })
	start(guardKeys, func() error { return t.Keys(ctx) })
	start(guardWebhook, func() error { return t.roundTrip(ctx) })
	for _, p := range probes() {
		if chosen(p) {
			start(p.policy, func() error { return p.run(ctx, t.Probe) })
		}
	}
	for i := range findings {
		findings[i] = <-found
	}
	slices.SortFunc(findings, func(a, b finding) int { return cmp.Or(order(a.guard)-order(b.guard), cmp.Compare(a.guard, b.guard)) })
	t.record(ctx, findings, whole)
}

// order puts first what explains the others.
func order(guard string) int {
	if i := slices.Index([]string{guardConfiguration, guardKeys, guardWebhook}, guard); i >= 0 {
		return i
	}
	return 3
}

// record takes the findings over. A test of a part cannot thaw what the whole
// has frozen.
func (t *Tester) record(ctx context.Context, findings []finding, whole bool) {
	if ctx.Err() != nil && errors.Is(context.Cause(ctx), context.Canceled) {
		t.finish()
		return // the process ends, or the caller gave up: nothing was found
	}
	gate := rollout.Gate{Intact: true}
	for _, f := range findings {
		intact.WithLabelValues(f.guard).Set(number(f.err == nil))
		if f.err != nil && gate.Intact {
			gate = rollout.Gate{Why: fmt.Sprintf("%s: %v", f.guard, f.err)}
		}
	}
	t.mu.Lock()
	before := t.gate
	if whole || !gate.Intact {
		t.gate = gate
	}
	now := t.gate
	t.mu.Unlock()
	t.finish()
	if now == before {
		return
	}
	t.tell(ctx, now)
	if t.Changed != nil {
		t.Changed()
	}
}

func (t *Tester) finish() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.done = t.began
	select {
	case <-t.first:
	default:
		close(t.first)
	}
}

func (t *Tester) tell(ctx context.Context, gate rollout.Gate) {
	logger := log.FromContext(ctx).WithName("gate")
	kind, reason, note := corev1.EventTypeNormal, "GateIntact", "every guard refused what it has to refuse"
	if !gate.Intact {
		kind, reason, note = corev1.EventTypeWarning, "GateFrozen", "nothing is promoted: "+gate.Why
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

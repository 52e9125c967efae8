// Copyright The Countersign Authors.
// SPDX-License-Identifier: Apache-2.0

package checks

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"sync"
	"time"

	"github.com/countersign/countersign/api/v1alpha1"
	"k8s.io/apimachinery/pkg/types"
)

// Prober is the Runner that really asks. One goroutine runs for each declared
// check; it ends when the check is no longer declared or the Prober stops.
type Prober struct {
	changed func(types.NamespacedName)
	ask     func(context.Context, Target, v1alpha1.HTTPCheck, time.Duration) error
	every   func(int32) time.Duration

	loops    sync.WaitGroup
	mu       sync.Mutex
	ctx      context.Context
	releases map[types.NamespacedName]map[runKey]*runState
}

type runKey struct {
	stage        v1alpha1.CheckStage
	name, digest string
}

type runState struct {
	run       Run
	result    Result
	passes    int32
	failures  int32
	stop      context.CancelFunc
	targetsCh chan struct{}
}

// NewProber returns a Prober that calls changed when a result of a Release
// changed. It runs checks once it is started.
func NewProber(changed func(types.NamespacedName)) *Prober {
	return &Prober{
		changed: changed, ask: askHTTP,
		every:    func(s int32) time.Duration { return time.Duration(max(s, 1)) * time.Second },
		releases: map[types.NamespacedName]map[runKey]*runState{},
	}
}

// Start lets checks run until ctx ends. It implements manager.Runnable.
func (p *Prober) Start(ctx context.Context) error {
	p.mu.Lock()
	p.ctx = ctx
	for release, runs := range p.releases {
		for _, st := range runs {
			p.launch(release, st)
		}
	}
	p.mu.Unlock()
	<-ctx.Done()
	p.mu.Lock() // no loop is launched after this
	p.mu.Unlock()
	p.loops.Wait()
	return nil
}

// Sync implements Runner.
func (p *Prober) Sync(release types.NamespacedName, runs []Run) {
	p.mu.Lock()
	defer p.mu.Unlock()
	have := p.releases[release]
	want := map[runKey]*runState{}
	for _, run := range runs {
		key := runKey{run.Stage, run.Check.Name, run.Digest}
		st := have[key]
		if st != nil && reflect.DeepEqual(st.run.Check, run.Check) {
			delete(have, key)
			p.retarget(st, run)
		} else {
			st = p.declare(release, run)
		}
		want[key] = st
	}
	for _, st := range have {
		if st.stop != nil {
			st.stop()
		}
	}
	if len(want) == 0 {
		delete(p.releases, release)
		return
	}
	p.releases[release] = want
}

// retarget aims a running check at other Pods. One that had nothing to aim at
// is run at once.
func (p *Prober) retarget(st *runState, run Run) {
	had := len(st.run.Targets)
	st.run.Targets = run.Targets
	if had == 0 && len(run.Targets) > 0 {
		select {
		case st.targetsCh <- struct{}{}:
		default:
		}
	}
}

func (p *Prober) declare(release types.NamespacedName, run Run) *runState {
	st := &runState{
		run: run, targetsCh: make(chan struct{}, 1),
		result: Result{Stage: run.Stage, Name: run.Check.Name, Digest: run.Digest, State: v1alpha1.CheckRunning, Message: "not run yet", At: time.Now()},
	}
	if p.ctx != nil && p.ctx.Err() == nil {
		p.launch(release, st)
	}
	return st
}

func (p *Prober) launch(release types.NamespacedName, st *runState) {
	ctx, stop := context.WithCancel(p.ctx)
	st.stop = stop
	p.loops.Go(func() { p.loop(ctx, release, st) })
}

// Results implements Runner.
func (p *Prober) Results(release types.NamespacedName) []Result {
	p.mu.Lock()
	defer p.mu.Unlock()
	var out []Result
	for st := range maps.Values(p.releases[release]) {
		out = append(out, st.result)
	}
	slices.SortFunc(out, func(a, b Result) int {
		return slices.Compare([]string{string(a.Stage), a.Name, a.Digest}, []string{string(b.Stage), b.Name, b.Digest})
	})
	return out
}

// Forget implements Runner.
func (p *Prober) Forget(release types.NamespacedName) { p.Sync(release, nil) }

func (p *Prober) loop(ctx context.Context, release types.NamespacedName, st *runState) {
	ticker := time.NewTicker(p.every(st.run.Check.PeriodSeconds))
	defer ticker.Stop()
	for {
		p.round(ctx, release, st)
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		case <-st.targetsCh:
		}
	}
}

// round asks every target at once and counts the outcome.
func (p *Prober) round(ctx context.Context, release types.NamespacedName, st *runState) {
	p.mu.Lock()
	run := st.run
	p.mu.Unlock()
	err := p.askAll(ctx, run)
	if ctx.Err() != nil {
		return
	}
	p.mu.Lock()
	changed := st.count(err, time.Now())
	p.mu.Unlock()
	if changed {
		p.changed(release)
	}
}

// errNobody is neither success nor failure: that Pods are not ready is watched
// elsewhere.
var errNobody = errors.New("there is no ready Pod to ask")

func (p *Prober) askAll(ctx context.Context, run Run) error {
	if len(run.Targets) == 0 {
		return errNobody
	}
	timeout := time.Duration(max(run.Check.TimeoutSeconds, 1)) * time.Second
	errs := make([]error, len(run.Targets))
	var wg sync.WaitGroup
	for i, target := range run.Targets {
		wg.Go(func() { errs[i] = p.ask(ctx, target, run.Check.HTTP, timeout) })
	}
	wg.Wait()
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}

// count one round and tell whether the state changed. A failed check stays
// failed. One that passed before the switch stays passed; one after the switch
// is passed only as long as it passes.
func (st *runState) count(err error, now time.Time) bool {
	switch {
	case err == nil:
		st.passes, st.failures = st.passes+1, 0
	case errors.Is(err, errNobody):
		st.passes, st.failures = 0, 0
	default:
		st.passes, st.failures = 0, st.failures+1
	}
	next, message := st.result.State, st.result.Message
	needed := max(st.run.Check.SuccessThreshold, 1)
	if st.run.Stage == v1alpha1.StageAfterSwitch {
		needed = 1
	}
	switch {
	case st.result.State == v1alpha1.CheckFailed:
	case st.failures >= max(st.run.Check.FailureThreshold, 1):
		next, message = v1alpha1.CheckFailed, fmt.Sprintf("%d times in a row: %v", st.failures, err)
	case err == nil && st.passes >= needed:
		next, message = v1alpha1.CheckPassed, "every Pod answered as expected"
	case err != nil && st.run.Stage == v1alpha1.StageAfterSwitch:
		next, message = v1alpha1.CheckRunning, "it passed and does not now: "+err.Error()
	}
	if next == st.result.State {
		return false
	}
	st.result.State, st.result.Message, st.result.At = next, message, now
	return true
}

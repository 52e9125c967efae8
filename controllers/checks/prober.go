// Copyright The Countersign Authors.
// SPDX-License-Identifier: Apache-2.0

package checks

import (
	"context"
	"maps"
	"reflect"
	"slices"
	"sync"
	"time"

	"github.com/countersign/countersign/api/v1alpha1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// Prober is the Runner that really asks. One goroutine runs for each declared
// check; it ends when the check is no longer declared or the Prober stops.
type Prober struct {
	changed func(types.NamespacedName)
	// question of a run, to be put to each of its Pods.
	question func(context.Context, types.NamespacedName, Run) (question, error)

	loops    sync.WaitGroup
	mu       sync.Mutex
	ctx      context.Context
	releases map[types.NamespacedName]map[runKey]*runState
}

type runKey struct {
	stage        v1alpha1.CheckStage
	name, digest string
	round        int32
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
// changed. It runs checks once it is started, and reads what they refer to
// with live.
func NewProber(live client.Reader, changed func(types.NamespacedName)) *Prober {
	return &Prober{
		changed: changed, question: newAsker(live).question,
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
		key := runKey{run.Stage, run.Check.Name, run.Digest, run.Round}
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
		result: Result{Stage: run.Stage, Name: run.Check.Name, Digest: run.Digest, Round: run.Round, State: v1alpha1.CheckRunning, Message: "not run yet", At: time.Now()},
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
	c := st.run.Check
	if !pause(ctx, seconds(c.InitialDelaySeconds)) {
		return
	}
	select {
	case <-st.targetsCh: // the first round asks them
	default:
	}
	ticker := time.NewTicker(seconds(max(c.PeriodSeconds, 1)))
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

func seconds(n int32) time.Duration { return time.Duration(n) * time.Second }

// pause tells whether the time passed before ctx ended.
func pause(ctx context.Context, d time.Duration) bool {
	if d <= 0 {
		return ctx.Err() == nil
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-timer.C:
		return true
	}
}

// round asks every target and counts the outcome.
func (p *Prober) round(ctx context.Context, release types.NamespacedName, st *runState) {
	p.mu.Lock()
	run := st.run
	p.mu.Unlock()
	began := time.Now()
	errs := p.askAll(ctx, release, run)
	if ctx.Err() != nil {
		return
	}
	p.mu.Lock()
	err := errNobody
	if len(run.Targets) > 0 {
		err = outcome(asked(run), errs, st.run.Targets)
	}
	changed := st.count(err, time.Now())
	p.mu.Unlock()
	countRound(run, err, time.Since(began).Seconds())
	if changed {
		p.changed(release)
	}
}

// askedAtOnce is how many Pods one check asks at the same time.
const askedAtOnce = 64

// askAll puts the question to all that are asked, and returns an answer of each.
func (p *Prober) askAll(ctx context.Context, release types.NamespacedName, run Run) []error {
	targets := asked(run)
	errs := make([]error, len(targets))
	if len(errs) == 0 {
		return nil
	}
	ask, err := p.question(ctx, release, run)
	if err != nil {
		for i := range errs {
			errs[i] = err
		}
		return errs
	}
	ask = limited(ask, run)
	next := make(chan int)
	var wg sync.WaitGroup
	for range min(askedAtOnce, len(errs)) {
		wg.Go(func() {
			for i := range next {
				errs[i] = ask(ctx, targets[i])
			}
		})
	}
	for i := range errs {
		next <- i
	}
	close(next)
	wg.Wait()
	return errs
}

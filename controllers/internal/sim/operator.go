// Copyright The Countersign Authors.
// SPDX-License-Identifier: Apache-2.0

package sim

import (
	"context"
	"fmt"
	"iter"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/countersign/countersign/api/v1alpha1"
	"github.com/countersign/countersign/controllers"
	"github.com/countersign/countersign/controllers/observe"
	"github.com/countersign/countersign/controllers/receipt"
	"github.com/countersign/countersign/controllers/rollout"
	"github.com/countersign/countersign/controllers/snapshot"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"
)

const operatorPrefix = "operator-"

func isOperator(actor string) bool { return strings.HasPrefix(actor, operatorPrefix) }

// operator is one process: the real reconciler with a cache, a work queue and
// checks of its own. Its reconciliation is a coroutine that stands still where
// the interceptor says so, for as long as the simulation likes.
type operator struct {
	sim    *sim
	name   string
	cache  *lagging
	runner *runner
	// keyless: it knows no key of receipts.
	keyless bool
	// dead: the process has ended.
	dead bool
	// deposed: another instance leads, and this one has not noticed.
	deposed    bool
	reconciler *controllers.Reconciler
	queue      queue
	run        *run
	// sleeps is for how many steps the run stands still.
	sleeps int
	// decidedBy are the policies as they were read from the cache in this run.
	decidedBy []*v1alpha1.ApprovalPolicy
	// policies as they were last read live in this run, if readPolicies.
	policies     []*v1alpha1.ApprovalPolicy
	readPolicies bool
	// readAt is when that was.
	readAt time.Time
	// looked is the version at which a ConfigMap or Secret was last read live in
	// this run.
	looked map[key]int64
}

// run is a reconciliation in progress.
type run struct {
	next  func() (struct{}, bool)
	stop  func()
	yield func(struct{}) bool
	// knew is up to which version the cache knew of each kind when it began.
	knew [kindCount]int64
	// votes as they stood when it began.
	votes    map[string]ballot
	finished bool
	result   reconcile.Result
	err      error
	where    string
}

// queue is the work queue of one Release.
type queue struct {
	pending  bool
	due      time.Time
	failures int
}

func (q *queue) wakeAt(t time.Time) {
	if q.due.IsZero() || t.Before(q.due) {
		q.due = t
	}
}

// take tells whether there is work, and takes it.
func (q *queue) take(now time.Time) bool {
	if !q.due.IsZero() && !now.Before(q.due) {
		q.pending, q.due = true, time.Time{}
	}
	taken := q.pending
	q.pending = false
	return taken
}

// startOperator starts a process, whose informers list what there is.
func (s *sim) startOperator() *operator {
	s.started++
	o := &operator{sim: s, name: fmt.Sprintf("%s%d", operatorPrefix, s.started), cache: newLagging(s.server)}
	o.keyless = !s.calm && s.weather.policy > 0 && s.chance(40)
	o.cache.changed = o.notified
	o.runner = &runner{operator: o}
	o.queue.pending = true
	verifier, hasher := receipt.NewVerifier(s.signer.Public()), snapshot.NewHasher([]byte(clusterID+strings.Repeat("k", snapshot.KeySize)))
	if o.keyless {
		verifier, hasher = receipt.NewVerifier(), snapshot.Hasher{}
	}
	o.reconciler = &controllers.Reconciler{
		Client: &modelClient{actor: o.name, server: s.server, cache: o.cache, faults: o},
		Live:   &modelClient{actor: o.name, server: s.server, faults: o},
		Checks: o.runner, Gate: s.gate, Verifier: verifier, Hasher: hasher, Memory: &observe.Memory{}, Cluster: clusterID, Now: s.now, Teller: o,
	}
	s.operators = append(s.operators, o)
	s.logf("%s starts%s", o.name, map[bool]string{true: " without a key"}[o.keyless])
	return o
}

// takeover gives the lease to a new process; the former leader goes on until it
// notices.
func (s *sim) takeover() {
	for _, o := range slices.Clone(s.operators) {
		if o.deposed || o.run == nil && s.rng.IntN(3) > 0 {
			o.kill("lost its lease")
			continue
		}
		o.deposed = true
	}
	s.startOperator()
	s.seen.add("takeovers")
}

func (o *operator) kill(why string) {
	o.sim.logf("%s ends: %s", o.name, why)
	o.dead = true
	if o.run != nil {
		o.run.stop()
		o.run = nil
	}
	o.sim.operators = slices.DeleteFunc(o.sim.operators, func(x *operator) bool { return x == o })
}

func (s *sim) stopAll() {
	for _, o := range s.operators {
		if o.run != nil {
			o.run.stop()
		}
	}
}

// step lets the operator do something.
func (o *operator) step() {
	if o.sleeps > 0 {
		o.sleeps--
		return
	}
	if o.deposed && o.sim.chance(60) {
		o.kill("notices that it lost its lease")
		return
	}
	for range 6 {
		if o.dead || o.run == nil && !o.begin() {
			return
		}
		o.resume()
		if o.run != nil {
			return
		}
	}
}

// begin starts a reconciliation if there is reason to.
func (o *operator) begin() bool {
	if !o.queue.take(o.sim.clock) {
		return false
	}
	o.policies, o.readPolicies, o.looked = nil, false, map[key]int64{}
	r := &run{knew: o.cache.versions(), votes: maps.Clone(o.sim.oracle.votes)}
	r.next, r.stop = iter.Pull(func(yield func(struct{}) bool) {
		defer func() {
			if p := recover(); p != nil {
				c, is := p.(crash)
				if !is {
					panic(p)
				}
				r.where = c.where
			}
		}()
		r.yield = yield
		request := reconcile.Request{NamespacedName: o.sim.releaseKey().NamespacedName}
		r.result, r.err = o.reconciler.Reconcile(context.Background(), request)
		r.finished = true
	})
	o.run = r
	return true
}

// resume goes on to where the run stands still next, or to its end.
func (o *operator) resume() {
	r := o.run
	if _, more := r.next(); more {
		return
	}
	o.run = nil
	if !r.finished {
		o.crashed(r.where)
		return
	}
	if r.err != nil {
		o.queue.failures++
		backoff := 5 * time.Millisecond << min(o.queue.failures, 18)
		o.queue.wakeAt(o.sim.clock.Add(min(backoff, 1000*time.Second)))
		o.sim.logf("%s: %v", o.name, r.err)
		o.sim.seen.add("errors")
		return
	}
	o.queue.failures = 0
	if r.result.RequeueAfter > 0 {
		o.queue.wakeAt(o.sim.clock.Add(r.result.RequeueAfter))
	}
}

// crashed replaces a process that ended by a new one.
func (o *operator) crashed(where string) {
	deposed := o.deposed
	o.kill("crashes " + where)
	o.sim.seen.add("crashes")
	if !deposed {
		o.sim.startOperator()
	}
}

// Tell implements controllers.Teller.
func (o *operator) Tell(_ *v1alpha1.Release, _ v1alpha1.ReleaseStatus, notices []rollout.Notice) {
	for _, n := range notices {
		o.sim.seen.notice(n.Reason)
		if n.Message == "" {
			o.sim.violate("I12", "notice %s says nothing", n.Reason)
		}
	}
}

// Conflict implements controllers.Teller.
func (o *operator) Conflict() { o.sim.seen.add("conflicts") }

// Gone implements controllers.Teller.
func (o *operator) Gone(types.NamespacedName) {}

var _ controllers.Teller = &operator{}
var _ client.Reader = &modelClient{}

// intactGate is one whose self-test always passes: the guards of the model are
// not objects that could be taken away.
type intactGate struct{}

func (intactGate) State() rollout.Gate       { return rollout.Gate{Intact: true} }
func (intactGate) Try(context.Context) error { return nil }

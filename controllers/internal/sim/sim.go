// Copyright The Countersign Authors.
// SPDX-License-Identifier: Apache-2.0

package sim

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/countersign/countersign/controllers"
	"k8s.io/apimachinery/pkg/types"
)

// The one Release of a simulation.
const (
	namespace   = "prod"
	releaseName = "shop"
	clusterID   = "cluster-1"
)

// sim is one world: an API server, the controllers of Kubernetes, people, one
// or more instances of the operator, and the oracle that watches them. It
// depends on its seed alone.
type sim struct {
	seed    uint64
	rng     *rand.Rand
	clock   time.Time
	steps   int
	weather weather
	// calm: no faults, no malice, nobody acts unless asked.
	calm bool
	// outage: the API server answers nobody.
	outage bool

	server *apiServer
	// gate is what the operators take for the self-test.
	gate controllers.Gate
	webhook
	operators []*operator
	// against names the operator that a plot waits for, and plotted counts what
	// is still to come of it.
	against string
	plotted int
	// started counts the instances of the operator that there ever were.
	started int

	jobs                   *jobs
	records                part
	restarts               part
	previews               previews
	parts                  parts
	pods                   map[string]*podFacts
	podNumber, imageNumber int
	sickAt                 map[string]time.Time
	// specs that were applied before, to go back to.
	templates []string

	oracle *oracle
	seen   *coverage
	notes  []note
}

// note is a line of the trace that is not a write.
type note struct {
	version int64
	step    int
	text    string
}

// defect ends a simulation: an invariant does not hold.
type defect struct {
	Seed      uint64
	Step      int
	Invariant string
	Message   string
}

func (d *defect) Error() string {
	return fmt.Sprintf("seed %d, step %d: %s violated: %s", d.Seed, d.Step, d.Invariant, d.Message)
}

func newSim(seed uint64) *sim {
	s := &sim{
		seed: seed, rng: rand.New(rand.NewPCG(seed, 0x636f756e746572)),
		clock: time.Date(2026, 3, 2, 9, 0, 0, 0, time.UTC),
		pods:  map[string]*podFacts{}, sickAt: map[string]time.Time{}, seen: newCoverage(), gate: intactGate{},
	}
	s.jobs, s.restarts, s.previews = newJobs(seed), newRestarts(seed), newPreviews(seed)
	s.records, s.parts = newRecords(seed), newParts(seed)
	s.weather = newWeather(s.rng)
	s.server = newAPIServer(s.now, func() int { return s.steps })
	s.server.admit = s.guards
	s.oracle = newOracle(s)
	s.server.observe = s.oracle.observe
	s.webhook = newWebhook(s)
	return s
}

func (s *sim) now() time.Time { return s.clock }

func (s *sim) releaseKey() key {
	return key{kindRelease, types.NamespacedName{Namespace: namespace, Name: releaseName}}
}

// must ends the simulation when the model itself is wrong.
func (s *sim) must(err error) {
	if err != nil {
		panic(fmt.Errorf("seed %d, step %d: the model is wrong: %w", s.seed, s.steps, err))
	}
}

func (s *sim) logf(format string, args ...any) {
	s.notes = append(s.notes, note{s.server.version, s.steps, fmt.Sprintf(format, args...)})
}

// violate ends the simulation.
func (s *sim) violate(invariant, format string, args ...any) {
	panic(&defect{Seed: s.seed, Step: s.steps, Invariant: invariant, Message: fmt.Sprintf(format, args...)})
}

// chance is true n times of 1000.
func (s *sim) chance(n int) bool { return s.rng.IntN(1000) < n }

// pick one of several.
func pick[T any](s *sim, of []T) T { return of[s.rng.IntN(len(of))] }

// result of one seed.
type result struct {
	seed   uint64
	steps  int
	defect *defect
	seen   *coverage
	trace  func(lines int) string
}

// play plays one seed to its end, or to the first violation.
func play(seed uint64) (r result) {
	s := newSim(seed)
	r = result{seed: seed, seen: s.seen, trace: s.trace}
	defer func() {
		r.steps = s.steps
		if p := recover(); p != nil {
			r.defect = asDefect(s, p)
		}
		s.stopAll()
	}()
	s.begin()
	for range s.weather.steps {
		s.step()
	}
	s.settleDown()
	return r
}

// step lets a little time go by and a few things happen.
func (s *sim) step() {
	s.steps++
	s.clock = s.clock.Add(time.Duration(s.rng.IntN(1800)) * time.Millisecond)
	s.faults()
	if !s.outage {
		s.controllers()
		s.people()
		for _, o := range s.operators {
			o.catchUp()
		}
	}
	for _, o := range slices.Clone(s.operators) {
		o.runner.tick()
		o.step()
	}
	s.oracle.afterStep()
}

// controllers of Kubernetes do some of their work.
func (s *sim) controllers() {
	if s.calm || s.rng.IntN(10) < 6 {
		for _, d := range s.deployments() {
			s.deploymentController(d)
		}
		s.garbageCollector()
	}
	if s.calm || s.rng.IntN(10) < 6 {
		s.kubelet()
	}
	if s.calm || s.rng.IntN(10) < 6 {
		s.endpointController()
	}
	s.jobController()
	s.recordKeeper()
}

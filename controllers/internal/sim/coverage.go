// Copyright The Countersign Authors.
// SPDX-License-Identifier: Apache-2.0

package sim

import (
	"github.com/countersign/countersign/api/v1alpha1"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// edge is a step from one phase to the next.
type edge struct{ from, to v1alpha1.Phase }

// coverage is what a simulation has reached.
type coverage struct {
	events  map[string]int
	edges   map[edge]int
	reasons map[string]int
	notices map[string]int
}

func newCoverage() *coverage {
	return &coverage{events: map[string]int{}, edges: map[edge]int{}, reasons: map[string]int{}, notices: map[string]int{}}
}

func (c *coverage) add(event string)     { c.events[event]++ }
func (c *coverage) notice(reason string) { c.notices[reason]++ }
func (c *coverage) phase(from, to v1alpha1.Phase) {
	if from != to {
		c.edges[edge{from, to}]++
	}
}

func phaseOf(o client.Object) v1alpha1.Phase { return o.(*v1alpha1.Release).Status.Phase }

// merge counts, for each thing, the seeds that reached it.
func (c *coverage) merge(one *coverage) {
	count(c.events, one.events)
	count(c.edges, one.edges)
	count(c.reasons, one.reasons)
	count(c.notices, one.notices)
}

func count[K comparable](into, from map[K]int) {
	for k := range from {
		into[k]++
	}
}

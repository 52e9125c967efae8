// Copyright The Countersign Authors.
// SPDX-License-Identifier: Apache-2.0

// Package soak judges a run of many switches under traffic: which requests
// failed, which were answered by what should not have answered, and how long
// things took. It only reads what was recorded.
package soak

import (
	"fmt"
	"time"

	"github.com/countersign/countersign/hack/cluster/load"
)

// Kind of traffic.
type Kind string

const (
	// New connections, one for each request.
	New Kind = "new"
	// Kept connections, each for one request after another.
	Kept Kind = "kept"
	// Long requests, which last longer than a switch.
	Long Kind = "long"
)

// Kinds are all kinds of traffic.
func Kinds() []Kind { return []Kind{New, Kept, Long} }

const (
	// near is how far from a switch a request is still around it.
	near = time.Second
	// followWithin is how long after a switch a connection that is just opened
	// may still lead to the content before: the endpoints and the tables of each
	// node follow the selector.
	followWithin = 5 * time.Second
)

// Switch is one change of the Service's selector.
type Switch struct {
	Epoch    int64
	Rollback bool
	// To is the version that serves from then on.
	To string
	// Asked is when the deciding vote was written, or the application fell sick.
	Asked time.Time
	// Received is when the API server got the change, and Written when it had
	// written it.
	Received, Written time.Time
}

func (s Switch) String() string {
	what := "promotion"
	if s.Rollback {
		what = "rollback"
	}
	return fmt.Sprintf("epoch %d (%s to %s)", s.Epoch, what, s.To)
}

// Run is what was recorded.
type Run struct {
	Records map[Kind][]load.Record
	// Switches in their order. The first one is that to what served when the
	// traffic began; it is not judged.
	Switches []Switch
	// Sick is since when a version answers with errors by itself.
	Sick map[string]time.Time
}

// judged are the switches that happened under traffic.
func (r Run) judged() []Switch { return r.Switches[min(1, len(r.Switches)):] }

// nearest is the switch that was written closest to a request, and how long
// after it the request was sent.
func (r Run) nearest(at time.Time) (near Switch, after time.Duration) {
	for i, s := range r.judged() {
		if d := at.Sub(s.Written); i == 0 || d.Abs() < after.Abs() {
			near, after = s, d
		}
	}
	return near, after
}

// around tells whether a request was under way close to a switch.
func (r Run) around(q load.Record) bool {
	for _, s := range r.judged() {
		if q.Done().After(s.Written.Add(-near)) && q.At.Before(s.Written.Add(near)) {
			return true
		}
	}
	return false
}

// served tells whether a version had been let through when a request was
// answered, and whether a connection that was opened when the request was sent
// could still lead to it.
func (r Run) served(q load.Record) (letThrough, reachable bool) {
	for i, s := range r.Switches {
		if s.To != q.Version || i > 0 && q.Done().Before(s.Received) {
			continue
		}
		letThrough = true
		if i+1 == len(r.Switches) || !q.At.After(r.Switches[i+1].Written.Add(followWithin)) {
			reachable = true
		}
	}
	return letThrough, reachable
}

// Copyright The Countersign Authors.
// SPDX-License-Identifier: Apache-2.0

package load

import (
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"sync"
	"syscall"
	"time"
)

// Summary is what came of a run. Sent is always the sum of OK, Sick, Unexpected
// and Failed.
type Summary struct {
	URL        string         `json:"url"`
	Rate       int            `json:"rate"`
	Seconds    float64        `json:"seconds"`
	Sent       int            `json:"sent"`
	OK         int            `json:"ok"`
	Sick       int            `json:"sick"`       // answered with a 5xx status
	Unexpected int            `json:"unexpected"` // answered with another status than 2xx or 5xx
	Failed     int            `json:"failed"`     // not answered
	Causes     map[string]int `json:"causes"`     // of Failed
	Late       int            `json:"late"`       // sent more than 100 ms after they were due
	Opened     int            `json:"opened"`     // connections that were opened to be kept
	Latency    Latency        `json:"latencyMillis"`
	Versions   []Version      `json:"versions"`
	Timeline   []Second       `json:"timeline"`
}

// Latency is of answered requests, connecting included.
type Latency struct {
	P50 float64 `json:"p50"`
	P99 float64 `json:"p99"`
	Max float64 `json:"max"`
}

// Version says when one version answered, in seconds from the start by when the
// requests were sent.
type Version struct {
	Version string  `json:"version"`
	Answers int     `json:"answers"`
	First   float64 `json:"first"`
	Last    float64 `json:"last"`
}

// Second is what came of the requests that were sent in one second.
type Second struct {
	At       int            `json:"at"`
	Versions map[string]int `json:"versions"`
	Sick     int            `json:"sick,omitempty"`
	Failed   int            `json:"failed,omitempty"`
}

// result is what came of one request.
type result struct {
	sent    time.Duration // since the start
	took    time.Duration
	late    bool
	nth     int // of its connection, from 1
	status  int
	version string
	pod     string
	err     error
}

func (r result) record(start time.Time) Record {
	out := Record{At: start.Add(r.sent), Took: r.took, Status: r.status, Version: r.version, Pod: r.pod, Nth: r.nth}
	if r.err != nil {
		out.Cause, out.Error = Cause(r.err), r.err.Error()
	}
	return out
}

// tally counts results as they come.
type tally struct {
	mu        sync.Mutex
	sum       Summary
	versions  map[string]*Version
	seconds   map[int]*Second
	latencies []time.Duration
}

func newTally() *tally {
	return &tally{
		sum:      Summary{Causes: map[string]int{}},
		versions: map[string]*Version{},
		seconds:  map[int]*Second{},
	}
}

func (t *tally) add(r result) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.sum.Sent++
	if r.late {
		t.sum.Late++
	}
	second := t.second(int(r.sent / time.Second))
	if r.err != nil {
		t.sum.Failed++
		t.sum.Causes[Cause(r.err)]++
		second.Failed++
		return
	}
	t.latencies = append(t.latencies, r.took)
	switch {
	case r.status >= 200 && r.status < 300:
		t.sum.OK++
	case r.status >= 500:
		t.sum.Sick++
		second.Sick++
	default:
		t.sum.Unexpected++
	}
	if r.version == "" {
		return
	}
	second.Versions[r.version]++
	v := t.versions[r.version]
	if v == nil {
		v = &Version{Version: r.version, First: r.sent.Seconds()}
		t.versions[r.version] = v
	}
	v.Answers++
	v.First, v.Last = min(v.First, r.sent.Seconds()), max(v.Last, r.sent.Seconds())
}

func (t *tally) opened() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.sum.Opened++
}

func (t *tally) second(at int) *Second {
	s := t.seconds[at]
	if s == nil {
		s = &Second{At: at, Versions: map[string]int{}}
		t.seconds[at] = s
	}
	return s
}

func (t *tally) summary() Summary {
	t.mu.Lock()
	defer t.mu.Unlock()
	s := t.sum
	s.Latency = latency(t.latencies)
	for _, v := range t.versions {
		s.Versions = append(s.Versions, *v)
	}
	slices.SortFunc(s.Versions, func(a, b Version) int {
		if a.First < b.First {
			return -1
		}
		return 1
	})
	for _, second := range t.seconds {
		s.Timeline = append(s.Timeline, *second)
	}
	slices.SortFunc(s.Timeline, func(a, b Second) int { return a.At - b.At })
	return s
}

func latency(all []time.Duration) Latency {
	if len(all) == 0 {
		return Latency{}
	}
	slices.Sort(all)
	at := func(q float64) float64 {
		return float64(all[int(q*float64(len(all)-1))].Microseconds()) / 1000
	}
	return Latency{P50: at(0.5), P99: at(0.99), Max: at(1)}
}

// Cause names what kept a request from being answered.
func Cause(err error) string {
	var timeout net.Error
	switch {
	case errors.Is(err, syscall.ECONNREFUSED):
		return "connection refused"
	case errors.Is(err, syscall.ECONNRESET), errors.Is(err, syscall.EPIPE), errors.Is(err, errClosed):
		return "connection reset"
	case errors.Is(err, syscall.EHOSTUNREACH), errors.Is(err, syscall.ENETUNREACH):
		return "unreachable"
	case errors.Is(err, context.DeadlineExceeded), errors.As(err, &timeout) && timeout.Timeout():
		return "timeout"
	case errors.Is(err, errOverload):
		return "overload"
	}
	return "other"
}

// String is the summary in one line.
func (s Summary) String() string {
	line := fmt.Sprintf("%d sent in %.1f s: %d ok, %d sick, %d unexpected, %d failed", s.Sent, s.Seconds, s.OK, s.Sick, s.Unexpected, s.Failed)
	for _, cause := range sortedKeys(s.Causes) {
		line += fmt.Sprintf(" (%s %d)", cause, s.Causes[cause])
	}
	line += fmt.Sprintf("; p50 %.1f ms, p99 %.1f ms", s.Latency.P50, s.Latency.P99)
	for _, v := range s.Versions {
		line += fmt.Sprintf("; %s %d", v.Version, v.Answers)
	}
	return line
}

func sortedKeys(m map[string]int) []string {
	var keys []string
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}

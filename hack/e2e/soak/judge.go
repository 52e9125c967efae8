// Copyright The Countersign Authors.
// SPDX-License-Identifier: Apache-2.0

package soak

import (
	"fmt"
	"slices"
	"time"

	"github.com/countersign/countersign/hack/cluster/load"
)

// Failure is a request that was not answered as it should have been.
type Failure struct {
	Kind    Kind
	Request load.Record
	Why     string
	// Nearest switch, and how long after it the request was sent.
	Nearest Switch
	After   time.Duration
}

func (f Failure) String() string {
	text := fmt.Sprintf("%s %s, request %d of its connection, after %s: %s",
		f.Request.At.UTC().Format("15:04:05.000"), f.Kind, f.Request.Nth, f.Request.Took.Round(time.Millisecond), f.Why)
	if f.Request.Version != "" {
		text += fmt.Sprintf(", answered by %s of version %s", f.Request.Pod, f.Request.Version)
	}
	if !f.Nearest.Written.IsZero() {
		text += fmt.Sprintf("; sent %+.3f s from %s", f.After.Seconds(), f.Nearest)
	}
	return text
}

// Figures are those of one kind of traffic.
type Figures struct {
	Sent, Failed, Sick int
	// Connections that they were sent on.
	Connections int
	// Around are answered requests that were under way within a second of a
	// switch, Away all others. What the application answered sick is in neither.
	Around, Away Times
}

// Verdict is what came of a run.
type Verdict struct {
	Sent, Failed, Sick int

	Kinds    map[Kind]*Figures
	Failures []Failure
	// VoteToSwitch is from the deciding vote to the selector, SickToReturned from
	// the moment at which the application falls sick to the selector that leads
	// back.
	VoteToSwitch, SickToReturned Times
	// Followed is how long after a switch a connection that was just opened still
	// led to the content before, for each switch.
	Followed Times
	// SickKept is how long after a rollback a kept connection still led to the
	// content that was gone back from, for each rollback.
	SickKept Times
}

// Judge looks at every request and every switch.
func Judge(run Run) Verdict {
	v := Verdict{Kinds: map[Kind]*Figures{}}
	for _, kind := range Kinds() {
		v.Kinds[kind] = v.judge(run, kind)
	}
	slices.SortStableFunc(v.Failures, func(a, b Failure) int { return a.Request.At.Compare(b.Request.At) })
	for _, s := range run.judged() {
		if s.Rollback {
			v.SickToReturned = append(v.SickToReturned, s.Written.Sub(s.Asked))
		} else {
			v.VoteToSwitch = append(v.VoteToSwitch, s.Written.Sub(s.Asked))
		}
	}
	v.Followed = run.lingering(false)
	v.SickKept = run.lingering(true)
	for _, times := range []Times{v.VoteToSwitch, v.SickToReturned, v.Followed, v.SickKept} {
		slices.Sort(times)
	}
	return v
}

func (v *Verdict) judge(run Run, kind Kind) *Figures {
	f := &Figures{}
	for _, q := range run.Records[kind] {
		f.Sent++
		if q.Nth == 1 {
			f.Connections++
		}
		sick, why := run.examine(q)
		switch {
		case why != "":
			f.Failed++
			failure := Failure{Kind: kind, Request: q, Why: why}
			failure.Nearest, failure.After = run.nearest(q.At)
			v.Failures = append(v.Failures, failure)
		case sick:
			f.Sick++
		case run.around(q):
			f.Around = append(f.Around, q.Took)
		default:
			f.Away = append(f.Away, q.Took)
		}
	}
	slices.Sort(f.Around)
	slices.Sort(f.Away)
	v.Sent, v.Failed, v.Sick = v.Sent+f.Sent, v.Failed+f.Failed, v.Sick+f.Sick
	return f
}

// examine says why a request failed, or whether it met the application's own
// illness.
func (r Run) examine(q load.Record) (sick bool, why string) {
	if q.Cause != "" {
		return false, q.Cause + ": " + q.Error
	}
	switch letThrough, reachable := r.served(q); {
	case q.Version == "":
		return false, fmt.Sprintf("status %d from something else than the application", q.Status)
	case !letThrough:
		return false, "it reached content that no switch had led to yet"
	case q.Nth == 1 && !reachable:
		return false, fmt.Sprintf("its connection was opened more than %s after the switch away from what answered", followWithin)
	}
	if since, is := r.Sick[q.Version]; is && q.Status >= 500 && !q.Done().Before(since) {
		return true, ""
	}
	if q.Status < 200 || q.Status > 299 {
		return false, fmt.Sprintf("status %d, and the application was not made sick", q.Status)
	}
	return false, ""
}

// lingering is, for each switch, for how long requests were still sent to the
// content before: on connections that were just opened, or, after rollbacks, on
// kept ones.
func (r Run) lingering(kept bool) Times {
	var all Times
	switches := r.Switches
	for i := 1; i < len(switches); i++ {
		s := switches[i]
		if kept && !s.Rollback {
			continue
		}
		kind, until := New, s.Written.Add(followWithin)
		if kept {
			kind, until = Kept, r.end()
		}
		if i+1 < len(switches) && switches[i+1].To == switches[i-1].To && switches[i+1].Received.Before(until) {
			until = switches[i+1].Received // from then on it is led there again
		}
		all = append(all, r.lastTo(kind, switches[i-1].To, s.Written, until))
	}
	return all
}

// end is when the last request was over.
func (r Run) end() (end time.Time) {
	for _, records := range r.Records {
		for _, q := range records {
			if q.Done().After(end) {
				end = q.Done()
			}
		}
	}
	return end
}

// lastTo is how long after a moment the last request was sent that a version
// answered; zero if there was none.
func (r Run) lastTo(kind Kind, version string, from, until time.Time) time.Duration {
	var last time.Duration
	for _, q := range r.Records[kind] {
		if q.Version == version && !q.Done().After(until) {
			last = max(last, q.At.Sub(from))
		}
	}
	return last
}

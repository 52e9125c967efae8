// Copyright The Countersign Authors.
// SPDX-License-Identifier: Apache-2.0

package approval

import "time"

// How many windows are followed to find when one opens: a few when a Release is
// judged, because that is done often and can be done again from there, and many
// when a policy is: a freeze may be written as one minute after the other. horizon
// is how far ahead is looked.
const (
	fewJumps  = 1000
	manyJumps = 50000
	horizon   = 5 * 366 * 24 * time.Hour
)

// excluded tells whether t is excluded, and until when at least.
func (c calendar) excluded(t time.Time) (until time.Time, is bool) {
	for _, s := range c.exclude {
		if until, is := c.covers(s, t); is {
			return until, true
		}
	}
	return time.Time{}, false
}

// allowed tells whether t is in an allowed window, and until when at least; zero
// if there is no end.
func (c calendar) allowed(t time.Time) (until time.Time, is bool) {
	if len(c.allow) == 0 {
		return time.Time{}, true
	}
	for _, s := range c.allow {
		if end, in := c.covers(s, t); in {
			is = true
			until = later(until, end)
		}
	}
	return until, is
}

func (c calendar) open(t time.Time) bool {
	_, is := c.allowed(t)
	_, not := c.excluded(t)
	return is && !not
}

// opens is the first moment from t on at which the calendar is open. If none is
// found within the jumps, known is false, and the moment is where to look on from;
// if there is none within the horizon, it is zero.
func (c calendar) opens(t time.Time, jumps int) (at time.Time, known bool) {
	end := t.Add(horizon)
	for range jumps {
		until, not := c.excluded(t)
		if _, is := c.allowed(t); is && !not {
			return t, true
		} else if !not {
			until = c.earliest(c.allow, t)
		}
		if until.IsZero() || until.After(end) {
			return time.Time{}, false
		}
		t = until
	}
	return t, false
}

// closes is the first moment after t, at which the calendar is open, at which it
// is not; zero if there is none. After some windows it is where to look on from.
func (c calendar) closes(t time.Time) time.Time {
	for range fewJumps {
		until, _ := c.allowed(t)
		if t = earliest(until, c.earliest(c.exclude, t)); t.IsZero() || !c.open(t) {
			return t
		}
	}
	return t
}

// earliest moment after t at which one of the spans begins; zero if none does.
func (c calendar) earliest(spans []span, t time.Time) (first time.Time) {
	for _, s := range spans {
		first = earliest(first, c.begins(s, t))
	}
	return first
}

// earliest of two moments, of which a zero one is none.
func earliest(a, b time.Time) time.Time {
	if a.IsZero() || !b.IsZero() && b.Before(a) {
		return b
	}
	return a
}

func later(a, b time.Time) time.Time {
	if b.After(a) {
		return b
	}
	return a
}

// Copyright The Countersign Authors.
// SPDX-License-Identifier: Apache-2.0

package approval

import (
	"fmt"
	"strings"
	"time"

	"github.com/countersign/countersign/api/v1alpha1"
	"github.com/robfig/cron/v3"
)

// Windows are the times at which traffic may move: in any of Allow, or at any
// time without them, and in none of Exclude.
type Windows struct {
	Allow, Exclude []Window
	// TimeZone by its IANA name; UTC if empty.
	TimeZone string
}

// Window is a time again and again, by Schedule and Duration, or once, From To.
type Window struct {
	Schedule string
	Duration time.Duration
	From, To time.Time
}

// restrict tells whether the windows say anything.
func (w Windows) restrict() bool { return len(w.Allow) > 0 || len(w.Exclude) > 0 }

func windowsOf(spec *v1alpha1.Windows) (w Windows) {
	if spec == nil {
		return Windows{}
	}
	w.TimeZone = spec.TimeZone
	for _, a := range spec.Allow {
		w.Allow = append(w.Allow, Window{Schedule: a.Schedule, Duration: a.Duration.Duration})
	}
	for _, e := range spec.Exclude {
		out := Window{Schedule: e.Schedule}
		if e.Duration != nil {
			out.Duration = e.Duration.Duration
		}
		if e.From != nil {
			out.From = e.From.UTC()
		}
		if e.To != nil {
			out.To = e.To.UTC()
		}
		w.Exclude = append(w.Exclude, out)
	}
	return w
}

// calendar is Windows that can be asked.
type calendar struct {
	allow, exclude []span
	zone           *time.Location
}

// span is a Window that can be asked. A schedule is read in UTC, of times that
// say what the clock on the wall shows.
type span struct {
	schedule cron.Schedule
	Window
}

// calendar reads the windows. problem is a sentence about what cannot be read.
func (w Windows) calendar() (c calendar, problem string) {
	zone, err := time.LoadLocation(w.TimeZone)
	if err != nil || w.TimeZone == "Local" {
		return c, fmt.Sprintf("windows.timeZone %q is not in the time zone database; write one such as Europe/Berlin, or leave it out for UTC", w.TimeZone)
	}
	c.zone = zone
	for i, window := range w.Allow {
		s, problem := window.span()
		if problem != "" {
			return c, fmt.Sprintf("windows.allow[%d]%s", i, problem)
		}
		c.allow = append(c.allow, s)
	}
	for i, window := range w.Exclude {
		s, problem := window.span()
		if problem != "" {
			return c, fmt.Sprintf("windows.exclude[%d]%s", i, problem)
		}
		c.exclude = append(c.exclude, s)
	}
	return c, ""
}

const (
	scheduleFields  = cron.Minute | cron.Hour | cron.Dom | cron.Month | cron.Dow
	scheduleLetters = "0123456789*/,-? ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
)

func (w Window) span() (s span, problem string) {
	s.Window = w
	if w.Schedule == "" && !w.From.IsZero() && w.From.Before(w.To) {
		return s, ""
	}
	if !w.From.IsZero() || !w.To.IsZero() {
		return s, " needs either schedule and duration, or from and a later to"
	}
	// The parser would also take a time zone and words such as @daily.
	if strings.Trim(w.Schedule, scheduleLetters) != "" {
		return s, fmt.Sprintf(".schedule %q has characters that no schedule has; write five fields, such as 0 9 * * 1-5", w.Schedule)
	}
	schedule, err := cron.NewParser(scheduleFields).Parse(w.Schedule)
	if err != nil {
		return s, fmt.Sprintf(".schedule %q cannot be read (%v); write minute, hour, day of the month, month and day of the week, such as 0 9 * * 1-5", w.Schedule, err)
	}
	if w.Duration <= 0 {
		return s, ".duration is not more than 0; write how long it lasts, such as 8h"
	}
	s.schedule = schedule
	return s, ""
}

// wall is what the clock on the wall shows, as if it were UTC. There, no hour is
// skipped and none comes twice.
func (c calendar) wall(t time.Time) time.Time {
	t = t.In(c.zone)
	return time.Date(t.Year(), t.Month(), t.Day(), t.Hour(), t.Minute(), t.Second(), t.Nanosecond(), time.UTC)
}

// when is the moment, after t, at which the clock shows wall, if it is not
// changed before: then it is the moment at which it is changed.
func (c calendar) when(t, wall time.Time) time.Time {
	at := t.Add(wall.Sub(c.wall(t)))
	if _, end := t.In(c.zone).ZoneBounds(); !end.IsZero() && end.Before(at) {
		return end
	}
	return at
}

// covers tells whether a span has begun and is not over at t, and when it is.
func (c calendar) covers(s span, t time.Time) (until time.Time, is bool) {
	if s.schedule == nil {
		return s.To, !t.Before(s.From) && t.Before(s.To)
	}
	wall := c.wall(t)
	begun := s.schedule.Next(wall.Add(-s.Duration))
	if begun.IsZero() || begun.After(wall) {
		return time.Time{}, false
	}
	return c.when(t, begun.Add(s.Duration)), true
}

// begins is the next moment after t at which a span begins; zero if none.
func (c calendar) begins(s span, t time.Time) time.Time {
	if s.schedule == nil {
		if s.From.After(t) {
			return s.From
		}
		return time.Time{}
	}
	next := s.schedule.Next(c.wall(t))
	if next.IsZero() {
		return time.Time{}
	}
	return c.when(t, next)
}

// Copyright The Countersign Authors.
// SPDX-License-Identifier: Apache-2.0

package soak

import (
	"bytes"
	"strings"
	"testing"
	"time"

	"github.com/countersign/countersign/hack/cluster/load"
)

var start = time.Date(2026, 1, 1, 12, 0, 0, 0, time.UTC)

// at is a moment of the run, in seconds from its start.
func at(seconds float64) time.Time {
	return start.Add(time.Duration(seconds * float64(time.Second)))
}

// answer is a request that was answered within 10 ms on a connection of its own.
func answer(sent float64, version string) load.Record {
	return load.Record{At: at(sent), Took: 10 * time.Millisecond, Status: 200, Version: version, Pod: "pod-of-" + version, Nth: 1}
}

func with(r load.Record, change func(*load.Record)) load.Record {
	change(&r)
	return r
}

func kept(r load.Record) load.Record { return with(r, func(r *load.Record) { r.Nth = 7 }) }

func sick(r load.Record) load.Record { return with(r, func(r *load.Record) { r.Status = 503 }) }

// switched is a run in which p1 took over after 10 s, fell sick after 20 s and
// was gone back from after 21.5 s.
func switched(kind Kind, records ...load.Record) Run {
	return Run{
		Records: map[Kind][]load.Record{kind: records},
		Switches: []Switch{
			{Epoch: 1, To: "p0", Asked: at(-11), Received: at(-10.01), Written: at(-10)},
			{Epoch: 2, To: "p1", Asked: at(9.95), Received: at(9.99), Written: at(10)},
			{Epoch: 3, To: "p0", Rollback: true, Asked: at(20), Received: at(21.49), Written: at(21.5)},
		},
		Sick: map[string]time.Time{"p1": at(20)},
	}
}

func TestExamine(t *testing.T) {
	for name, c := range map[string]struct {
		request load.Record
		sick    bool
		why     string // the failure has it; none: it is none
	}{
		"the first content":                           {answer(1, "p0"), false, ""},
		"the content that was promoted":               {answer(11, "p1"), false, ""},
		"the content that was gone back to":           {answer(30, "p0"), false, ""},
		"a new connection while the endpoints follow": {answer(14.9, "p0"), false, ""},
		"a new connection that still leads to it":     {answer(15.1, "p0"), false, "connection was opened more than 5s after"},
		"a kept connection that still leads to it":    {kept(answer(19, "p0")), false, ""},
		"the first request of a kept one does not":    {with(kept(answer(19, "p0")), func(r *load.Record) { r.Nth = 1 }), false, "connection was opened"},
		"content that nothing led to yet":             {answer(9, "p1"), false, "no switch had led to yet"},
		"on a kept connection neither":                {kept(answer(9, "p1")), false, "no switch had led to yet"},
		"content that nobody promoted":                {answer(15, "p2"), false, "no switch had led to yet"},
		"answered while the API server was writing":   {answer(9.985, "p1"), false, ""},
		"the application's own illness":               {sick(answer(20.5, "p1")), true, ""},
		"it fell sick while it answered":              {sick(answer(19.995, "p1")), true, ""},
		"sick before it was made so":                  {sick(answer(19.9, "p1")), false, "was not made sick"},
		"what was not made sick":                      {sick(answer(30, "p0")), false, "was not made sick"},
		"it is sick on a kept connection":             {kept(sick(answer(40, "p1"))), true, ""},
		"a new connection that leads to the sick":     {sick(answer(26.6, "p1")), false, "connection was opened"},
		"a status that is no sickness":                {with(answer(21, "p1"), func(r *load.Record) { r.Status = 404 }), false, "status 404"},
		"an answer from something else":               {with(answer(1, ""), func(r *load.Record) { r.Status = 502 }), false, "status 502 from something else"},
		"no answer":                                   {load.Record{At: at(1), Cause: "timeout", Error: "it took too long"}, false, "timeout: it took too long"},
		"no answer of what is sick":                   {with(sick(answer(21, "p1")), func(r *load.Record) { r.Cause = "connection reset" }), false, "connection reset"},
	} {
		t.Run(name, func(t *testing.T) {
			for _, kind := range Kinds() {
				v := Judge(switched(kind, c.request))
				f := v.Kinds[kind]
				if failed := c.why != ""; v.Sent != 1 || f.Sent != 1 || (f.Failed == 1) != failed || v.Failed != f.Failed || (f.Sick == 1) != c.sick || v.Sick != f.Sick {
					t.Fatalf("%s: figures are %+v", kind, *f)
				}
				if len(f.Around)+len(f.Away) != 1-f.Failed-f.Sick {
					t.Errorf("%s: the figures do not add up: %+v", kind, *f)
				}
				if c.why != "" && !strings.Contains(v.Failures[0].String(), c.why) {
					t.Errorf("%s: the failure is %s, want it to say %q", kind, v.Failures[0], c.why)
				}
			}
		})
	}
}

func TestAround(t *testing.T) {
	for name, c := range map[string]struct {
		request load.Record
		around  bool
	}{
		"before":              {answer(8.9, "p0"), false},
		"just before":         {answer(9.1, "p0"), true},
		"just after":          {answer(10.9, "p1"), true},
		"after":               {answer(11.1, "p1"), false},
		"around the way back": {answer(22, "p0"), true},
		"a long one in it":    {with(answer(5, "p0"), func(r *load.Record) { r.Took = 10 * time.Second }), true},
		"what came first":     {answer(-10, "p0"), false},
	} {
		t.Run(name, func(t *testing.T) {
			if f := Judge(switched(New, c.request)).Kinds[New]; (len(f.Around) == 1) != c.around || (len(f.Away) == 1) == c.around {
				t.Errorf("figures are %+v", *f)
			}
		})
	}
}

func TestSwitchTimes(t *testing.T) {
	v := Judge(switched(New, answer(10.2, "p0"), answer(10.4, "p0"), answer(10.6, "p1"), sick(answer(21.7, "p1"))))
	if got := v.VoteToSwitch; len(got) != 1 || got.Max() != 50*time.Millisecond {
		t.Errorf("vote to switch is %v", got)
	}
	if got := v.SickToReturned; len(got) != 1 || got.Max() != 1500*time.Millisecond {
		t.Errorf("sick to returned is %v", got)
	}
	if got := v.Followed; len(got) != 2 || got[0] != 200*time.Millisecond || got[1] != 400*time.Millisecond {
		t.Errorf("followed within %v", got)
	}
	back := switched(New, answer(21.4, "p0"), answer(22, "p0"))
	back.Switches[1].Written = at(20.5)
	if got := Judge(back).Followed; got.Max() != 900*time.Millisecond {
		t.Errorf("followed within %v: what it went back to is not what came before", got)
	}
	v = Judge(switched(Kept, sick(kept(answer(40, "p1")))))
	if got := v.SickKept; len(got) != 1 || got[0] != 18500*time.Millisecond {
		t.Errorf("kept connections led to what was sick for %v", got)
	}
}

func TestTimes(t *testing.T) {
	var all Times
	if all.String() != "none" || all.Max() != 0 {
		t.Errorf("no times are %s", all)
	}
	for i := range 200 {
		all = append(all, time.Duration(i+1)*time.Millisecond)
	}
	if all.Median() != 100*time.Millisecond || all.P99() != 198*time.Millisecond || all.Max() != 200*time.Millisecond {
		t.Errorf("200 times are %s", all)
	}
	if three := all[:3]; three.Median() != 2*time.Millisecond {
		t.Errorf("three times are %s", three)
	}
	if one := all[:1]; one.Median() != time.Millisecond || one.P99() != time.Millisecond {
		t.Errorf("one time is %s", one)
	}
}

func TestProblems(t *testing.T) {
	fine := switched(New, answer(1, "p0"))
	fine.Records[Kept] = []load.Record{answer(1, "p0")}
	fine.Records[Long] = []load.Record{answer(1, "p0")}
	if err := Judge(fine).Problems(time.Second); err != nil {
		t.Errorf("a run that is fine has problems: %v", err)
	}
	for name, c := range map[string]struct {
		change func(*Run)
		want   string
	}{
		"a failure":       {func(r *Run) { r.Records[Long] = append(r.Records[Long], sick(answer(2, "p0"))) }, "1 requests failed"},
		"no such traffic": {func(r *Run) { delete(r.Records, Kept) }, "no kept request was answered"},
		"a slow way back": {func(r *Run) { r.Switches[2].Written = at(22.1) }, "going back took up to 2100.0 ms, want at most 2000.0 ms"},
	} {
		t.Run(name, func(t *testing.T) {
			run := switched(New, fine.Records[New]...)
			run.Records[Kept], run.Records[Long] = fine.Records[Kept], fine.Records[Long]
			c.change(&run)
			v := Judge(run)
			err := v.Problems(time.Second)
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("the problems are %v, want %q", err, c.want)
			}
			var out bytes.Buffer
			v.Print(&out, time.Second)
			if got := strings.Count(out.String(), "failed: "); got != v.Failed {
				t.Errorf("%d failures are printed, want %d:\n%s", got, v.Failed, out.String())
			}
		})
	}
}

// TestFailureNamesTheSwitch: what went wrong can be understood from the output.
func TestFailureNamesTheSwitch(t *testing.T) {
	v := Judge(switched(Kept, with(kept(answer(21.75, "p1")), func(r *load.Record) { r.Status = 404 })))
	want := "12:00:21.750 kept, request 7 of its connection, after 10ms: status 404, and the application was not made sick, " +
		"answered by pod-of-p1 of version p1; sent +0.250 s from epoch 3 (rollback to p0)"
	if got := v.Failures[0].String(); got != want {
		t.Errorf("it says\n%s, want\n%s", got, want)
	}
}

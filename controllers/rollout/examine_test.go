// Copyright The Countersign Authors.
// SPDX-License-Identifier: Apache-2.0

package rollout_test

import (
	"encoding/json"
	"fmt"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/countersign/countersign/api/v1alpha1"
	"github.com/countersign/countersign/controllers/approval"
	"github.com/countersign/countersign/controllers/rollout"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// examine holds every decision of every scenario to what must always hold.
func (w *world) examine(s rollout.Snapshot, d rollout.Decision) {
	w.t.Helper()
	if again := rollout.Decide(s); !reflect.DeepEqual(again, d) {
		w.t.Errorf("decided again, it is another decision: %+v, before %+v", again, d)
	}
	w.ignoresDerived(s, d)
	if problem := schema().problem(d.Status); problem != "" {
		w.t.Errorf("the API server would refuse the status: %s", problem)
	}
	lint(w.t, d)
}

// ignoresDerived fills what is derived with garbage: nothing may follow from it.
func (w *world) ignoresDerived(s rollout.Snapshot, d rollout.Decision) {
	w.t.Helper()
	st := s.Release.Status.DeepCopy()
	st.Phase, st.WaitingFor, st.Approvals, st.Replicas, st.Selector = v1alpha1.PhaseHalted, "x", "9/9", 99, "x=y"
	st.ObservedGeneration = 12345
	st.Conditions = []metav1.Condition{
		{Type: v1alpha1.ConditionApproved, Status: metav1.ConditionTrue, Reason: v1alpha1.ReasonQuorumMet},
		{Type: v1alpha1.ConditionStalled, Status: metav1.ConditionTrue, Reason: v1alpha1.ReasonDrifted},
	}
	st.Votes = []v1alpha1.VoteStatus{{Slot: "mallory", User: "mallory", Decision: "approve", Counted: true, Why: "it is not"}}
	s.Release.Status = *st
	g := rollout.Decide(s)
	if !reflect.DeepEqual(g.Actions, d.Actions) || !reflect.DeepEqual(g.Checks, d.Checks) || !g.WakeAt.Equal(d.WakeAt) || !reflect.DeepEqual(facts(g.Status), facts(d.Status)) {
		w.t.Errorf("the decision depends on what is derived: %v, without it %v", g.Actions, d.Actions)
	}
}

// facts are the status without what is derived from it.
func facts(st v1alpha1.ReleaseStatus) v1alpha1.ReleaseStatus {
	st.Phase, st.WaitingFor, st.Approvals, st.Replicas, st.Selector = "", "", "", 0, ""
	st.Conditions, st.Votes, st.ObservedGeneration = nil, nil, 0
	return st
}

// quiet holds a world at rest to it: until the moment that it asks to be woken
// at, time alone brings no action and changes no word.
func (w *world) quiet() {
	w.t.Helper()
	end := w.last.WakeAt
	if end.IsZero() {
		end = w.now.Add(1000 * time.Hour)
	}
	if !end.After(w.now) {
		w.t.Fatalf("it asks to be woken at %s, which is not after %s", end, w.now)
	}
	s := w.snapshot()
	for _, at := range []time.Duration{end.Sub(w.now) / 2, end.Sub(w.now) - 1} {
		later := s
		later.Now = w.now.Add(at)
		d := rollout.Decide(later)
		if len(d.Actions) > 0 || len(d.Notices) > 0 || !reflect.DeepEqual(d.Status, s.Release.Status) {
			w.t.Errorf("I13: %s later, before it is woken: actions %v, notices %v, %s", at, d.Actions, d.Notices, difference(s.Release.Status, d.Status))
		}
	}
}

// difference is the first line in which two values differ.
func difference(a, b any) string {
	lines := func(v any) []string {
		raw, err := json.MarshalIndent(v, "", " ")
		if err != nil {
			return []string{err.Error()}
		}
		return strings.Split(string(raw), "\n")
	}
	x, y := lines(a), lines(b)
	for i := range min(len(x), len(y)) {
		if x[i] != y[i] {
			return fmt.Sprintf("before %s, then %s", x[i], y[i])
		}
	}
	return fmt.Sprintf("before %d lines, then %d", len(x), len(y))
}

// permitted holds an action to the invariants before it is carried out.
func (w *world) permitted(s rollout.Snapshot, d rollout.Decision, a rollout.Action) {
	w.t.Helper()
	idle := func(c v1alpha1.Colour) {
		if s.InUse(c) {
			w.t.Errorf("I2: %s, and %s is in use", spell(a), c)
		}
		// Whoever deletes a Release gives up going back.
		if st := d.Status; s.Release.DeletionTimestamp == nil && st.Former != nil && st.Former.Colour == c && st.Active != nil && st.Active.FinishedAt == nil {
			w.t.Errorf("I3: %s, and %s is kept for going back", spell(a), c)
		}
	}
	switch a := a.(type) {
	case rollout.Materialise:
		if m := s.Workload(a.Colour); m.Exists {
			idle(a.Colour)
		}
	case rollout.Scale:
		if a.Replicas == 0 {
			idle(a.Colour)
		}
	case rollout.Restart:
		st := d.Status
		if st.Active == nil || st.Active.Colour != a.Colour || !st.Active.Restart.Open() || st.Active.Restart.Number != a.Number {
			w.t.Errorf("I9: %s, and what is on record is %+v", spell(a), st.Active)
		}
		if sw := st.Switch; sw.SettledAt == nil && sw.CancelledAt == nil {
			w.t.Errorf("I2: %s while traffic moves: %+v", spell(a), sw)
		}
	case rollout.Remove:
		if a.Preview == "" && !takenDown(s) {
			idle(a.Colour)
		}
	case rollout.DropConfig:
		w.mayDrop(s, d, a)
	case rollout.ShiftTraffic:
		w.mayShift(s, d, a)
	}
}

// takenDown tells whether a Release is deleted with all that it has.
func takenDown(s rollout.Snapshot) bool {
	a := s.Release.Status.Active
	return s.Release.DeletionTimestamp != nil && s.Release.Spec.DeletionPolicy == "Delete" && (a == nil || a.DeletionPolicy == "Delete")
}

// mayShift is I1 and I9: traffic moves by a switch that is on record, which
// begins under a quorum or goes to content that was let through before.
func (w *world) mayShift(s rollout.Snapshot, d rollout.Decision, a rollout.ShiftTraffic) {
	w.t.Helper()
	sw := d.Status.Switch
	if sw == nil || sw.Epoch != a.Epoch || sw.To.Colour != a.To || sw.CancelledAt != nil {
		w.t.Errorf("I9: %s, and the record is %+v", spell(a), sw)
		return
	}
	had := s.Release.Status.Switch
	begins := had == nil || had.To.Digest != sw.To.Digest || !had.IntendedAt.Equal(&sw.IntendedAt) || had.Reason != sw.Reason
	if a.To == v1alpha1.Origin {
		w.mayLeadBack(s, sw, a)
		return
	}
	if begins && !sw.Reason.Promotes() && !w.promoted[sw.To.Digest] {
		w.t.Errorf("I1: %s goes to %s, which was never let through", spell(a), sw.To.Digest)
	}
	if !begins || !sw.Reason.Promotes() {
		return
	}
	m := s.Workload(a.To)
	w.mayPromote(s, d, a)
	if sw.To.TemplateHash != m.TemplateHash || m.Available < *s.Release.Spec.Replicas || len(s.Problems) > 0 {
		w.t.Errorf("I1: %s is a promotion of %+v to a colour with %+v", spell(a), sw.To, m)
	}
}

// mayPromote is I1: under a quorum, if nothing has to be looked at first; or by
// somebody on call who broke the glass for just this and wrote none of it.
func (w *world) mayPromote(s rollout.Snapshot, d rollout.Decision, a rollout.ShiftTraffic) {
	w.t.Helper()
	c, sw := d.Status.Candidate, d.Status.Switch
	verdict := approval.Evaluate(s.Policies, approval.Subject{
		Digest: c.Digest, Authors: slices.Concat(s.Authors.Names, c.Authors), AuthorsKnown: s.Authors.Known, Named: approval.Trusted(s.Policies, s.Authors.Delegates),
		Unwitnessed: unwitnessed(s),
	}, s.Votes, s.Now)
	if a.Policies == nil {
		w.t.Errorf("I1: %s does not say by which policies", spell(a))
	}
	until := verdict.ValidUntil
	if sw.Reason == v1alpha1.SwitchBreakGlass {
		i := slices.IndexFunc(s.Glasses, func(g approval.Glass) bool {
			return g.Digest == c.Digest && g.User == sw.BreakGlass.By && approval.GlassUntil(s.Policies, g).After(s.Now)
		})
		until = approval.GlassUntil(s.Policies, s.Glasses[max(i, 0)])
	}
	if !a.ValidUntil.Equal(until) {
		w.t.Errorf("I1: %s (%s) may be carried out until %s, which should be %s; the votes come to %+v, the glasses are %+v", spell(a), sw.Reason, a.ValidUntil, until, verdict, s.Glasses)
	}
	if sw.Reason == v1alpha1.SwitchPromote {
		if verdict.Outcome != approval.Approved || len(d.Status.Reviews) > 0 {
			w.t.Errorf("I1: %s is a promotion, with %+v to be reviewed, and the votes come to %+v", spell(a), d.Status.Reviews, verdict)
		}
		return
	}
	last := len(d.Status.Reviews) - 1
	stands := slices.ContainsFunc(s.Glasses, func(g approval.Glass) bool {
		return g.Invalid == "" && g.Digest == c.Digest && g.User == sw.BreakGlass.By && slices.Contains(g.Groups, "sre") &&
			!slices.Contains(s.Authors.Names, g.User) && !g.At.After(s.Now.Add(time.Minute)) && g.At.Add(time.Hour).After(s.Now)
	})
	allowed := len(s.Policies) > 0 && !slices.ContainsFunc(s.Policies, func(p approval.Policy) bool { return p.BreakGlass == nil })
	if !stands || !allowed || len(verdict.Vetoes) > 0 || last < 0 || d.Status.Reviews[last].Epoch != sw.Epoch || d.Status.Reviews[last].By != sw.BreakGlass.By {
		w.t.Errorf("I1: %s is by break-glass %+v, to be reviewed are %+v, and the votes come to %+v", spell(a), sw.BreakGlass, d.Status.Reviews, verdict)
	}
}

// ticking is what makes a message change while nothing happens.
var ticking = regexp.MustCompile(`\d{4}-\d\d-\d\d|\b\d\d:\d\d\b|\b\d+(\.\d+)?(ns|µs|ms|s|m|h)\b| ago\b|remaining|elapsed|uid-1|0x[0-9a-f]+|%!`)

// lint is what people and tools can rely on in everything that they read.
func lint(t tester, d rollout.Decision) {
	t.Helper()
	texts := map[string]string{}
	for _, c := range d.Status.Conditions {
		texts["condition "+c.Type] = c.Message
		coverage.condition(c)
		alone := c.Type == v1alpha1.ConditionReconciling || c.Type == v1alpha1.ConditionStalled || c.Type == v1alpha1.ConditionPaused
		if alone && c.Status != metav1.ConditionTrue {
			t.Errorf("condition %s is there and not True", c.Type)
		}
		if c.ObservedGeneration != d.Status.ObservedGeneration && d.Status.Phase != v1alpha1.PhaseDeleting {
			t.Errorf("condition %s is about generation %d", c.Type, c.ObservedGeneration)
		}
	}
	for _, n := range d.Notices {
		texts["notice "+n.Reason] = n.Message
	}
	for _, v := range d.Status.Votes {
		texts["vote "+v.Slot] = v.Why
	}
	for where, text := range texts {
		if text == "" || len(text) > 1024 || !utf8.ValidString(text) || strings.ContainsAny(text, "\n\t") || strings.HasSuffix(text, ".") || ticking.MatchString(text) {
			t.Errorf("%s is not a stable sentence: %q", where, text)
		}
	}
	if d.Status.WaitingFor == "" && d.Status.Phase != v1alpha1.PhaseStable {
		t.Errorf("in phase %s it does not say what it waits for", d.Status.Phase)
	}
}

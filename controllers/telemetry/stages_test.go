// Copyright The Countersign Authors.
// SPDX-License-Identifier: Apache-2.0

package telemetry

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/countersign/countersign/api/v1alpha1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

func second(n int) *metav1.Time { return &metav1.Time{Time: began.Add(time.Duration(n) * time.Second)} }

func moment(n int) *metav1.MicroTime { return at(time.Duration(n) * time.Second) }

// candidate with a number that was seen, ready and tested at these seconds; 0 is not yet.
func candidate(sequence int64, since, ready, tested int) *v1alpha1.CandidateStatus {
	c := &v1alpha1.CandidateStatus{Sequence: sequence, Since: *second(since)}
	if ready > 0 {
		c.ReadyAt = second(ready)
	}
	if tested > 0 {
		c.TestedAt = second(tested)
	}
	return c
}

func switching(reason v1alpha1.SwitchReason, to int64, intended, patched, settled int) *v1alpha1.SwitchStatus {
	sw := &v1alpha1.SwitchStatus{Epoch: int64(intended), Reason: reason, To: v1alpha1.Content{Sequence: to, Colour: v1alpha1.Blue}, IntendedAt: *moment(intended)}
	if patched > 0 {
		sw.PatchedAt = moment(patched)
	}
	if settled > 0 {
		sw.SettledAt = moment(settled)
	}
	return sw
}

func active(sequence int64, since, finished int) *v1alpha1.ActiveStatus {
	a := &v1alpha1.ActiveStatus{Content: v1alpha1.Content{Sequence: sequence, Colour: v1alpha1.Blue}, Epoch: sequence, Since: *second(since)}
	if finished > 0 {
		a.FinishedAt = second(finished)
	}
	return a
}

func describe(s stage) string {
	text := fmt.Sprintf("%d %s %v-%v %s", s.sequence, s.phase, s.from.Sub(began).Seconds(), s.to.Sub(began).Seconds(), s.outcome)
	if s.last {
		text += ", the last"
	}
	return text
}

// what is told of a life, a status after the other.
func TestStages(t *testing.T) {
	type status = v1alpha1.ReleaseStatus
	halted := candidate(2, 1, 3, 0)
	halted.Halted = &v1alpha1.HaltedStatus{Reason: "CheckFailed", At: *second(9)}
	cancelled := switching(v1alpha1.SwitchPromote, 2, 10, 0, 0)
	cancelled.CancelledAt = moment(12)
	grew := candidate(2, 1, 0, 0)
	grew.Round, grew.ProgressSince = 1, second(20)
	grewReady := candidate(2, 1, 25, 30)
	grewReady.Round = 1
	lost := active(2, 11, 15)
	lost.Failed = "it is inconclusive"
	rolledBack := candidate(2, 11, 0, 0)
	rolledBack.Halted = &v1alpha1.HaltedStatus{Reason: v1alpha1.ReasonRolledBack, At: *second(16)}
	green := active(1, 0, 5)
	green.Colour = v1alpha1.Green
	back := func(patched, settled int) *v1alpha1.SwitchStatus {
		sw := switching(v1alpha1.SwitchRollback, 1, 15, patched, settled)
		sw.To.Colour = v1alpha1.Green
		return sw
	}
	for name, tc := range map[string]struct {
		life []status
		want []string
	}{
		"Promotion": {[]status{
			{}, {Candidate: candidate(2, 1, 0, 0)}, {Candidate: candidate(2, 1, 3, 0)}, {Candidate: candidate(2, 1, 3, 4)},
			{Candidate: candidate(2, 1, 3, 4), Switch: switching(v1alpha1.SwitchPromote, 2, 10, 0, 0)},
			{Active: active(2, 11, 0), Switch: switching(v1alpha1.SwitchPromote, 2, 10, 11, 0)},
			{Active: active(2, 11, 0), Switch: switching(v1alpha1.SwitchPromote, 2, 10, 11, 12)},
			{Active: active(2, 11, 40), Switch: switching(v1alpha1.SwitchPromote, 2, 10, 11, 12)},
			{Active: active(2, 11, 40), Switch: switching(v1alpha1.SwitchPromote, 2, 10, 11, 12)},
		}, []string{
			"2 Preparing 1-3 Passed", "2 Testing 3-4 Passed", "2 AwaitingApproval 4-10 Promote", "2 Switching 10-12 Passed", "2 Observing 11-40 Passed, the last",
		}},
		"AtOnce": {[]status{{}, {Candidate: candidate(2, 1, 3, 3)}}, []string{"2 Preparing 1-3 Passed", "2 Testing 3-3 Passed"}},
		"Halted": {[]status{{Candidate: candidate(2, 1, 3, 0)}, {Candidate: halted}, {Candidate: halted}, {Candidate: candidate(3, 20, 0, 0)}},
			[]string{"2 Testing 3-9 CheckFailed, the last"}},
		"Superseded": {[]status{{Candidate: candidate(2, 1, 3, 4)}, {Candidate: candidate(3, 20, 0, 0)}}, []string{"2 AwaitingApproval 4-20 Superseded, the last"}},
		"TakenBack":  {[]status{{Candidate: candidate(2, 1, 0, 0)}, {}}, []string{"2 Preparing 1-99 Superseded, the last"}},
		"Cancelled": {[]status{
			{Candidate: candidate(2, 1, 3, 4), Switch: switching(v1alpha1.SwitchPromote, 2, 10, 0, 0)},
			{Candidate: candidate(2, 1, 3, 4), Switch: cancelled},
			{Candidate: candidate(2, 1, 3, 4), Switch: switching(v1alpha1.SwitchPromote, 2, 30, 0, 0)},
		}, []string{"2 Switching 10-12 Cancelled", "2 AwaitingApproval 12-30 Promote"}},
		"Renumbered": {[]status{
			{Candidate: candidate(2, 1, 3, 4), Switch: switching(v1alpha1.SwitchPromote, 2, 10, 0, 0)},
			{Candidate: candidate(2, 1, 3, 4), Switch: func() *v1alpha1.SwitchStatus {
				sw := switching(v1alpha1.SwitchPromote, 2, 10, 0, 0)
				sw.Epoch++
				return sw
			}()},
		}, nil},
		"Grown": {[]status{{Candidate: candidate(2, 1, 3, 4)}, {Candidate: grew}, {Candidate: grewReady}},
			[]string{"2 AwaitingApproval 4-20 Grown", "2 Preparing 20-25 Passed", "2 Testing 25-30 Passed"}},
		"Inconclusive": {[]status{{Active: active(2, 11, 0)}, {Active: lost}}, []string{"2 Observing 11-15 Failed, the last"}},
		"RolledBack": {[]status{
			{Active: active(2, 11, 0), Switch: switching(v1alpha1.SwitchPromote, 2, 10, 11, 12)},
			{Active: active(2, 11, 0), Switch: back(0, 0)},
			{Active: green, Candidate: rolledBack, Switch: back(16, 0)},
			{Active: green, Candidate: rolledBack, Switch: back(16, 17)},
		}, []string{"2 Observing 11-15 RolledBack", "2 RollingBack 15-17 Passed, the last"}},
		"RolledBackHalfWay": {[]status{
			{Candidate: candidate(2, 1, 3, 4), Active: green, Switch: switching(v1alpha1.SwitchPromote, 2, 10, 0, 0)},
			{Candidate: candidate(2, 1, 3, 4), Active: green, Switch: back(0, 0)},
		}, []string{"2 Switching 10-15 Failed"}},
		"BreakGlass": {[]status{{Candidate: candidate(2, 1, 3, 4)}, {Candidate: candidate(2, 1, 3, 4), Switch: switching(v1alpha1.SwitchBreakGlass, 2, 10, 0, 0)}},
			[]string{"2 AwaitingApproval 4-10 BreakGlass"}},
	} {
		t.Run(name, func(t *testing.T) {
			var got []string
			for i := range tc.life[1:] {
				for _, s := range ended(&tc.life[i], &tc.life[i+1], second(99).Time) {
					got = append(got, describe(s))
				}
			}
			if !slices.Equal(got, tc.want) {
				t.Errorf("got\n%q, want\n%q", got, tc.want)
			}
		})
	}
}

func TestDurations(t *testing.T) {
	before := v1alpha1.ReleaseStatus{Candidate: candidate(2, 1, 3, 4)}
	after := v1alpha1.ReleaseStatus{Candidate: candidate(2, 1, 3, 4), Switch: switching(v1alpha1.SwitchPromote, 2, 10, 0, 0)}
	for series, by := range map[string]float64{
		`countersign_phase_duration_seconds_sum{phase="AwaitingApproval"}`:   6,
		`countersign_approval_wait_seconds_sum{outcome="Promote"}`:           6,
		`countersign_approval_wait_seconds_count{outcome="Promote"}`:         1,
		`countersign_phase_duration_seconds_count{phase="AwaitingApproval"}`: 1,
	} {
		grows(t, series, by, func() {
			told(t, before, before)
			told(t, before, after)
			told(t, after, after)
		})
	}
}

// Copyright The Countersign Authors.
// SPDX-License-Identifier: Apache-2.0

package telemetry

import (
	"time"

	"github.com/countersign/countersign/api/v1alpha1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// How a stage ended, beside the reasons that a candidate is given up for.
const (
	passed     = "Passed"
	grown      = "Grown"
	superseded = "Superseded"
	cancelled  = "Cancelled"
	failed     = "Failed"
)

// stage is a part of the life of one content that has ended. Its times are those of
// the status, so that whoever took over in the middle of it tells them as well.
type stage struct {
	phase v1alpha1.Phase
	// sequence of the content; 0 if that is not known any more.
	sequence int64
	from, to time.Time
	outcome  string
	// last is true when the release of the content ends with it.
	last bool
}

func (s stage) seconds() float64 { return max(0, s.to.Sub(s.from).Seconds()) }

// ended are the stages that a commit has ended. at is when it was made, for what
// has no time of its own.
func ended(before, now *v1alpha1.ReleaseStatus, at time.Time) []stage {
	stages := candidateStages(before, now, at)
	stages = append(stages, switchStages(before, now)...)
	return append(stages, observation(before, now)...)
}

// candidateStages are those of the candidate: what it was before, and what became of it.
func candidateStages(before, now *v1alpha1.ReleaseStatus, at time.Time) (stages []stage) {
	c, n := before.Candidate, now.Candidate
	same := c != nil && n != nil && c.Sequence == n.Sequence
	switch {
	case c == nil || c.Halted != nil || going(before.Switch, c.Sequence):
	case same && n.Halted != nil:
		stages = append(stages, open(c, before.Switch, n.Halted.At.Time, n.Halted.Reason, true))
	case same && n.Round > c.Round && c.TestedAt != nil && n.ProgressSince != nil:
		stages = append(stages, open(c, before.Switch, n.ProgressSince.Time, grown, false))
	case !same && (now.Active == nil || now.Active.Sequence != c.Sequence):
		if n != nil {
			at = n.Since.Time
		}
		stages = append(stages, open(c, before.Switch, at, superseded, true))
	}
	if n == nil {
		return stages
	}
	var had v1alpha1.CandidateStatus
	if same && c.Round == n.Round {
		had = *c
	}
	if n.ReadyAt != nil && had.ReadyAt == nil {
		from := n.Since.Time
		if n.Round > 0 && same && c.ProgressSince != nil {
			from = c.ProgressSince.Time
		}
		stages = append(stages, stage{v1alpha1.PhasePreparing, n.Sequence, from, n.ReadyAt.Time, passed, false})
	}
	if n.TestedAt != nil && had.TestedAt == nil && n.ReadyAt != nil {
		stages = append(stages, stage{v1alpha1.PhaseTesting, n.Sequence, n.ReadyAt.Time, n.TestedAt.Time, passed, false})
	}
	if sw := now.Switch; begun(before, now) && sw.Reason.Promotes() && sw.To.Sequence == n.Sequence && n.TestedAt != nil {
		stages = append(stages, open(n, before.Switch, sw.IntendedAt.Time, string(sw.Reason), false))
	}
	return stages
}

// open is the stage that a candidate is in, ended now.
func open(c *v1alpha1.CandidateStatus, sw *v1alpha1.SwitchStatus, to time.Time, outcome string, last bool) stage {
	s := stage{v1alpha1.PhasePreparing, c.Sequence, c.Since.Time, to, outcome, last}
	switch {
	case c.TestedAt != nil:
		s.phase, s.from = v1alpha1.PhaseAwaitingApproval, c.TestedAt.Time
		if sw != nil && sw.CancelledAt != nil && sw.To.Sequence == c.Sequence && sw.CancelledAt.After(s.from) {
			s.from = sw.CancelledAt.Time // it waits again since
		}
	case c.ReadyAt != nil:
		s.phase, s.from = v1alpha1.PhaseTesting, c.ReadyAt.Time
	case c.Round > 0 && c.ProgressSince != nil:
		s.from = c.ProgressSince.Time
	}
	return s
}

// going tells whether traffic is on its way to a content.
func going(sw *v1alpha1.SwitchStatus, sequence int64) bool {
	return sw != nil && sw.To.Sequence == sequence && sw.SettledAt == nil && sw.CancelledAt == nil
}

// begun tells whether the commit has begun a switch. A switch may get another epoch
// on its way, but no other beginning.
func begun(before, now *v1alpha1.ReleaseStatus) bool {
	return now.Switch != nil && (before.Switch == nil || !before.Switch.IntendedAt.Equal(&now.Switch.IntendedAt))
}

func switchStages(before, now *v1alpha1.ReleaseStatus) []stage {
	sw, had := now.Switch, before.Switch
	switch {
	case sw == nil:
		return nil
	case begun(before, now):
		if had != nil && sw.Reason == v1alpha1.SwitchRollback && going(had, had.To.Sequence) {
			return []stage{{v1alpha1.PhaseSwitching, had.To.Sequence, had.IntendedAt.Time, sw.IntendedAt.Time, failed, false}}
		}
		return nil
	case sw.CancelledAt != nil && had.CancelledAt == nil:
		return []stage{{v1alpha1.PhaseSwitching, sw.To.Sequence, sw.IntendedAt.Time, sw.CancelledAt.Time, cancelled, false}}
	case sw.SettledAt == nil || had.SettledAt != nil:
		return nil
	case sw.Reason == v1alpha1.SwitchRollback:
		return []stage{{v1alpha1.PhaseRollingBack, leftBehind(before, now), sw.IntendedAt.Time, sw.SettledAt.Time, passed, true}}
	}
	return []stage{{v1alpha1.PhaseSwitching, sw.To.Sequence, sw.IntendedAt.Time, sw.SettledAt.Time, passed, false}}
}

// leftBehind is the content that a rollback goes away from.
func leftBehind(before, now *v1alpha1.ReleaseStatus) int64 {
	if a := before.Active; a != nil && a.Colour != now.Switch.To.Colour {
		return a.Sequence
	}
	if c := now.Candidate; c != nil && c.Halted != nil && c.Halted.Reason == v1alpha1.ReasonRolledBack {
		return c.Sequence
	}
	return 0
}

func observation(before, now *v1alpha1.ReleaseStatus) []stage {
	a, n := before.Active, now.Active
	if a == nil || a.FinishedAt != nil {
		return nil
	}
	s := stage{phase: v1alpha1.PhaseObserving, sequence: a.Sequence, from: a.Since.Time}
	switch {
	case begun(before, now) && now.Switch.Reason == v1alpha1.SwitchRollback:
		s.to, s.outcome = now.Switch.IntendedAt.Time, v1alpha1.ReasonRolledBack
	case n == nil:
		return nil
	case n.Epoch == a.Epoch && n.FinishedAt != nil:
		s.to, s.outcome, s.last = n.FinishedAt.Time, passed, true
		if n.Failed != "" {
			s.outcome = failed
		}
	case n.Epoch != a.Epoch && now.Switch != nil && now.Switch.Reason.Promotes():
		s.to, s.outcome, s.last = n.Since.Time, superseded, true
	default:
		return nil
	}
	return []stage{s}
}

// waitingSince is since when a candidate waits for people; nil when none does.
func waitingSince(s *v1alpha1.ReleaseStatus) *metav1.Time {
	if s.Phase != v1alpha1.PhaseAwaitingApproval || s.Candidate == nil {
		return nil
	}
	return s.Candidate.TestedAt
}

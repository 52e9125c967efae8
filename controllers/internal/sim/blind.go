// Copyright The Countersign Authors.
// SPDX-License-Identifier: Apache-2.0

package sim

import (
	"strings"
	"time"

	"github.com/countersign/countersign/api/v1alpha1"
)

// blind is what keeps checks from finding anything out, for a time.
type blind struct {
	part
	until time.Time
}

// blindfold begins such a time. It lasts for a few rounds, or for longer than a
// candidate has.
func (s *sim) blindfold() {
	b := &s.parts.blind
	if b.chance(20) && s.clock.After(b.until) {
		b.until = s.clock.Add(time.Duration(5+b.rng.IntN(50)) * time.Second)
		if b.rng.IntN(3) == 0 {
			b.until = s.clock.Add(5 * time.Minute)
		}
	}
}

// unclear tells whether a check cannot find out now.
func (s *sim) unclear() bool { return !s.calm && s.clock.Before(s.parts.blind.until) }

// checkFailed notes that a check really failed.
func (o *oracle) checkFailed(digest string) { o.failed[digest] = true }

// foundBad: I8. What could not be found out is no failure: neither is a candidate
// given up for it, nor what serves gone back from.
func (o *oracle) foundBad(was, now *v1alpha1.ReleaseStatus) {
	for _, c := range now.Checks {
		if c.State == v1alpha1.CheckInconclusive {
			o.sim.seen.add("inconclusive " + string(c.Stage))
		}
	}
	c, had := now.Candidate, was.Candidate
	if c != nil && c.Halted != nil && had != nil && had.Halted == nil && had.Digest == c.Digest {
		if c.Halted.Reason == v1alpha1.ReasonCheckFailed && !o.failed[c.Digest] {
			o.sim.violate("I8", "candidate %s is given up because of a check, and none failed: %s", c.Digest, c.Halted.Message)
		}
		if strings.Contains(c.Halted.Message, "is inconclusive") {
			o.sim.seen.add("candidates halted while checks were inconclusive")
		}
	}
	if sw := now.Switch; sw != nil && sw.Reason == v1alpha1.SwitchRollback && (was.Switch == nil || was.Switch.Epoch != sw.Epoch) &&
		was.Active != nil && strings.HasPrefix(sw.Message, "check ") && !o.failed[was.Active.Digest] {
		o.sim.violate("I8", "epoch %d goes back from %s because of a check, and none failed: %s", sw.Epoch, was.Active.Digest, sw.Message)
	}
}

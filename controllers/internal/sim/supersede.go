// Copyright The Countersign Authors.
// SPDX-License-Identifier: Apache-2.0

package sim

import "github.com/countersign/countersign/api/v1alpha1"

// supersede sends other content while what was sent before waits, is tested or was
// given up, and best of all once somebody has voted for it.
func (s *sim) supersede() {
	rel := s.release()
	if rel == nil || onOffer(rel) == "" {
		return
	}
	rate := 5
	if s.oracle.votedFor(onOffer(rel)) {
		rate = 60
	}
	if !s.parts.impatient.chance(rate) {
		return
	}
	image := s.newImage(good)
	_ = s.edit(dave, func(rel *v1alpha1.Release) { rel.Spec.Template = s.template(image) })
}

// votedFor tells whether somebody's vote stands for content.
func (o *oracle) votedFor(digest string) bool {
	for _, b := range o.votes {
		if b.digest == digest && !b.rejects {
			return true
		}
	}
	return false
}

// superseded: I6 and I8. A candidate that takes the place of another begins anew: it
// is not tested, and whoever voted for the other has not voted for it.
func (o *oracle) superseded(was, now *v1alpha1.ReleaseStatus) {
	c, had := now.Candidate, was.Candidate
	if c == nil || had == nil || had.Digest == "" || c.Revision == had.Revision {
		return
	}
	switch {
	case had.Halted != nil:
		o.sim.seen.add("superseded when halted")
	case had.TestedAt == nil:
		o.sim.seen.add("superseded while tested")
	case o.votedFor(had.Digest):
		o.sim.seen.add("superseded with votes")
	default:
		o.sim.seen.add("superseded while waiting")
	}
	if c.Digest == had.Digest || c.TestedAt != nil || c.Sequence <= had.Sequence {
		o.sim.violate("I8", "candidate %d takes the place of %d and keeps what that had: digest %q, tested at %v", c.Sequence, had.Sequence, c.Digest, c.TestedAt)
	}
	for _, v := range now.Votes {
		if v.Counted {
			o.sim.violate("I6", "the vote of %s counts for candidate %d, which has no digest yet", v.User, c.Sequence)
		}
	}
}

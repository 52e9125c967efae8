// Copyright The Countersign Authors.
// SPDX-License-Identifier: Apache-2.0

package sim

import (
	"fmt"
	"strings"

	"github.com/countersign/countersign/api/v1alpha1"
)

// ask is a request as it stands: who made it, and what it names.
type ask struct{ user, value string }

var requestKeys = []string{v1alpha1.RollbackAnnotation, v1alpha1.AbortAnnotation, v1alpha1.RetryAnnotation}

// request: somebody on call, or a program, asks for something; at times about what
// is not there, or takes it back.
func (s *sim) request() {
	rel := s.release()
	if rel == nil {
		return
	}
	u, key, value := pick(s, append(onCall(), argocd)), pick(s, requestKeys), ""
	if s.recorded() && s.records.rng.IntN(2) == 0 {
		s.requestFar(rel, u)
		return
	}
	if c := rel.Status.Candidate; c != nil {
		value = c.Digest
		if c.Digest == "" {
			value = fmt.Sprint(c.Sequence)
		}
		if c.Halted != nil {
			key = v1alpha1.RetryAnnotation
		}
	} else if a := rel.Status.Active; a != nil {
		if key, value = v1alpha1.RollbackAnnotation, a.Digest; s.oracle.irreversible(a.Digest) {
			value = "irreversible:" + a.Digest
		}
	}
	switch s.rng.IntN(8) {
	case 0:
		value = onOffer(rel)
	case 1:
		value = ""
	}
	err := s.edit(u, func(r *v1alpha1.Release) {
		if annotate(r, key, value); value == "" {
			delete(r.Annotations, key)
		}
	})
	if err != nil {
		s.seen.add("requests refused")
	}
}

// requested keeps the books of requests.
func (o *oracle) requested(actor string, before, after *v1alpha1.Release) {
	for _, key := range append([]string{v1alpha1.RestartAnnotation}, requestKeys...) {
		switch now, has := after.Annotations[key]; {
		case !has:
			delete(o.asked, key)
		case now != before.Annotations[key]:
			o.asked[key] = ask{actor, now}
		}
	}
}

// byHand: what is said to be asked for is asked for by whom it is said to be: to go
// back from what is active, or to give up what the Services are being led to.
func (o *oracle) byHand(rel *v1alpha1.Release, sw *v1alpha1.SwitchStatus) {
	from := ""
	if rel.Status.Active != nil {
		from = rel.Status.Active.Digest
	}
	if sw.AskedBy == "" {
		half := rel.Status.Switch != nil && rel.Status.Switch.PatchedAt == nil && rel.Status.Switch.CancelledAt == nil && rel.Status.Switch.Reason.Promotes()
		if o.irreversible(from) && !half {
			o.sim.violate("I1", "epoch %d goes back from %s, which is irreversible, and nobody asked", sw.Epoch, from)
		}
		return
	}
	if o.irreversible(from) {
		from = "irreversible:" + from
	}
	o.sim.seen.add("rollbacks by hand")
	back, abort := o.asked[v1alpha1.RollbackAnnotation], o.asked[v1alpha1.AbortAnnotation]
	far := ask{sw.AskedBy, ""}
	if rel.Status.Active != nil {
		far.value = o.farRequest(rel.Status.Active.Digest, sw.To.Digest)
	}
	if back != (ask{sw.AskedBy, from}) && back != far && !(abort.user == sw.AskedBy && o.names(abort, rel.Status.Candidate)) {
		o.sim.violate("I1", "epoch %d goes back from %s because %s asked, and what is asked for is %+v and %+v", sw.Epoch, from, sw.AskedBy, back, abort)
	}
}

// irreversible tells whether content was marked so when people voted on it.
func (o *oracle) irreversible(digest string) bool {
	return strings.Contains(o.offered[digest].content, `"irreversible":true`)
}

// names tells whether a request is about a candidate.
func (o *oracle) names(a ask, c *v1alpha1.CandidateStatus) bool {
	return a.user != "" && c != nil && (a.value == c.Digest || a.value == fmt.Sprint(c.Sequence))
}

// heeded: nobody's content is given up without a reason, and what was given up is
// not tried again unless somebody asks for it, and never after it had traffic.
func (o *oracle) heeded(was, now *v1alpha1.ReleaseStatus) {
	had, c := was.Candidate, now.Candidate
	if c == nil || had == nil || had.Revision != c.Revision {
		return
	}
	switch {
	case had.Halted == nil && c.Halted != nil && c.Halted.Reason == v1alpha1.ReasonAborted:
		o.sim.seen.add("candidates aborted")
		if !o.names(o.asked[v1alpha1.AbortAnnotation], had) && !o.names(o.asked[v1alpha1.AbortAnnotation], c) {
			o.sim.violate("I15", "candidate %s is given up because somebody asked, and what is asked for is %+v", had.Digest, o.asked[v1alpha1.AbortAnnotation])
		}
	case had.Halted != nil && c.Halted == nil:
		o.sim.seen.add("candidates retried")
		if had.Halted.Reason == v1alpha1.ReasonRolledBack || !o.names(o.asked[v1alpha1.RetryAnnotation], had) || c.Sequence <= had.Sequence {
			o.sim.violate("I11", "candidate %s (%s) is tried again as %d, and what is asked for is %+v", had.Digest, had.Halted.Reason, c.Sequence, o.asked[v1alpha1.RetryAnnotation])
		}
	}
}

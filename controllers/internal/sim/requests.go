// Copyright The Countersign Authors.
// SPDX-License-Identifier: Apache-2.0

package sim

import (
	"github.com/countersign/countersign/api/v1alpha1"
)

// ask is a request as it stands: who made it, and what it names.
type ask struct{ user, value string }

// request: somebody on call, or a program, asks for something; at times about what
// is not there, or takes it back.
func (s *sim) request() {
	rel := s.release()
	if rel == nil {
		return
	}
	u := pick(s, append(onCall(), argocd))
	key, value := v1alpha1.RollbackAnnotation, ""
	if a := rel.Status.Active; a != nil {
		value = a.Digest
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
	for _, key := range []string{v1alpha1.RollbackAnnotation} {
		switch now, has := after.Annotations[key]; {
		case !has:
			delete(o.asked, key)
		case now != before.Annotations[key]:
			o.asked[key] = ask{actor, now}
		}
	}
}

// byHand: what is said to be asked for is asked for by whom it is said to be, of
// what is active.
func (o *oracle) byHand(rel *v1alpha1.Release, sw *v1alpha1.SwitchStatus) {
	if sw.AskedBy == "" {
		return
	}
	o.sim.seen.add("rollbacks by hand")
	if got := o.asked[v1alpha1.RollbackAnnotation]; got.user != sw.AskedBy || got.value != rel.Status.Active.Digest {
		o.sim.violate("I1", "epoch %d goes back from %s because %s asked, and what is asked for is %+v", sw.Epoch, rel.Status.Active.Digest, sw.AskedBy, got)
	}
}

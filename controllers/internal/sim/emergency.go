// Copyright The Countersign Authors.
// SPDX-License-Identifier: Apache-2.0

package sim

import (
	"fmt"

	"github.com/countersign/countersign/api/v1alpha1"
)

// Those on call. dana writes content besides, and cannot break the glass then.
var (
	oscar = user{name: "oscar", groups: []string{"oncall"}}
	olga  = user{name: "olga", groups: []string{"oncall"}}
)

func onCall() []user { return []user{oscar, oscar, olga, dana, mallory} }

// emergency: somebody breaks the glass for what is on offer, or takes it back, or
// looks at what another did.
func (s *sim) emergency() {
	rel := s.release()
	if rel == nil {
		return
	}
	u := pick(s, onCall())
	key := v1alpha1.GlassPrefix + "slot-of-" + u.name
	switch _, has := rel.Annotations[key]; {
	case s.rng.IntN(3) == 0:
		s.review(pick(s, append(approvers(), onCall()...)))
	case has && s.rng.IntN(2) == 0:
		_ = s.edit(u, func(r *v1alpha1.Release) { delete(r.Annotations, key) })
	default:
		value := fmt.Sprintf("%s;INC-%d;it is down", onOffer(rel), s.steps)
		if s.edit(u, func(r *v1alpha1.Release) { annotate(r, key, value) }) == nil {
			s.seen.add("glass broken")
		}
	}
}

// review of the first break-glass that waits for one.
func (s *sim) review(u user) {
	rel := s.release()
	if rel == nil || len(rel.Status.Reviews) == 0 {
		return
	}
	_ = s.edit(u, func(r *v1alpha1.Release) {
		annotate(r, v1alpha1.ReviewPrefix+"slot-of-"+u.name, rel.Status.Reviews[0].Digest)
	})
}

// forgeEmergency puts break-glass or a review into storage, past everything.
func (s *sim) forgeEmergency() {
	rel := s.release()
	if rel == nil {
		return
	}
	digest, reviews := onOffer(rel), rel.Status.Reviews
	inStorage(s, s.releaseKey(), func(r *v1alpha1.Release) {
		annotate(r, v1alpha1.GlassPrefix+"forged", digest+";INC-0;let it pass")
		annotate(r, v1alpha1.GlassReceiptPrefix+"forged", "v1 oscar "+digest+" x")
		if len(reviews) > 0 {
			annotate(r, v1alpha1.ReviewPrefix+"forged", reviews[0].Digest)
			annotate(r, v1alpha1.ReviewReceiptPrefix+"forged", "v1 alice "+reviews[0].Digest+" x")
		}
	})
}

// Copyright The Countersign Authors.
// SPDX-License-Identifier: Apache-2.0

package sim

import (
	"slices"

	"github.com/countersign/countersign/api/v1alpha1"
)

// The people. dana may approve as far as her groups go, and writes content.
// alice has two accounts where a policy says so.
var (
	dana       = user{name: "dana", groups: []string{"dev", "qa", "oncall"}}
	dave       = user{name: "dave", groups: []string{"dev"}}
	alice      = user{name: "alice", groups: []string{"qa"}}
	aliceAdmin = user{name: "alice-admin", groups: []string{"qa", "ops"}}
	bob        = user{name: "bob", groups: []string{"qa"}}
	erin       = user{name: "erin", groups: []string{"qa", "security"}}
	carol      = user{name: "carol", groups: []string{"security"}}
	mallory    = user{name: "mallory", groups: []string{"dev"}}
	argocd     = user{name: "system:serviceaccount:argocd:app-controller"}
)

func developers() []user { return []user{dana, dana, dave, dave, argocd, bob} }
func approvers() []user  { return []user{alice, aliceAdmin, bob, erin, carol, dana} }

func userNamed(name string) user {
	for _, u := range slices.Concat(developers(), approvers(), onCall()) {
		if u.name == name {
			return u
		}
	}
	return user{name: name}
}

// people do something, or nothing.
func (s *sim) people() {
	w := &s.weather
	if s.calm {
		return
	}
	for _, act := range []struct {
		rate int
		do   func()
	}{
		{w.edit, s.develop}, {w.vote, s.vote}, {w.glass, s.emergency}, {w.request, s.request}, {w.mischief, s.mischief},
		{w.policy, s.changePolicy}, {w.intrusion, s.intrude}, {w.deletion, s.deleteRelease},
	} {
		if s.chance(act.rate) {
			act.do()
		}
	}
	if s.configured() && s.chance(w.edit/2) {
		s.configure()
	}
	s.askAnew()
	if s.against != "" || s.plotted > 0 {
		s.carryOutPlot()
	}
	s.appear()
	if s.release() == nil && s.rng.IntN(20) == 0 {
		s.createRelease(pick(s, developers()))
	}
}

// plot makes things happen between a decision to promote and its effect, which
// by chance alone they rarely do.
func (s *sim) plot(actor string) {
	if !s.calm && s.chance(s.weather.plots) {
		s.against, s.plotted = actor, 1+s.rng.IntN(2)
	}
}

func (s *sim) carryOutPlot() {
	s.plotted = max(s.plotted-1, 0)
	if s.configured() && s.rng.IntN(3) == 0 {
		s.configure()
		return
	}
	switch s.rng.IntN(6) {
	case 0, 1:
		s.changePolicy()
	case 2:
		s.develop()
	case 3:
		s.takeover()
	case 4:
		s.churn()
	case 5:
		if rel := s.release(); rel != nil {
			for _, slot := range slotsOf(rel) {
				s.withdraw(userNamed(s.oracle.votes[slot].user), slot)
			}
		}
	}
}

// vote: somebody approves, or at times rejects or withdraws.
func (s *sim) vote() {
	rel := s.release()
	if rel == nil {
		return
	}
	u := pick(s, approvers())
	slot, voted := s.slotOf(rel, u)
	value := rel.Annotations[v1alpha1.VotePrefix+slot]
	digest := onOffer(rel)
	switch n := s.rng.IntN(100); {
	case voted && (n < 4 || n < 40 && len(value) > 7 && value[:7] == v1alpha1.RejectPrefix):
		s.withdraw(u, slot)
	case digest == "":
	case n < 96:
		if value != digest {
			s.cast(u, slot, digest)
		}
	default:
		s.cast(u, slot, v1alpha1.RejectPrefix+digest)
		s.seen.add("rejections")
	}
}

// onOffer is the digest that can be voted on.
func onOffer(rel *v1alpha1.Release) string {
	if c := rel.Status.Candidate; c != nil {
		return c.Digest
	}
	return ""
}

// slotOf finds the slot that a user has a vote in, or should take.
func (s *sim) slotOf(rel *v1alpha1.Release, u user) (slot string, voted bool) {
	for slot, v := range s.oracle.votes {
		if v.user == u.name {
			_, has := rel.Annotations[v1alpha1.VotePrefix+slot]
			return slot, has
		}
	}
	if slot, has := s.oracle.slots[u.name]; has {
		return slot, false
	}
	return "slot-of-" + u.name, false
}

func (s *sim) cast(u user, slot, value string) {
	_ = s.edit(u, func(rel *v1alpha1.Release) {
		annotate(rel, v1alpha1.VotePrefix+slot, value)
	})
}

func (s *sim) withdraw(u user, slot string) {
	if s.edit(u, func(rel *v1alpha1.Release) { delete(rel.Annotations, v1alpha1.VotePrefix+slot) }) == nil {
		s.seen.add("withdrawals")
	}
}

func annotate(rel *v1alpha1.Release, key, value string) {
	if rel.Annotations == nil {
		rel.Annotations = map[string]string{}
	}
	rel.Annotations[key] = value
}

func (s *sim) deleteRelease() {
	if s.release() == nil || s.rng.IntN(2) == 0 {
		return
	}
	s.logf("the Release is deleted")
	s.seen.add("deletions")
	s.must(s.server.remove(dana.name, s.releaseKey(), nil))
}

// slotsOf are the slots with a vote, in order.
func slotsOf(rel *v1alpha1.Release) (slots []string) {
	for key := range rel.Annotations {
		if len(key) > len(v1alpha1.VotePrefix) && key[:len(v1alpha1.VotePrefix)] == v1alpha1.VotePrefix {
			slots = append(slots, key[len(v1alpha1.VotePrefix):])
		}
	}
	slices.Sort(slots)
	return slots
}

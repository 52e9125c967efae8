// Copyright The Countersign Authors.
// SPDX-License-Identifier: Apache-2.0

package sim

import "math/rand/v2"

// part is somebody who appears in some lives only. Each draws lots of their own, so
// that all that others do is as it would be without.
type part struct {
	on  bool
	rng *rand.Rand
}

func newPart(seed, salt uint64, oneIn int) part {
	rng := rand.New(rand.NewPCG(seed, salt))
	return part{on: rng.IntN(oneIn) == 0, rng: rng}
}

// partOf is somebody who appears in the lives that are told by their seeds.
func partOf(seed, salt uint64, on bool) part {
	return part{on: on, rng: rand.New(rand.NewPCG(seed, salt))}
}

// chance is true n times of 1000, in lives with the part.
func (p part) chance(n int) bool { return p.on && p.rng.IntN(1000) < n }

// parts are those who appear in some lives.
type parts struct {
	// ports: the Services are the operator's to make.
	ports part
	// autoscaler scales the Release.
	autoscaler part
	gitops     gitops
	// blind: checks cannot find out at times.
	blind blind
	// impatient: somebody who does not wait for what they sent before.
	impatient part
}

func newParts(seed uint64) parts {
	return parts{
		ports:      newPart(seed, 0x706f727473, 4),
		autoscaler: newPart(seed, 0x7363616c65, 2),
		gitops:     gitops{part: newPart(seed, 0x676974, 3)},
		blind:      blind{part: newPart(seed, 0x626c696e64, 3)},
		impatient:  newPart(seed, 0x68617374, 4),
	}
}

// appear lets each of them do something, or nothing.
func (s *sim) appear() {
	s.deleteWhatServes()
	s.tidyUp()
	s.changePorts()
	s.autoscale()
	s.syncFromGit()
	s.blindfold()
	s.supersede()
}

// Copyright The Countersign Authors.
// SPDX-License-Identifier: Apache-2.0

package approval

import (
	"slices"
	"time"
)

// ClockSkew is how far the clock that stamped an approval may be ahead.
const ClockSkew = time.Minute

// voter is a person with the approvals of theirs that stand, earliest first.
type voter struct {
	votes []int // indexes into ballot.votes
}

// filling is how persons fill seats at a moment.
type filling struct {
	ballot  *ballot
	at      time.Time
	voters  []voter // by their earliest approval
	holders [][]int // voters who sit, by place
	voices  [][]int // voters whose approval counts under any rule, by policy
}

// stands tells whether an approval counts at a place at a moment.
func (b *ballot) stands(vote, at int, now time.Time) bool {
	v, where := &b.votes[vote], &b.places[at]
	return b.admitted[vote][at] &&
		!v.At.After(now.Add(ClockSkew)) &&
		now.Before(v.At.Add(b.policies[where.policy].ValidFor))
}

// fill gives out as many seats as can be filled at once, by maximum bipartite
// matching of persons and seats over all policies, so that a person who could
// take several seats takes the one that helps. Who approved earlier sits first.
func (b *ballot) fill(now time.Time) *filling {
	f := &filling{ballot: b, at: now,
		holders: make([][]int, len(b.places)), voices: make([][]int, len(b.policies))}
	f.gather()
	for i := range f.voters {
		f.seat(i, make([]bool, len(b.places)))
		for p := range b.policies {
			if f.voice(i, p) >= 0 {
				f.voices[p] = append(f.voices[p], i)
			}
		}
	}
	return f
}

// gather groups the approvals that stand anywhere by person.
func (f *filling) gather() {
	byPerson := map[string]int{}
	for _, vote := range f.ballot.approvals { // earliest first
		if !f.standsAnywhere(vote) {
			continue
		}
		key := f.ballot.persons.of(f.ballot.votes[vote].User)
		i, ok := byPerson[key]
		if !ok {
			i = len(f.voters)
			byPerson[key] = i
			f.voters = append(f.voters, voter{})
		}
		f.voters[i].votes = append(f.voters[i].votes, vote)
	}
}

func (f *filling) standsAnywhere(vote int) bool {
	for at := range f.ballot.places {
		if f.ballot.stands(vote, at, f.at) {
			return true
		}
	}
	return false
}

// seat finds a seat for a voter, asking those who sit to move where they can. It
// is one augmenting path of the matching: nobody who sits loses their seat.
func (f *filling) seat(who int, asked []bool) bool {
	for at := range f.ballot.places {
		if asked[at] || f.claim(who, at) < 0 {
			continue
		}
		asked[at] = true
		if len(f.holders[at]) < f.ballot.places[at].seats {
			f.holders[at] = append(f.holders[at], who)
			return true
		}
		for k, holder := range f.holders[at] {
			if f.seat(holder, asked) {
				f.holders[at][k] = who
				return true
			}
		}
	}
	return false
}

// claim is the earliest vote with which a voter can take a seat at a place, or -1.
func (f *filling) claim(who, at int) int {
	for _, vote := range f.voters[who].votes {
		if f.ballot.stands(vote, at, f.at) {
			return vote
		}
	}
	return -1
}

// voice is the earliest vote that counts under any rule of a policy, or -1.
func (f *filling) voice(who, policy int) int {
	for at := range f.ballot.places {
		if where := f.ballot.places[at]; where.policy == policy && !where.extra {
			if vote := f.claim(who, at); vote >= 0 {
				return vote
			}
		}
	}
	return -1
}

// lacking is how many seats of a policy are free, and how many more persons it
// demands beyond those who will sit there.
func (f *filling) lacking(policy int) (seats, more int) {
	for at, where := range f.ballot.places {
		if where.policy == policy {
			seats += where.seats - len(f.holders[at])
		}
	}
	return seats, max(0, f.ballot.policies[policy].MinDistinctPersons-len(f.voices[policy])-seats)
}

// complete tells that nothing is lacking in any of at least one policy.
func (f *filling) complete() bool {
	for p := range f.ballot.policies {
		if seats, more := f.lacking(p); seats > 0 || more > 0 {
			return false
		}
	}
	return len(f.ballot.places) > 0
}

// seated tells which voters sit.
func (f *filling) seated() []bool {
	sits := make([]bool, len(f.voters))
	for _, holders := range f.holders {
		for _, who := range holders {
			sits[who] = true
		}
	}
	return sits
}

// until is the first moment at which a quorum that is met now is not met any
// more. Only the end of an approval can be that moment, and most of them are not:
// another person may take the seat.
func (b *ballot) until(now time.Time) time.Time {
	var ends []time.Time
	for _, vote := range b.approvals {
		for p := range b.policies {
			if end := b.votes[vote].At.Add(b.policies[p].ValidFor); end.After(now) {
				ends = append(ends, end)
			}
		}
	}
	slices.SortFunc(ends, time.Time.Compare)
	for _, end := range slices.CompactFunc(ends, time.Time.Equal) {
		if !b.fill(end).complete() {
			return end
		}
	}
	return now
}

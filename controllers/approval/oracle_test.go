// Copyright The Countersign Authors.
// SPDX-License-Identifier: Apache-2.0

package approval_test

import (
	"slices"
	"strings"
	"time"

	"github.com/countersign/countersign/controllers/approval"
)

// oracle judges the same as Evaluate in the plainest way: it tries every way to
// seat people. It shares no code with it.
type oracle struct {
	policies []approval.Policy
	subject  approval.Subject
	votes    []approval.Vote
	now      time.Time
}

// one tells whether two accounts are one person: it walks from person to person.
func (o oracle) one(a, b string) bool {
	reached := []string{a}
	for i := 0; i < len(reached); i++ {
		for _, p := range o.policies {
			for _, person := range p.Persons {
				if !slices.Contains(person.Users, reached[i]) {
					continue
				}
				for _, u := range person.Users {
					if u != "" && !slices.Contains(reached, u) {
						reached = append(reached, u)
					}
				}
			}
		}
	}
	return slices.Contains(reached, b)
}

func (o oracle) author(user string) bool {
	return slices.ContainsFunc(o.subject.Authors, func(a string) bool { return o.one(a, user) })
}

func (o oracle) authorsExcluded() bool {
	return slices.ContainsFunc(o.policies, func(p approval.Policy) bool { return !p.AuthorsMayApprove })
}

func (o oracle) proven(v approval.Vote) bool {
	return v.Invalid == "" && v.Digest == o.subject.Digest && v.User != "" && !strings.HasPrefix(v.User, "system:")
}

func (o oracle) named(r approval.Rule, v approval.Vote) bool {
	for _, g := range v.Groups {
		if g != "" && slices.Contains(r.Groups, g) {
			return true
		}
	}
	return slices.Contains(r.Users, v.User)
}

// good tells whether a vote is an approval that counts under a rule of a policy.
func (o oracle) good(p approval.Policy, r approval.Rule, v approval.Vote) bool {
	for _, other := range o.votes {
		if other.Decision == approval.Reject && o.proven(other) && o.one(other.User, v.User) {
			return false
		}
	}
	age := o.now.Sub(v.At)
	return o.proven(v) && v.Decision == approval.Approve && !(o.authorsExcluded() && o.author(v.User)) &&
		o.named(r, v) && r.Count >= 1 && r.Count <= 64 && p.ValidFor > 0 && age < p.ValidFor && age >= -time.Minute
}

func (o oracle) vetoed() bool {
	for _, v := range o.votes {
		if v.Decision != approval.Reject || !o.proven(v) {
			continue
		}
		if o.author(v.User) {
			return true
		}
		for _, p := range o.policies {
			for _, r := range p.Rules {
				self := func(u string) bool { return u != "" && o.one(u, v.User) }
				if r.CanVeto && (o.named(r, v) || slices.ContainsFunc(r.Users, self)) {
					return true
				}
			}
		}
	}
	return false
}

// people are one vote's user of each person who voted at all.
func (o oracle) people() (users []string) {
	for _, v := range o.votes {
		if v.User != "" && !slices.ContainsFunc(users, func(u string) bool { return o.one(u, v.User) }) {
			users = append(users, v.User)
		}
	}
	return users
}

// may tells whether a person has an approval that counts under a rule.
func (o oracle) may(person string, p approval.Policy, r approval.Rule) bool {
	return slices.ContainsFunc(o.votes, func(v approval.Vote) bool { return o.one(person, v.User) && o.good(p, r, v) })
}

// seated is how many of the seats can be filled at once, and how many there are:
// every set of people is kept with the most seats that it can fill.
func (o oracle) seated() (filled, seats int) {
	people := o.people()
	best := map[uint64]int{0: 0}
	for _, p := range o.policies {
		for _, r := range p.Rules {
			for range max(1, r.Count) {
				seats++
				next := map[uint64]int{}
				for set, n := range best {
					next[set] = max(next[set], n)
					for i, person := range people {
						if with := set | 1<<i; with != set && o.may(person, p, r) {
							next[with] = max(next[with], n+1)
						}
					}
				}
				best = next
			}
		}
	}
	for _, n := range best {
		filled = max(filled, n)
	}
	return filled, seats
}

func (o oracle) enoughPersons() bool {
	for _, p := range o.policies {
		n := 0
		for _, person := range o.people() {
			if slices.ContainsFunc(p.Rules, func(r approval.Rule) bool { return o.may(person, p, r) }) {
				n++
			}
		}
		if n < p.MinDistinctPersons || len(p.Rules) == 0 {
			return false
		}
	}
	return true
}

func (o oracle) outcome() approval.Outcome {
	filled, seats := o.seated()
	switch {
	case len(o.policies) == 0:
		return approval.Blocked
	case o.subject.Digest == "":
		return approval.Pending
	case !o.subject.AuthorsKnown || len(o.subject.Authors) == 0 || slices.Contains(o.subject.Authors, ""):
		return approval.Blocked
	case o.vetoed():
		return approval.Rejected
	case filled == seats && seats > 0 && o.enoughPersons():
		return approval.Approved
	}
	return approval.Pending
}

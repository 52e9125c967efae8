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

// demanding are the policies that are there for more than their windows or hold.
func (o oracle) demanding() []approval.Policy {
	return slices.DeleteFunc(slices.Clone(o.policies), func(p approval.Policy) bool {
		return len(p.Rules) == 0 && (p.Hold != "" || len(p.Windows.Allow)+len(p.Windows.Exclude) > 0)
	})
}

// one tells whether two accounts are one person: it walks from person to person.
func (o oracle) one(a, b string) bool {
	reached := []string{a}
	for i := 0; i < len(reached); i++ {
		for _, p := range o.demanding() {
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
	return slices.ContainsFunc(o.demanding(), func(p approval.Policy) bool { return !p.AuthorsMayApprove })
}

func (o oracle) proven(v approval.Vote) bool {
	return v.Invalid == "" && v.Digest == o.subject.Digest && v.User != "" && !strings.HasPrefix(v.User, "system:")
}

func (o oracle) named(p approval.Policy, r approval.Rule, v approval.Vote) bool {
	if r.RBAC && slices.Contains(v.Permitted, p.Name+"."+r.Name) {
		return true
	}
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
		o.named(p, r, v) && r.Count >= 1 && r.Count <= 64 && p.ValidFor > 0 && age < p.ValidFor && age >= -time.Minute
}

func (o oracle) vetoed() bool {
	for _, v := range o.votes {
		if v.Decision != approval.Reject || !o.proven(v) {
			continue
		}
		if o.author(v.User) {
			return true
		}
		for _, p := range o.demanding() {
			for _, r := range p.Rules {
				self := func(u string) bool { return u != "" && o.one(u, v.User) }
				if r.CanVeto && (o.named(p, r, v) || slices.ContainsFunc(r.Users, self)) {
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
	sit := func(may func(person string) bool) {
		seats++
		next := map[uint64]int{}
		for set, n := range best {
			next[set] = max(next[set], n)
			for i, person := range people {
				if with := set | 1<<i; with != set && may(person) {
					next[with] = max(next[with], n+1)
				}
			}
		}
		best = next
	}
	for _, p := range o.demanding() {
		for _, r := range p.Rules {
			seats := r.Count
			if seats < 1 || seats > 64 {
				seats = 1
			}
			for range seats {
				sit(func(person string) bool { return o.may(person, p, r) })
			}
		}
	}
	if o.suspicious() {
		sit(o.oneMore)
	}
	for _, n := range best {
		filled = max(filled, n)
	}
	return filled, seats
}

// suspicious tells whether nobody knows for whom a program wrote, or who changed
// a part, and it matters.
func (o oracle) suspicious() bool {
	return o.authorsExcluded() && o.refused() == "" && o.strange()
}

func (o oracle) strange() bool {
	return o.subject.Unwitnessed != "" || slices.ContainsFunc(o.subject.Authors, o.stranger)
}

func (o oracle) stranger(author string) bool {
	return strings.HasPrefix(author, "system:") && !slices.Contains(o.subject.Named, author)
}

// refused is a policy that lets nothing of a stranger through.
func (o oracle) refused() string {
	for _, p := range o.demanding() {
		if p.RefuseUnknownAuthor && o.strange() {
			return p.Name
		}
	}
	return ""
}

// oneMore tells whether a person may take the seat that is there because of a
// stranger: with the time that approvals last in the policy that it is put to.
func (o oracle) oneMore(person string) bool {
	first := slices.MinFunc(o.demanding(), func(a, b approval.Policy) int { return strings.Compare(a.Name, b.Name) })
	for _, p := range o.demanding() {
		for _, r := range p.Rules {
			fits := func(v approval.Vote) bool {
				q := p
				if p.ValidFor > 0 {
					q.ValidFor = first.ValidFor
				}
				return o.one(person, v.User) && o.good(q, r, v)
			}
			if slices.ContainsFunc(o.votes, fits) {
				return true
			}
		}
	}
	return false
}

// persons is how many have to approve under a policy.
func (o oracle) persons(p approval.Policy) int {
	if !o.suspicious() {
		return p.MinDistinctPersons
	}
	seats := 0
	for _, r := range p.Rules {
		if r.Count < 1 || r.Count > 64 {
			r.Count = 1
		}
		seats += r.Count
	}
	return max(seats, p.MinDistinctPersons) + 1
}

func (o oracle) enoughPersons() bool {
	for _, p := range o.demanding() {
		n := 0
		for _, person := range o.people() {
			if slices.ContainsFunc(p.Rules, func(r approval.Rule) bool { return o.may(person, p, r) }) {
				n++
			}
		}
		if n < o.persons(p) || len(p.Rules) == 0 {
			return false
		}
	}
	return true
}

func (o oracle) outcome() approval.Outcome {
	filled, seats := o.seated()
	switch {
	case len(o.demanding()) == 0:
		return approval.Blocked
	case o.subject.Digest == "":
		return approval.Pending
	case !o.subject.AuthorsKnown || len(o.subject.Authors) == 0 || slices.Contains(o.subject.Authors, ""):
		return approval.Blocked
	case o.refused() != "":
		return approval.Blocked
	case o.vetoed():
		return approval.Rejected
	case filled == seats && seats > 0 && o.enoughPersons() && !o.held():
		return approval.Approved
	}
	return approval.Pending
}

// held tells whether a policy holds, or has closed at noon: the only windows that
// are generated close then or last all day.
func (o oracle) held() bool {
	return slices.ContainsFunc(o.policies, func(p approval.Policy) bool { return p.Hold != "" || len(p.Windows.Exclude) > 0 })
}

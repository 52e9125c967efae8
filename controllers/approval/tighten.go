// Copyright The Countersign Authors.
// SPDX-License-Identifier: Apache-2.0

package approval

import (
	"cmp"
	"encoding/json"
	"fmt"
	"slices"
)

// Demands are the policies as far as an approval covers them: without windows,
// holds and break-glass, which are judged at the switch, and without those policies that consist
// of nothing else. They are sorted by name.
func Demands(policies []Policy) (demands []Policy) {
	for _, p := range policies {
		if p.seatless() {
			continue
		}
		p = normal(p)
		p.Windows, p.Hold, p.BreakGlass = Windows{}, "", nil
		demands = append(demands, p)
	}
	slices.SortStableFunc(demands, func(a, b Policy) int { return cmp.Compare(a.Name, b.Name) })
	return demands
}

// Freeze writes demands down, so that Thaw gives them back.
func Freeze(demands []Policy) (string, error) {
	text, err := json.Marshal(demands)
	if err != nil {
		return "", fmt.Errorf("write the policies down: %w", err)
	}
	return string(text), nil
}

// Thaw reads what Freeze wrote.
func Thaw(text string) (demands []Policy, err error) {
	if err := json.Unmarshal([]byte(text), &demands); err != nil {
		return nil, fmt.Errorf("read the policies that were written down: %w", err)
	}
	return demands, nil
}

// Tightens tells whether everything that would be let through of the subject under
// now would be under was, whoever votes and whenever. So votes on what was can be
// judged under now. It looks policy by policy and rule by rule, by their names,
// and says no when it cannot tell.
func Tightens(was, now []Policy, subject Subject) bool {
	was, now = Demands(was), Demands(now)
	unknown := subject.unknown() != ""
	if len(was) == 0 || !distinctNames(was) || !distinctNames(now) {
		return false
	}
	// The person more whom an unknown author demands may be of what was added.
	if unknown && len(now) != len(was) {
		return false
	}
	for i := range was {
		k := slices.IndexFunc(now, func(p Policy) bool { return p.Name == was[i].Name })
		if k < 0 || !was[i].tightenedTo(now[k], unknown) {
			return false
		}
	}
	return merge(now).include(was)
}

func distinctNames(policies []Policy) bool {
	names := make([]string, 0, len(policies))
	for _, p := range policies {
		names = append(names, p.Name)
		rules := make([]string, 0, len(p.Rules))
		for _, r := range p.Rules {
			rules = append(rules, r.Name)
		}
		if len(set(rules)) != len(rules) {
			return false
		}
	}
	return len(set(names)) == len(names)
}

// include tells whether accounts that the policies give to one person are one
// person here.
func (p persons) include(policies []Policy) bool {
	for i := range policies {
		for _, person := range policies[i].Persons {
			for _, user := range person.Users {
				if p.of(user) != p.of(person.Users[0]) {
					return false
				}
			}
		}
	}
	return true
}

// tightenedTo tells whether now demands at least what the policy does.
func (p Policy) tightenedTo(now Policy, unknown bool) bool {
	seats := 0
	for _, at := range placesOf(0, p) {
		k := slices.IndexFunc(now.Rules, func(r Rule) bool { return r.Name == at.rule.Name })
		if at.broken != "" || k < 0 || !at.rule.tightenedTo(now.Rules[k]) {
			return false // what could never be met demands the most
		}
		seats += now.Rules[k].Count
	}
	switch {
	case now.ValidFor > p.ValidFor,
		now.AuthorsMayApprove && !p.AuthorsMayApprove,
		p.RefuseUnknownAuthor && !now.RefuseUnknownAuthor,
		p.RequireImageDigests && !now.RequireImageDigests,
		!subset(now.TrustedDelegates, p.TrustedDelegates):
		return false
	case len(now.Rules) == len(p.Rules):
		return now.MinDistinctPersons >= p.MinDistinctPersons || p.MinDistinctPersons <= seats
	}
	// Persons beyond the seats may be of the rules that were added.
	return !unknown && p.MinDistinctPersons <= seats
}

func (r Rule) tightenedTo(now Rule) bool {
	switch {
	case now.Count < r.Count, !subset(now.Users, r.Users), !subset(now.Groups, r.Groups), now.RBAC && !r.RBAC:
		return false
	case r.CanVeto: // nobody may lose their veto
		return now.CanVeto && subset(r.Users, now.Users) && subset(r.Groups, now.Groups) && now.RBAC == r.RBAC
	}
	return true
}

func subset(some, all []string) bool {
	return !slices.ContainsFunc(some, func(s string) bool { return !slices.Contains(all, s) })
}

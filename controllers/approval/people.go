// Copyright The Countersign Authors.
// SPDX-License-Identifier: Apache-2.0

package approval

import (
	"cmp"
	"slices"
	"strings"
)

// persons tell which accounts are one human. An account that no policy names is
// a person of its own.
type persons struct {
	parent map[string]string // towards the smallest account of the person
	name   map[string]string // of a person, by smallest account
}

// merge joins all accounts that any policy gives to one person. Two policies that
// share an account mean the same human, under whatever names.
func merge(policies []Policy) persons {
	p := persons{parent: map[string]string{}, name: map[string]string{}}
	for i := range policies {
		for _, person := range policies[i].Persons {
			for _, user := range person.Users {
				a, b := p.of(person.Users[0]), p.of(user)
				p.parent[max(a, b)] = min(a, b)
			}
		}
	}
	for i := range policies {
		for _, person := range policies[i].Persons {
			for _, user := range person.Users {
				key := p.of(user)
				if was, ok := p.name[key]; person.Name != "" && (!ok || person.Name < was) {
					p.name[key] = person.Name
				}
			}
		}
	}
	return p
}

// of is the same for all accounts of a person, and only for those.
func (p persons) of(user string) string {
	for {
		next, ok := p.parent[user]
		if !ok || next == user {
			return user
		}
		user = next
	}
}

// called is how a person is called in explanations.
func (p persons) called(user string) string {
	if name, ok := p.name[p.of(user)]; ok {
		return name
	}
	return user
}

// isProgram tells the accounts of programs from people's. The API server puts
// them under system: (service accounts, nodes, its own components).
func isProgram(user string) bool { return strings.HasPrefix(user, "system:") }

// place is a rule, or what stands for a policy without any, in the one list over
// which seats are given.
type place struct {
	policy int
	rule   Rule
	seats  int
	broken string // why nobody can ever take a seat here
	// extra is true of the seat for the person more whom an unknown author
	// demands. It is of no rule: whoever fits any of among may take it.
	extra bool
	among []namedRule
}

// namedRule is a rule and the policy that it is of.
type namedRule struct {
	policy string
	Rule
}

// electorate is who may do what, without regard to votes and time.
type electorate struct {
	policies          []Policy
	places            []place
	persons           persons
	authors           map[string]string // account that changed the content, by person
	authorsMayApprove bool
	unknown           string // of what content nobody knows who changed it
	refuses           string // why an unknown author keeps the content out
}

func newElectorate(policies []Policy, subject Subject) electorate {
	e := electorate{authors: map[string]string{}, authorsMayApprove: len(policies) > 0, unknown: subject.unknown()}
	for i := range policies {
		if policies[i].seatless() {
			continue
		}
		e.policies = append(e.policies, normal(policies[i]))
		e.authorsMayApprove = e.authorsMayApprove && policies[i].AuthorsMayApprove
	}
	slices.SortStableFunc(e.policies, func(a, b Policy) int { return cmp.Compare(a.Name, b.Name) })
	e.persons = merge(e.policies)
	for _, author := range set(subject.Authors) {
		if key := e.persons.of(author); e.authors[key] == "" {
			e.authors[key] = author
		}
	}
	for i := range e.policies {
		e.places = append(e.places, placesOf(i, e.policies[i])...)
	}
	e.suspect()
	return e
}

// maxCount of seats in a rule; more is a mistake, because there are not that many
// votes.
const maxCount = 64

func placesOf(index int, p Policy) (places []place) {
	for _, rule := range p.Rules {
		at := place{policy: index, rule: rule, seats: rule.Count, among: []namedRule{{p.Name, rule}}}
		switch {
		case rule.Count < 1 || rule.Count > maxCount:
			at.seats, at.broken = 1, "its count is not from 1 to 64"
		case len(rule.Users) == 0 && len(rule.Groups) == 0 && !rule.RBAC:
			at.broken = "it names no users and no groups"
		case p.ValidFor <= 0:
			at.broken = "its policy has no validFor, so no approval lasts"
		}
		places = append(places, at)
	}
	if len(places) == 0 {
		places = append(places, place{policy: index, seats: 1, broken: "the policy has no rules"})
	}
	return places
}

func (e *electorate) label(at place) string {
	return e.policies[at.policy].Name + "/" + at.rule.Name
}

// author is the account with which the user's person changed the content.
func (e *electorate) author(user string) (account string, is bool) {
	account, is = e.authors[e.persons.of(user)]
	return account, is
}

// admits tells whether the account that voted may take a seat here.
func (p place) admits(user string, groups, permitted []string) bool {
	return slices.ContainsFunc(p.among, func(r namedRule) bool { return r.admits(user, groups, permitted) })
}

// admits tells whether the rule lets the account that voted take a seat.
func (r namedRule) admits(user string, groups, permitted []string) bool {
	return slices.Contains(r.Users, user) ||
		slices.ContainsFunc(groups, func(g string) bool { return slices.Contains(r.Groups, g) }) ||
		r.RBAC && slices.Contains(permitted, RuleID(r.policy, r.Name))
}

// mayVeto tells whether a rule lets the user's person veto, with whichever
// account: who is asked not to let it pass is heard in any case.
func (e *electorate) mayVeto(at place, user string, groups, permitted []string) bool {
	same := func(named string) bool { return e.persons.of(named) == e.persons.of(user) }
	return at.rule.CanVeto && (at.admits(user, groups, permitted) || slices.ContainsFunc(at.rule.Users, same))
}

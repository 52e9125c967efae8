// Copyright The Countersign Authors.
// SPDX-License-Identifier: Apache-2.0

package approval

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
)

// seats are those that are filled, sorted.
func (f *filling) seats() (seats []Seat) {
	b := f.ballot
	for at, holders := range f.holders {
		for _, who := range holders {
			v := &b.votes[f.claim(who, at)]
			seats = append(seats, Seat{
				Policy: b.policies[b.places[at].policy].Name, Rule: b.places[at].rule.Name,
				Person: b.persons.called(v.User), User: v.User, Slot: v.Slot,
			})
		}
	}
	slices.SortStableFunc(seats, func(a, b Seat) int {
		return cmp.Or(strings.Compare(a.Policy, b.Policy), strings.Compare(a.Rule, b.Rule),
			strings.Compare(a.User, b.User), strings.Compare(a.Slot, b.Slot))
	})
	return seats
}

// missing is what is lacking, by policy and rule.
func (f *filling) missing() (missing []Missing) {
	for p := range f.ballot.policies {
		name := f.ballot.policies[p].Name
		var everyone Rule
		for at, where := range f.ballot.places {
			if where.policy != p {
				continue
			}
			if where.broken == "" && !where.extra {
				everyone.Users = append(everyone.Users, where.rule.Users...)
				everyone.Groups = append(everyone.Groups, where.rule.Groups...)
			}
			if free := where.seats - len(f.holders[at]); free > 0 {
				missing = append(missing, f.lack(Missing{Policy: name, Rule: where.rule.Name, Count: free, Broken: where.broken, ByRBAC: where.byRBAC()}, where.rule, f.seated()))
			}
		}
		if _, more := f.lacking(p); more > 0 {
			counts := make([]bool, len(f.voters))
			for _, who := range f.voices[p] {
				counts[who] = true
			}
			missing = append(missing, f.lack(Missing{Policy: name, Rule: RuleDistinctPersons, Count: more, ByRBAC: RulesByRBAC(f.ballot.policies[p : p+1])}, everyone, counts))
		}
	}
	return missing
}

// lack adds who of a rule could fill what is missing: not the authors who cannot
// approve, and not the voters who are used up.
func (f *filling) lack(m Missing, rule Rule, used []bool) Missing {
	if m.Broken != "" {
		m.ByRBAC = nil
		return m
	}
	b := f.ballot
	taken := map[string]bool{}
	for i, who := range f.voters {
		if used[i] {
			taken[b.persons.of(b.votes[who.votes[0]].User)] = true
		}
	}
	m.Groups = set(rule.Groups)
	for _, user := range set(rule.Users) {
		if !isProgram(user) && b.excluded(user) == "" && !taken[b.persons.of(user)] {
			m.Users = append(m.Users, user)
		}
	}
	return m
}

// byRBAC are the IDs of the rules under which RBAC says who may sit here.
func (p place) byRBAC() (ids []string) {
	for _, r := range p.among {
		if r.RBAC {
			ids = append(ids, RuleID(r.policy, r.Name))
		}
	}
	return set(ids)
}

// count is how many of the persons that are demanded have approved.
func (f *filling) count() (filled, total int) {
	for p := range f.ballot.policies {
		demanded := 0
		for _, where := range f.ballot.places {
			if where.policy == p {
				demanded += where.seats
			}
		}
		demanded = max(demanded, f.ballot.policies[p].MinDistinctPersons)
		seats, more := f.lacking(p)
		total += demanded
		filled += demanded - seats - more
	}
	return filled, total
}

// who names those who could fill what is missing.
func (m Missing) who() string {
	groups := make([]string, 0, len(m.Groups))
	for _, g := range m.Groups {
		groups = append(groups, "a member of "+g)
	}
	for _, id := range m.ByRBAC {
		groups = append(groups, "somebody whom RBAC lets approve approvalrules/"+id)
	}
	if names := append(slices.Clone(m.Users), groups...); len(names) > 0 {
		return "from " + list(names)
	}
	return fmt.Sprintf("but nobody is left who could: ask the owners of policy %s to name more people", m.Policy)
}

func (m Missing) sentence() string {
	switch {
	case m.Broken != "" && m.Rule == "":
		return fmt.Sprintf("policy %s can never be met, because %s: ask its owners to mend it", m.Policy, m.Broken)
	case m.Broken != "":
		return fmt.Sprintf("rule %s/%s can never be met, because %s: ask the owners of the policy to mend it", m.Policy, m.Rule, m.Broken)
	case m.Rule == RuleDistinctPersons:
		return fmt.Sprintf("policy %s needs %s in all, %s", m.Policy, more(m.Count, "person"), m.who())
	case m.Rule == RuleUnknownAuthor:
		return fmt.Sprintf("nobody knows who changed all of the content, so that policy %s needs %s, %s", m.Policy, more(m.Count, "approval"), m.who())
	}
	return fmt.Sprintf("%s/%s needs %s, %s", m.Policy, m.Rule, more(m.Count, "approval"), m.who())
}

func more(n int, what string) string {
	if n == 1 {
		return "1 more " + what
	}
	return fmt.Sprintf("%d more %ss", n, what)
}

// maxSentences bounds how many rules a message speaks of.
const maxSentences = 3

func missingMessage(missing []Missing) string { return atMost(maxSentences, sentences(missing)) }

func sentences(missing []Missing) (texts []string) {
	for _, m := range missing {
		texts = append(texts, m.sentence())
	}
	return texts
}

// atMost n of the sentences, and how many more rules are not met.
func atMost(n int, sentences []string) string {
	if left := len(sentences) - n; left > 0 {
		sentences = append(slices.Clone(sentences[:n]), fmt.Sprintf("%d more rules are not met", left))
	}
	return strings.Join(sentences, "; ")
}

func approvedMessage(seats []Seat) string {
	var people []string
	for _, s := range seats {
		people = append(people, s.Person)
	}
	return "every seat is filled: " + list(people)
}

func (b *ballot) rejectedMessage() string {
	var by []string
	for i := range b.votes {
		if v := &b.votes[i]; v.Counted && v.Decision == Reject {
			role := v.Rule
			if role == "" {
				role = "an author"
			}
			by = append(by, fmt.Sprintf("%s (%s)", v.User, role))
		}
	}
	return fmt.Sprintf("rejected by %s; it stays blocked until they withdraw their vote or the content changes", list(set(by)))
}

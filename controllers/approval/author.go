// Copyright The Countersign Authors.
// SPDX-License-Identifier: Apache-2.0

package approval

import (
	"fmt"
	"slices"
)

// unknown says of what nobody knows which person changed it: a program wrote it,
// or nobody looked. Of several programs it is the first by name. Empty if all is
// known.
func (s Subject) unknown() string {
	for _, author := range set(s.Authors) {
		if isProgram(author) && !slices.Contains(s.Named, author) {
			return author + " changed the content, nobody knows for whom"
		}
	}
	if s.Unwitnessed != "" {
		return "nobody knows who changed " + s.Unwitnessed
	}
	return ""
}

// suspect draws the consequence from an author whom nobody knows: any one of the
// voters may be that person. So every policy demands one more person than
// otherwise, and there is one more seat in all, because the same person may be
// the one more of several policies. Where authors may approve, it does not matter
// who they are.
func (e *electorate) suspect() {
	if e.unknown == "" {
		return
	}
	extra := place{policy: -1, seats: 1, extra: true, rule: Rule{Name: RuleUnknownAuthor}, broken: "no rule of the policies can be met"}
	for i := range e.policies {
		p := &e.policies[i]
		if p.RefuseUnknownAuthor {
			e.refuses = fmt.Sprintf("%s, and policy %s lets no such content through; a person has to apply the change to the Release itself", e.unknown, p.Name)
			continue
		}
		if extra.policy < 0 {
			extra.policy = i
		}
		seats := 0
		for _, where := range e.places {
			if where.policy != i {
				continue
			}
			seats += where.seats
			if where.broken == "" {
				extra.broken = ""
				extra.among = append(extra.among, where.among...)
				extra.rule.Users = append(extra.rule.Users, where.rule.Users...)
				extra.rule.Groups = append(extra.rule.Groups, where.rule.Groups...)
			}
		}
		if !e.authorsMayApprove {
			p.MinDistinctPersons = max(p.MinDistinctPersons, seats) + 1
		}
	}
	if extra.policy >= 0 && !e.authorsMayApprove {
		if e.policies[extra.policy].ValidFor <= 0 {
			extra.broken = "its policy has no validFor, so no approval lasts"
		}
		e.places = append(e.places, extra)
	}
}

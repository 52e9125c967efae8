// Copyright The Countersign Authors.
// SPDX-License-Identifier: Apache-2.0

package approval

import (
	"fmt"
	"time"
)

// Unsatisfiable says what nobody can ever give that the policies demand of the
// subject, each a sentence without a full stop that says who has to mend what. A
// group, and whom RBAC allows, is taken to have as many members as there are
// seats: who is in it is not known here.
//
// The subject needs no digest and no proof of its authors: it is asked before
// anybody votes, also before there is any content.
func Unsatisfiable(policies []Policy, subject Subject) []string {
	b := newBallot(policies, subject, nil)
	return b.unsatisfiable()
}

// unsatisfiable lets everybody approve who could, and looks at what is missing.
func (b *ballot) unsatisfiable() []string {
	const digest = "any"
	all := &ballot{electorate: b.electorate, subject: Subject{Digest: digest}, rejects: map[string]string{}}
	for _, v := range b.everybody(digest) {
		all.votes = append(all.votes, ExplainedVote{Vote: v})
	}
	all.sort()
	return sentences(all.fill(time.Time{}).missing())
}

// maxExtras bounds how many persons beyond the seats are made up for a policy.
const maxExtras = 64

// everybody is a vote of each user whom a rule names, and of as many nameless
// people as a rule with groups or RBAC could need.
func (e *electorate) everybody(digest string) (votes []Vote) {
	var named []string
	wide := map[int]bool{}
	for at, where := range e.places {
		named = append(named, where.rule.Users...)
		if where.extra || len(where.rule.Groups) == 0 && !where.rule.RBAC {
			continue
		}
		people := where.seats
		if !wide[where.policy] {
			wide[where.policy] = true
			people += 1 + max(0, min(e.policies[where.policy].MinDistinctPersons, maxExtras))
		}
		for i := range people {
			v := Vote{Decision: Approve, Digest: digest, User: fmt.Sprintf("somebody %d of rule %d", i, at), Groups: where.rule.Groups}
			if where.rule.RBAC {
				v.Permitted = []string{RuleID(e.policies[where.policy].Name, where.rule.Name)}
			}
			votes = append(votes, v)
		}
	}
	for _, user := range set(named) {
		votes = append(votes, Vote{Decision: Approve, Digest: digest, User: user})
	}
	return votes
}

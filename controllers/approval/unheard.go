// Copyright The Countersign Authors.
// SPDX-License-Identifier: Apache-2.0

package approval

import "slices"

// Unheard tells whether somebody rejects the subject who may have a veto under now
// that their receipt cannot prove: it was cast under was, and records only the
// groups and the rights that were named then. Such votes have to be cast again.
func Unheard(was, now []Policy, subject Subject, votes []Vote) bool {
	if !addsVeto(was, now) {
		return false
	}
	e := newElectorate(now, subject)
	return slices.ContainsFunc(votes, func(v Vote) bool {
		if v.Invalid != "" || v.Decision != Reject || v.Digest != subject.Digest || notAPerson(v.User) != "" {
			return false
		}
		_, author := e.author(v.User)
		return !author && !slices.ContainsFunc(e.places, func(at place) bool { return e.mayVeto(at, v.User, v.Groups, v.Permitted) })
	})
}

// addsVeto tells whether a rule of now gives a veto to a group, or by a right, that
// nobody was asked about under was.
func addsVeto(was, now []Policy) bool {
	groups, rights := GroupsNamed(was), RulesByRBAC(was)
	for i := range now {
		for _, rule := range now[i].Rules {
			asked := subset(set(rule.Groups), groups) && (!rule.RBAC || slices.Contains(rights, RuleID(now[i].Name, rule.Name)))
			if rule.CanVeto && !asked {
				return true
			}
		}
	}
	return false
}

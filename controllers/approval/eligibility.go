// Copyright The Countersign Authors.
// SPDX-License-Identifier: Apache-2.0

package approval

// Eligibility tells whether a user, a member of groups whom RBAC permits to approve
// under some rules, could fill a seat for the subject, whatever the votes are so far. If not, why is one sentence without a
// full stop that says what keeps them from it. Evaluate counts an approval of
// theirs under the same conditions.
//
// It does not ask whether the subject has a digest, and it is not about
// rejections: who cannot approve may still reject.
func Eligibility(policies []Policy, subject Subject, user string, groups []string, permitted ...string) (ok bool, why string) {
	e := newElectorate(policies, subject)
	switch {
	case len(e.policies) == 0:
		return false, noPolicy
	case !subject.authorsKnown():
		return false, noAuthors
	case e.refuses != "":
		return false, e.refuses
	}
	if why := notAPerson(user); why != "" {
		return false, why
	}
	if why := e.excluded(user); why != "" {
		return false, why
	}
	for _, where := range e.places {
		if where.broken == "" && where.admits(user, groups, permitted) {
			return true, ""
		}
	}
	return false, e.unnamed(user)
}

// MayReject tells whether a rejection by a user, as in Eligibility, could have an
// effect on the subject: as a veto, or because it takes the place of an
// approval by the same person. If not, why says what keeps it from that, like
// Eligibility does.
//
// It does not ask whether the authors are proven: whoever is known to be one may
// reject, and a veto is heard as soon as they are.
func MayReject(policies []Policy, subject Subject, user string, groups []string, permitted ...string) (ok bool, why string) {
	e := newElectorate(policies, subject)
	if len(e.policies) == 0 {
		return false, noPolicy
	}
	if why := notAPerson(user); why != "" {
		return false, why
	}
	// With another account, the same person could be in a group that a rule
	// names: which groups those are in is not known here.
	if _, is := e.author(user); is || e.persons.several(user) {
		return true, ""
	}
	for _, where := range e.places {
		if where.admits(user, groups, permitted) {
			return true, ""
		}
	}
	return false, e.unnamed(user)
}

// notAPerson says why the user cannot vote at all; empty if they can.
func notAPerson(user string) string {
	switch {
	case user == "":
		return "the user has no name; vote with credentials of your own"
	case isProgram(user):
		return user + " is not a person; a person that a policy names has to vote"
	}
	return ""
}

// several tells whether a policy gives the user's person other accounts too.
func (p persons) several(user string) bool {
	for account := range p.parent {
		if account != user && p.of(account) == p.of(user) {
			return true
		}
	}
	return false
}

// Copyright The Countersign Authors.
// SPDX-License-Identifier: Apache-2.0

package approval

// Eligibility tells whether a user, a member of groups, could fill a seat for the
// subject, whatever the votes are so far. If not, why is one sentence without a
// full stop that says what keeps them from it. Evaluate counts an approval of
// theirs under the same conditions.
//
// It does not ask whether the subject has a digest, and it is not about
// rejections: who cannot approve may still reject.
func Eligibility(policies []Policy, subject Subject, user string, groups []string) (ok bool, why string) {
	e := newElectorate(policies, subject)
	switch {
	case len(policies) == 0:
		return false, noPolicy
	case !subject.authorsKnown():
		return false, noAuthors
	case user == "":
		return false, "the user has no name; vote with credentials of your own"
	case isProgram(user):
		return false, user + " is not a person; a person that a policy names has to vote"
	}
	if why := e.excluded(user); why != "" {
		return false, why
	}
	for _, where := range e.places {
		if where.broken == "" && where.rule.admits(user, groups) {
			return true, ""
		}
	}
	return false, e.unnamed(user)
}

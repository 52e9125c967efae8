// Copyright The Countersign Authors.
// SPDX-License-Identifier: Apache-2.0

package approval

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/countersign/countersign/api/v1alpha1"
)

// GlassLasts is how long a use of break-glass counts, or as long as an approval
// if that is shorter: it is for what cannot wait.
const GlassLasts = time.Hour

// ReviewLimit is how many uses of break-glass can wait to be reviewed. Beyond it,
// nobody can break the glass.
const ReviewLimit = 4

const (
	maxTicket = 64
	maxReason = 512
)

// BreakGlass is what a policy says about emergencies.
type BreakGlass struct {
	// Groups whose members may let a candidate through.
	Groups []string `json:"groups"`
	// ReviewWithin is how long others have to look at it.
	ReviewWithin time.Duration `json:"reviewWithin,string"`
}

// Glass is a use of break-glass as it is observed: what its annotation says and
// what its verified receipt proves.
type Glass struct {
	// Slot is the part of the annotation's key that its writer chose.
	Slot string
	// Digest, Ticket and Reason are from the annotation; empty if it cannot be
	// parsed.
	Digest, Ticket, Reason string
	// User, Groups and At are from the verified receipt.
	User   string
	Groups []string
	At     time.Time
	// Invalid says why it proves nothing. Unless it is empty, it never counts.
	Invalid string
}

// Said is what the value of a break-glass annotation says.
type Said struct{ Digest, Ticket, Reason string }

// ParseGlass parses "<digest>;<ticket>;<reason>". Nothing is trimmed or folded.
// The error is a sentence that says what to write instead.
func ParseGlass(value string) (Said, error) {
	parts := strings.SplitN(value, ";", 3)
	if len(parts) != 3 {
		return Said{}, errors.New("it is not of the form <digest>;<ticket>;<reason>; write all three")
	}
	decision, digest, err := ParseVote(parts[0])
	switch {
	case err != nil:
		return Said{}, err
	case decision != Approve:
		return Said{}, errors.New("it begins with reject:; to reject the candidate, vote")
	}
	for _, field := range []struct {
		name, value string
		limit       int
	}{{"ticket", parts[1], maxTicket}, {"reason", parts[2], maxReason}} {
		switch {
		case strings.TrimSpace(field.value) == "":
			return Said{}, fmt.Errorf("it has no %s; write <digest>;<ticket>;<reason>", field.name)
		case len(field.value) > field.limit:
			return Said{}, fmt.Errorf("its %s has %d bytes and can have %d; write it shorter", field.name, len(field.value), field.limit)
		case !printable(field.value):
			return Said{}, fmt.Errorf("its %s holds control characters or line breaks; write it in one line", field.name)
		}
	}
	return Said{Digest: digest, Ticket: parts[1], Reason: parts[2]}, nil
}

// printable tells whether a text can be shown in a terminal or a log without
// hiding or forging any: no control characters, line ends or changes of direction.
func printable(s string) bool {
	return strings.ToValidUTF8(s, "") == s && !strings.ContainsFunc(s, func(c rune) bool {
		return c < 0x20 || c >= 0x7F && c <= 0x9F || c == 0x2028 || c == 0x2029 || c >= 0x202A && c <= 0x202E || c >= 0x2066 && c <= 0x2069
	})
}

// MayBreakGlass tells whether a user, a member of groups, may let the subject
// through in an emergency: every policy has to say so. If not, why is one
// sentence without a full stop.
func MayBreakGlass(policies []Policy, subject Subject, user string, groups []string) (ok bool, why string) {
	switch {
	case !slices.ContainsFunc(policies, func(p Policy) bool { return p.Name != AddedName }):
		return false, noPolicy
	case !subject.authorsKnown():
		return false, noAuthors
	}
	if why := notAPerson(user); why != "" {
		return false, why
	}
	e := newElectorate(policies, subject)
	if account, is := e.author(user); is {
		return false, fmt.Sprintf("%s changed the content%s and cannot break the glass for it; somebody else has to", user, alias(user, account))
	}
	for i := range policies {
		p := &policies[i]
		switch {
		case p.Name == AddedName: // a Release adds demands on votes, no other
		case p.BreakGlass == nil || len(set(p.BreakGlass.Groups)) == 0:
			return false, fmt.Sprintf("policy %s has no breakGlass, so nobody can; get the approvals that are missing", p.Name)
		case !slices.ContainsFunc(set(p.BreakGlass.Groups), func(g string) bool { return slices.Contains(groups, g) }):
			return false, fmt.Sprintf("policy %s lets only members of %s break the glass; one of them has to", p.Name, list(set(p.BreakGlass.Groups)))
		}
	}
	return true, ""
}

// alias tells which account of a person it was.
func alias(user, account string) string {
	if user == account {
		return ""
	}
	return " as " + account
}

// GlassVoid says why a use of break-glass does not let the subject through at a
// moment; empty if it does, as far as the approvals and the windows go.
func GlassVoid(policies []Policy, subject Subject, g Glass, now time.Time) string {
	switch {
	case g.Invalid != "":
		return g.Invalid
	case subject.Digest == "" || g.Digest != subject.Digest:
		return fmt.Sprintf("it is for %s, the candidate is %s; look at the candidate and break the glass for it", short(g.Digest), short(subject.Digest))
	case g.User == "" || g.Ticket == "" || g.Reason == "":
		return "its receipt names nobody or no cause; write it again"
	}
	if ok, why := MayBreakGlass(policies, subject, g.User, g.Groups); !ok {
		return why
	}
	switch end := GlassUntil(policies, g); {
	case g.At.After(now.Add(ClockSkew)):
		return ahead
	case !now.Before(end):
		return "it has expired: it is for what cannot wait; remove it and write it again"
	}
	return ""
}

// GlassHelps tells whether break-glass can stand in for what the verdict lacks:
// for approvals, and for a window that is closed. It is no match for a veto, a
// hold or a gate that is not whole.
func (v Verdict) GlassHelps() bool {
	switch v.Reason {
	case v1alpha1.ReasonAwaitingApproval, v1alpha1.ReasonUnsatisfiable, v1alpha1.ReasonOutsideWindow, v1alpha1.ReasonQuorumMet:
		return len(v.Vetoes) == 0
	}
	return false
}

// GlassUntil is the moment from which a use of break-glass counts no more.
func GlassUntil(policies []Policy, g Glass) time.Time {
	lasts := GlassLasts
	for i := range policies {
		lasts = min(lasts, policies[i].ValidFor)
	}
	return g.At.Add(lasts)
}

// ReviewWithin is how long others have to look at it: the shortest time that a
// policy gives.
func ReviewWithin(policies []Policy) time.Duration {
	within := 30 * 24 * time.Hour
	for i := range policies {
		if p := &policies[i]; p.BreakGlass != nil {
			within = min(within, p.BreakGlass.ReviewWithin)
		}
	}
	return max(within, 0)
}

// Review is a review of a use of break-glass as it is observed.
type Review struct {
	// Slot and Digest are from the annotation.
	Slot, Digest string
	// User, Groups and At are from the verified receipt.
	User   string
	Groups []string
	At     time.Time
	// Permitted are the IDs of the rules under which RBAC let the user approve when
	// they reviewed, as the receipt proves, and does so still.
	Permitted []string
	// Invalid says why it proves nothing. Unless it is empty, it never counts.
	Invalid string
}

// MayReview tells whether a user, a member of groups whom RBAC permits to approve
// under some rules, may review what by let through of authors: somebody else, whom
// a rule admits. If not, why is one sentence without a full stop.
func MayReview(policies []Policy, authors []string, by, user string, groups []string, permitted ...string) (ok bool, why string) {
	if len(policies) == 0 {
		return false, noPolicy
	}
	if why := notAPerson(user); why != "" {
		return false, why
	}
	e := newElectorate(policies, Subject{Authors: authors})
	if e.persons.of(user) == e.persons.of(by) {
		return false, fmt.Sprintf("%s broke the glass%s and cannot review it; somebody else has to", user, alias(user, by))
	}
	if account, is := e.author(user); is {
		return false, fmt.Sprintf("%s changed the content%s and cannot review it; somebody else has to", user, alias(user, account))
	}
	for _, where := range e.places {
		if where.broken == "" && where.admits(user, groups, permitted) {
			return true, ""
		}
	}
	return false, e.unnamed(user)
}

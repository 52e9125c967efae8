// Copyright The Countersign Authors.
// SPDX-License-Identifier: Apache-2.0

package approval

import "time"

// Subject is what is voted on.
type Subject struct {
	// Digest of the candidate. Empty while it is not known: nothing can be
	// approved then.
	Digest string
	// Authors are everyone who changed the content since the last promotion.
	Authors []string
	// AuthorsKnown tells that Authors is proven to be complete. Otherwise the
	// candidate is blocked.
	AuthorsKnown bool
	// Named are the programs among Authors that said each time for which person
	// they wrote. That person is an author, too. Of any other program, nobody
	// knows.
	Named []string
	// Unwitnessed is a part of the content, such as a ConfigMap, of which nobody
	// knows who changed it. Empty if there is none.
	Unwitnessed string
}

// Outcome is what a verdict comes to. Only Approved lets a candidate through.
type Outcome uint8

const (
	// Pending is the zero value: people have to vote first.
	Pending Outcome = iota
	// Approved: every seat is filled and nobody who may veto does.
	Approved
	// Rejected: somebody who may veto rejects the candidate.
	Rejected
	// Blocked: no vote can help. Reason says what is missing: a policy, or the
	// proof of who the authors are.
	Blocked
)

// Seat is a seat that a person fills.
type Seat struct {
	// Policy and Rule demand the seat.
	Policy, Rule string
	// Person who fills it, by the name that a policy gives them, else by User.
	Person string
	// User is the account that voted, Slot where its vote is.
	User, Slot string
}

// ExplainedVote is a vote and what became of it.
type ExplainedVote struct {
	Vote
	// Counted tells that the vote has effect: it fills a seat, makes up the
	// distinct persons that a policy demands, or vetoes.
	Counted bool
	// Rule that the vote has effect under, as policy/rule. Empty if it has none.
	Rule string
	// Why is one sentence, without a full stop, that says what the vote does or
	// what to do to make it count. It is never empty and changes only when the
	// verdict does.
	Why string
}

// Missing is what a rule still lacks.
type Missing struct {
	// Policy and Rule that lack it. Rule is empty for a policy without rules and
	// RuleDistinctPersons if seats are filled but by too few persons.
	Policy, Rule string
	// Count is how many more persons have to approve.
	Count int
	// Users and Groups are who could fill it, without those who cannot because
	// they are authors or already count.
	Users, Groups []string
	// ByRBAC are the IDs of rules under which RBAC says who else could.
	ByRBAC []string
	// Broken says why nobody can ever fill it; empty unless the policy itself is
	// at fault.
	Broken string
}

// What stands where a rule is named, of demands that are no rules. No rule can
// have such a name: they are in lower case.
const (
	// RuleDistinctPersons stands for minDistinctPersons.
	RuleDistinctPersons = "minDistinctPersons"
	// RuleUnknownAuthor stands for the person more whom unknownAuthor demands.
	RuleUnknownAuthor = "unknownAuthor"
)

// Verdict is what the votes come to at a moment.
type Verdict struct {
	Outcome Outcome
	// Reason is one of the API's: QuorumMet, AwaitingApproval, Unsatisfiable,
	// OutsideWindow, StopTheLine, Rejected, NoPolicy, AuthorsUnknown.
	Reason string
	// Seats that are filled, sorted by policy and rule.
	Seats []Seat
	// Votes has every vote that was given, sorted by slot.
	Votes []ExplainedVote
	// Missing is what is lacking, sorted by policy and rule, what concerns a
	// policy as a whole after its rules. Empty exactly when the quorum is met.
	Missing []Missing
	// Filled of Total persons that the policies demand in all have approved.
	// They are equal exactly when the quorum is met, vetoes aside.
	Filled, Total int
	// Vetoes are the users who reject with effect, sorted.
	Vetoes []string
	// QuorumMet tells that every seat is filled and nobody vetoes, whether or not
	// a hold or a window keeps the candidate from being let through now.
	QuorumMet bool
	// OpensAt is when to look again at windows that keep it from being let through:
	// they open then, or it cannot be foreseen yet. Zero unless Reason is
	// OutsideWindow, and when they never do.
	OpensAt time.Time
	// ValidUntil is the first moment at which the approval holds no more if no
	// vote changes. Zero unless Approved.
	ValidUntil time.Time
	// Message is a sentence, without a full stop, that names the next human
	// action. It changes only when the verdict does.
	Message string
}

// Copyright The Countersign Authors.
// SPDX-License-Identifier: Apache-2.0

package approval

import (
	"cmp"
	"slices"
	"strings"
	"time"

	"github.com/countersign/countersign/api/v1alpha1"
)

// ballot is the votes on a subject, sorted out.
type ballot struct {
	electorate
	subject Subject
	votes   []ExplainedVote // sorted by slot
	// admitted tells, by vote and place, whether the rule lets the voter sit;
	// nobody sits where the rule is broken.
	admitted [][]bool
	// approvals that only time can keep from counting, earliest first.
	approvals []int
	// rejects has the slot of a rejection, by person.
	rejects map[string]string
}

// Evaluate judges the votes on the subject at a moment. It is total: whatever it
// is given, it gives a verdict, and Approved only if all of this holds.
//
//   - At least one policy applies, the digest is known and the authors are.
//   - Every seat of every policy is filled by a person of its own: one maximum
//     matching over all policies, so nobody fills two seats anywhere.
//   - As many persons as a policy's MinDistinctPersons approve under its rules.
//   - One more person does, under every policy and in all, if a program wrote the
//     content and nobody knows for whom.
//   - Each of them is a human, approves this digest by a vote that proves it and
//     lasts at now (within a minute of clock skew), is named by the rule or is in
//     a group that it names, has no account that is an author (unless every
//     policy lets authors approve), and rejects with no account.
//   - No author and nobody of a rule that can veto rejects this digest. A
//     rejection holds until it is withdrawn, whatever its age.
//   - No policy holds what it covers, and the windows of all are open at now.
func Evaluate(policies []Policy, subject Subject, votes []Vote, now time.Time) Verdict {
	b := newBallot(policies, subject, votes)
	if outcome, reason, message := b.unready(); reason != "" {
		return b.unjudged(outcome, reason, message)
	}
	b.sort()
	filling := b.fill(now)
	b.explainApprovals(filling)
	verdict := Verdict{
		Outcome: Pending, Reason: v1alpha1.ReasonAwaitingApproval,
		Seats: filling.seats(), Votes: b.votes, Missing: filling.missing(), Vetoes: b.vetoes(),
	}
	verdict.Filled, verdict.Total = filling.count()
	verdict.QuorumMet = filling.complete() && len(verdict.Vetoes) == 0
	b.conclude(&verdict, policies, now)
	return verdict
}

// conclude says what the votes come to at a moment, under holds and windows.
func (b *ballot) conclude(v *Verdict, policies []Policy, now time.Time) {
	held := Held(policies)
	closed, opens := Closed(policies, now)
	switch {
	case len(v.Vetoes) > 0:
		v.Outcome, v.Reason, v.Message = Rejected, v1alpha1.ReasonRejected, b.rejectedMessage()
	case held != "":
		v.Reason, v.Message = v1alpha1.ReasonStopTheLine, held
		if !v.QuorumMet {
			v.Message += "; votes are taken meanwhile: " + missingMessage(v.Missing)
		}
	case !v.QuorumMet:
		v.Message = missingMessage(v.Missing)
		if never := b.unsatisfiable(); len(never) > 0 {
			v.Reason, v.Message = v1alpha1.ReasonUnsatisfiable, atMost(maxSentences, never)
		}
	case closed != "":
		v.Reason, v.Message, v.OpensAt = v1alpha1.ReasonOutsideWindow, closed, opens
	default:
		v.Outcome, v.Reason, v.Message = Approved, v1alpha1.ReasonQuorumMet, approvedMessage(v.Seats)
		v.ValidUntil = earliest(b.until(now), closes(policies, now))
	}
}

func newBallot(policies []Policy, subject Subject, votes []Vote) *ballot {
	b := &ballot{electorate: newElectorate(policies, subject), subject: subject, rejects: map[string]string{}}
	for _, v := range votes {
		b.votes = append(b.votes, ExplainedVote{Vote: v})
	}
	slices.SortFunc(b.votes, func(a, b ExplainedVote) int { return compareVotes(a.Vote, b.Vote) })
	return b
}

// compareVotes sorts by slot. No two votes that differ are equal, so that the
// order in which votes are given has no effect.
func compareVotes(a, b Vote) int {
	return cmp.Or(
		strings.Compare(a.Slot, b.Slot), a.At.Compare(b.At), strings.Compare(a.User, b.User),
		strings.Compare(string(a.Decision), string(b.Decision)), strings.Compare(a.Digest, b.Digest),
		strings.Compare(a.Invalid, b.Invalid), strings.Compare(a.Comment, b.Comment),
		slices.Compare(a.Groups, b.Groups), slices.Compare(a.Permitted, b.Permitted),
	)
}

// unready says what has to be known before votes can be judged at all.
func (b *ballot) unready() (Outcome, string, string) {
	switch {
	case len(b.policies) == 0:
		return Blocked, v1alpha1.ReasonNoPolicy, noPolicy
	case b.subject.Digest == "":
		return Pending, v1alpha1.ReasonAwaitingApproval, noDigest
	case !b.subject.authorsKnown():
		return Blocked, v1alpha1.ReasonAuthorsUnknown, noAuthors
	case b.refuses != "":
		return Blocked, v1alpha1.ReasonAuthorsUnknown, b.refuses
	}
	return Pending, "", ""
}

// authorsKnown tells that each author has a name and there is at least one:
// content that nobody wrote does not exist.
func (s Subject) authorsKnown() bool {
	return s.AuthorsKnown && len(s.Authors) > 0 && !slices.Contains(s.Authors, "")
}

// unjudged explains all votes by what keeps them from being judged.
func (b *ballot) unjudged(outcome Outcome, reason, message string) Verdict {
	for i := range b.votes {
		b.votes[i].Why = cmp.Or(b.votes[i].Invalid, "it is not judged: "+message)
	}
	return Verdict{Outcome: outcome, Reason: reason, Votes: b.votes, Message: message}
}

// sort finds the vetoes and the approvals that only time can keep from counting,
// and explains all others.
func (b *ballot) sort() {
	proven := make([]int, 0, len(b.votes))
	for i := range b.votes {
		if b.votes[i].Why = b.void(b.votes[i].Vote); b.votes[i].Why == "" {
			proven = append(proven, i)
		}
	}
	for _, i := range proven {
		if b.votes[i].Decision == Reject {
			b.reject(i)
		}
	}
	b.admitted = make([][]bool, len(b.votes))
	for _, i := range proven {
		if v := &b.votes[i]; v.Decision == Approve {
			b.admitted[i] = b.admission(v.Vote)
			if v.Why = b.barred(i); v.Why == "" {
				b.approvals = append(b.approvals, i)
			}
		}
	}
	slices.SortStableFunc(b.approvals, func(x, y int) int { return b.votes[x].At.Compare(b.votes[y].At) })
}

// admission tells at which places the rule lets the voter sit.
func (b *ballot) admission(v Vote) []bool {
	admitted := make([]bool, len(b.places))
	for at, where := range b.places {
		admitted[at] = where.broken == "" && where.admits(v.User, v.Groups, v.Permitted)
	}
	return admitted
}

// reject records a rejection, as a veto if the voter has one.
func (b *ballot) reject(i int) {
	v := &b.votes[i]
	if key := b.persons.of(v.User); b.rejects[key] == "" {
		b.rejects[key] = v.Slot
	}
	if _, is := b.author(v.User); is {
		v.Counted, v.Why = true, vetoOfAuthor
		return
	}
	for _, where := range b.places {
		if b.mayVeto(where, v.User, v.Groups, v.Permitted) {
			v.Counted, v.Rule, v.Why = true, b.label(where), vetoOfRule
			return
		}
	}
	v.Why = noVeto
}

// vetoes are the users who reject with effect, each once.
func (b *ballot) vetoes() []string {
	var users []string
	for i := range b.votes {
		if b.votes[i].Counted && b.votes[i].Decision == Reject {
			users = append(users, b.votes[i].User)
		}
	}
	return set(users)
}

// Copyright The Countersign Authors.
// SPDX-License-Identifier: Apache-2.0

package approval_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/countersign/countersign/controllers/approval"
)

const (
	candidate = "sha256:cccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccc"
	another   = "sha256:aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
)

// noon is the moment of judgement; votes are an hour old unless they say so.
func noon() time.Time { return time.Date(2026, 11, 24, 12, 0, 0, 0, time.UTC) }

// evaluation is one case: what is judged and what has to come out.
type evaluation struct {
	reason   string
	policies []approval.Policy
	subject  approval.Subject // zero: the candidate, by author dev
	votes    []approval.Vote
	outcome  approval.Outcome
	because  string            // the verdict's Reason
	filled   string            // "filled/total"
	seats    []string          // "policy/rule=user"
	missing  []string          // "policy/rule:count"
	why      map[string]string // by slot, a part of the explanation; "+" before it: counted
	message  string            // a part of the message
}

func (tc evaluation) run(t *testing.T) {
	t.Helper()
	subject := tc.subject
	if subject.Digest == "" && subject.Authors == nil {
		subject = approval.Subject{Digest: candidate, Authors: []string{"dev"}, AuthorsKnown: true}
	}
	v := approval.Evaluate(tc.policies, subject, tc.votes, noon())
	if v.Outcome != tc.outcome || v.Reason != tc.because {
		t.Errorf("%s: got %v %s (%s), want %v %s", tc.reason, v.Outcome, v.Reason, v.Message, tc.outcome, tc.because)
	}
	if got := fmt.Sprintf("%d/%d", v.Filled, v.Total); tc.filled != "" && got != tc.filled {
		t.Errorf("%s: got %s filled, want %s", tc.reason, got, tc.filled)
	}
	if got := seatNames(v.Seats); !slices.Equal(got, tc.seats) {
		t.Errorf("%s: got seats %v, want %v", tc.reason, got, tc.seats)
	}
	if got := missingNames(v.Missing); tc.missing != nil && !slices.Equal(got, tc.missing) {
		t.Errorf("%s: got missing %v, want %v", tc.reason, got, tc.missing)
	}
	if !strings.Contains(v.Message, tc.message) || v.Message == "" {
		t.Errorf("%s: the message is %q, want %q in it", tc.reason, v.Message, tc.message)
	}
	for slot, want := range tc.why {
		i := slices.IndexFunc(v.Votes, func(e approval.ExplainedVote) bool { return e.Slot == slot })
		want, counted := strings.CutPrefix(want, "+")
		if i < 0 || v.Votes[i].Counted != counted || !strings.Contains(v.Votes[i].Why, want) {
			t.Errorf("%s: slot %s: counted %v and %q in %+v", tc.reason, slot, counted, want, v.Votes)
		}
	}
	checkSentences(t, v)
}

// checkSentences is what holds for every verdict that people read.
func checkSentences(t *testing.T, v approval.Verdict) {
	t.Helper()
	texts := []string{v.Message}
	for _, e := range v.Votes {
		texts = append(texts, e.Why)
	}
	for _, text := range texts {
		if text == "" || strings.HasSuffix(text, ".") || strings.ContainsAny(text, "\n\t") || strings.Contains(text, "2026") {
			t.Errorf("not a stable sentence without a full stop: %q", text)
		}
	}
}

func seatNames(seats []approval.Seat) (names []string) {
	for _, s := range seats {
		names = append(names, s.Policy+"/"+s.Rule+"="+s.User)
	}
	return names
}

func missingNames(missing []approval.Missing) (names []string) {
	for _, m := range missing {
		names = append(names, fmt.Sprintf("%s/%s:%d", m.Policy, m.Rule, m.Count))
	}
	return names
}

func cases(t *testing.T, table map[string]evaluation) {
	t.Helper()
	for name, tc := range table {
		t.Run(name, func(t *testing.T) { tc.run(t) })
	}
}

// yes is an approval of the candidate by a user in a slot of the same name.
func yes(user string, groups ...string) approval.Vote {
	return approval.Vote{Slot: user, Decision: approval.Approve, Digest: candidate, User: user, Groups: groups, At: noon().Add(-time.Hour)}
}

// no is a rejection.
func no(user string, groups ...string) approval.Vote {
	v := yes(user, groups...)
	v.Decision = approval.Reject
	return v
}

func in(slot string, v approval.Vote) approval.Vote {
	v.Slot = slot
	return v
}

// aged is the vote, cast that long before noon.
func aged(age time.Duration, v approval.Vote) approval.Vote {
	v.At = noon().Add(-age)
	return v
}

func of(digest string, v approval.Vote) approval.Vote {
	v.Digest = digest
	return v
}

func invalid(why string, v approval.Vote) approval.Vote {
	v.Invalid = why
	return v
}

// policy is valid for a day.
func policy(name string, rules ...approval.Rule) approval.Policy {
	return approval.Policy{Name: name, Rules: rules, ValidFor: 24 * time.Hour}
}

func users(name string, count int, users ...string) approval.Rule {
	return approval.Rule{Name: name, Count: count, Users: users}
}

func group(name string, count int, groups ...string) approval.Rule {
	return approval.Rule{Name: name, Count: count, Groups: groups}
}

func veto(r approval.Rule) approval.Rule {
	r.CanVeto = true
	return r
}

// with changes a policy.
func with(p approval.Policy, changes ...func(*approval.Policy)) approval.Policy {
	for _, change := range changes {
		change(&p)
	}
	return p
}

func distinct(n int) func(*approval.Policy) {
	return func(p *approval.Policy) { p.MinDistinctPersons = n }
}

func validFor(d time.Duration) func(*approval.Policy) {
	return func(p *approval.Policy) { p.ValidFor = d }
}

func open(p *approval.Policy) { p.AuthorsMayApprove = true }

func same(name string, accounts ...string) func(*approval.Policy) {
	return func(p *approval.Policy) { p.Persons = append(p.Persons, approval.Person{Name: name, Users: accounts}) }
}

// Copyright The Countersign Authors.
// SPDX-License-Identifier: Apache-2.0

package approval_test

import (
	"math"
	"reflect"
	"slices"
	"testing"
	"time"

	"github.com/countersign/countersign/controllers/approval"
	"pgregory.net/rapid"
)

// The number of cases is set by rapid's flag: go test -rapid.checks=100000.

// Evaluate comes to what trying every way to seat people comes to.
func TestEvaluateEqualsBruteForce(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		o := someCase(t)
		v := o.evaluate()
		if want := o.outcome(); v.Outcome != want {
			t.Fatalf("got %v (%s), want %v", v.Outcome, v.Message, want)
		}
		if v.Outcome == approval.Blocked || o.subject.Digest == "" {
			return
		}
		if filled, _ := o.seated(); len(v.Seats) != filled {
			t.Fatalf("got %d seats filled, want %d", len(v.Seats), filled)
		}
		full := len(v.Missing) == 0
		if full != (v.Filled == v.Total) || v.QuorumMet != (full && !o.vetoed()) || (v.Outcome == approval.Approved) != (v.QuorumMet && !o.held()) || v.Filled > v.Total {
			t.Fatalf("%d of %d filled, missing %+v, outcome %v", v.Filled, v.Total, v.Missing, v.Outcome)
		}
	})
}

// The properties say something only of what the generators come to.
func TestGeneratorsComeToEverything(t *testing.T) {
	outcomes, turned := map[approval.Outcome]int{}, map[approval.Decision]int{}
	some := rapid.Custom(someCase)
	for seed := range 1000 {
		o := some.Example(seed)
		outcomes[o.evaluate().Outcome]++
		if len(o.votes) > 0 && !o.admits(o.votes[0]) {
			turned[o.votes[0].Decision]++
		}
	}
	for _, outcome := range []approval.Outcome{approval.Pending, approval.Approved, approval.Rejected, approval.Blocked} {
		if outcomes[outcome] == 0 {
			t.Errorf("they never come to outcome %v", outcome)
		}
	}
	if turned[approval.Approve] == 0 || turned[approval.Reject] == 0 {
		t.Errorf("they turn away %v", turned)
	}
}

// Whoever sits is a person of their own, and their vote counts under that rule.
func TestSeatsAreHeldByDistinctGoodVoters(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		o := someCase(t)
		v := o.evaluate()
		for i, s := range v.Seats {
			if s.Rule == approval.RuleUnknownAuthor {
				if !o.suspicious() || !o.oneMore(s.User) {
					t.Fatalf("%+v is filled", s)
				}
				continue
			}
			p := o.policies[slices.IndexFunc(o.policies, func(p approval.Policy) bool { return p.Name == s.Policy })]
			r := p.Rules[slices.IndexFunc(p.Rules, func(r approval.Rule) bool { return r.Name == s.Rule })]
			vote := o.votes[slices.IndexFunc(o.votes, func(v approval.Vote) bool { return v.Slot == s.Slot })]
			if vote.User != s.User || !o.good(p, r, vote) {
				t.Fatalf("%+v is filled by %+v", s, vote)
			}
			for _, other := range v.Seats[:i] {
				if o.one(other.User, s.User) {
					t.Fatalf("%+v and %+v are filled by one person", other, s)
				}
			}
		}
	})
}

// Every vote is there once with an explanation, and counted only if it is proven.
func TestEveryVoteIsExplained(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		o := someCase(t)
		v := o.evaluate()
		if len(v.Votes) != len(o.votes) || v.Message == "" || v.Reason == "" {
			t.Fatalf("got %d of %d votes, %q, %q", len(v.Votes), len(o.votes), v.Message, v.Reason)
		}
		for i, e := range v.Votes {
			if e.Why == "" || e.Counted && !o.proven(e.Vote) || !e.Counted && e.Rule != "" || !reflect.DeepEqual(e.Vote, o.votes[i]) {
				t.Fatalf("got %+v for %+v", e, o.votes[i])
			}
			for _, other := range v.Votes[:i] {
				if e.Counted && other.Counted && e.Decision == approval.Approve && o.one(e.User, other.User) {
					t.Fatalf("two votes of one person count: %+v and %+v", other, e)
				}
			}
		}
	})
}

// The order in which anything is given has no effect, and nothing given is changed.
func TestEvaluateDoesNotDependOnOrder(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		o := someCase(t)
		want := o.evaluate()
		shuffled := oracle{rapid.Permutation(o.policies).Draw(t, "policies"), o.subject, rapid.Permutation(o.votes).Draw(t, "votes"), o.now}
		shuffled.subject.Authors = rapid.Permutation(o.subject.Authors).Draw(t, "authors")
		shuffled.policies = slices.Clone(shuffled.policies)
		for i := range shuffled.policies {
			shuffled.policies[i].Rules = rapid.Permutation(shuffled.policies[i].Rules).Draw(t, "rules")
			shuffled.policies[i].Persons = rapid.Permutation(shuffled.policies[i].Persons).Draw(t, "persons")
		}
		if got := shuffled.evaluate(); !reflect.DeepEqual(got, want) {
			t.Fatalf("got %+v, want %+v", got, want)
		}
		if again := o.evaluate(); !reflect.DeepEqual(again, want) {
			t.Fatalf("judged again, got %+v, want %+v", again, want)
		}
	})
}

// Taking a vote away never opens the gate, unless it is a rejection.
func TestRemovingAVoteNeverApproves(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		o := someCase(t)
		if len(o.votes) == 0 {
			return
		}
		i := rapid.IntRange(0, len(o.votes)-1).Draw(t, "removed")
		fewer := o
		fewer.votes = slices.Delete(slices.Clone(o.votes), i, i+1)
		if o.votes[i].Decision != approval.Reject && o.evaluate().Outcome != approval.Approved && fewer.evaluate().Outcome == approval.Approved {
			t.Fatalf("without %+v it is approved", o.votes[i])
		}
	})
}

// One more policy never opens the gate, unless there was none.
func TestAddingAPolicyNeverApproves(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		o := someCase(t)
		more := o
		more.policies = append(slices.Clone(o.policies), somePolicy(t, len(o.policies)))
		if len(o.demanding()) > 0 && o.evaluate().Outcome != approval.Approved && more.evaluate().Outcome == approval.Approved {
			t.Fatalf("with %+v it is approved", more.policies[len(o.policies)])
		}
	})
}

// An approval holds until ValidUntil and not at that moment.
func TestValidUntilIsTheEnd(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		o := someCase(t)
		v := o.evaluate()
		if v.Outcome != approval.Approved {
			if !v.ValidUntil.IsZero() {
				t.Fatalf("not approved until %s", v.ValidUntil)
			}
			return
		}
		span := v.ValidUntil.Sub(o.now)
		before := rapid.Int64Range(0, int64(span)-1).Draw(t, "before")
		for at, want := range map[time.Duration]bool{0: true, time.Duration(before): true, span - 1: true, span: false} {
			then := o
			then.now = o.now.Add(at)
			if got := then.evaluate().Outcome == approval.Approved; got != want {
				t.Fatalf("approved until %s, but approved %s later is %v", v.ValidUntil, at, got)
			}
		}
	})
}

// A user is eligible exactly when a fresh approval of theirs alone would count.
func TestEligibilityAgreesWithEvaluate(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		o := someCase(t)
		vote := approval.Vote{Slot: "s", Decision: approval.Approve, Digest: candidate, User: rapid.SampledFrom([]string{"u1", "u2", "dev", "", "system:bot"}).Draw(t, "voter"), Groups: someGroups(t), Permitted: []string{"p0.r0"}, At: o.now}
		o.subject.Digest, o.votes = candidate, []approval.Vote{vote}
		ok, why := approval.Eligibility(o.policies, o.subject, vote.User, vote.Groups, vote.Permitted...)
		if v := o.evaluate(); v.Votes[0].Counted != ok || (why == "") != ok {
			t.Fatalf("eligible %v (%s), but %+v", ok, why, v.Votes[0])
		}
	})
}

// Whatever is given, there is a verdict, and a zero one opens nothing.
func TestEvaluateIsTotal(t *testing.T) { rapid.Check(t, totality) }

func FuzzEvaluate(f *testing.F) { f.Fuzz(rapid.MakeFuzz(totality)) }

func totality(t *rapid.T) {
	text := rapid.OneOf(rapid.String(), rapid.SampledFrom([]string{"", "x", candidate, "system:"}))
	texts := rapid.SliceOfN(text, 0, 3)
	moment := rapid.Custom(func(t *rapid.T) time.Time {
		return time.Unix(rapid.OneOf(rapid.Int64(), rapid.Int64Range(-9, 9)).Draw(t, "unix"), 0).UTC()
	})
	rule := rapid.Custom(func(t *rapid.T) approval.Rule {
		return approval.Rule{
			Name: text.Draw(t, "name"), Count: rapid.OneOf(rapid.Int(), rapid.IntRange(-1, 65)).Draw(t, "count"),
			Users: texts.Draw(t, "users"), Groups: texts.Draw(t, "groups"), RBAC: rapid.Bool().Draw(t, "rbac"), CanVeto: rapid.Bool().Draw(t, "veto"),
		}
	})
	person := rapid.Custom(func(t *rapid.T) approval.Person {
		return approval.Person{Name: text.Draw(t, "name"), Users: texts.Draw(t, "users")}
	})
	window := rapid.Custom(func(t *rapid.T) approval.Window {
		return approval.Window{
			Schedule: rapid.OneOf(text, rapid.SampledFrom([]string{"* * * * *", "0 0 30 2 *", "TZ=x", "@daily", "*/7 2 1 * 3"})).Draw(t, "schedule"),
			Duration: time.Duration(rapid.Int64Range(-1, 1<<42).Draw(t, "duration")), From: moment.Draw(t, "from"), To: moment.Draw(t, "to"),
		}
	})
	windows := rapid.Custom(func(t *rapid.T) approval.Windows {
		return approval.Windows{Allow: rapid.SliceOfN(window, 0, 2).Draw(t, "allow"), Exclude: rapid.SliceOfN(window, 0, 2).Draw(t, "exclude"), TimeZone: rapid.OneOf(text, rapid.SampledFrom([]string{"Europe/Berlin", "Local"})).Draw(t, "zone")}
	})
	policy := rapid.Custom(func(t *rapid.T) approval.Policy {
		return approval.Policy{
			Name: text.Draw(t, "name"), Rules: rapid.SliceOfN(rule, 0, 3).Draw(t, "rules"),
			MinDistinctPersons: rapid.IntRange(math.MinInt32, math.MaxInt32).Draw(t, "distinct"),
			AuthorsMayApprove:  rapid.Bool().Draw(t, "open"), ValidFor: time.Duration(rapid.Int64().Draw(t, "validFor")),
			Windows: windows.Draw(t, "windows"), Hold: text.Draw(t, "hold"), RefuseUnknownAuthor: rapid.Bool().Draw(t, "refuse"),
			Persons: rapid.SliceOfN(person, 0, 3).Draw(t, "persons"),
		}
	})
	vote := rapid.Custom(func(t *rapid.T) approval.Vote {
		return approval.Vote{
			Slot: text.Draw(t, "slot"), Decision: rapid.SampledFrom([]approval.Decision{"", "x", approval.Approve, approval.Reject}).Draw(t, "decision"),
			Digest: text.Draw(t, "digest"), User: text.Draw(t, "user"), Groups: texts.Draw(t, "groups"), At: moment.Draw(t, "at"),
			Comment: text.Draw(t, "comment"), Invalid: rapid.SampledFrom([]string{"", "x"}).Draw(t, "invalid"),
		}
	})
	o := oracle{rapid.SliceOfN(policy, 0, 3).Draw(t, "policies"), approval.Subject{Digest: text.Draw(t, "digest"), Authors: texts.Draw(t, "authors"), AuthorsKnown: rapid.Bool().Draw(t, "known")},
		rapid.SliceOfN(vote, 0, 40).Draw(t, "votes"), moment.Draw(t, "now")}
	always := o
	always.policies = slices.Clone(o.demanding())
	for i := range always.policies {
		always.policies[i].Windows = approval.Windows{}
	}
	if v := o.evaluate(); len(v.Votes) != len(o.votes) || v.Outcome == approval.Approved && always.outcome() != approval.Approved {
		t.Fatalf("got %+v", v)
	}
	for _, p := range o.policies {
		approval.Problems(p, o.now)
	}
	approval.Tightens(o.policies, always.policies, o.subject)
	approval.Eligibility(o.policies, o.subject, text.Draw(t, "user"), texts.Draw(t, "groups"))
}

// Whoever admission turns away would have changed nothing by voting.
func TestTurnedAwayVotesHaveNoEffect(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		o := someCase(t)
		v := someVote(t, len(o.votes))
		if slices.ContainsFunc(o.votes, func(other approval.Vote) bool { return other.User == v.User }) {
			return // an account has one slot
		}
		if o.admits(v) {
			return
		}
		before := o.evaluate()
		o.votes = append(o.votes, v)
		after := o.evaluate()
		if before.Outcome != after.Outcome || !reflect.DeepEqual(before.Seats, after.Seats) || !reflect.DeepEqual(before.Missing, after.Missing) {
			t.Fatalf("%+v turns %v (%s) into %v (%s)", v, before.Outcome, before.Message, after.Outcome, after.Message)
		}
	})
}

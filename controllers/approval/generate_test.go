// Copyright The Countersign Authors.
// SPDX-License-Identifier: Apache-2.0

package approval_test

import (
	"fmt"
	"time"

	"github.com/countersign/countersign/controllers/approval"
	"pgregory.net/rapid"
)

// The generators draw from few names, so that votes meet rules, authors and each
// other; bool with a bias, so that most of what is drawn is sound.

func rarely(t *rapid.T, what string) bool { return rapid.IntRange(0, 15).Draw(t, what) == 15 }

func someUsers(t *rapid.T, most int) []string {
	return rapid.SliceOfN(rapid.SampledFrom([]string{"u1", "u2", "u3", "u4", "u5", "u6", "dev", "", "system:bot"}), 0, most).Draw(t, "users")
}

func someGroups(t *rapid.T) []string {
	return rapid.SliceOfN(rapid.SampledFrom([]string{"g1", "g2", "g3", ""}), 0, 2).Draw(t, "groups")
}

func someRule(t *rapid.T, i int) approval.Rule {
	return approval.Rule{
		Name: fmt.Sprintf("r%d", i), Count: rapid.SampledFrom([]int{1, 1, 1, 1, 1, 1, 2, 2, 3, 0}).Draw(t, "count"),
		Users: someUsers(t, 3), Groups: someGroups(t), RBAC: rapid.IntRange(0, 4).Draw(t, "rbac") == 4, CanVeto: rapid.IntRange(0, 3).Draw(t, "veto") == 3,
	}
}

func somePolicy(t *rapid.T, i int) approval.Policy {
	p := approval.Policy{
		Name: fmt.Sprintf("p%d", i), MinDistinctPersons: rapid.SampledFrom([]int{0, 0, 0, 1, 2, 3}).Draw(t, "distinct"),
		AuthorsMayApprove: rapid.Bool().Draw(t, "open"),
		ValidFor:          rapid.SampledFrom([]time.Duration{time.Hour, time.Hour, time.Hour, 3 * time.Hour, 90 * time.Minute}).Draw(t, "validFor"),
	}
	if rarely(t, "no validFor") {
		p.ValidFor = 0
	}
	for n := range rapid.SampledFrom([]int{1, 1, 1, 2, 2, 3, 4, 0}).Draw(t, "rules") {
		p.Rules = append(p.Rules, someRule(t, n))
	}
	for range rapid.SampledFrom([]int{0, 0, 1, 2}).Draw(t, "persons") {
		p.Persons = append(p.Persons, approval.Person{Name: rapid.SampledFrom([]string{"a", "b", ""}).Draw(t, "name"), Users: someUsers(t, 3)})
	}
	p.RefuseUnknownAuthor = rarely(t, "refuse")
	if rarely(t, "hold") {
		p.Hold = "an incident"
	}
	switch rapid.IntRange(0, 15).Draw(t, "windows") {
	case 14:
		p.Windows = approval.Windows{Exclude: []approval.Window{{Schedule: "0 12 * * *", Duration: time.Minute}}}
	case 15:
		p.Windows = approval.Windows{Allow: []approval.Window{{Schedule: "0 9 * * *", Duration: 4 * time.Hour}}}
	}
	return p
}

func somePolicies(t *rapid.T) (policies []approval.Policy) {
	for i := range rapid.SampledFrom([]int{1, 1, 1, 2, 2, 3, 0}).Draw(t, "policies") {
		policies = append(policies, somePolicy(t, i))
	}
	return policies
}

func someSubject(t *rapid.T) approval.Subject {
	s := approval.Subject{Digest: candidate, Authors: []string{"dev"}, AuthorsKnown: !rarely(t, "authors unknown")}
	if rarely(t, "no digest") {
		s.Digest = ""
	}
	if rapid.IntRange(0, 3).Draw(t, "other authors") == 3 {
		s.Authors = someUsers(t, 2)
		s.Named = rapid.SampledFrom([][]string{nil, nil, {"system:bot"}}).Draw(t, "named")
	}
	if rarely(t, "unwitnessed") {
		s.Unwitnessed = "ConfigMap settings"
	}
	return s
}

func someVote(t *rapid.T, i int) approval.Vote {
	v := approval.Vote{
		Slot: fmt.Sprintf("s%d", i), Decision: approval.Approve, Digest: candidate, Groups: someGroups(t),
		User: rapid.SampledFrom([]string{"u1", "u2", "u3", "u4", "u5", "u6", "dev"}).Draw(t, "user"),
		At:   noon().Add(-rapid.SampledFrom([]time.Duration{0, 30, 59, 60, 61, 100, -1, -2}).Draw(t, "age") * time.Minute),
	}
	if rapid.IntRange(0, 9).Draw(t, "reject") == 9 {
		v.Decision = approval.Reject
	}
	v.Permitted = rapid.SampledFrom([][]string{nil, nil, {"p0.r0"}, {"p0.r1", "p1.r0"}, {"r0", "p2"}}).Draw(t, "permitted")
	if !rarely(t, "odd") {
		return v
	}
	v.Decision = rapid.SampledFrom([]approval.Decision{approval.Approve, approval.Reject, "", "maybe"}).Draw(t, "decision")
	v.Digest = rapid.SampledFrom([]string{candidate, another, ""}).Draw(t, "digest")
	v.Invalid = rapid.SampledFrom([]string{"", "no receipt"}).Draw(t, "invalid")
	v.User = rapid.SampledFrom([]string{"u1", "", "system:bot"}).Draw(t, "odd user")
	return v
}

func someVotes(t *rapid.T) (votes []approval.Vote) {
	for i := range rapid.IntRange(0, 8).Draw(t, "votes") {
		votes = append(votes, someVote(t, i))
	}
	return votes
}

func someCase(t *rapid.T) oracle {
	return oracle{policies: somePolicies(t), subject: someSubject(t), votes: someVotes(t), now: noon()}
}

func (o oracle) evaluate() approval.Verdict {
	return approval.Evaluate(o.policies, o.subject, o.votes, o.now)
}

// admits tells whether admission takes the vote in.
func (o oracle) admits(v approval.Vote) bool {
	may := approval.Eligibility
	if v.Decision == approval.Reject {
		may = approval.MayReject
	}
	ok, _ := may(o.policies, o.subject, v.User, v.Groups, v.Permitted...)
	return ok
}

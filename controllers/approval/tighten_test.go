// Copyright The Countersign Authors.
// SPDX-License-Identifier: Apache-2.0

package approval_test

import (
	"reflect"
	"slices"
	"testing"
	"time"

	"github.com/countersign/countersign/controllers/approval"
	"pgregory.net/rapid"
)

func TestTightens(t *testing.T) {
	base := func() approval.Policy {
		return with(policy("prod", group("qa", 1, "qa", "leads"), veto(users("sec", 1, "carol", "dora"))), distinct(2), same("alice", "alice", "alice2"))
	}
	more := func(r approval.Rule) func(*approval.Policy) {
		return func(p *approval.Policy) { p.Rules = append(slices.Clone(p.Rules), r) }
	}
	rule := func(i int, change func(*approval.Rule)) func(*approval.Policy) {
		return func(p *approval.Policy) { p.Rules = slices.Clone(p.Rules); change(&p.Rules[i]) }
	}
	for name, tc := range map[string]struct {
		reason string
		now    []approval.Policy
		want   bool
		// bot: and when nobody knows for whom a program wrote.
		bot bool
	}{
		"Same":                 {"what is the same demands as much", []approval.Policy{base()}, true, true},
		"MoreSeats":            {"more seats", []approval.Policy{with(base(), rule(0, func(r *approval.Rule) { r.Count = 2 }))}, true, true},
		"FewerGroups":          {"fewer who may sit", []approval.Policy{with(base(), rule(0, func(r *approval.Rule) { r.Groups = []string{"qa"} }))}, true, true},
		"MorePersons":          {"more persons", []approval.Policy{with(base(), distinct(3))}, true, true},
		"ShorterValidFor":      {"a shorter time", []approval.Policy{with(base(), validFor(time.Hour))}, true, true},
		"AnotherRule":          {"one more rule", []approval.Policy{with(base(), more(group("ops", 1, "ops")))}, true, false},
		"AnotherPolicy":        {"one more policy", []approval.Policy{base(), policy("more", group("ops", 1, "ops"))}, true, false},
		"AnotherVeto":          {"one more who may veto", []approval.Policy{with(base(), rule(0, func(r *approval.Rule) { r.CanVeto = true }))}, true, true},
		"AnotherPerson":        {"two accounts that become one person", []approval.Policy{with(base(), same("bob", "bob", "bob2"))}, true, true},
		"Refuse":               {"a bot's content refused", []approval.Policy{with(base(), func(p *approval.Policy) { p.RefuseUnknownAuthor = true })}, true, true},
		"Digests":              {"images by digest", []approval.Policy{with(base(), func(p *approval.Policy) { p.RequireImageDigests = true })}, true, true},
		"HoldAndWindows":       {"what is judged at the switch is not covered", []approval.Policy{with(base(), func(p *approval.Policy) { p.Hold, p.Windows = "x", nightly() }), {Name: "freeze", Windows: nightly()}}, true, true},
		"NoPolicy":             {"nothing demands nothing", nil, false, false},
		"OtherName":            {"a policy that is gone", []approval.Policy{with(base(), func(p *approval.Policy) { p.Name = "test" })}, false, false},
		"FewerSeats":           {"a rule that is gone", []approval.Policy{with(base(), func(p *approval.Policy) { p.Rules = p.Rules[:1] })}, false, false},
		"RuleRenamed":          {"rules are told by their names", []approval.Policy{with(base(), rule(0, func(r *approval.Rule) { r.Name = "test" }))}, false, false},
		"MoreGroups":           {"more who may sit", []approval.Policy{with(base(), rule(0, func(r *approval.Rule) { r.Groups = []string{"qa", "leads", "dev"} }))}, false, false},
		"MoreUsers":            {"more who may sit", []approval.Policy{with(base(), rule(0, func(r *approval.Rule) { r.Users = []string{"eve"} }))}, false, false},
		"ByRBAC":               {"whom RBAC lets sit besides", []approval.Policy{with(base(), rule(0, func(r *approval.Rule) { r.RBAC = true }))}, false, false},
		"FewerVetoes":          {"who loses a veto could have used it", []approval.Policy{with(base(), rule(1, func(r *approval.Rule) { r.Users = []string{"carol"} }))}, false, false},
		"NoVeto":               {"or all who had one", []approval.Policy{with(base(), rule(1, func(r *approval.Rule) { r.CanVeto = false }))}, false, false},
		"LongerValidFor":       {"a longer time", []approval.Policy{with(base(), validFor(25*time.Hour))}, false, false},
		"AuthorsMayApprove":    {"authors let in", []approval.Policy{with(base(), open)}, false, false},
		"PersonGone":           {"one person that becomes two", []approval.Policy{with(base(), func(p *approval.Policy) { p.Persons = nil })}, false, false},
		"PersonElsewhere":      {"whatever policy says that they are one", []approval.Policy{with(base(), func(p *approval.Policy) { p.Persons = nil }), with(policy("more", group("ops", 1, "ops")), same("x", "alice2", "alice"))}, true, false},
		"PersonsDilutedByRule": {"persons beyond the seats could be of the rule that was added", []approval.Policy{with(base(), distinct(3), more(group("ops", 1, "ops")))}, true, false},
		"TwiceTheName":         {"which of two is meant is not known", []approval.Policy{base(), base()}, false, false},
	} {
		t.Run(name, func(t *testing.T) {
			for author, want := range map[string]bool{"dev": tc.want, "system:serviceaccount:argocd:app": tc.bot} {
				subject := approval.Subject{Digest: candidate, Authors: []string{author}, AuthorsKnown: true}
				if got := approval.Tightens([]approval.Policy{base()}, tc.now, subject); got != want {
					t.Errorf("%s, written by %s: got %v, want %v", tc.reason, author, got, want)
				}
			}
		})
	}
}

// What could never be met, and beyond the seats, is not met by more of others.
func TestTightensNotWhatNeverWas(t *testing.T) {
	known := approval.Subject{Digest: candidate, Authors: []string{"dev"}, AuthorsKnown: true}
	for name, tc := range map[string]struct{ was, now approval.Policy }{
		"Broken":   {policy("prod", users("qa", 0, "bob")), policy("prod", users("qa", 1, "bob"))},
		"NoRules":  {policy("prod"), policy("prod", users("qa", 1, "bob"))},
		"Persons":  {with(policy("prod", group("qa", 1, "qa")), distinct(2)), with(policy("prod", group("qa", 1, "qa"), group("ops", 1, "ops")), distinct(9))},
		"Refuse":   {with(policy("prod", group("qa", 1, "qa")), func(p *approval.Policy) { p.RefuseUnknownAuthor = true }), policy("prod", group("qa", 1, "qa"))},
		"Delegate": {policy("prod", group("qa", 1, "qa")), with(policy("prod", group("qa", 1, "qa")), func(p *approval.Policy) { p.TrustedDelegates = []string{bot} })},
		"Digests":  {with(policy("prod", group("qa", 1, "qa")), func(p *approval.Policy) { p.RequireImageDigests = true }), policy("prod", group("qa", 1, "qa"))},
	} {
		t.Run(name, func(t *testing.T) {
			if approval.Tightens([]approval.Policy{tc.was}, []approval.Policy{tc.now}, known) {
				t.Error("it is said to demand more")
			}
		})
	}
}

// What demands less in one way only.
func TestTightensNotByLess(t *testing.T) {
	qa := func(count int) approval.Policy { return policy("prod", group("qa", count, "qa")) }
	vetoer := func(change func(*approval.Rule)) approval.Policy {
		r := veto(group("sec", 1, "security", "ciso"))
		r.RBAC = true
		change(&r)
		return policy("prod", r)
	}
	whole := vetoer(func(*approval.Rule) {})
	known := approval.Subject{Digest: candidate, Authors: []string{"dev"}, AuthorsKnown: true}
	for name, tc := range map[string]struct{ was, now []approval.Policy }{
		"FewerOfARule":    {[]approval.Policy{qa(2)}, []approval.Policy{qa(1)}},
		"FewerPersons":    {[]approval.Policy{with(qa(2), distinct(3))}, []approval.Policy{with(qa(2), distinct(2))}},
		"VetoOfAGroup":    {[]approval.Policy{whole}, []approval.Policy{vetoer(func(r *approval.Rule) { r.Groups = r.Groups[:1] })}},
		"VetoByRBAC":      {[]approval.Policy{whole}, []approval.Policy{vetoer(func(r *approval.Rule) { r.RBAC = false })}},
		"OneOfTwoByAName": {[]approval.Policy{qa(1), qa(1)}, []approval.Policy{qa(1)}},
		"RulesByAName":    {[]approval.Policy{policy("prod", group("qa", 1, "qa"), group("qa", 1, "qa"))}, []approval.Policy{policy("prod", group("qa", 1, "qa"), group("qa", 1, "qa"))}},
	} {
		t.Run(name, func(t *testing.T) {
			if approval.Tightens(tc.was, tc.now, known) {
				t.Error("it is said to demand more")
			}
		})
	}
	if !approval.Tightens([]approval.Policy{whole}, []approval.Policy{whole}, known) {
		t.Error("the same is said to demand less")
	}
}

// Whatever tightens lets nothing through that was not let through before.
func TestTightensNeverApproves(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		was := someCase(t)
		for i := range was.policies {
			was.policies[i].Windows, was.policies[i].Hold = approval.Windows{}, ""
		}
		now := was
		now.policies = someChange(t, was.policies)
		if !approval.Tightens(was.policies, now.policies, was.subject) {
			return
		}
		if now.evaluate().Outcome == approval.Approved && was.evaluate().Outcome != approval.Approved {
			t.Fatalf("approved under %+v and not under %+v", now.policies, was.policies)
		}
	})
}

// The property says something only if changes of both kinds are made, and some
// that tighten let something through.
func TestChangesComeToEverything(t *testing.T) {
	seen := map[[2]bool]int{}
	some := rapid.Custom(func(t *rapid.T) [2]bool {
		o := someCase(t)
		next := o
		next.policies = someChange(t, o.policies)
		return [2]bool{approval.Tightens(o.policies, next.policies, o.subject), next.evaluate().Outcome == approval.Approved}
	})
	for seed := range 3000 {
		seen[some.Example(seed)]++
	}
	if len(seen) != 4 || seen[[2]bool{true, true}] < 20 {
		t.Errorf("tightens and approves: %v", seen)
	}
}

// someChange changes a few things of policies, most of them to demand more.
func someChange(t *rapid.T, policies []approval.Policy) []approval.Policy {
	policies = slices.Clone(policies)
	for range rapid.IntRange(0, 3).Draw(t, "changes") {
		if len(policies) == 0 || rapid.IntRange(0, 9).Draw(t, "add") == 9 {
			policies = append(policies, somePolicy(t, len(policies)))
			continue
		}
		p := &policies[rapid.IntRange(0, len(policies)-1).Draw(t, "policy")]
		p.Rules, p.Persons = slices.Clone(p.Rules), slices.Clone(p.Persons)
		switch rapid.IntRange(0, 8).Draw(t, "kind") {
		case 0:
			p.MinDistinctPersons += rapid.IntRange(-1, 2).Draw(t, "more")
		case 1:
			p.ValidFor -= time.Duration(rapid.IntRange(-1, 3).Draw(t, "shorter")) * 10 * time.Minute
		case 2:
			p.Rules = append(p.Rules, someRule(t, len(p.Rules)))
		case 3:
			p.Persons = append(p.Persons, approval.Person{Users: someUsers(t, 3)})
		case 4:
			p.AuthorsMayApprove = rapid.Bool().Draw(t, "open")
			p.RefuseUnknownAuthor = rarely(t, "refuse")
		case 5:
			p.Persons = p.Persons[:len(p.Persons)*rapid.IntRange(0, 1).Draw(t, "keep")]
		default:
			if len(p.Rules) > 0 {
				changeRule(t, &p.Rules[rapid.IntRange(0, len(p.Rules)-1).Draw(t, "rule")])
			}
		}
	}
	return policies
}

func changeRule(t *rapid.T, r *approval.Rule) {
	switch rapid.IntRange(0, 6).Draw(t, "change") {
	case 0:
		r.Count += rapid.IntRange(-1, 1).Draw(t, "seats")
	case 1:
		r.Users = r.Users[:len(r.Users)/2]
	case 2:
		r.Groups = r.Groups[:len(r.Groups)/2]
	case 3:
		r.CanVeto = rapid.Bool().Draw(t, "veto")
	case 4:
		r.Users = append(slices.Clone(r.Users), someUsers(t, 1)...)
	case 5:
		r.Groups = append(slices.Clone(r.Groups), someGroups(t)...)
	case 6:
		r.RBAC = rapid.Bool().Draw(t, "rbac")
	}
}

// What is written down is what is read, and nothing else is.
func TestFreeze(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		demands := approval.Demands(somePolicies(t))
		text, err := approval.Freeze(demands)
		if err != nil {
			t.Fatal(err)
		}
		if got, err := approval.Thaw(text); err != nil || !reflect.DeepEqual(got, demands) {
			t.Fatalf("got %+v of %+v, %v", got, demands, err)
		}
	})
	if got, err := approval.Thaw(""); err == nil || got != nil {
		t.Errorf("got %v of nothing", got)
	}
}

func nightly() approval.Windows {
	return approval.Windows{Exclude: []approval.Window{{Schedule: "0 22 * * *", Duration: 8 * time.Hour}}}
}

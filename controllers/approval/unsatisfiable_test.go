// Copyright The Countersign Authors.
// SPDX-License-Identifier: Apache-2.0

package approval_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/countersign/countersign/controllers/approval"
	"pgregory.net/rapid"
)

func TestUnsatisfiable(t *testing.T) {
	rbac := approval.Rule{Name: "any", Count: 3, RBAC: true}
	for name, tc := range map[string]struct {
		reason   string
		policies []approval.Policy
		authors  []string
		want     []string
	}{
		"Enough":        {"there are as many as seats", []approval.Policy{policy("prod", users("qa", 2, "bob", "carol"))}, nil, nil},
		"TooFew":        {"there are fewer", []approval.Policy{policy("prod", users("qa", 3, "bob", "carol"))}, nil, []string{"prod/qa needs 1 more approval, but nobody is left who could: ask the owners of policy prod to name more people"}},
		"Author":        {"an author is none of them", []approval.Policy{policy("prod", users("qa", 2, "bob", "carol"))}, []string{"bob"}, []string{"prod/qa needs 1 more approval"}},
		"OneHuman":      {"two accounts are one", []approval.Policy{with(policy("prod", users("qa", 2, "bob", "bob2")), same("bob", "bob", "bob2"))}, nil, []string{"prod/qa needs 1 more"}},
		"Program":       {"a program is nobody", []approval.Policy{policy("prod", users("qa", 1, "system:serviceaccount:ci:bot"))}, nil, []string{"nobody is left"}},
		"Conflict":      {"two policies that want the same person", []approval.Policy{policy("a", users("qa", 1, "bob")), policy("b", users("qa", 1, "bob"))}, nil, []string{"b/qa needs 1 more"}},
		"Group":         {"a group may have enough members", []approval.Policy{policy("prod", group("qa", 5, "qa"))}, nil, nil},
		"RBAC":          {"so may RBAC allow enough", []approval.Policy{policy("prod", rbac)}, nil, nil},
		"Persons":       {"more persons than there are", []approval.Policy{with(policy("prod", users("qa", 1, "bob", "carol")), distinct(3))}, nil, []string{"policy prod needs 1 more person in all"}},
		"PersonsGroup":  {"a group may have more", []approval.Policy{with(policy("prod", group("qa", 1, "qa")), distinct(9))}, nil, nil},
		"Broken":        {"what is broken is nobody's", []approval.Policy{policy("prod", users("qa", 0, "bob"))}, nil, []string{"rule prod/qa can never be met"}},
		"UnknownAuthor": {"the person more is not there", []approval.Policy{policy("prod", users("qa", 1, "bob"))}, []string{"system:serviceaccount:a:b"}, []string{"nobody knows who changed all of the content"}},
		"HoldOnly":      {"a hold is nobody's to fill", []approval.Policy{policy("prod", group("qa", 1, "qa")), {Name: "stop", Hold: "x"}}, nil, nil},
	} {
		t.Run(name, func(t *testing.T) {
			got := approval.Unsatisfiable(tc.policies, approval.Subject{Authors: tc.authors})
			if (len(got) == 0) != (len(tc.want) == 0) {
				t.Fatalf("%s: got %q", tc.reason, got)
			}
			for i, want := range tc.want {
				if !strings.Contains(got[i], want) {
					t.Errorf("%s: got %q, want %q", tc.reason, got[i], want)
				}
			}
		})
	}
}

// It says so exactly when even the votes of everybody come to nothing.
func TestUnsatisfiableEqualsEverybodyVoting(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		o := someCase(t)
		for i := range o.policies {
			o.policies[i].Hold, o.policies[i].Windows = "", approval.Windows{}
		}
		o.subject.Digest, o.subject.AuthorsKnown, o.votes = candidate, true, nil
		if len(o.subject.Authors) == 0 || slices.Contains(o.subject.Authors, "") || o.refused() != "" || len(o.policies) == 0 {
			return
		}
		// Whoever is in a group is nobody else here; the groups are large.
		for _, u := range []string{"u1", "u2", "u3", "u4", "u5", "u6", "dev"} {
			o.votes = append(o.votes, in(u, yes(u)))
		}
		for _, p := range o.policies {
			for _, r := range p.Rules {
				groups := slices.DeleteFunc(slices.Clone(r.Groups), func(g string) bool { return g == "" })
				for i := range 2 * (len(groups) + 1) {
					v := yes(fmt.Sprintf("%s-%s-%d", p.Name, r.Name, i), groups...)
					if v.At = o.now; r.RBAC {
						v.Permitted = []string{p.Name + "." + r.Name}
					}
					if len(groups) > 0 || r.RBAC {
						o.votes = append(o.votes, v)
					}
				}
			}
		}
		for i := range o.votes {
			o.votes[i].At = o.now
		}
		if len(o.votes) > 20 || slices.ContainsFunc(o.policies, wants(3)) {
			return // more people than the plain way can seat
		}
		got := approval.Unsatisfiable(o.policies, o.subject)
		if can := o.outcome() == approval.Approved; can == (len(got) > 0) {
			t.Fatalf("everybody approves: %v, but %q", can, got)
		}
	})
}

// wants tells whether a policy wants that many persons.
func wants(n int) func(approval.Policy) bool {
	return func(p approval.Policy) bool {
		return p.MinDistinctPersons >= n || slices.ContainsFunc(p.Rules, func(r approval.Rule) bool { return r.Count >= n })
	}
}

// Copyright The Countersign Authors.
// SPDX-License-Identifier: Apache-2.0

package approval_test

import (
	"strings"
	"testing"

	"github.com/countersign/countersign/controllers/approval"
)

func TestEligibility(t *testing.T) {
	prod := with(policy("prod", group("qa", 1, "oidc:qa"), users("sec", 1, "carol", "dev")), same("d", "dev", "dev2"))
	known := approval.Subject{Authors: []string{"dev"}, AuthorsKnown: true}
	for name, tc := range map[string]struct {
		reason   string
		policies []approval.Policy
		subject  approval.Subject
		user     string
		groups   []string
		why      string
	}{
		"ByGroup":        {"a member of a group", []approval.Policy{prod}, known, "bob", []string{"x", "oidc:qa"}, ""},
		"ByName":         {"who is named", []approval.Policy{prod}, known, "carol", nil, ""},
		"NoPolicy":       {"nobody, if nothing says who", nil, known, "carol", nil, "no ApprovalPolicy with rules covers the namespace"},
		"AuthorsUnknown": {"nobody, if anybody could be an author", []approval.Policy{prod}, approval.Subject{Authors: []string{"dev"}}, "carol", nil, "it is not proven who changed"},
		"NoName":         {"not nobody", []approval.Policy{prod}, known, "", []string{"oidc:qa"}, "the user has no name"},
		"Program":        {"no program", []approval.Policy{prod}, known, "system:serviceaccount:a:b", []string{"oidc:qa"}, "is not a person"},
		"Author":         {"no author", []approval.Policy{prod}, known, "dev", nil, "dev changed the content and cannot approve it; somebody else has to"},
		"AuthorAccount":  {"with no account", []approval.Policy{prod}, known, "dev2", []string{"oidc:qa"}, "dev2 is the same person as dev"},
		"AuthorAllowed":  {"unless all policies let authors", []approval.Policy{with(prod, open)}, known, "dev", nil, ""},
		"NotNamed":       {"nobody else, who is told whom to ask", []approval.Policy{prod}, known, "eve", []string{"oidc:dev"}, "no rule names eve or a group that the receipt proves; somebody has to vote whom one of these names: prod/qa, prod/sec"},
		"Broken":         {"nobody where the rule is broken", []approval.Policy{policy("prod", users("qa", 0, "bob"))}, known, "bob", nil, "no rule can be met by anybody"},
	} {
		t.Run(name, func(t *testing.T) {
			ok, why := approval.Eligibility(tc.policies, tc.subject, tc.user, tc.groups)
			if ok != (tc.why == "") || !strings.Contains(why, tc.why) || ok && why != "" {
				t.Errorf("%s: got %v, %q, want %q", tc.reason, ok, why, tc.why)
			}
		})
	}
}

func TestMayReject(t *testing.T) {
	prod := with(policy("prod", group("qa", 1, "oidc:qa"), users("sec", 1, "carol"), veto(group("ops", 1, "oidc:ops"))),
		same("d", "dev", "dev2"), same("c", "carol", "carol2"), same("z", "zoe"))
	known := approval.Subject{Authors: []string{"dev"}, AuthorsKnown: true}
	for name, tc := range map[string]struct {
		reason   string
		policies []approval.Policy
		subject  approval.Subject
		user     string
		groups   []string
		why      string
	}{
		"Author":         {"an author may always", []approval.Policy{prod}, known, "dev", nil, ""},
		"AuthorAccount":  {"with any account", []approval.Policy{prod}, known, "dev2", nil, ""},
		"AuthorUnnamed":  {"whether or not a policy knows them", []approval.Policy{prod}, approval.Subject{Authors: []string{"ada", "dev"}, AuthorsKnown: true}, "ada", nil, ""},
		"AuthorUnproven": {"whoever is known to be one is heard", []approval.Policy{prod}, approval.Subject{Authors: []string{"dev"}}, "dev", nil, ""},
		"Veto":           {"who can veto", []approval.Policy{prod}, known, "eve", []string{"oidc:ops"}, ""},
		"VetoUnproven":   {"a veto is heard when the authors are proven again", []approval.Policy{prod}, approval.Subject{}, "eve", []string{"oidc:ops"}, ""},
		"Seat":           {"who could sit takes their approval back so", []approval.Policy{prod}, known, "bob", []string{"oidc:qa"}, ""},
		"OtherAccount":   {"it takes the place of the approval by another account", []approval.Policy{prod}, known, "carol2", nil, ""},
		"NotNamed":       {"nobody else blocks anything", []approval.Policy{prod}, known, "eve", []string{"oidc:dev"}, "no rule names eve"},
		"OneAccount":     {"a person with one account is nobody else", []approval.Policy{prod}, known, "zoe", nil, "no rule names zoe"},
		"NoPolicy":       {"a vote under no policy is on another digest", nil, known, "dev", nil, "no ApprovalPolicy with rules covers the namespace"},
		"NoName":         {"not nobody", []approval.Policy{prod}, known, "", []string{"oidc:ops"}, "the user has no name"},
		"Program":        {"no program", []approval.Policy{prod}, approval.Subject{Authors: []string{"system:a"}, AuthorsKnown: true}, "system:a", nil, "is not a person"},
	} {
		t.Run(name, func(t *testing.T) {
			ok, why := approval.MayReject(tc.policies, tc.subject, tc.user, tc.groups)
			if ok != (tc.why == "") || !strings.Contains(why, tc.why) || ok && why != "" {
				t.Errorf("%s: got %v, %q, want %q", tc.reason, ok, why, tc.why)
			}
		})
	}
}

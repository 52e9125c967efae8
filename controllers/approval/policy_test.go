// Copyright The Countersign Authors.
// SPDX-License-Identifier: Apache-2.0

package approval_test

import (
	"encoding/json"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/countersign/countersign/api/v1alpha1"
	"github.com/countersign/countersign/controllers/approval"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"pgregory.net/rapid"
)

func policyFor(name string, hours int, authors bool, namespaces ...string) v1alpha1.ApprovalPolicy {
	return v1alpha1.ApprovalPolicy{
		ObjectMeta: metav1.ObjectMeta{Name: name},
		Spec: v1alpha1.ApprovalPolicySpec{
			Namespaces: namespaces, AuthorsMayApprove: authors,
			ValidFor: metav1.Duration{Duration: time.Duration(hours) * time.Hour},
			Rules:    []v1alpha1.ApprovalRule{{Name: "qa", Count: 1, Groups: []string{"oidc:qa"}}},
		},
	}
}

func TestApplicableNamespaces(t *testing.T) {
	for name, tc := range map[string]struct {
		reason, pattern, namespace string
		want                       bool
	}{
		"Exact":             {"a name covers itself", "shop", "shop", true},
		"Other":             {"and nothing else", "shop", "shop2", false},
		"Prefix":            {"a star at the end", "prod-*", "prod-eu", true},
		"PrefixEmptyRun":    {"a star may stand for nothing", "prod-*", "prod-", true},
		"PrefixNotReached":  {"the part before has to be there", "prod-*", "prod", false},
		"PrefixInside":      {"anchored at the start", "prod-*", "my-prod-eu", false},
		"Suffix":            {"a star at the start", "*-prod", "shop-prod", true},
		"SuffixNotAtEnd":    {"anchored at the end", "*-prod", "shop-prod-2", false},
		"All":               {"a star alone covers all", "*", "anything", true},
		"TwoStars":          {"as does more than one", "**", "anything", true},
		"Middle":            {"a star inside", "a*z", "abcz", true},
		"MiddleOverlap":     {"the ends do not share characters", "ab*ba", "aba", false},
		"Several":           {"parts in their order", "*-eu-*-prod", "shop-eu-1-prod", true},
		"SeveralWrongOrder": {"not in another order", "*a*b*", "ba", false},
		"Backtracking":      {"the last part is the last occurrence", "*ab", "abxab", true},
		"LiteralDot":        {"nothing but the star is special", "a.c", "abc", false},
		"LiteralQuestion":   {"nothing but the star is special", "a?c", "abc", false},
		"LiteralBracket":    {"nothing but the star is special", "[ab]", "a", false},
		"EmptyPattern":      {"absence covers nothing", "", "", false},
		"EmptyNamespace":    {"a Release has a namespace", "*", "", false},
	} {
		t.Run(name, func(t *testing.T) {
			got := approval.Applicable([]v1alpha1.ApprovalPolicy{policyFor("p", 24, false, "never", tc.pattern)}, tc.namespace, nil)
			if (len(got) == 1) != tc.want {
				t.Errorf("%s: %q covers %q: %v", tc.reason, tc.pattern, tc.namespace, len(got) == 1)
			}
		})
	}
}

func TestApplicableAdded(t *testing.T) {
	added := &v1alpha1.AddedApproval{Rules: []v1alpha1.ApprovalRule{{Name: "docs", Count: 1, Users: []string{"dan"}, CanVeto: true}}}
	for name, tc := range map[string]struct {
		reason   string
		policies []v1alpha1.ApprovalPolicy
		names    []string
		validFor time.Duration
		authors  bool
	}{
		"sec/08 a Release brings no policy":          {"a Release cannot bring its own policy", nil, nil, 0, false},
		"sec/08 a policy of elsewhere":               {"one of elsewhere is none", []v1alpha1.ApprovalPolicy{policyFor("a", 1, true, "elsewhere")}, nil, 0, false},
		"Strictest":                                  {"the shortest time", []v1alpha1.ApprovalPolicy{policyFor("b", 4, true, "*"), policyFor("a", 2, true, "*")}, []string{"Release", "a", "b"}, 2 * time.Hour, true},
		"StrictestReverse":                           {"in any order", []v1alpha1.ApprovalPolicy{policyFor("a", 2, true, "*"), policyFor("b", 4, true, "*")}, []string{"Release", "a", "b"}, 2 * time.Hour, true},
		"sec/08 what a Release adds loosens nothing": {"authors stay excluded", []v1alpha1.ApprovalPolicy{policyFor("a", 2, false, "*"), policyFor("b", 4, true, "*")}, []string{"Release", "a", "b"}, 2 * time.Hour, false},
		"ElsewhereIgnored":                           {"only those that apply", []v1alpha1.ApprovalPolicy{policyFor("a", 2, true, "*"), policyFor("b", 1, false, "x")}, []string{"Release", "a"}, 2 * time.Hour, true},
	} {
		t.Run(name, func(t *testing.T) {
			got := approval.Applicable(tc.policies, "prod", added)
			var names []string
			for _, p := range got {
				names = append(names, p.Name)
			}
			if !slices.Equal(names, tc.names) {
				t.Fatalf("%s: got %v, want %v", tc.reason, names, tc.names)
			}
			if len(got) == 0 {
				return
			}
			want := approval.Policy{Name: "Release", ValidFor: tc.validFor, AuthorsMayApprove: tc.authors,
				Rules: []approval.Rule{{Name: "docs", Count: 1, Users: []string{"dan"}, CanVeto: true}}}
			if !reflect.DeepEqual(got[0], want) {
				t.Errorf("%s: got %+v, want %+v", tc.reason, got[0], want)
			}
		})
	}
}

func TestFromSpecIsCanonical(t *testing.T) {
	spec := v1alpha1.ApprovalPolicySpec{
		Namespaces: []string{"b", "a"}, MinDistinctPersons: 2, ValidFor: metav1.Duration{Duration: time.Hour},
		Rules: []v1alpha1.ApprovalRule{
			{Name: "sec", Count: 2, Users: []string{"c", "", "a", "c"}, Groups: []string{}, CanVeto: true},
			{Name: "qa", Count: 1, Groups: []string{"y", "x"}},
		},
		Persons: []v1alpha1.Person{{Name: "z", Users: []string{"z2", "z1"}}, {Name: "a", Users: []string{"a1"}}},
	}
	before := spec.DeepCopy()
	got := approval.FromSpec("prod", spec)
	want := approval.Policy{
		Name: "prod", MinDistinctPersons: 2, ValidFor: time.Hour,
		Rules: []approval.Rule{
			{Name: "qa", Count: 1, Groups: []string{"x", "y"}},
			{Name: "sec", Count: 2, Users: []string{"a", "c"}, CanVeto: true},
		},
		Persons: []approval.Person{{Name: "a", Users: []string{"a1"}}, {Name: "z", Users: []string{"z1", "z2"}}},
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v, want %+v", got, want)
	}
	if !reflect.DeepEqual(&spec, before) {
		t.Error("the spec was changed")
	}
	if empty := approval.FromSpec("p", v1alpha1.ApprovalPolicySpec{Rules: []v1alpha1.ApprovalRule{}, Persons: []v1alpha1.Person{}}); empty.Rules != nil || empty.Persons != nil {
		t.Errorf("empty sets are not nil: %+v", empty)
	}
	raw, err := json.Marshal(got)
	if err != nil || !strings.Contains(string(raw), `"validFor":"3600000000000"`) {
		t.Errorf("got %s, %v", raw, err)
	}
}

// Two lists of the same policies are deeply equal whatever their order: the
// operator compares them so before it switches.
func TestApplicableDoesNotDependOnOrder(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		policies := []v1alpha1.ApprovalPolicy{policyFor("a", 1, true, "*"), policyFor("b", 2, false, "*"), policyFor("c", 3, true, "p*"), policyFor("d", 3, true, "x")}
		added := rapid.SampledFrom([]*v1alpha1.AddedApproval{nil, {}, {Rules: policies[0].Spec.Rules}}).Draw(t, "added")
		want := approval.Applicable(policies, "prod", added)
		got := approval.Applicable(rapid.Permutation(policies).Draw(t, "order"), "prod", added)
		if !reflect.DeepEqual(got, want) {
			t.Fatalf("got %+v, want %+v", got, want)
		}
	})
}

func TestGroupsNamed(t *testing.T) {
	got := approval.GroupsNamed([]approval.Policy{
		{Rules: []approval.Rule{{Groups: []string{"b", ""}}, {Groups: []string{"a"}}}}, {}, {Rules: []approval.Rule{{Groups: []string{"b", "c"}}}},
	})
	if want := []string{"a", "b", "c"}; !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
	if got := approval.GroupsNamed(nil); got != nil {
		t.Errorf("got %v of no policies", got)
	}
}

func TestRequiresImageDigests(t *testing.T) {
	lax := policy("lax", group("qa", 1, "qa"))
	strict := with(policy("strict", group("qa", 1, "qa")), func(p *approval.Policy) { p.RequireImageDigests = true })
	for want, policies := range map[string][]approval.Policy{"": {lax}, "strict": {lax, strict}} {
		if got := approval.RequiresImageDigests(policies); got != want {
			t.Errorf("of %d policies it is %q, want %q", len(policies), got, want)
		}
	}
}

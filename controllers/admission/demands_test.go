// Copyright The Countersign Authors.
// SPDX-License-Identifier: Apache-2.0

package admission

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/countersign/countersign/api/v1alpha1"
	"github.com/countersign/countersign/controllers/access"
	"github.com/countersign/countersign/controllers/receipt"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

func policyWith(change func(*v1alpha1.ApprovalPolicySpec)) []client.Object {
	p := prod()
	change(&p.Spec)
	return []client.Object{p}
}

func TestDemands(t *testing.T) {
	digests := policyWith(func(s *v1alpha1.ApprovalPolicySpec) { s.RequireImageDigests = true })
	pinned := "example.com/shop@sha256:" + strings.Repeat("0123", 16)
	cases(t, map[string]write{
		"Tag": {reason: "sec/10: a tag where digests are demanded", policies: digests, change: image("shop:2"), refused: "Image",
			says: []string{"policy prod wants every image of Release shop by its digest", `image is "shop:2"`}},
		"Digest": {reason: "sec/10: a digest", policies: digests, change: image(pinned)},
		"TagIsThere": {reason: "what is there already can be annotated", policies: digests,
			change: func(r *v1alpha1.Release) { r.Labels = map[string]string{"a": "b"} }},
		"Held": {reason: "who changes content hears of a hold", change: image("shop:2"), warns: "policy prod stops the line: INC-1",
			policies: policyWith(func(s *v1alpha1.ApprovalPolicySpec) { s.Hold = "INC-1" })},
		"NoRules": {reason: "and of policies that let nobody approve", change: image("shop:2"), warns: "no ApprovalPolicy with rules covers namespace",
			policies: policyWith(func(s *v1alpha1.ApprovalPolicySpec) { s.Rules, s.Hold = nil, "INC-1" })},
		"Few": {reason: "and that nobody is left who could", change: image("shop:2"), warns: "nobody can let Release shop through as it is: prod/qa needs 1 more approval",
			policies: policyWith(func(s *v1alpha1.ApprovalPolicySpec) {
				s.Rules = []v1alpha1.ApprovalRule{{Name: "qa", Count: 1, Users: []string{qa}}}
			})},
	})
}

// allowed are rules that RBAC allows, by user.
type allowed map[string][]string

func (a allowed) Permits(_ context.Context, who access.Person, _, rule string) (bool, error) {
	if a == nil {
		return false, errors.New("no answer")
	}
	return slices.Contains(a[who.User], rule) && len(who.Extra) > 0, nil
}

func TestRulesByRBAC(t *testing.T) {
	policies := policyWith(func(s *v1alpha1.ApprovalPolicySpec) {
		s.Rules = []v1alpha1.ApprovalRule{{Name: "owner", Count: 1, RBAC: true}}
	})
	many := make([]string, maxGroups+1)
	for i := range many {
		many[i] = fmt.Sprintf("g%d", i)
	}
	for name, tc := range map[string]struct {
		reason  string
		access  Permitter
		groups  []string
		refused string
	}{
		"Allowed":   {"whom RBAC allows", allowed{qa: {"prod.owner"}}, []string{"b", "a"}, ""},
		"OtherRule": {"another rule", allowed{qa: {"prod.other"}}, []string{"a"}, "Ineligible"},
		"NoAccess":  {"nobody can be asked", nil, []string{"a"}, "Ineligible"},
		"NoAnswer":  {"there is no answer", allowed(nil), []string{"a"}, "Error"},
		"Groups":    {"too many groups to be asked about again", allowed{qa: {"prod.owner"}}, many, "Ineligible"},
	} {
		t.Run(name, func(t *testing.T) {
			was := stored(t)
			now := was.DeepCopy()
			set(vote+"bob", candidate)(now)
			w := webhook(t, policies...)
			w.Access = tc.access
			response, reason := w.handle(t.Context(), updating(t, person(qa, tc.groups...), was, now))
			if reason != tc.refused {
				t.Fatalf("%s: got %q (%+v), want %q", tc.reason, reason, response.Result, tc.refused)
			}
			if tc.refused != "" {
				return
			}
			got := patched(t, encoded(t, now), response)
			votes := receipt.Votes(got, w.Cluster, w.Verifier)
			if len(votes) != 1 || !slices.Equal(votes[0].Permitted, []string{"prod.owner"}) || !slices.Equal(votes[0].Groups, []string{"a", "b"}) {
				t.Errorf("the receipt proves %+v", votes)
			}
		})
	}
}

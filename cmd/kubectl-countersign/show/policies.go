// Copyright The Countersign Authors.
// SPDX-License-Identifier: Apache-2.0

package show

import (
	"fmt"
	"strings"
	"time"

	"github.com/countersign/countersign/api/v1alpha1"
	"github.com/countersign/countersign/controllers/approval"
)

// PolicyDigest is what a policy demands, in sentences.
type PolicyDigest struct {
	Name    string   `json:"name"`
	Demands []string `json:"demands"`
}

// PoliciesOf are the policies that cover a namespace, with what they demand now.
func PoliciesOf(policies []v1alpha1.ApprovalPolicy, namespace string, now time.Time) Policies {
	p := Policies{Namespace: namespace}
	applicable := approval.Applicable(policies, namespace, nil)
	p.Policies = digests(applicable)
	p.Held = approval.Held(applicable)
	p.Closed, _ = approval.Closed(applicable, now)
	return p
}

// Policies are those of a namespace.
type Policies struct {
	Namespace string         `json:"namespace"`
	Policies  []PolicyDigest `json:"policies"`
	// Held and Closed say why nothing is let through at the moment.
	Held   string `json:"held,omitempty"`
	Closed string `json:"closed,omitempty"`
}

// Text is the policies for a person.
func (ps Policies) Text(style Style) string {
	p := &page{Style: style}
	if len(ps.Policies) == 0 {
		p.line(cell{fmt.Sprintf("No ApprovalPolicy covers namespace %s, so nothing is let through there.", ps.Namespace), bad})
		p.line(text("Ask the platform team to add it to one: kubectl edit approvalpolicy default"))
		return p.String()
	}
	p.line(cell{"Policies that cover namespace " + ps.Namespace + "; all of them have to agree", strong})
	p.demands(ps.Policies)
	for _, why := range []string{ps.Held, ps.Closed} {
		if why != "" {
			p.section("At the moment nothing is let through")
			p.sentences(why, bad)
		}
	}
	return p.String()
}

func (p *page) policies(policies []PolicyDigest) {
	if len(policies) == 0 {
		return
	}
	p.section("Policies that apply")
	p.demands(policies)
}

func (p *page) demands(policies []PolicyDigest) {
	var rows [][]cell
	for _, policy := range policies {
		for i, demand := range policy.Demands {
			name := ""
			if i == 0 {
				name = policy.Name
			}
			rows = append(rows, []cell{text("%s", name), text("%s", demand)})
		}
	}
	p.table(rows)
}

func digests(policies []approval.Policy) (all []PolicyDigest) {
	for _, policy := range policies {
		d := PolicyDigest{Name: policy.Name}
		for _, r := range policy.Rules {
			d.Demands = append(d.Demands, ruled(policy.Name, r))
		}
		if policy.MinDistinctPersons > 0 {
			d.Demands = append(d.Demands, fmt.Sprintf("%s in all", plural(policy.MinDistinctPersons, "person")))
		}
		if len(policy.Rules) > 0 {
			d.Demands = append(d.Demands, "an approval counts for "+policy.ValidFor.String())
		}
		for _, demand := range []struct {
			is   bool
			says string
		}{
			{policy.AuthorsMayApprove, "who changed the content may approve it, if every policy lets them"},
			{policy.RefuseUnknownAuthor, "nothing is let through whose author nobody knows"},
			{policy.RequireImageDigests, "images are named by their digests"},
			{len(policy.Windows.Allow)+len(policy.Windows.Exclude) > 0, "traffic moves in its windows only"},
			{policy.Hold != "", "it holds everything: " + policy.Hold},
		} {
			if demand.is {
				d.Demands = append(d.Demands, demand.says)
			}
		}
		if policy.BreakGlass != nil {
			d.Demands = append(d.Demands, "in an emergency, members of "+strings.Join(policy.BreakGlass.Groups, ", ")+" may break the glass")
		}
		all = append(all, d)
	}
	return all
}

func ruled(policy string, r approval.Rule) string {
	var who []string
	who = append(who, r.Users...)
	for _, g := range r.Groups {
		who = append(who, "members of "+g)
	}
	if r.RBAC {
		who = append(who, "whom RBAC lets approve approvalrules/"+approval.RuleID(policy, r.Name))
	}
	says := fmt.Sprintf("%s: %d of %s", r.Name, r.Count, strings.Join(who, ", "))
	if r.CanVeto {
		says += "; any of them can veto"
	}
	return says
}

// Copyright The Countersign Authors.
// SPDX-License-Identifier: Apache-2.0

package approval

import (
	"cmp"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/countersign/countersign/api/v1alpha1"
)

// AddedName is the name of the policy that a Release's own spec.approval becomes.
// No ApprovalPolicy can have it: their names are in lower case.
const AddedName = "Release"

// Person is one human with several accounts.
type Person struct {
	Name  string   `json:"name"`
	Users []string `json:"users,omitempty"`
}

// Rule is a number of seats and who may fill them.
type Rule struct {
	Name string `json:"name"`
	// Count of seats, 1 to 64. With any other, the rule can never be met.
	Count int `json:"count"`
	// Users and Groups who may take a seat. With neither, and without RBAC, the
	// rule can never be met.
	Users  []string `json:"users,omitempty"`
	Groups []string `json:"groups,omitempty"`
	// RBAC lets those take a seat whom RBAC allows to approve by its ID.
	RBAC bool `json:"rbac,omitempty"`
	// CanVeto makes a rejection by any of them block the candidate.
	CanVeto bool `json:"canVeto"`
}

// RuleID names a rule among those of all policies. It is what RBAC is asked for.
func RuleID(policy, rule string) string { return policy + "." + rule }

// Policy is what an ApprovalPolicy demands, in a form that depends on its meaning
// only. It is part of every digest, but for what is judged at the switch alone.
type Policy struct {
	Name string `json:"name"`
	// Rules whose seats have all to be filled. Without any, the policy can never
	// be met, unless it is there for its Windows or its Hold: then it lets nothing
	// through alone.
	Rules []Rule `json:"rules"`
	// MinDistinctPersons is how many persons have to approve under any of the
	// rules. Less than the seats has no effect: each takes a person of its own.
	MinDistinctPersons int `json:"minDistinctPersons"`
	// AuthorsMayApprove has effect only if it is set in all policies.
	AuthorsMayApprove bool `json:"authorsMayApprove"`
	// ValidFor is how long an approval counts here, in nanoseconds in JSON, as a
	// string because JSON numbers cannot hold them all. Unless it is more than 0,
	// no approval counts.
	ValidFor time.Duration `json:"validFor,string"`
	// Persons with several accounts.
	Persons []Person `json:"persons,omitempty"`
	// TrustedDelegates are programs that say truly for whom they write.
	TrustedDelegates []string `json:"trustedDelegates,omitempty"`
	// BreakGlass says who may let a candidate through in an emergency; nil if
	// nobody may. It is not part of a digest: it takes no vote's place but at the
	// moment of the switch, and is judged then.
	BreakGlass *BreakGlass `json:"-"`
	// RefuseUnknownAuthor lets nothing through whose author nobody knows.
	// Otherwise one more person has to approve it.
	RefuseUnknownAuthor bool `json:"refuseUnknownAuthor,omitempty"`
	// RequireImageDigests wants every image by its digest.
	RequireImageDigests bool `json:"requireImageDigests,omitempty"`
	// Windows in which traffic may move.
	Windows Windows `json:"-"`
	// Hold says why nothing is let through; empty if the policy holds nothing.
	Hold string `json:"-"`
}

// seatless tells whether the policy is there for its windows or its hold only.
func (p Policy) seatless() bool {
	return len(p.Rules) == 0 && (p.Hold != "" || p.Windows.restrict())
}

// FromSpec is the policy that a spec describes. Sets are sorted and without
// duplicates and empty members; an empty set is nil.
func FromSpec(name string, spec v1alpha1.ApprovalPolicySpec) Policy {
	p := Policy{
		Name:               name,
		Rules:              rulesOf(spec.Rules),
		MinDistinctPersons: int(spec.MinDistinctPersons),
		AuthorsMayApprove:  spec.AuthorsMayApprove,
		ValidFor:           spec.ValidFor.Duration,
		// Whatever is not known asks for the most.
		RefuseUnknownAuthor: spec.UnknownAuthor != "" && spec.UnknownAuthor != v1alpha1.RequireOneMore,
		RequireImageDigests: spec.RequireImageDigests,
		Windows:             windowsOf(spec.Windows),
		Hold:                spec.Hold,
	}
	for _, person := range spec.Persons {
		p.Persons = append(p.Persons, Person(person))
	}
	p.TrustedDelegates = delegatesOf(spec)
	if glass := spec.BreakGlass; glass != nil {
		p.BreakGlass = &BreakGlass{Groups: glass.Groups, ReviewWithin: glass.ReviewWithin.Duration}
	}
	return normal(p)
}

func rulesOf(specs []v1alpha1.ApprovalRule) (rules []Rule) {
	for _, r := range specs {
		rules = append(rules, Rule{Name: r.Name, Count: int(r.Count), Users: r.Users, Groups: r.Groups, RBAC: r.RBAC, CanVeto: r.CanVeto})
	}
	return rules
}

// normal shares nothing with its argument.
func normal(p Policy) Policy {
	p.Rules = slices.Clone(p.Rules)
	for i := range p.Rules {
		p.Rules[i].Users = set(p.Rules[i].Users)
		p.Rules[i].Groups = set(p.Rules[i].Groups)
	}
	slices.SortStableFunc(p.Rules, func(a, b Rule) int { return cmp.Compare(a.Name, b.Name) })
	p.Persons = slices.Clone(p.Persons)
	for i := range p.Persons {
		p.Persons[i].Users = set(p.Persons[i].Users)
	}
	slices.SortStableFunc(p.Persons, func(a, b Person) int { return cmp.Compare(a.Name, b.Name) })
	p.TrustedDelegates = set(p.TrustedDelegates)
	if p.BreakGlass != nil {
		p.BreakGlass = &BreakGlass{Groups: set(p.BreakGlass.Groups), ReviewWithin: p.BreakGlass.ReviewWithin}
	}
	if len(p.Rules) == 0 {
		p.Rules = nil
	}
	if len(p.Persons) == 0 {
		p.Persons = nil
	}
	return p
}

// set is sorted, without duplicates and empty members, and nil if empty.
func set(members []string) (sorted []string) {
	for _, m := range members {
		if m != "" {
			sorted = append(sorted, m)
		}
	}
	slices.Sort(sorted)
	return slices.Compact(sorted)
}

// Applicable are the policies that cover the namespace, sorted by name. All of
// them have to agree. With added, one more policy named AddedName demands the
// seats that the Release adds; it can make nothing easier: its approvals are
// valid for the shortest time of the others and authors may approve only where
// the others let them. If no policy with rules covers the namespace, there is none,
// whatever is added: a Release cannot bring its own.
func Applicable(policies []v1alpha1.ApprovalPolicy, namespace string, added *v1alpha1.AddedApproval) []Policy {
	var applicable []Policy
	seats := false
	for i := range policies {
		covers := func(pattern string) bool { return matches(pattern, namespace) }
		if slices.ContainsFunc(policies[i].Spec.Namespaces, covers) {
			applicable = append(applicable, FromSpec(policies[i].Name, policies[i].Spec))
			seats = seats || !applicable[len(applicable)-1].seatless()
		}
	}
	if seats && added != nil {
		applicable = append(applicable, release(applicable, added.Rules))
	}
	slices.SortStableFunc(applicable, func(a, b Policy) int { return cmp.Compare(a.Name, b.Name) })
	return applicable
}

func release(others []Policy, rules []v1alpha1.ApprovalRule) Policy {
	p := Policy{Name: AddedName, Rules: rulesOf(rules), AuthorsMayApprove: true, ValidFor: math.MaxInt64}
	for i := range others {
		if others[i].seatless() {
			continue
		}
		p.ValidFor = min(p.ValidFor, others[i].ValidFor)
		p.AuthorsMayApprove = p.AuthorsMayApprove && others[i].AuthorsMayApprove
	}
	return normal(p)
}

// matches tells whether the namespace has the pattern's form. A star stands for
// any run of characters, also none; nothing else is special.
func matches(pattern, namespace string) bool {
	first, rest, star := strings.Cut(pattern, "*")
	if !star {
		return namespace != "" && pattern == namespace
	}
	tail, ok := strings.CutPrefix(namespace, first)
	if !ok || namespace == "" {
		return false
	}
	parts := strings.Split(rest, "*")
	last := len(parts) - 1
	for _, part := range parts[:last] {
		i := strings.Index(tail, part)
		if i < 0 {
			return false
		}
		tail = tail[i+len(part):]
	}
	return strings.HasSuffix(tail, parts[last])
}

// GroupsNamed is the sorted set of groups that any policy names. A receipt records
// only those of the voter's.
func GroupsNamed(policies []Policy) []string {
	var groups []string
	for i := range policies {
		for _, rule := range policies[i].Rules {
			groups = append(groups, rule.Groups...)
		}
		if glass := policies[i].BreakGlass; glass != nil {
			groups = append(groups, glass.Groups...)
		}
	}
	return set(groups)
}

// RulesByRBAC is the sorted set of the IDs of rules that RBAC is asked about.
func RulesByRBAC(policies []Policy) []string {
	var ids []string
	for i := range policies {
		for _, rule := range policies[i].Rules {
			if rule.RBAC {
				ids = append(ids, RuleID(policies[i].Name, rule.Name))
			}
		}
	}
	return set(ids)
}

// RequiresImageDigests is the policy that wants every image by its digest; empty
// if none does.
func RequiresImageDigests(policies []Policy) string {
	for i := range policies {
		if policies[i].RequireImageDigests {
			return policies[i].Name
		}
	}
	return ""
}

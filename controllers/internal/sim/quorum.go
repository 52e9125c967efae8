// Copyright The Countersign Authors.
// SPDX-License-Identifier: Apache-2.0

package sim

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/countersign/countersign/api/v1alpha1"
)

// question is what the oracle asks itself about a promotion.
type question struct {
	policies []*v1alpha1.ApprovalPolicy
	added    *v1alpha1.AddedApproval
	votes    map[string]ballot
	authors  map[string]bool
	digest   string
	at       time.Time
	// unwitnessed: nobody knows who changed the configuration.
	unwitnessed bool
}

// seatRule is a rule of a policy with how long approvals last there.
type seatRule struct {
	v1alpha1.ApprovalRule
	validFor time.Duration
}

// unmet says why a promotion must not be; empty when it may. It tries all ways
// to seat people, which is slow and plain.
func (q question) unmet() string {
	if why := q.barred(); why != "" {
		return why
	}
	if q.policies = q.demanding(); len(q.policies) == 0 {
		return "no policy applies"
	}
	if len(q.authors) == 0 {
		return "nobody is known as the author"
	}
	if veto := q.veto(); veto != "" {
		return veto
	}
	var seats [][]string
	for _, rule := range q.rules() {
		who := q.persons(rule)
		for range rule.Count {
			seats = append(seats, who)
		}
	}
	more := q.suspicious()
	if more > 0 {
		var anyone []string
		for _, who := range seats {
			anyone = append(anyone, who...)
		}
		seats = append(seats, anyone)
	}
	if !seatable(seats, map[string]bool{}) {
		return fmt.Sprintf("%d seats cannot be filled by %v", len(seats), q.votes)
	}
	for _, p := range q.policies {
		var who []string
		for _, rule := range p.Spec.Rules {
			who = append(who, q.persons(seatRule{rule, p.Spec.ValidFor.Duration})...)
		}
		slices.Sort(who)
		wants := int(p.Spec.MinDistinctPersons)
		if more > 0 {
			wants = max(wants, seatsOf(p)) + more
		}
		if n := len(slices.Compact(who)); n < wants {
			return fmt.Sprintf("policy %s wants %d persons and %d approve", p.Name, wants, n)
		}
	}
	return ""
}

func seatsOf(p *v1alpha1.ApprovalPolicy) (n int) {
	for _, rule := range p.Spec.Rules {
		n += int(rule.Count)
	}
	return n
}

// barred says which policy holds everything, or is closed.
func (q question) barred() string {
	for _, p := range q.policies {
		if p.Spec.Hold != "" {
			return "policy " + p.Name + " stops the line"
		}
		if p.Spec.Windows != nil && closed(q.at) {
			return "policy " + p.Name + " is closed at this time"
		}
	}
	return ""
}

// demanding are the policies that seat anybody.
func (q question) demanding() (out []*v1alpha1.ApprovalPolicy) {
	for _, p := range q.policies {
		if len(p.Spec.Rules) > 0 {
			out = append(out, p)
		}
	}
	return out
}

// suspicious is how many persons more are wanted: one if a program wrote content
// or nobody knows who configured it, and it matters who.
func (q question) suspicious() int {
	if q.unwitnessed && !q.authorsMayApprove() {
		return 1
	}
	for author := range q.authors {
		if strings.HasPrefix(author, "system:") && !q.authorsMayApprove() {
			return 1
		}
	}
	return 0
}

func (q question) rules() (out []seatRule) {
	shortest := 1000 * time.Hour
	for _, p := range q.policies {
		shortest = min(shortest, p.Spec.ValidFor.Duration)
		for _, rule := range p.Spec.Rules {
			out = append(out, seatRule{rule, p.Spec.ValidFor.Duration})
		}
	}
	if q.added != nil {
		for _, rule := range q.added.Rules {
			out = append(out, seatRule{rule, shortest})
		}
	}
	return out
}

// person is the same for all accounts of one human.
func (q question) person(account string) string {
	for _, p := range q.policies {
		for _, person := range p.Spec.Persons {
			if slices.Contains(person.Users, account) {
				return person.Users[0]
			}
		}
	}
	return account
}

func (q question) isAuthor(account string) bool {
	for author := range q.authors {
		if q.person(author) == q.person(account) {
			return true
		}
	}
	return false
}

func (q question) authorsMayApprove() bool {
	return !slices.ContainsFunc(q.demanding(), func(p *v1alpha1.ApprovalPolicy) bool { return !p.Spec.AuthorsMayApprove })
}

func admits(rule v1alpha1.ApprovalRule, account string) bool {
	return slices.Contains(rule.Users, account) ||
		slices.ContainsFunc(userNamed(account).groups, func(g string) bool { return slices.Contains(rule.Groups, g) })
}

func (q question) veto() string {
	for _, v := range q.votes {
		if !v.rejects || v.digest != q.digest {
			continue
		}
		if q.isAuthor(v.user) {
			return v.user + ", an author, rejects it"
		}
		for _, rule := range q.rules() {
			if rule.CanVeto && admits(rule.ApprovalRule, v.user) {
				return v.user + " rejects it"
			}
		}
	}
	return ""
}

// persons who approve under a rule.
func (q question) persons(rule seatRule) (out []string) {
	for _, v := range q.votes {
		switch {
		case v.rejects || v.digest != q.digest || !admits(rule.ApprovalRule, v.user):
		case q.isAuthor(v.user) && !q.authorsMayApprove():
		case !q.at.Before(v.at.Add(rule.validFor)) || q.rejectedBy(q.person(v.user)):
		default:
			out = append(out, q.person(v.user))
		}
	}
	slices.Sort(out)
	return slices.Compact(out)
}

func (q question) rejectedBy(person string) bool {
	for _, v := range q.votes {
		if v.rejects && v.digest == q.digest && q.person(v.user) == person {
			return true
		}
	}
	return false
}

// seatable tries every way to fill the seats with a person each.
func seatable(seats [][]string, taken map[string]bool) bool {
	if len(seats) == 0 {
		return true
	}
	for _, person := range seats[0] {
		if taken[person] {
			continue
		}
		taken[person] = true
		if seatable(seats[1:], taken) {
			return true
		}
		delete(taken, person)
	}
	return false
}

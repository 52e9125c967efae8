// Copyright The Countersign Authors.
// SPDX-License-Identifier: Apache-2.0

package show

import (
	"fmt"
	"strings"

	"github.com/countersign/countersign/api/v1alpha1"
	"github.com/countersign/countersign/controllers/approval"
	"github.com/countersign/countersign/controllers/snapshot"
)

// Explanation is what the votes on a candidate come to, and why.
type Explanation struct {
	Name      string `json:"name"`
	Namespace string `json:"namespace"`
	// Digest of the candidate, in full.
	Digest string `json:"digest,omitempty"`
	// Halted says why it was given up.
	Halted string `json:"halted,omitempty"`
	// Outcome is a sentence of what the votes come to.
	Outcome string         `json:"outcome"`
	Seats   string         `json:"seats,omitempty"`
	Votes   []Vote         `json:"votes,omitempty"`
	Lacking []Lacking      `json:"lacking,omitempty"`
	Authors []string       `json:"authors,omitempty"`
	You     *You           `json:"you,omitempty"`
	Demands []PolicyDigest `json:"policies,omitempty"`
	Next    []Command      `json:"next,omitempty"`
	Notes   []string       `json:"notes,omitempty"`
}

// Vote is one, as the operator explains it, with the remark beside it.
type Vote struct {
	v1alpha1.VoteStatus
	Comment string `json:"comment,omitempty"`
}

// Lacking is a rule that is not met, and who could change that.
type Lacking struct {
	Rule  string `json:"rule"`
	Count int    `json:"count"`
	// Users and Groups who could.
	Users  []string `json:"users,omitempty"`
	Groups []string `json:"groups,omitempty"`
	// ByRBAC are the names under which RBAC lets somebody approve.
	ByRBAC []string `json:"byRBAC,omitempty"`
	// Broken says why nobody ever can.
	Broken string `json:"broken,omitempty"`
}

// You is what whoever asks could do.
type You struct {
	User       string `json:"user"`
	MayApprove bool   `json:"mayApprove"`
	MayReject  bool   `json:"mayReject"`
	// Why not, if they may not approve.
	Why string `json:"why,omitempty"`
}

// ExplanationOf is what the votes on the candidate come to.
func ExplanationOf(w *World) Explanation {
	st := w.status()
	e := Explanation{Name: w.Release.Name, Namespace: w.Release.Namespace, Seats: st.Approvals, Next: next(&w.Release, "explain"), Notes: append(older(&w.Release), w.Unread...)}
	e.Outcome, _ = because(&w.Release)
	for _, v := range st.Votes {
		e.Votes = append(e.Votes, Vote{v, w.Release.Annotations[v1alpha1.CommentPrefix+v.Slot]})
	}
	c := st.Candidate
	if c == nil {
		return e
	}
	e.Digest, e.Authors = c.Digest, c.Authors
	if c.Halted != nil {
		e.Halted = c.Halted.Reason
	}
	policies := approval.Applicable(w.Policies, w.Release.Namespace, w.Release.Spec.Approval)
	e.Demands = digests(policies)
	if len(policies) == 0 && len(w.Unread) > 0 {
		return e
	}
	if c.Halted == nil {
		e.Lacking = w.lacking(policies)
		e.You = w.you(policies)
	}
	return e
}

// subject of the votes, as the operator has it on record.
func (w *World) subject(policies []approval.Policy) approval.Subject {
	st := w.status()
	c := st.Candidate
	return approval.Subject{
		Digest: c.Digest, Authors: c.Authors, AuthorsKnown: !condition(&w.Release, v1alpha1.ConditionApproved, v1alpha1.ReasonAuthorsUnknown),
		Named: approval.Trusted(policies, c.Delegates), Unwitnessed: snapshot.Unwitnessed(w.Release.Spec, c, st.Active),
	}
}

// lacking is what approval.Evaluate finds missing in the votes that the operator
// has verified.
func (w *World) lacking(policies []approval.Policy) (all []Lacking) {
	for _, m := range approval.Evaluate(policies, w.subject(policies), provenVotes(&w.Release), w.Now).Missing {
		rule := m.Policy
		if m.Rule != "" {
			rule += "/" + m.Rule
		}
		all = append(all, Lacking{Rule: rule, Count: m.Count, Users: m.Users, Groups: m.Groups, ByRBAC: m.ByRBAC, Broken: m.Broken})
	}
	return all
}

// you is what whoever asks could do.
func (w *World) you(policies []approval.Policy) *You {
	if w.Person == nil {
		return nil
	}
	who, subject := w.Person, w.subject(policies)
	you := &You{User: who.User}
	you.MayApprove, you.Why = approval.Eligibility(policies, subject, who.User, who.Groups, who.Permitted...)
	you.MayReject, _ = approval.MayReject(policies, subject, who.User, who.Groups, who.Permitted...)
	return you
}

// Text is the explanation for a person.
func (e Explanation) Text(style Style) string {
	p := &page{Style: style}
	if e.Digest == "" && e.Halted == "" && len(e.Authors) == 0 {
		p.line(cell{fmt.Sprintf("Release %s in namespace %s has no candidate.", e.Name, e.Namespace), strong})
	} else {
		digest := e.Digest
		if digest == "" {
			digest = "which has no digest yet"
		}
		p.line(cell{fmt.Sprintf("Release %s in namespace %s, candidate %s", e.Name, e.Namespace, digest), strong})
	}
	p.sentences(e.Outcome, plain)
	p.explained(e)
	if len(e.Lacking) > 0 {
		p.section("Who could still approve")
		var rows [][]cell
		for _, l := range e.Lacking {
			rows = append(rows, []cell{text("%s", l.Rule), {fmt.Sprintf("%d more", l.Count), doubtful}, text("%s", l.who())})
		}
		p.table(rows)
	}
	if len(e.Authors) > 0 {
		p.section("Who changed the content")
		p.line(text("  %s", strings.Join(e.Authors, ", ")))
	}
	if e.You != nil {
		p.section("You")
		p.line(text("  %s", e.You.sentence()))
	}
	p.policies(e.Demands)
	p.commands(e.Next)
	p.notes(e.Notes)
	return p.String()
}

func (p *page) explained(e Explanation) {
	title := "Votes"
	if e.Seats != "" {
		title += ": " + e.Seats
	}
	p.section(title)
	if len(e.Votes) == 0 {
		p.line(text("  Nobody has voted."))
	}
	var rows [][]cell
	for _, v := range e.Votes {
		row := voteRow(v.VoteStatus)
		why := v.Why
		if v.Rule != "" && !strings.Contains(why, v.Rule) {
			why += " (" + v.Rule + ")"
		}
		if v.Comment != "" {
			why += fmt.Sprintf(" (%q)", v.Comment)
		}
		row[len(row)-1].text = why
		rows = append(rows, row)
	}
	p.table(rows)
}

func (l Lacking) who() string {
	if l.Broken != "" {
		return "nobody, because " + l.Broken
	}
	var who []string
	who = append(who, l.Users...)
	for _, g := range l.Groups {
		who = append(who, "members of "+g)
	}
	for _, id := range l.ByRBAC {
		who = append(who, "whom RBAC lets approve approvalrules/"+id)
	}
	if len(who) == 0 {
		return "nobody is left; ask the owners of the policy to name more people"
	}
	return strings.Join(who, ", ")
}

func (y You) sentence() string {
	switch {
	case y.MayApprove:
		return y.User + " may approve it."
	case y.MayReject:
		return fmt.Sprintf("%s may reject it, and not approve it: %s.", y.User, y.Why)
	}
	return fmt.Sprintf("%s may not vote on it: %s.", y.User, y.Why)
}

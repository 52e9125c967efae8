// Copyright The Countersign Authors.
// SPDX-License-Identifier: Apache-2.0

package show

import (
	"fmt"

	"github.com/countersign/countersign/api/v1alpha1"
	"github.com/countersign/countersign/controllers/approval"
	"github.com/countersign/countersign/controllers/digest"
)

// Plan is what would happen if a Release was applied.
type Plan struct {
	Name      string `json:"name"`
	Namespace string `json:"namespace"`
	// Creates is true when it does not exist yet.
	Creates bool `json:"creates,omitempty"`
	// Content is true when what is approved would change, so that votes are needed.
	Content      bool     `json:"content"`
	Irreversible bool     `json:"irreversible,omitempty"`
	Changes      []Change `json:"changes,omitempty"`
	// Discards is the digest of a candidate whose votes would be void.
	Discards string         `json:"discards,omitempty"`
	Policies []PolicyDigest `json:"policies,omitempty"`
	// You is the author of the change then, and cannot approve it.
	You   string   `json:"you,omitempty"`
	Notes []string `json:"notes,omitempty"`
}

// PlanOf what would be, with what was; nil if it does not exist yet.
func PlanOf(was *v1alpha1.Release, would *World) Plan {
	rel := &would.Release
	p := Plan{Name: rel.Name, Namespace: rel.Namespace, Creates: was == nil, Content: true, Irreversible: rel.Spec.Irreversible, Notes: would.Unread}
	p.Policies = digests(approval.Applicable(would.Policies, rel.Namespace, rel.Spec.Approval))
	if would.Person != nil {
		p.You = would.Person.User
	}
	if was == nil {
		return p
	}
	p.Changes = changes("spec", was.Spec, rel.Spec)
	before, err := digest.Revision(was.Spec)
	after, also := digest.Revision(rel.Spec)
	p.Content = err != nil || also != nil || before != after
	if c := was.Status.Candidate; c != nil && p.Content {
		p.Discards = c.Digest
	}
	return p
}

// Text is the plan for a person.
func (pl Plan) Text(style Style) string {
	p := &page{Style: style}
	p.line(cell{fmt.Sprintf("Release %s in namespace %s would be admitted.", pl.Name, pl.Namespace), strong})
	switch {
	case pl.Creates:
		p.line(text("  It would be created, and its first content need votes before anything serves."))
	case pl.Content:
		p.line(cell{"  Its content would change: a candidate is made, and needs votes.", doubtful})
	case len(pl.Changes) == 0:
		p.line(cell{"  Nothing would change.", good})
	default:
		p.line(cell{"  Its content would stay: nobody has to agree, and it takes effect at once.", good})
	}
	if pl.Discards != "" {
		p.line(cell{fmt.Sprintf("  The candidate %s would be given up, with its votes.", p.digest(pl.Discards)), doubtful})
	}
	if pl.Irreversible && pl.Content {
		p.line(cell{"  It is marked irreversible: once it serves, nothing goes back from it by itself.", bad})
	}
	if pl.Content && pl.You != "" {
		p.line(text("  %s would be an author of it.", pl.You))
	}
	if len(pl.Changes) > 0 {
		p.part(Part{Name: "What would change", Changes: pl.Changes})
	}
	if pl.Content {
		if len(pl.Policies) == 0 && len(pl.Notes) == 0 {
			p.line(cell{"  No ApprovalPolicy covers the namespace, so that it would not be let through; ask the platform team: kubectl edit approvalpolicy default", bad})
		}
		p.policies(pl.Policies)
	}
	p.notes(pl.Notes)
	return p.String()
}

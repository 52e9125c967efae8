// Copyright The Countersign Authors.
// SPDX-License-Identifier: Apache-2.0

package rollout

import (
	"fmt"

	"github.com/countersign/countersign/api/v1alpha1"
)

// leaveToPeople does nothing about content that fails and is marked irreversible,
// and says who has to. Other content that they send after that is their decision to
// go on; what they had sent before is none, and waits: it would take the place of
// what can be gone back to.
func (p *plan) leaveToPeople(why string) {
	a, c := p.st.Active, p.st.Candidate
	if a.FailingSince == nil {
		a.FailingSince = p.nowPtr()
	}
	if c != nil && c.Since.After(a.FailingSince.Time) {
		a.Failed, a.FinishedAt, a.FailingSince = clip(why, 1024), p.nowPtr(), nil
		return
	}
	p.askPeople(why)
}

// askPeople tells of what content that is marked irreversible needs, and how to
// give it.
func (p *plan) askPeople(why string) {
	a := p.st.Active
	if p.back() == nil {
		p.alarm(v1alpha1.ReasonIrreversible, why+", and nothing is kept to go back to; apply mended content")
		return
	}
	p.alarm(v1alpha1.ReasonIrreversible, fmt.Sprintf(
		"%s, and the content is marked irreversible, so that nothing goes back by itself; decide: apply mended content, or go back: %s",
		why, p.annotate(v1alpha1.RollbackAnnotation+"="+a.RollbackRequest())))
}

// pointOfNoReturn is what people have to know of the candidate before they let it
// through; empty for content that can be gone back from.
func (p *plan) pointOfNoReturn(before, after string) string {
	if !p.spec().Irreversible {
		return ""
	}
	return before + "it is marked irreversible: once it serves, nothing goes back by itself" + after
}

// marked is the same in a word.
func (p *plan) marked() string {
	if p.pointOfNoReturn("", "") == "" {
		return ""
	}
	return " (irreversible)"
}

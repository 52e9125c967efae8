// Copyright The Countersign Authors.
// SPDX-License-Identifier: Apache-2.0

package rollout

import (
	"fmt"
	"slices"

	"github.com/countersign/countersign/api/v1alpha1"
)

// candidateReplicas is how many Pods the candidate is to have now.
func (p *plan) candidateReplicas() int32 {
	c, preview := p.st.Candidate, p.spec().PreviewReplicas
	if c == nil || c.Size == v1alpha1.FullSize || preview == nil {
		return p.replicas()
	}
	return min(max(*preview, 1), p.replicas())
}

// enough is how many available Pods the candidate needs for what comes next: those
// that it is tested on or, to be switched to, no fewer than serve.
func (p *plan) enough(c *v1alpha1.CandidateStatus) int32 {
	if c.Size != v1alpha1.FullSize {
		return p.candidateReplicas()
	}
	return max(p.replicas(), p.liveReady())
}

// chooseSize puts on record whether the candidate is a small one. It is not when
// its colour is still kept, complete, for going back to the same content.
func (p *plan) chooseSize(c *v1alpha1.CandidateStatus, w Workload) {
	kept := p.st.Former != nil && p.st.Former.Colour == c.Colour && p.materialised(c, w)
	switch {
	case c.Size == v1alpha1.FullSize:
	case p.spec().PreviewReplicas == nil || kept:
		p.grow(c)
	default:
		c.Size = v1alpha1.PreviewSize
	}
}

// grow has the candidate scaled to its full size, for good. What its checks found on
// fewer Pods says nothing of all of them: they run again.
func (p *plan) grow(c *v1alpha1.CandidateStatus) {
	c.Size = v1alpha1.FullSize
	if c.TestedAt != nil && c.TestedReplicas >= p.replicas() {
		return
	}
	c.TestedAt = nil
	if c.ReadyAt == nil {
		return // nothing was tested yet
	}
	c.Round++
	c.ReadyAt, c.ProgressSince, c.TestedReplicas = nil, p.nowPtr(), 0
	p.st.Checks = slices.DeleteFunc(p.st.Checks, func(k v1alpha1.CheckStatus) bool { return k.Stage == v1alpha1.StageBeforeSwitch })
	p.note(false, NoticeCandidateScaledUp, fmt.Sprintf("%s grows to %d Pods and is tested again%s", c.Colour, p.replicas(), p.inFull(c)))
}

// tooSmall says that nothing but its size keeps the candidate from being switched
// to; empty when it has its full size.
func (p *plan) tooSmall(c *v1alpha1.CandidateStatus) string {
	if c.Size == v1alpha1.FullSize {
		return ""
	}
	return p.growth()
}

func (p *plan) growth() string { return fmt.Sprintf("the candidate to grow to %d Pods", p.replicas()) }

// inFull tells apart what is tested again on all Pods.
func (p *plan) inFull(c *v1alpha1.CandidateStatus) string {
	if c.Round == 0 {
		return ""
	}
	return fmt.Sprintf(" on all of its %d Pods", p.replicas())
}

// podsAvailable says of which Pods the candidate is complete.
func (p *plan) podsAvailable(c *v1alpha1.CandidateStatus) string {
	if n := p.candidateReplicas(); n < p.replicas() {
		return fmt.Sprintf("%d of %d Pods of %s are available, as many as it has until people let it through", n, p.replicas(), c.Colour)
	}
	return fmt.Sprintf("all Pods of %s are available", c.Colour)
}

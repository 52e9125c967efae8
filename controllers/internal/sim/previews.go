// Copyright The Countersign Authors.
// SPDX-License-Identifier: Apache-2.0

package sim

import (
	"github.com/countersign/countersign/api/v1alpha1"
)

// previews are the sizes that developers give to candidates, in lives where they
// do. They draw lots of their own, so that all other lives are as they would be
// without.
type previews struct{ part }

func newPreviews(seed uint64) previews { return previews{partOf(seed, 0x70726576, seed%4 == 1)} }

// of is what a developer writes, at times nothing.
func (p previews) of() *int32 {
	if !p.on || p.rng.IntN(5) == 0 {
		return nil
	}
	return ptr(int32(1 + p.rng.IntN(3)))
}

// resize is an edit of a Release, at times.
func (p *previews) resize(spec *v1alpha1.ReleaseSpec) {
	if p.on && p.rng.IntN(6) == 0 {
		spec.PreviewReplicas = p.of()
	}
}

// sized keeps the books of the fewest Pods that what is on offer had to have since
// it is, and of candidates that grew.
func (o *oracle) sized(rel *v1alpha1.Release) {
	c := rel.Status.Candidate
	if c == nil || c.Digest == "" {
		return
	}
	if had, known := o.fewest[c.Digest]; !known || *rel.Spec.Replicas < had {
		o.fewest[c.Digest] = *rel.Spec.Replicas
	}
	if c.Round > 0 {
		o.sim.seen.add("candidates that grew")
	}
}

// passedOn notes that a check really passed on so many Pods.
func (o *oracle) passedOn(digest, check string, pods int) {
	name := digest + "/" + check
	o.passed[name] = max(o.passed[name], int32(pods))
}

// complete: I1. All Pods of what is switched to are there, as far as the operator
// could know.
func (o *oracle) complete(actor string, rel *v1alpha1.Release, c *commitment) {
	d := o.sim.deployment(c.to.Colour)
	if d == nil {
		return
	}
	version, _ := number(d.ResourceVersion)
	if o.excused(actor, version, kindDeployment) {
		return
	}
	o.sim.seen.add("promotions whose Pods were counted")
	if want := *rel.Spec.Replicas; *d.Spec.Replicas < want || d.Status.AvailableReplicas < want {
		o.sim.violate("I1", "epoch %d is committed, and %d of %d Pods of %s are available", c.epoch, d.Status.AvailableReplicas, want, d.Name)
	}
}

// Copyright The Countersign Authors.
// SPDX-License-Identifier: Apache-2.0

package sim

import "github.com/countersign/countersign/api/v1alpha1"

const autoscaler = "system:serviceaccount:kube-system:horizontal-pod-autoscaler"

// passing are phases that do not last: an autoscaler that acts at random misses
// them.
func passing(p v1alpha1.Phase) bool {
	return p == v1alpha1.PhaseSwitching || p == v1alpha1.PhaseRollingBack || p == v1alpha1.PhaseDeleting
}

// autoscale writes the scale subresource of the Release: its replicas and nothing
// else, and past the webhook, which is not asked about it.
func (s *sim) autoscale() {
	rel := s.release()
	if rel == nil {
		return
	}
	rate := 30
	if passing(rel.Status.Phase) {
		rate = 800
	}
	if !s.parts.autoscaler.chance(rate) {
		return
	}
	next := rel.DeepCopy()
	next.Spec.Replicas = ptr(int32(1 + s.parts.autoscaler.rng.IntN(4)))
	if _, err := s.server.update(autoscaler, next); err != nil {
		s.violate("D03", "the autoscaler cannot scale: %v", err)
	}
	s.seen.add("scaled while " + string(rel.Status.Phase))
}

// sizesAtRest: I12. What serves has the size that was asked for last.
func (s *sim) sizesAtRest(rel *v1alpha1.Release) {
	a := rel.Status.Active
	if a == nil {
		return
	}
	if d := s.deployment(a.Colour); d != nil && *d.Spec.Replicas != *rel.Spec.Replicas {
		s.violate("I12", "Deployment %s has %d replicas, and %d are asked for", d.Name, *d.Spec.Replicas, *rel.Spec.Replicas)
	}
}

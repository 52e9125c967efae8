// Copyright The Countersign Authors.
// SPDX-License-Identifier: Apache-2.0

package observe_test

import (
	"testing"

	"github.com/countersign/countersign/api/v1alpha1"
	corev1 "k8s.io/api/core/v1"
)

// The cache has the slices of Services that were claimed only, and not at once.
func TestUnclaimedServicesAreReadLive(t *testing.T) {
	unclaimed := service("shop", func(s *corev1.Service) { delete(s.Labels, v1alpha1.ReleaseLabel) })
	cache, live := newReader(t, unclaimed), newReader(t, unclaimed, endpoints("shop", "e", "stranger"))
	s, err := snapshot(t, release(), cache, live)
	if err != nil || s.Services[0].Endpoints.Other != 1 {
		t.Errorf("it sees %+v, %v", s.Services[0], err)
	}
	cache, live = newReader(t, service("shop", nil), endpoints("shop", "e", "stranger")), newReader(t)
	if _, err := snapshot(t, release(), cache, live); err != nil || len(live.read) > 0 {
		t.Errorf("what the cache has is read live: %v, %v", live.read, err)
	}
}

// The cache has labelled Deployments only: one of the name that is needed may be
// somebody else's. As long as none is needed, nobody is asked.
func TestDeploymentsThatAreNeededAreReadLive(t *testing.T) {
	foreign := deployment("blue")
	foreign.Labels = nil
	cache, live := newReader(t), newReader(t, foreign)
	if s, err := snapshot(t, release(), cache, live); err != nil || s.Blue.ResourceVersion != "" || live.read["Deployment"] > 0 {
		t.Errorf("it sees %+v, %v, %v", s.Blue, live.read, err)
	}
	rel := release()
	rel.Status.Candidate = &v1alpha1.CandidateStatus{Colour: v1alpha1.Blue}
	if s, err := snapshot(t, rel, cache, live); err != nil || !s.Blue.Exists || !s.Blue.Foreign || live.read["Deployment"] != 1 {
		t.Errorf("it sees %+v, %v, %v", s.Blue, live.read, err)
	}
}

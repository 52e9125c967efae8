// Copyright The Countersign Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"time"

	"github.com/countersign/countersign/api/v1alpha1"
	appsv1 "k8s.io/api/apps/v1"
	"k8s.io/apimachinery/pkg/types"
)

// wantsWarm holds the operator to it that the former colour stands complete
// while the release is observed.
func (s *soaker) wantsWarm(rel *v1alpha1.Release) {
	if s.Err() != nil {
		return
	}
	if rel.Status.Former == nil {
		s.Fail("nothing is kept for going back while version %s is observed", s.moves[len(s.moves)-1].to)
		return
	}
	d := s.deployment(rel.Status.Former.Colour)
	if d.Status.ReadyReplicas < soakReplicas {
		s.Fail("%d Pods of %s, which is kept for going back, are ready, want %d", d.Status.ReadyReplicas, d.Name, soakReplicas)
	}
}

// awaitDrained waits until the former colour is scaled to zero, which may not be
// before it was kept for as long as the Release says.
func (s *soaker) awaitDrained(rel *v1alpha1.Release) {
	if s.Err() != nil {
		return
	}
	keep := time.Duration(rel.Status.Active.KeepIdleSeconds) * time.Second
	idle := rel.Status.Active.Colour.Other()
	rel = s.Await("the former colour is let go", func(r *v1alpha1.Release) bool { return r.Status.Former == nil })
	if kept := time.Since(rel.Status.Active.FinishedAt.Time); s.Err() == nil && kept < keep {
		s.Fail("the former colour was let go %s after the release was finished, want at least %s", kept, keep)
	}
	s.awaitScaledDown(idle)
}

func (s *soaker) awaitScaledDown(colour v1alpha1.Colour) {
	ctx, cancel := context.WithTimeout(s.ctx, 30*time.Second)
	defer cancel()
	for s.Err() == nil {
		d := s.deployment(colour)
		if s.Err() == nil && *d.Spec.Replicas == 0 {
			return
		}
		select {
		case <-ctx.Done():
			s.Fail("Deployment %s has not been scaled to zero", d.Name)
		case <-time.After(100 * time.Millisecond):
		}
	}
}

func (s *soaker) deployment(colour v1alpha1.Colour) *appsv1.Deployment {
	d := &appsv1.Deployment{}
	key := types.NamespacedName{Namespace: s.Release.Namespace, Name: s.Release.Name + "-" + string(colour)}
	if err := s.Client.Get(s.ctx, key, d); err != nil {
		s.Fail("get Deployment %s: %w", key, err)
	}
	return d
}

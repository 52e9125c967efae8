// Copyright The Countersign Authors.
// SPDX-License-Identifier: Apache-2.0

package sim

import (
	"maps"
	"time"

	"github.com/countersign/countersign/api/v1alpha1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/equality"
)

// repairsAllowed is how often a selector may be put back in repairsWithin.
const (
	repairsAllowed = 3
	repairsWithin  = 10 * time.Minute
)

// gitops is an engine that applies what is in Git, again and again.
type gitops struct {
	part
	// content of the Release in Git; nil before anything was committed.
	content *v1alpha1.ReleaseSpec
	// selects: the manifest of the Service has a selector.
	selects bool
}

// inGit is the selector of the manifest, in lives where it has one: it matches the
// Pods of both colours.
var inGit = map[string]string{"app": "shop"}

// beginGit settles what is in Git. Who insists on a selector has to get past the
// guards: those of the model are not there in these lives.
func (s *sim) beginGit() {
	g := &s.parts.gitops
	if g.on && g.rng.IntN(3) == 0 {
		g.selects, s.weather.guards = true, false
	}
}

// syncFromGit applies the Release, and the Service if people make it. What is in Git
// is what somebody wrote last, mostly: at times they forget to commit, and it is
// undone.
func (s *sim) syncFromGit() {
	g := &s.parts.gitops
	if !g.chance(40) {
		return
	}
	if rel := s.release(); rel != nil {
		if g.content == nil || g.rng.IntN(6) > 0 {
			g.content = rel.Spec.DeepCopy()
		}
		s.applyRelease(g.content)
	}
	if !s.operatorMakes("shop") {
		s.applyService()
	}
}

// applyRelease is a server-side apply by one who owns the content and nothing else:
// size, votes and what admission wrote are left alone.
func (s *sim) applyRelease(content *v1alpha1.ReleaseSpec) {
	before := s.release()
	err := s.edit(argocd, func(rel *v1alpha1.Release) {
		spec := content.DeepCopy()
		spec.Replicas = rel.Spec.Replicas
		rel.Spec = *spec
	})
	after := s.release()
	switch {
	case err != nil:
	case !equality.Semantic.DeepEqual(before.Spec, after.Spec):
		s.seen.add("syncs that undo")
	case before.ResourceVersion != after.ResourceVersion && !maps.Equal(before.Annotations, after.Annotations):
		s.violate("I6", "a sync of what is there changes %v into %v", before.Annotations, after.Annotations)
	default:
		s.seen.add("syncs")
	}
}

// applyService applies the manifest of the Service. Without a selector it says
// nothing about where the Service leads.
func (s *sim) applyService() {
	have, _ := s.server.get(serviceKey("shop")).(*corev1.Service)
	if have == nil {
		svc := plainService("shop")
		if s.parts.gitops.selects {
			svc.Spec.Selector = maps.Clone(inGit)
		}
		_, err := s.server.create(argocd.name, svc)
		s.must(err)
		return
	}
	next := have.DeepCopy()
	if next.Labels == nil {
		next.Labels = map[string]string{}
	}
	next.Labels["team"] = "shop"
	if s.parts.gitops.selects {
		next.Spec.Selector = maps.Clone(inGit)
	}
	if maps.Equal(next.Labels, have.Labels) && maps.Equal(next.Spec.Selector, have.Spec.Selector) {
		return
	}
	if _, err := s.server.update(argocd.name, next); err != nil {
		s.violate("D23", "a sync of Service shop is refused: %v", err)
	}
	if s.parts.gitops.selects {
		s.seen.add("selectors from Git")
	}
}

// repaired: I12. What somebody insists on is not fought over for ever.
func (o *oracle) repaired() {
	o.repairedAt = append(o.repairedAt, o.sim.clock)
	recent := 0
	for _, at := range o.repairedAt {
		if o.sim.clock.Sub(at) < repairsWithin-time.Minute {
			recent++
		}
	}
	if recent > repairsAllowed {
		o.sim.violate("I12", "%d repairs within %s", recent, repairsWithin)
	}
}

// insistOnSelector syncs a manifest with a selector all the time, in the calm.
// Traffic is never lost: either selector leads to Pods of what is active.
func (s *sim) insistOnSelector() {
	if !s.parts.gitops.selects || s.operatorMakes("shop") {
		return
	}
	s.insist(func() bool {
		if s.oracle.served("shop") == 0 {
			s.violate("I2", "Service shop leads nowhere while a sync insists on its selector")
		}
		have, _ := s.server.get(serviceKey("shop")).(*corev1.Service)
		if maps.Equal(have.Spec.Selector, inGit) {
			return false
		}
		s.applyService()
		return true
	})
	s.rest("after a sync insisted on a selector")
	s.seen.add("selectors insisted on")
}

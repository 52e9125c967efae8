// Copyright The Countersign Authors.
// SPDX-License-Identifier: Apache-2.0

package sim

import (
	"github.com/countersign/countersign/api/v1alpha1"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// catchUp brings kinds of the cache up to date, each in its own time.
func (o *operator) catchUp() {
	for k := range kindCount {
		switch {
		case (k == kindConfigMap || k == kindSecret) && !o.sim.configured():
		case k == kindJob && !o.sim.tested(), k == kindRecord && !o.sim.recorded():
		case o.sim.calm || !o.sim.chance(o.sim.weather.lag):
			o.cache.advance(k, -1)
		case o.sim.rng.IntN(2) == 0:
			o.cache.advance(k, 1+o.sim.rng.IntN(3))
		}
	}
}

// notified puts the Release into the work queue when controllers.Setup would.
func (o *operator) notified(r record) {
	if o.concerns(r.before) || o.concerns(r.after) {
		o.queue.pending = true
	}
}

func (o *operator) concerns(obj client.Object) bool {
	if obj == nil {
		return false
	}
	ours := obj.GetLabels()[v1alpha1.ReleaseLabel] == releaseName
	switch kindOf(obj) {
	case kindRelease, kindPolicy, kindBudget:
		return true
	case kindConfigMap, kindSecret:
		return ours || obj.GetName() == settings.Name || obj.GetName() == password.Name
	case kindService:
		rel, _ := o.cache.get(o.sim.releaseKey()).(*v1alpha1.Release)
		return ours || rel != nil && names(rel, obj.GetName())
	}
	return ours
}

// names tells whether a spec names a Service, as an active one or a preview.
func names(rel *v1alpha1.Release, service string) bool {
	for _, s := range rel.Spec.Services {
		if s.Name == service || s.PreviewName() == service {
			return true
		}
	}
	return false
}

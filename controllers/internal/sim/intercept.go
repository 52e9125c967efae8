// Copyright The Countersign Authors.
// SPDX-License-Identifier: Apache-2.0

package sim

import (
	"strings"

	"github.com/countersign/countersign/api/v1alpha1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/types"
)

// stand lets a run stand still: for other things to happen in between, mostly
// for a moment, at times until another instance has taken over.
func (o *operator) stand(what string, rate int) {
	plotted := o.sim.against == o.name && rate > 0
	if o.sim.calm || !plotted && !o.sim.chance(rate) {
		return
	}
	o.sleeps = o.sim.rng.IntN(4)
	if plotted {
		o.sim.against, o.sleeps = "", 1+o.sim.rng.IntN(30)
	} else if o.sim.rng.IntN(3) == 0 {
		o.sleeps = o.sim.rng.IntN(60)
	}
	o.sim.logf("%s stands still %s for %d steps", o.name, what, o.sleeps)
	if !o.run.yield(struct{}{}) {
		panic(crash{"stopped " + what})
	}
}

// cached implements interceptor.
func (o *operator) cached(what string) {
	if !o.sim.configured() && (strings.HasPrefix(what, "list "+kindConfigMap.String()) || strings.HasPrefix(what, "list "+kindSecret.String())) {
		return
	}
	if !o.sim.tested() && strings.HasPrefix(what, "list "+kindJob.String()) {
		return
	}
	if !o.sim.recorded() && strings.HasPrefix(what, "list "+kindRecord.String()) {
		return
	}
	o.stand("at "+what, o.sim.weather.pause/8)
	if !strings.HasPrefix(what, "list "+kindPolicy.String()) {
		return
	}
	o.decidedBy = nil
	for _, p := range o.cache.list(kindPolicy, nil) {
		o.decidedBy = append(o.decidedBy, p.(*v1alpha1.ApprovalPolicy))
	}
}

// read implements interceptor.
func (o *operator) read(what string) error {
	o.stand("before "+what, o.sim.weather.pause)
	if o.sim.outage {
		return errOutage
	}
	if !o.sim.calm && o.sim.chance(o.sim.weather.serverError) {
		return errServer
	}
	o.looks(what)
	if strings.HasPrefix(what, "list "+kindPolicy.String()) {
		o.readPolicies, o.readAt = true, o.sim.clock
		o.policies = live[*v1alpha1.ApprovalPolicy](o.sim, kindPolicy, nil)
	}
	return nil
}

// looks notes when a ConfigMap or Secret was read.
func (o *operator) looks(what string) {
	for _, k := range []kind{kindConfigMap, kindSecret} {
		if name, is := strings.CutPrefix(what, "get "+k.String()+"/"); is {
			o.looked[key{k, types.NamespacedName{Namespace: namespace, Name: name}}] = o.sim.server.version
		}
	}
}

// beforeWrite implements interceptor.
func (o *operator) beforeWrite(what string) error {
	s, w := o.sim, &o.sim.weather
	o.stand("before "+what, w.pause)
	switch {
	case s.outage:
		return errOutage
	case s.calm:
		return nil
	case s.chance(w.crash):
		panic(crash{"before " + what})
	case s.chance(w.conflict):
		return apierrors.NewConflict(kindRelease.resource(), what, errInjected)
	case s.chance(w.serverError):
		return errServer
	}
	return nil
}

// afterWrite implements interceptor.
func (o *operator) afterWrite(what string) error {
	s, w := o.sim, &o.sim.weather
	if o.deposed {
		s.seen.add("writes of deposed leaders")
	}
	switch {
	case s.calm:
	case s.chance(w.crash):
		panic(crash{"after " + what})
	case s.chance(w.timeout):
		s.seen.add("timeouts")
		return errTimeout
	}
	o.stand("after "+what, w.pause/2)
	return nil
}

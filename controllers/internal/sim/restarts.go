// Copyright The Countersign Authors.
// SPDX-License-Identifier: Apache-2.0

package sim

import (
	"fmt"
	"strings"

	"github.com/countersign/countersign/api/v1alpha1"
	appsv1 "k8s.io/api/apps/v1"
	"k8s.io/apimachinery/pkg/api/equality"
)

// newRestarts: in some lives people have Pods made anew.
func newRestarts(seed uint64) part { return partOf(seed, 0x72657374617274, seed%4 == 1) }

// askAnew: at times somebody asks to make the Pods of what serves anew; or of what
// served before, or by a number that was used.
func (s *sim) askAnew() {
	rel, rng := s.release(), s.restarts.rng
	if !s.restarts.on || rel == nil || rel.Status.Active == nil || rng.IntN(1000) >= 25 {
		return
	}
	digest, number := rel.Status.Active.Digest, rel.Status.Active.Restart.Last()+int64(1+rng.IntN(3))
	by := []user{dave, mallory, argocd}[rng.IntN(3)]
	switch rng.IntN(12) {
	case 0:
		if f := rel.Status.Former; f != nil {
			digest = f.Digest
		}
	case 1:
		number = int64(rng.IntN(3)) - 1
	case 2:
		_ = s.edit(by, func(r *v1alpha1.Release) { delete(r.Annotations, v1alpha1.RestartAnnotation) })
		return
	case 3:
		s.numberBehindBack()
		return
	case 4, 5:
		if f := rel.Status.Former; f != nil && s.weather.intrusion > 0 {
			inStorage(s, s.releaseKey(), func(r *v1alpha1.Release) {
				annotate(r, v1alpha1.RestartAnnotation, fmt.Sprintf("%s/%d", f.Digest, number))
			})
			return
		}
	}
	if s.edit(by, func(r *v1alpha1.Release) {
		annotate(r, v1alpha1.RestartAnnotation, fmt.Sprintf("%s/%d", digest, number))
	}) != nil {
		s.seen.add("requests refused")
	}
}

// numberBehindBack: somebody writes a number into a Deployment, or what is none.
func (s *sim) numberBehindBack() {
	for _, d := range s.deployments() {
		value := []string{"7", "007", "evil"}[s.restarts.rng.IntN(3)]
		if d.Name == originName || s.weather.intrusion == 0 || s.undigested(d) || s.restarts.rng.IntN(2) == 0 {
			continue
		}
		inStorage(s, keyOf(d), func(d *appsv1.Deployment) {
			d.Spec.Template.Annotations = map[string]string{v1alpha1.RestartsAnnotation: value}
		})
	}
}

// madeAnew judges a change of a template if it is one that makes Pods anew as what
// they are, and tells whether it is: it was on record for what the colour holds.
func (o *oracle) madeAnew(was, now *appsv1.Deployment) bool {
	number := now.Spec.Template.Annotations[v1alpha1.RestartsAnnotation]
	if number == "" || number == was.Spec.Template.Annotations[v1alpha1.RestartsAnnotation] {
		return false
	}
	without := func(d *appsv1.Deployment) appsv1.DeploymentSpec {
		spec := *d.Spec.DeepCopy()
		delete(spec.Template.Annotations, v1alpha1.RestartsAnnotation)
		return spec
	}
	if !equality.Semantic.DeepEqual(without(was), without(now)) {
		return false
	}
	if !o.anew[now.Name+"/"+number] {
		o.sim.violate("I9", "the Pods of %s are made anew by number %s, which is not on record", now.Name, number)
	}
	o.sim.seen.add("restarts")
	return true
}

// asksAnew: I2. Pods are made anew because somebody asks for it, of what serves and
// while no traffic moves; never on the way back.
func (o *oracle) asksAnew(was, now *v1alpha1.ReleaseStatus) {
	if now.Active == nil {
		return
	}
	var had *v1alpha1.RestartStatus
	if was.Active != nil && was.Active.Digest == now.Active.Digest {
		had = was.Active.Restart
	}
	r := now.Active.Restart
	if r != nil && r.CancelledAt != nil && (had == nil || had.CancelledAt == nil) {
		o.sim.seen.add("restarts cancelled")
	}
	if r == nil || r.Open() && had.Open() && had.Number == r.Number || !r.Open() {
		return
	}
	asked := o.asked[v1alpha1.RestartAnnotation]
	named := asked.user == r.AskedBy || asked.user == intruder
	sw := now.Switch
	switch {
	case !named || asked.value != fmt.Sprintf("%s/%d", now.Active.Digest, r.Number):
		o.sim.violate("I2", "the Pods of %s are to be made anew as %s asks by %d, and what is asked for is %+v", now.Active.Digest, r.AskedBy, r.Number, asked)
	case had.Last() >= r.Number:
		o.sim.violate("I2", "the Pods of %s are to be made anew by %d, and were by %d", now.Active.Digest, r.Number, had.Last())
	case was.Active == nil || was.Active.Digest != now.Active.Digest || sw.SettledAt == nil && sw.CancelledAt == nil:
		o.sim.violate("I2", "the Pods of %s are to be made anew while traffic moves, epoch %d", now.Active.Digest, sw.Epoch)
	}
	o.anew[fmt.Sprintf("%s-%s/%d", releaseName, now.Active.Colour, r.Number)] = true
}

// restartsAtRest: what is on record is carried out, or people are told.
func (s *sim) restartsAtRest(rel *v1alpha1.Release, told bool) {
	a := rel.Status.Active
	if a == nil {
		return
	}
	if a.Restart.Open() && !told && rel.Spec.ProgressDeadlineSeconds > 0 {
		s.violate("liveness", "the Pods of %s are not made anew by %d, and nobody is told", a.Colour, a.Restart.Number)
	}
	request := rel.Annotations[v1alpha1.RestartAnnotation]
	if digest, _, _ := strings.Cut(request, "/"); digest == a.Digest && a.RestartNumber(request) > 0 && !told {
		s.violate("liveness", "nobody answers the request %s", request)
	}
}

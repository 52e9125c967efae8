// Copyright The Countersign Authors.
// SPDX-License-Identifier: Apache-2.0

package sim

import (
	"maps"

	"github.com/countersign/countersign/api/v1alpha1"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
)

// originName is the Deployment that may have served before the Release.
const originName = "earlier"

var originLabels = map[string]string{"app": originName}

var originKey = key{kindDeployment, types.NamespacedName{Namespace: namespace, Name: originName}}

// beginOrigin has, in some worlds, a Deployment that serves through a Service.
func (s *sim) beginOrigin() {
	if s.rng.IntN(3) > 0 || s.parts.ports.on {
		return // what is not there leads to nothing
	}
	t := template(s.newImage(good))
	t.Labels = maps.Clone(originLabels)
	_, err := s.server.create("platform", &appsv1.Deployment{
		ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: originName},
		Spec: appsv1.DeploymentSpec{
			Replicas: ptr(int32(1 + s.rng.IntN(2))), Template: t, Selector: &metav1.LabelSelector{MatchLabels: maps.Clone(originLabels)},
		},
	})
	s.must(err)
	s.leadToOrigin()
	s.seen.add("worlds with an origin")
}

func (s *sim) leadToOrigin() {
	inStorage(s, serviceKey("shop"), func(svc *corev1.Service) { svc.Spec.Selector = maps.Clone(originLabels) })
}

// takeOver is what a Release says of it, mostly.
func (s *sim) takeOver(rel *v1alpha1.Release) {
	if s.server.get(originKey) != nil && s.rng.IntN(8) > 0 {
		rel.Spec.WorkloadRef = &v1alpha1.WorkloadRef{Kind: "Deployment", Name: originName}
		rel.Spec.Replicas = ptr(max(*rel.Spec.Replicas, 2))
	}
}

// ledBack judges a Service that the operator leads to what served before: only on
// the way back from the first content, or to take back what somebody led away
// before anything was let through.
func (o *oracle) ledBack(r record) {
	rel, after := o.sim.release(), r.after.(*corev1.Service)
	if rel == nil || rel.Status.Origin.Selector(after.Name) == nil {
		o.sim.violate("I1", "Service %s is led to what served before, which is on record for none", after.Name)
	}
	epoch, _ := number(epochText(after))
	c := o.commits[epoch]
	switch {
	case c == nil && rel.Status.Active != nil:
		o.sim.violate("I9", "Service %s is led to what served before in epoch %d, which was never committed", after.Name, epoch)
	case c != nil && c.to.Colour != v1alpha1.Origin:
		o.sim.violate("I1", "Service %s is led to what served before in epoch %d, which is for %s", after.Name, epoch, c.to.Colour)
	case c != nil:
		c.moved = true
		o.sim.seen.add("ways back to the origin")
	}
}

// mayLeadBack: I1. What served before is gone back to from the first content alone,
// and before it was left.
func (o *oracle) mayLeadBack(rel *v1alpha1.Release, c *commitment) {
	st := rel.Status
	if st.Origin == nil || st.Origin.LeftAt != nil || st.Former != nil {
		o.sim.violate("I1", "epoch %d leads to what served before, which is %+v", c.epoch, st.Origin)
	}
	for _, had := range o.commits {
		if had.reason.Promotes() && had.landed && st.Active != nil && had.active != "" && had.to.Digest == st.Active.Digest {
			o.sim.violate("I1", "epoch %d leads to what served before from %s, which is not the first content", c.epoch, st.Active.Digest)
		}
	}
}

// originKept: I3, and the promise to leave it alone once it was scaled to zero.
func (o *oracle) originKept(r record) {
	rel := o.sim.release()
	if rel == nil || rel.Status.Origin == nil || rel.Status.Origin.LeftAt == nil || rel.Status.Active == nil || rel.Status.Active.FinishedAt == nil {
		o.sim.violate("I3", "Deployment %s is scaled down, and it may still be gone back to", r.key.Name)
	}
	if rel.Status.Origin.DrainedAt != nil {
		o.sim.violate("I12", "Deployment %s is scaled down again, by whomever it was scaled up", r.key.Name)
	}
	o.sim.seen.add("origins drained")
}

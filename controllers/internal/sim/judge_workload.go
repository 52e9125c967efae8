// Copyright The Countersign Authors.
// SPDX-License-Identifier: Apache-2.0

package sim

import (
	"fmt"
	"strings"

	"github.com/countersign/countersign/api/v1alpha1"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	"k8s.io/apimachinery/pkg/types"
)

func (o *oracle) observeDeployment(r record) {
	if r.verb != verbStatus {
		o.templateAt = r.version
	}
	if !isOperator(r.actor) {
		if !isController(r.actor) {
			o.tampered[r.key.Name] = r.version
		}
		return
	}
	if r.before == nil {
		return
	}
	was := r.before.(*appsv1.Deployment)
	harm := harmOf(was, r)
	if harm == changeOfTemplate && o.madeAnew(was, r.after.(*appsv1.Deployment)) {
		return
	}
	if harm == changeOfTemplate {
		o.goesOn()
	}
	if harm == "" || harm == "deletion" && o.takesDown(o.sim.release()) {
		return
	}
	if by, version := o.use(was, r); by != "" && !o.excused(r.actor, version, kindService) && !o.excused(r.actor, version, kindSlice) {
		o.sim.violate("I2", "%s of Deployment %s, which %s", harm, was.Name, by)
	}
	if was.Name == originName {
		o.originKept(r)
	}
	o.keptForGoingBack(was, harm)
}

// takesDown tells whether all goes with a Release that is deleted: its spec says
// so, and what serves was let through with it.
func (o *oracle) takesDown(rel *v1alpha1.Release) bool {
	if rel == nil || rel.DeletionTimestamp == nil || rel.Spec.DeletionPolicy != v1alpha1.DeleteOnDeletion {
		return false
	}
	a := rel.Status.Active
	return a == nil || strings.Contains(o.offered[a.Digest].content, `"deletionPolicy":"Delete"`)
}

const changeOfTemplate = "change of the template"

// harmOf says what a write takes from those who are served by a Deployment.
func harmOf(was *appsv1.Deployment, r record) string {
	if r.after == nil {
		return "deletion"
	}
	now := r.after.(*appsv1.Deployment)
	switch {
	case !equality.Semantic.DeepEqual(was.Spec.Template, now.Spec.Template):
		return changeOfTemplate
	case *now.Spec.Replicas == 0 && *was.Spec.Replicas > 0:
		return "scaling to zero"
	}
	return ""
}

// use says which Service uses a Deployment, and since which version it is
// somebody else's doing.
func (o *oracle) use(d *appsv1.Deployment, r record) (by string, foreign int64) {
	for _, name := range activeServices {
		svc, _ := o.sim.server.get(serviceKey(name)).(*corev1.Service)
		if svc == nil || !o.led(svc) {
			continue
		}
		// A selector that says no colour uses what is there only.
		exact := svc.Spec.Selector[v1alpha1.ColourLabel] != ""
		if matches(svc.Spec.Selector, d.Spec.Template.Labels) && (exact || d.Status.ReadyReplicas > 0) {
			return fmt.Sprintf("Service %s selects", name), o.foreign[name]
		}
		if o.endpointsOf(name, d.Name) > 0 {
			return fmt.Sprintf("Service %s has endpoints of", name), o.foreign[name]
		}
	}
	return "", 0
}

// led tells whether a Service is the Release's to lead.
func (o *oracle) led(svc *corev1.Service) bool {
	rel := o.sim.release()
	return labelled(svc) || rel != nil && names(rel, svc.Name)
}

// endpointsOf counts those of a Service that are Pods of a Deployment and still
// there.
func (o *oracle) endpointsOf(service, deployment string) (n int) {
	for _, slice := range live[*discoveryv1.EndpointSlice](o.sim, kindSlice, nil) {
		if slice.Labels[discoveryv1.LabelServiceName] != service {
			continue
		}
		for _, ep := range slice.Endpoints {
			pod := key{kindPod, types.NamespacedName{Namespace: namespace, Name: ep.TargetRef.Name}}
			if *ep.Conditions.Ready && strings.HasPrefix(ep.TargetRef.Name, deployment+"-") && o.sim.server.get(pod) != nil {
				n++
			}
		}
	}
	return n
}

// keptForGoingBack: I3. What there is to go back to is known from the books, not
// from the status, where it is forgotten before it is overwritten.
func (o *oracle) keptForGoingBack(d *appsv1.Deployment, harm string) {
	rel := o.sim.release()
	if rel == nil || rel.DeletionTimestamp != nil {
		return
	}
	st := rel.Status
	if st.Active == nil || st.Active.FinishedAt != nil {
		return
	}
	former := o.before(st.Active)
	if former == nil || d.Name != releaseName+"-"+string(former.to.Colour) {
		return
	}
	if d.Spec.Template.Spec.Containers[0].Image != former.image {
		return // somebody else has spoilt it already
	}
	o.sim.violate("I3", "%s of Deployment %s, which is kept for going back while %s is observed", harm, d.Name, st.Active.Colour)
}

// afterStep judges the world as it stands.
func (o *oracle) afterStep() {
	rel := o.sim.release()
	if rel == nil || rel.Status.Active == nil {
		return
	}
	if o.promoted[rel.Status.Active.Digest] == nil {
		o.sim.violate("I1", "%s is active and was never promoted", rel.Status.Active.Digest)
	}
}

// before is the promotion of what was active before the active content; nil if
// nothing was.
func (o *oracle) before(active *v1alpha1.ActiveStatus) *commitment {
	var last *commitment
	for _, c := range o.commits {
		if c.reason.Promotes() && c.landed && c.to.Digest == active.Digest && (last == nil || c.epoch > last.epoch) {
			last = c
		}
	}
	if last == nil {
		return nil
	}
	return o.promoted[last.active]
}

// Copyright The Countersign Authors.
// SPDX-License-Identifier: Apache-2.0

package sim

import (
	"github.com/countersign/countersign/api/v1alpha1"
	appsv1 "k8s.io/api/apps/v1"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/util/intstr"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// specOf is what generation counts the changes of; nil for kinds without one.
func specOf(o client.Object) any {
	switch o := o.(type) {
	case *v1alpha1.Release:
		return &o.Spec
	case *v1alpha1.ApprovalPolicy:
		return &o.Spec
	case *appsv1.Deployment:
		return &o.Spec
	}
	return nil
}

func copyStatus(from, to client.Object) {
	switch from := from.(type) {
	case *v1alpha1.Release:
		from.Status.DeepCopyInto(&to.(*v1alpha1.Release).Status)
	case *appsv1.Deployment:
		from.Status.DeepCopyInto(&to.(*appsv1.Deployment).Status)
	case *corev1.Pod:
		from.Status.DeepCopyInto(&to.(*corev1.Pod).Status)
	case *corev1.Service:
		from.Status.DeepCopyInto(&to.(*corev1.Service).Status)
	case *batchv1.Job:
		from.Status.DeepCopyInto(&to.(*batchv1.Job).Status)
	}
}

func clearStatus(o client.Object) {
	if k := kindOf(o); k != kindSlice && k != kindPolicy {
		copyStatus(blank(k), o)
	}
}

// immutable refuses what the API server would refuse.
func immutable(have, next client.Object) error {
	if neverChanges(have, next) {
		return apierrors.NewBadRequest("data: field is immutable")
	}
	d, is := have.(*appsv1.Deployment)
	if !is || equality.Semantic.DeepEqual(d.Spec.Selector, next.(*appsv1.Deployment).Spec.Selector) {
		return nil
	}
	return apierrors.NewBadRequest("spec.selector: field is immutable")
}

// setDefaults fills in some of what the API server fills in, so that what is
// read back is not what was written.
func setDefaults(o client.Object) {
	switch o := o.(type) {
	case *appsv1.Deployment:
		defaultDeployment(&o.Spec)
	case *corev1.Service:
		defaultService(&o.Spec)
	case *discoveryv1.EndpointSlice:
		if o.AddressType == "" {
			o.AddressType = discoveryv1.AddressTypeIPv4
		}
	}
}

func defaultDeployment(s *appsv1.DeploymentSpec) {
	s.Replicas = orElse(s.Replicas, 1)
	s.RevisionHistoryLimit = orElse(s.RevisionHistoryLimit, 10)
	s.ProgressDeadlineSeconds = orElse(s.ProgressDeadlineSeconds, 600)
	if s.Strategy.Type == "" {
		s.Strategy.Type = appsv1.RollingUpdateDeploymentStrategyType
	}
	if s.Strategy.RollingUpdate == nil {
		quarter := intstr.FromString("25%")
		s.Strategy.RollingUpdate = &appsv1.RollingUpdateDeployment{MaxSurge: &quarter, MaxUnavailable: &quarter}
	}
	pod := &s.Template.Spec
	pod.TerminationGracePeriodSeconds = orElse(pod.TerminationGracePeriodSeconds, 30)
	if pod.RestartPolicy == "" {
		pod.RestartPolicy = corev1.RestartPolicyAlways
	}
	if pod.DNSPolicy == "" {
		pod.DNSPolicy = corev1.DNSClusterFirst
	}
	if pod.SchedulerName == "" {
		pod.SchedulerName = corev1.DefaultSchedulerName
	}
	if pod.SecurityContext == nil {
		pod.SecurityContext = &corev1.PodSecurityContext{}
	}
	for i := range pod.Containers {
		defaultContainer(&pod.Containers[i])
	}
}

func defaultContainer(c *corev1.Container) {
	if c.TerminationMessagePath == "" {
		c.TerminationMessagePath = corev1.TerminationMessagePathDefault
	}
	if c.TerminationMessagePolicy == "" {
		c.TerminationMessagePolicy = corev1.TerminationMessageReadFile
	}
	if c.ImagePullPolicy == "" {
		c.ImagePullPolicy = corev1.PullIfNotPresent
	}
	for i := range c.Ports {
		if c.Ports[i].Protocol == "" {
			c.Ports[i].Protocol = corev1.ProtocolTCP
		}
	}
}

func defaultService(s *corev1.ServiceSpec) {
	if s.Type == "" {
		s.Type = corev1.ServiceTypeClusterIP
	}
	if s.SessionAffinity == "" {
		s.SessionAffinity = corev1.ServiceAffinityNone
	}
	for i := range s.Ports {
		p := &s.Ports[i]
		if p.Protocol == "" {
			p.Protocol = corev1.ProtocolTCP
		}
		if p.TargetPort == (intstr.IntOrString{}) {
			p.TargetPort = intstr.FromInt32(p.Port)
		}
	}
}

func orElse[T any](v *T, d T) *T {
	if v == nil {
		return &d
	}
	return v
}

// Copyright The Countersign Authors.
// SPDX-License-Identifier: Apache-2.0

package sim

import (
	"github.com/countersign/countersign/api/v1alpha1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/intstr"
)

var activeServices = []string{"shop", "shop-api"}

func serviceKey(name string) key {
	return key{kindService, types.NamespacedName{Namespace: namespace, Name: name}}
}

// begin puts what a Release needs into the world, mostly.
func (s *sim) begin() {
	s.beginGit()
	for _, name := range activeServices {
		if !s.parts.ports.on || s.parts.ports.rng.IntN(4) == 0 {
			s.createService(name)
		}
	}
	s.beginOrigin()
	s.createPolicy()
	s.beginConfig()
	s.startOperator()
	s.createRelease(pick(s, developers()))
}

// createService makes a Service as people do: without a selector, with one that
// leads to Pods of an earlier time, or with one that would catch ours.
func (s *sim) createService(name string) {
	svc := plainService(name)
	switch s.rng.IntN(6) {
	case 0:
		svc.Spec.Selector = map[string]string{"app": "earlier"}
	case 1:
		svc.Spec.Selector = map[string]string{"app": "shop"}
	}
	_, err := s.server.create("platform", svc)
	s.must(err)
}

func plainService(name string) *corev1.Service {
	return &corev1.Service{
		ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name},
		Spec:       corev1.ServiceSpec{ClusterIP: "10.1.0.1", Ports: []corev1.ServicePort{{Name: "http", Port: 80, TargetPort: intstr.FromInt32(8080)}}},
	}
}

func (s *sim) behaviour() string {
	return pick(s, []string{good, good, good, good, good, good, flaky, badStart, failsTest, sickLater, unreadyLater, sickLater})
}

// image is new, or at times one that was there before.
func (s *sim) image() string {
	if len(s.templates) > 0 && s.rng.IntN(7) == 0 {
		return pick(s, s.templates)
	}
	image := s.newImage(s.behaviour())
	s.templates = append(s.templates, image)
	return image
}

func (s *sim) createRelease(u user) {
	rel := &v1alpha1.Release{
		ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: releaseName},
		Spec: v1alpha1.ReleaseSpec{
			Replicas: ptr(int32(1 + s.rng.IntN(3))), PreviewReplicas: s.previews.of(), Template: s.template(s.image()),
			Services:       []v1alpha1.ServiceRef{s.ref("shop")},
			Checks:         s.checks(),
			ObserveSeconds: int32(20 + s.rng.IntN(60)), KeepIdleSeconds: ptr(int32(s.rng.IntN(90))),
			ProgressDeadlineSeconds: int32(60 + s.rng.IntN(200)), ReadinessGraceSeconds: ptr(int32(s.rng.IntN(15))),
			MinReadySeconds: int32(s.rng.IntN(3)), RevisionHistoryLimit: s.keep(),
		},
	}
	if s.rng.IntN(2) == 0 {
		rel.Spec.Services = append(rel.Spec.Services, s.ref("shop-api"))
	}
	s.takeOver(rel)
	if err := s.create(u, rel); err != nil {
		s.logf("%s cannot create the Release: %v", u.name, err)
	}
}

func template(image string) corev1.PodTemplateSpec {
	return corev1.PodTemplateSpec{
		ObjectMeta: metav1.ObjectMeta{Labels: map[string]string{"app": "shop"}},
		Spec: corev1.PodSpec{Containers: []corev1.Container{{
			Name: "app", Image: image, Ports: []corev1.ContainerPort{{Name: "http", ContainerPort: 8080}},
		}}},
	}
}

func (s *sim) checks() *v1alpha1.Checks {
	check := func(name string) v1alpha1.Check {
		return v1alpha1.Check{
			Name: name, HTTP: &v1alpha1.HTTPCheck{Path: "/", Port: intstr.FromString("http")},
			PeriodSeconds: int32(1 + s.rng.IntN(4)), TimeoutSeconds: 1,
			SuccessThreshold: int32(1 + s.rng.IntN(3)), FailureThreshold: int32(2 + s.rng.IntN(3)),
		}
	}
	c := &v1alpha1.Checks{}
	if s.rng.IntN(5) > 0 {
		c.BeforeSwitch = append(c.BeforeSwitch, check("smoke"))
	}
	if s.rng.IntN(5) > 0 {
		c.AfterSwitch = append(c.AfterSwitch, check("live"))
	}
	c.BeforeSwitch = append(c.BeforeSwitch, s.jobChecks()...)
	if len(c.BeforeSwitch)+len(c.AfterSwitch) == 0 {
		return nil
	}
	return c
}

// develop edits the Release.
func (s *sim) develop() {
	u := pick(s, developers())
	image, n, checks := s.image(), s.rng.IntN(20), s.checks()
	small := int32(s.rng.IntN(60))
	_ = s.edit(u, func(rel *v1alpha1.Release) {
		switch {
		case n < 11:
			rel.Spec.Template, rel.Spec.Irreversible, rel.Spec.DeletionPolicy = s.template(image), small%6 == 0, ""
			if small%5 == 0 {
				rel.Spec.DeletionPolicy = v1alpha1.DeleteOnDeletion
			}
		case n == 11:
			rel.Spec.Checks = checks
		case n == 12:
			rel.Spec.KeepIdleSeconds = ptr(small)
		case n == 13:
			rel.Spec.Template.Labels = map[string]string{"app": "shop", v1alpha1.ColourLabel: "green"} // refused
		case n < 16:
			rel.Spec.Replicas = ptr(1 + small%4)
		case n == 16:
			rel.Spec.Paused = true
		case n == 17:
			rel.Spec.Approval = &v1alpha1.AddedApproval{Rules: []v1alpha1.ApprovalRule{{Name: "lead", Count: 1, Users: []string{"erin", "bob"}}}}
		case n == 18 && len(rel.Spec.Services) == 1:
			rel.Spec.Services = append(rel.Spec.Services, s.ref("shop-api"))
		case n == 18:
			rel.Spec.Services = rel.Spec.Services[:1]
		default:
			rel.Spec.Paused, rel.Spec.Approval = false, nil
		}
		if small%7 == 0 {
			rel.Spec.RevisionHistoryLimit = s.keep()
		}
		if n != 16 && small%3 == 0 {
			rel.Spec.Paused = false
		}
		s.previews.resize(&rel.Spec)
	})
}

func ptr[T any](v T) *T { return &v }

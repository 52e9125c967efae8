// Copyright The Countersign Authors.
// SPDX-License-Identifier: Apache-2.0

package selftest

import (
	"context"
	"fmt"
	"strings"

	"github.com/countersign/countersign/api/v1alpha1"
	"github.com/countersign/countersign/controllers/keys"
	appsv1 "k8s.io/api/apps/v1"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// probe is a request that RBAC allows the probe's account and that one policy
// has to refuse.
type probe struct {
	policy string
	try    func(ctx context.Context, c client.Client) error
}

// probes are one for each policy that can be tried by an account that is not a
// person, whatever ApprovalPolicies there are. release-authors refuses persons
// only, and is compared with its manifest, as release-breakglass-people is; what
// they refuse does not count at the switch.
func probes() []probe {
	return []probe{
		{votesPolicy, func(ctx context.Context, c client.Client) error {
			rel := exampleRelease(attemptName)
			rel.Annotations = map[string]string{v1alpha1.VotePrefix + "probe": "sha256:" + strings.Repeat("0", 64)}
			return c.Create(ctx, rel)
		}},
		{"release-breakglass.countersign.dev", func(ctx context.Context, c client.Client) error {
			return c.Patch(ctx, named(&v1alpha1.Release{}, fixtureName), merge(`{"metadata":{"annotations":{"`+v1alpha1.GlassPrefix+`probe":"x"}}}`))
		}},
		{"release-requests.countersign.dev", func(ctx context.Context, c client.Client) error {
			return c.Patch(ctx, named(&v1alpha1.Release{}, fixtureName), merge(`{"metadata":{"annotations":{"`+v1alpha1.RollbackAnnotation+`":"x"}}}`))
		}},
		{"release-status.countersign.dev", func(ctx context.Context, c client.Client) error {
			return c.Status().Patch(ctx, named(&v1alpha1.Release{}, fixtureName), merge(`{"status":{"phase":"Stable"}}`))
		}},
		{"release-finalizer.countersign.dev", func(ctx context.Context, c client.Client) error {
			return c.Patch(ctx, named(&v1alpha1.Release{}, fixtureName), merge(`{"metadata":{"annotations":{"countersign.dev/probe":"release-finalizer"}}}`))
		}},
		{"service-guard.countersign.dev", func(ctx context.Context, c client.Client) error {
			svc := exampleService()
			svc.Labels = marks()
			return c.Create(ctx, svc)
		}},
		{"selector-guard.countersign.dev", func(ctx context.Context, c client.Client) error {
			svc := exampleService()
			svc.Spec.Selector = marks()
			return c.Create(ctx, svc)
		}},
		{"endpointslice-guard.countersign.dev", func(ctx context.Context, c client.Client) error {
			return c.Create(ctx, exampleSlice())
		}},
		{"workload-guard.countersign.dev", func(ctx context.Context, c client.Client) error {
			return c.Create(ctx, exampleDeployment(attemptName))
		}},
		{"scale-guard.countersign.dev", func(ctx context.Context, c client.Client) error {
			return c.SubResource("scale").Patch(ctx, named(&appsv1.Deployment{}, fixtureName), merge(`{"spec":{"replicas":1}}`))
		}},
		{"pod-guard.countersign.dev", func(ctx context.Context, c client.Client) error {
			return c.Create(ctx, examplePod())
		}},
		{"job-guard.countersign.dev", func(ctx context.Context, c client.Client) error {
			return c.Create(ctx, exampleJob())
		}},
		{"config-guard.countersign.dev", func(ctx context.Context, c client.Client) error {
			copied := named(&corev1.ConfigMap{}, attemptName)
			copied.Labels = marks()
			return c.Create(ctx, copied)
		}},
		{"keys-guard.countersign.dev", func(ctx context.Context, c client.Client) error {
			return c.Create(ctx, named(&corev1.ConfigMap{}, keys.ConfigMapName))
		}},
	}
}

// run tells whether the policy refused. To be refused by somebody else shows
// nothing about it.
func (p probe) run(ctx context.Context, c client.Client) error {
	err := p.try(ctx, c)
	switch {
	case err == nil:
		return fmt.Errorf("ValidatingAdmissionPolicy %s did not refuse what it has to refuse; %s", p.policy, restore("policy"))
	case (apierrors.IsForbidden(err) || apierrors.IsInvalid(err)) && strings.Contains(err.Error(), "ValidatingAdmissionPolicy '"+p.policy+"' with binding"):
		return nil
	case apierrors.IsForbidden(err) || apierrors.IsInvalid(err) || apierrors.IsNotFound(err):
		return fmt.Errorf("ValidatingAdmissionPolicy %s could not be tried: %w", p.policy, err)
	}
	return fmt.Errorf("ValidatingAdmissionPolicy %s could not be tried, because the API server or the webhook did not answer: %w", p.policy, err)
}

func merge(patch string) client.Patch { return client.RawPatch(types.MergePatchType, []byte(patch)) }

// named is an object of the probe's namespace.
func named[T client.Object](o T, name string) T {
	o.SetNamespace(Namespace)
	o.SetName(name)
	return o
}

// marks are the labels of the fixture.
func marks() map[string]string { return map[string]string{v1alpha1.ReleaseLabel: fixtureName} }

func exampleRelease(name string) *v1alpha1.Release {
	rel := named(&v1alpha1.Release{}, name)
	rel.Spec.Services = []v1alpha1.ServiceRef{{Name: fixtureName}}
	rel.Spec.Template = exampleTemplate(map[string]string{"app": fixtureName})
	return rel
}

func exampleTemplate(labels map[string]string) corev1.PodTemplateSpec {
	return corev1.PodTemplateSpec{ObjectMeta: metav1.ObjectMeta{Labels: labels}, Spec: examplePodSpec()}
}

// examplePodSpec is one that no other guard of a cluster has to refuse.
func examplePodSpec() corev1.PodSpec {
	return corev1.PodSpec{
		ServiceAccountName: Account, AutomountServiceAccountToken: new(false),
		SecurityContext: &corev1.PodSecurityContext{
			RunAsNonRoot: new(true), RunAsUser: new(int64(65532)),
			SeccompProfile: &corev1.SeccompProfile{Type: corev1.SeccompProfileTypeRuntimeDefault},
		},
		Containers: []corev1.Container{{
			Name: "none", Image: "countersign.invalid/none@sha256:" + strings.Repeat("0", 64),
			SecurityContext: &corev1.SecurityContext{
				AllowPrivilegeEscalation: new(false), ReadOnlyRootFilesystem: new(true),
				Capabilities: &corev1.Capabilities{Drop: []corev1.Capability{"ALL"}},
			},
		}},
	}
}

func examplePod() *corev1.Pod {
	pod := named(&corev1.Pod{}, attemptName)
	pod.Labels, pod.Spec = marks(), examplePodSpec()
	return pod
}

func exampleJob() *batchv1.Job {
	job := named(&batchv1.Job{}, attemptName)
	job.Labels = marks()
	job.Spec.Template = exampleTemplate(map[string]string{"app": fixtureName})
	job.Spec.Template.Spec.RestartPolicy = corev1.RestartPolicyNever
	return job
}

func exampleDeployment(name string) *appsv1.Deployment {
	d := named(&appsv1.Deployment{}, name)
	d.Labels = marks()
	d.Spec.Replicas = new(int32(0))
	d.Spec.Selector = &metav1.LabelSelector{MatchLabels: marks()}
	d.Spec.Template = exampleTemplate(marks())
	return d
}

func exampleService() *corev1.Service {
	svc := named(&corev1.Service{}, attemptName)
	svc.Spec.Ports = []corev1.ServicePort{{Port: 80}}
	return svc
}

func exampleSlice() *discoveryv1.EndpointSlice {
	slice := named(&discoveryv1.EndpointSlice{}, attemptName)
	slice.Labels = map[string]string{discoveryv1.LabelServiceName: fixtureName}
	slice.AddressType = discoveryv1.AddressTypeIPv4
	slice.Endpoints = []discoveryv1.Endpoint{}
	return slice
}

// Copyright The Countersign Authors.
// SPDX-License-Identifier: Apache-2.0

package speccheck

import (
	"fmt"
	"strings"
	"testing"

	"github.com/countersign/countersign/api/v1alpha1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
)

func valid() v1alpha1.ReleaseSpec {
	return v1alpha1.ReleaseSpec{
		Template: corev1.PodTemplateSpec{Spec: corev1.PodSpec{Containers: []corev1.Container{{
			Name: "app", Image: "app:v1", Ports: []corev1.ContainerPort{{Name: "http", ContainerPort: 8080}},
		}}}},
		Services: []v1alpha1.ServiceRef{{Name: "shop"}},
		Checks: &v1alpha1.Checks{
			BeforeSwitch: []v1alpha1.Check{{Name: "smoke", HTTP: &v1alpha1.HTTPCheck{Port: intstr.FromString("http")}}},
			AfterSwitch:  []v1alpha1.Check{{Name: "live", HTTP: &v1alpha1.HTTPCheck{Port: intstr.FromInt32(8080)}}},
		},
		ProgressDeadlineSeconds: 600,
	}
}

func configMaps(n int) (from []corev1.EnvFromSource) {
	for i := range n {
		ref := corev1.LocalObjectReference{Name: fmt.Sprint("c", i)}
		from = append(from, corev1.EnvFromSource{ConfigMapRef: &corev1.ConfigMapEnvSource{LocalObjectReference: ref}})
	}
	return from
}

func TestProblems(t *testing.T) {
	always := corev1.ContainerRestartPolicyAlways
	deadline := int64(5)
	cases := map[string]struct {
		change func(*v1alpha1.ReleaseSpec)
		// want are parts of the one problem; none means that there is none.
		want []string
	}{
		"Valid":        {change: func(*v1alpha1.ReleaseSpec) {}},
		"NoContainers": {func(s *v1alpha1.ReleaseSpec) { s.Template.Spec.Containers, s.Checks = nil, nil }, []string{"spec.template.spec.containers is empty"}},
		"OwnLabel": {func(s *v1alpha1.ReleaseSpec) {
			s.Template.Labels = map[string]string{"app": "shop", v1alpha1.ColourLabel: "blue"}
		}, []string{"countersign.dev/colour", "take it out"}},
		"OwnAnnotation": {func(s *v1alpha1.ReleaseSpec) {
			s.Template.Annotations = map[string]string{"a": "b", v1alpha1.RestartsAnnotation: "1"}
		}, []string{"countersign.dev/restarts", "take it out", "set countersign.dev/restart on the Release"}},
		"RestartNever":     {func(s *v1alpha1.ReleaseSpec) { s.Template.Spec.RestartPolicy = "Never" }, []string{"restartPolicy is Never", "write Always"}},
		"RestartAlways":    {change: func(s *v1alpha1.ReleaseSpec) { s.Template.Spec.RestartPolicy = "Always" }},
		"ActiveDeadline":   {func(s *v1alpha1.ReleaseSpec) { s.Template.Spec.ActiveDeadlineSeconds = &deadline }, []string{"activeDeadlineSeconds"}},
		"Ephemeral":        {func(s *v1alpha1.ReleaseSpec) { s.Template.Spec.EphemeralContainers = []corev1.EphemeralContainer{{}} }, []string{"ephemeralContainers"}},
		"DeadlineTooShort": {func(s *v1alpha1.ReleaseSpec) { s.MinReadySeconds = 600 }, []string{"spec.minReadySeconds is 600", "progressDeadlineSeconds"}},
		"UnknownPort": {func(s *v1alpha1.ReleaseSpec) { s.Checks.AfterSwitch[0].HTTP.Port = intstr.FromString("grpc") },
			[]string{`spec.checks.afterSwitch[name=live].http.port is "grpc"`, "one of http"}},
		"NoNamedPort": {func(s *v1alpha1.ReleaseSpec) { s.Template.Spec.Containers[0].Ports = nil },
			[]string{"spec.checks.beforeSwitch[name=smoke].http.port", "name the port"}},
		"PortOfSidecar": {change: func(s *v1alpha1.ReleaseSpec) {
			s.Template.Spec.InitContainers = []corev1.Container{{RestartPolicy: &always, Ports: s.Template.Spec.Containers[0].Ports}}
			s.Template.Spec.Containers[0].Ports = nil
		}},
		"PortOfInitContainer": {func(s *v1alpha1.ReleaseSpec) {
			s.Template.Spec.InitContainers = []corev1.Container{{Ports: s.Template.Spec.Containers[0].Ports}}
			s.Template.Spec.Containers[0].Ports = nil
		}, []string{"http.port"}},
		"ManyConfigs": {func(s *v1alpha1.ReleaseSpec) { s.Template.Spec.Containers[0].EnvFrom = configMaps(65) },
			[]string{"refers to 65 ConfigMaps and Secrets", "64 can be", "spec.config.live"}},
		"AsManyConfigsAsCanBe": {change: func(s *v1alpha1.ReleaseSpec) { s.Template.Spec.Containers[0].EnvFrom = configMaps(64) }},
		"ManyConfigsNotCopied": {change: func(s *v1alpha1.ReleaseSpec) {
			s.Template.Spec.Containers[0].EnvFrom, s.Config = configMaps(65), &v1alpha1.ConfigSpec{Snapshot: new(false)}
		}},
		"LiveUnused": {func(s *v1alpha1.ReleaseSpec) {
			s.Config = &v1alpha1.ConfigSpec{Live: []v1alpha1.ConfigRef{{Kind: v1alpha1.Secret, Name: "tls"}}}
		}, []string{"spec.config.live names Secret tls", "take it out"}},
		"LiveUsed": {change: func(s *v1alpha1.ReleaseSpec) {
			s.Template.Spec.Containers[0].EnvFrom = configMaps(1)
			s.Config = &v1alpha1.ConfigSpec{Live: []v1alpha1.ConfigRef{{Kind: v1alpha1.ConfigMap, Name: "c0"}}}
		}},
		"TCPPort": {func(s *v1alpha1.ReleaseSpec) {
			s.Checks.AfterSwitch[0] = v1alpha1.Check{Name: "live", TCP: &v1alpha1.TCPCheck{Port: intstr.FromString("web")}}
		}, []string{`spec.checks.afterSwitch[name=live].tcp.port is "web"`, "one of http"}},
		"GRPCPort": {func(s *v1alpha1.ReleaseSpec) {
			s.Checks.AfterSwitch[0] = v1alpha1.Check{Name: "live", GRPC: &v1alpha1.GRPCCheck{Port: intstr.FromInt32(0)}}
		}, []string{"spec.checks.afterSwitch[name=live].grpc.port is 0", "from 1 to 65535"}},
		"Query": {change: func(s *v1alpha1.ReleaseSpec) {
			s.Checks.AfterSwitch[0] = v1alpha1.Check{Name: "errors", Prometheus: &v1alpha1.PrometheusCheck{Query: `up{namespace="${namespace}",pod=~"${pods}$"}`}}
		}},
		"QueryOfNothing": {func(s *v1alpha1.ReleaseSpec) {
			s.Checks.AfterSwitch[0] = v1alpha1.Check{Name: "errors", Prometheus: &v1alpha1.PrometheusCheck{Query: `up{namespace="${namespace}",pod=~"${pod}"}`}}
		}, []string{"spec.checks.afterSwitch[name=errors].prometheus.query has \"${pod}\"", "${namespace} or ${pods}"}},
		"QueryWithoutAnEnd": {func(s *v1alpha1.ReleaseSpec) {
			s.Checks.AfterSwitch[0] = v1alpha1.Check{Name: "errors", Prometheus: &v1alpha1.PrometheusCheck{Query: "up ${pods"}}
		}, nil},
		"UDPPort": {func(s *v1alpha1.ReleaseSpec) { s.Template.Spec.Containers[0].Ports[0].Protocol = corev1.ProtocolUDP },
			[]string{"beforeSwitch[name=smoke].http.port", "no container of spec.template has a TCP port of that name"}},
		"BodyMatches": {func(s *v1alpha1.ReleaseSpec) { s.Checks.BeforeSwitch[0].HTTP.BodyMatches = "(" },
			[]string{"spec.checks.beforeSwitch[name=smoke].http.bodyMatches is no regular expression", "write one of RE2"}},
		"DelayedPastTheDeadline": {func(s *v1alpha1.ReleaseSpec) { s.Checks.BeforeSwitch[0].InitialDelaySeconds = 600 },
			[]string{"spec.checks.beforeSwitch[name=smoke] cannot pass before 600 seconds", "progressDeadlineSeconds"}},
		"SuccessesPastTheDeadline": {func(s *v1alpha1.ReleaseSpec) {
			s.Checks.BeforeSwitch[0].SuccessThreshold, s.Checks.BeforeSwitch[0].PeriodSeconds = 61, 10
		}, []string{"cannot pass before 600 seconds"}},
		"SuccessesWithinTheDeadline": {change: func(s *v1alpha1.ReleaseSpec) {
			s.Checks.BeforeSwitch[0].SuccessThreshold, s.Checks.BeforeSwitch[0].PeriodSeconds = 60, 10
		}},
		"DelayedPastTheObservation": {func(s *v1alpha1.ReleaseSpec) { s.ObserveSeconds, s.Checks.AfterSwitch[0].InitialDelaySeconds = 60, 60 },
			[]string{"spec.checks.afterSwitch[name=live].initialDelaySeconds is 60", "spec.observeSeconds"}},
		"DelayedWithinTheObservation": {change: func(s *v1alpha1.ReleaseSpec) { s.ObserveSeconds, s.Checks.AfterSwitch[0].InitialDelaySeconds = 60, 59 }},
		"PortZero":                    {func(s *v1alpha1.ReleaseSpec) { s.Checks.AfterSwitch[0].HTTP.Port = intstr.FromInt32(0) }, []string{"from 1 to 65535"}},
		"PortTooLarge":                {func(s *v1alpha1.ReleaseSpec) { s.Checks.AfterSwitch[0].HTTP.Port = intstr.FromInt32(65536) }, []string{"from 1 to 65535"}},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			spec := valid()
			c.change(&spec)
			problems := Problems(spec)
			if len(c.want) == 0 {
				if len(problems) > 0 {
					t.Fatalf("problems with a valid spec: %q", problems)
				}
				return
			}
			if len(problems) != 1 {
				t.Fatalf("want one problem, got %q", problems)
			}
			for _, part := range c.want {
				if !strings.Contains(problems[0], part) {
					t.Errorf("%q does not say %q", problems[0], part)
				}
			}
		})
	}
}

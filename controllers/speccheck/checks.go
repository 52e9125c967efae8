// Copyright The Countersign Authors.
// SPDX-License-Identifier: Apache-2.0

package speccheck

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/countersign/countersign/api/v1alpha1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
)

func checksProblems(spec v1alpha1.ReleaseSpec) (problems []string) {
	if spec.Checks == nil {
		return nil
	}
	for _, c := range spec.Checks.BeforeSwitch {
		field := fmt.Sprintf("spec.checks.beforeSwitch[name=%s]", c.Name)
		problems = append(problems, checkProblems(field, c, spec.Template.Spec)...)
		if c.Job != nil {
			problems = append(problems, jobProblems(c, spec)...)
			continue
		}
		takes := int64(c.InitialDelaySeconds) + int64(max(c.SuccessThreshold, 1)-1)*int64(c.PeriodSeconds)
		if limit := int64(spec.ProgressDeadlineSeconds); limit > 0 && takes >= limit {
			problems = append(problems, fmt.Sprintf(
				"%s cannot pass before %d seconds, by its initialDelaySeconds, periodSeconds and successThreshold, but the candidate has only spec.progressDeadlineSeconds, %d; write smaller ones or a larger progressDeadlineSeconds",
				field, takes, limit))
		}
	}
	for _, c := range spec.Checks.AfterSwitch {
		field := fmt.Sprintf("spec.checks.afterSwitch[name=%s]", c.Name)
		problems = append(problems, checkProblems(field, c, spec.Template.Spec)...)
		if c.Job != nil {
			problems = append(problems, field+".job runs once and cannot watch what serves; write it under beforeSwitch, or ask with http, tcp, grpc or prometheus")
		}
		if limit := spec.ObserveSeconds; limit > 0 && c.InitialDelaySeconds >= limit {
			problems = append(problems, fmt.Sprintf(
				"%s.initialDelaySeconds is %d, but the observation ends after spec.observeSeconds, %d; write a smaller initialDelaySeconds or a larger observeSeconds",
				field, c.InitialDelaySeconds, limit))
		}
	}
	return problems
}

// checkProblems are those of one check in any stage.
func checkProblems(field string, c v1alpha1.Check, pod corev1.PodSpec) []string {
	problems := portProblems(field, c, pod)
	if c.HTTP != nil && c.HTTP.BodyMatches != "" {
		if _, err := regexp.Compile(c.HTTP.BodyMatches); err != nil {
			problems = append(problems, fmt.Sprintf("%s.http.bodyMatches is no regular expression (%v); write one of RE2, or bodyContains", field, err))
		}
	}
	if c.Prometheus != nil {
		problems = append(problems, queryProblems(field, c.Prometheus.Query)...)
	}
	return problems
}

// queryProblems finds what stands for nothing. PromQL itself has no braces after
// a dollar sign.
func queryProblems(field, query string) (problems []string) {
	for rest := query; ; {
		_, after, is := strings.Cut(rest, "${")
		if !is {
			return problems
		}
		name, _, _ := strings.Cut(after, "}")
		if mark := "${" + name + "}"; mark != v1alpha1.QueryNamespace && mark != v1alpha1.QueryPods {
			problems = append(problems, fmt.Sprintf("%s.prometheus.query has %q, which stands for nothing; write %s or %s",
				field, mark, v1alpha1.QueryNamespace, v1alpha1.QueryPods))
		}
		rest = after
	}
}

func portProblems(field string, c v1alpha1.Check, pod corev1.PodSpec) []string {
	port, name := c.Port()
	switch {
	case port == nil:
		return nil
	case port.Type == intstr.Int && (port.IntVal < 1 || port.IntVal > 65535):
		return []string{fmt.Sprintf("%s.%s is %d; write a number from 1 to 65535, or the name of a container port", field, name, port.IntVal)}
	case port.Type == intstr.String && PortNumber(pod, port.StrVal) == 0:
		return []string{fmt.Sprintf("%s.%s is %q, and no container of spec.template has a TCP port of that name; write %s",
			field, name, port.StrVal, oneOf(portNames(pod)))}
	}
	return nil
}

// PortNumber is the number of a TCP port that a container gives a name; 0 when
// none does.
func PortNumber(pod corev1.PodSpec, name string) int32 {
	for _, p := range ports(pod) {
		if p.Name == name {
			return p.ContainerPort
		}
	}
	return 0
}

// ports are the TCP ports with a name of all containers that run as long as the
// Pod does.
func ports(pod corev1.PodSpec) (named []corev1.ContainerPort) {
	containers := slices.Clone(pod.Containers)
	for _, c := range pod.InitContainers {
		if c.RestartPolicy != nil && *c.RestartPolicy == corev1.ContainerRestartPolicyAlways {
			containers = append(containers, c)
		}
	}
	for _, c := range containers {
		for _, p := range c.Ports {
			if p.Name != "" && (p.Protocol == "" || p.Protocol == corev1.ProtocolTCP) {
				named = append(named, p)
			}
		}
	}
	return named
}

func portNames(pod corev1.PodSpec) (names []string) {
	for _, p := range ports(pod) {
		names = append(names, p.Name)
	}
	slices.Sort(names)
	return slices.Compact(names)
}

func oneOf(ports []string) string {
	if len(ports) == 0 {
		return "the port's number, or name the port in spec.template.spec.containers[].ports"
	}
	return "one of " + strings.Join(ports, ", ") + ", or the port's number"
}

// Copyright The Countersign Authors.
// SPDX-License-Identifier: Apache-2.0

// Package speccheck finds what is wrong with the spec of a Release beyond what
// the schema can say. Admission refuses such a spec and the reconciler stalls on
// one that got past admission, by the same rule.
package speccheck

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/countersign/countersign/api/v1alpha1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
)

// reserved is the domain of the operator's own labels.
const reserved = "countersign.dev/"

// Problems lists what has to be mended, each a sentence that names the field and
// what to write. None means that the spec can be materialised.
func Problems(spec v1alpha1.ReleaseSpec) []string {
	problems := templateProblems(spec.Template)
	if spec.ProgressDeadlineSeconds > 0 && spec.MinReadySeconds >= spec.ProgressDeadlineSeconds {
		problems = append(problems, fmt.Sprintf(
			"spec.minReadySeconds is %d, but the candidate has only spec.progressDeadlineSeconds, %d, to become ready; write a smaller minReadySeconds or a larger progressDeadlineSeconds",
			spec.MinReadySeconds, spec.ProgressDeadlineSeconds))
	}
	problems = append(problems, configProblems(spec)...)
	if spec.Checks != nil {
		ports := portNames(spec.Template.Spec)
		problems = append(problems, checkProblems("beforeSwitch", spec.Checks.BeforeSwitch, ports)...)
		problems = append(problems, checkProblems("afterSwitch", spec.Checks.AfterSwitch, ports)...)
	}
	return problems
}

func templateProblems(t corev1.PodTemplateSpec) (problems []string) {
	for _, key := range slices.Sorted(maps.Keys(t.Labels)) {
		if strings.HasPrefix(key, reserved) {
			problems = append(problems, fmt.Sprintf(
				"spec.template.metadata.labels has %s, which is the operator's own; take it out", key))
		}
	}
	pod := t.Spec
	if len(pod.Containers) == 0 {
		problems = append(problems, "spec.template.spec.containers is empty; add the container that runs the application")
	}
	if pod.RestartPolicy != "" && pod.RestartPolicy != corev1.RestartPolicyAlways {
		problems = append(problems, fmt.Sprintf(
			"spec.template.spec.restartPolicy is %s; write Always, or leave it out", pod.RestartPolicy))
	}
	if pod.ActiveDeadlineSeconds != nil {
		problems = append(problems, "spec.template.spec.activeDeadlineSeconds would end Pods that serve; leave it out")
	}
	if len(pod.EphemeralContainers) > 0 {
		problems = append(problems, "spec.template.spec.ephemeralContainers cannot be in a template; leave it out")
	}
	return problems
}

func checkProblems(stage string, checks []v1alpha1.Check, ports []string) (problems []string) {
	for _, c := range checks {
		field := fmt.Sprintf("spec.checks.%s[name=%s].http.port", stage, c.Name)
		port := c.HTTP.Port
		switch {
		case port.Type == intstr.Int && (port.IntVal < 1 || port.IntVal > 65535):
			problems = append(problems, fmt.Sprintf("%s is %d; write a number from 1 to 65535, or the name of a container port", field, port.IntVal))
		case port.Type == intstr.String && !slices.Contains(ports, port.StrVal):
			problems = append(problems, fmt.Sprintf("%s is %q, and no container of spec.template has a port of that name; write %s",
				field, port.StrVal, oneOf(ports)))
		}
	}
	return problems
}

// portNames are the names of the ports of all containers that run as long as
// the Pod does.
func portNames(pod corev1.PodSpec) (names []string) {
	containers := slices.Clone(pod.Containers)
	for _, c := range pod.InitContainers {
		if c.RestartPolicy != nil && *c.RestartPolicy == corev1.ContainerRestartPolicyAlways {
			containers = append(containers, c)
		}
	}
	for _, c := range containers {
		for _, p := range c.Ports {
			if p.Name != "" {
				names = append(names, p.Name)
			}
		}
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

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
)

// reserved is the domain of the operator's own labels and annotations.
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
	return append(problems, checksProblems(spec)...)
}

// labelProblems are those of the labels of a template at a field.
func labelProblems(at string, t corev1.PodTemplateSpec) (problems []string) {
	for _, key := range slices.Sorted(maps.Keys(t.Labels)) {
		if strings.HasPrefix(key, reserved) {
			problems = append(problems, fmt.Sprintf(
				"%s.metadata.labels has %s, which is the operator's own; take it out", at, key))
		}
	}
	return problems
}

func templateProblems(t corev1.PodTemplateSpec) []string {
	problems, pod := labelProblems("spec.template", t), t.Spec
	if _, has := t.Annotations[v1alpha1.RestartsAnnotation]; has {
		problems = append(problems, fmt.Sprintf(
			"spec.template.metadata.annotations has %s, which is the operator's own; take it out, and to make the Pods of what serves anew set %s on the Release",
			v1alpha1.RestartsAnnotation, v1alpha1.RestartAnnotation))
	}
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

// Copyright The Countersign Authors.
// SPDX-License-Identifier: Apache-2.0

package speccheck

import (
	"fmt"
	"slices"
	"strings"

	"github.com/countersign/countersign/api/v1alpha1"
	"github.com/countersign/countersign/controllers/jobcheck"
	corev1 "k8s.io/api/core/v1"
)

// jobs are the checks that are one.
func jobs(spec v1alpha1.ReleaseSpec) []v1alpha1.Check {
	if spec.Checks == nil {
		return nil
	}
	return slices.DeleteFunc(slices.Clone(spec.Checks.BeforeSwitch), func(c v1alpha1.Check) bool { return c.Job == nil })
}

func jobField(c v1alpha1.Check) string {
	return fmt.Sprintf("spec.checks.beforeSwitch[name=%s].job", c.Name)
}

func jobProblems(c v1alpha1.Check, spec v1alpha1.ReleaseSpec) (problems []string) {
	field := fmt.Sprintf("spec.checks.beforeSwitch[name=%s]", c.Name)
	takes := int64(c.InitialDelaySeconds) + int64(c.Job.TimeoutSeconds)
	if limit := int64(spec.ProgressDeadlineSeconds); limit > 0 && takes >= limit {
		problems = append(problems, fmt.Sprintf(
			"%s may take %d seconds, by its initialDelaySeconds and job.timeoutSeconds, but the candidate has only spec.progressDeadlineSeconds, %d; write smaller ones or a larger progressDeadlineSeconds",
			field, takes, limit))
	}
	for _, f := range []struct {
		name             string
		value, otherwise int32
	}{
		{"periodSeconds", c.PeriodSeconds, 5}, {"timeoutSeconds", c.TimeoutSeconds, 1},
		{"successThreshold", c.SuccessThreshold, 1}, {"failureThreshold", c.FailureThreshold, 3},
	} {
		if f.value != 0 && f.value != f.otherwise {
			problems = append(problems, fmt.Sprintf("%s.%s is not for a job, which runs once; take it out, or write job.timeoutSeconds or job.backoffLimit", field, f.name))
		}
	}
	template, err := jobcheck.Template(c.Job)
	if err != nil {
		return append(problems, fmt.Sprintf("%s.job.template is no Pod template (%v); mend it", field, err))
	}
	return append(problems, jobTemplateProblems(field+".job.template", template)...)
}

func jobTemplateProblems(at string, t corev1.PodTemplateSpec) []string {
	problems, pod := labelProblems(at, t), t.Spec
	if len(pod.Containers) == 0 {
		problems = append(problems, at+".spec.containers is empty; add the container that runs the test")
	}
	if pod.RestartPolicy != "" && pod.RestartPolicy != corev1.RestartPolicyNever && pod.RestartPolicy != corev1.RestartPolicyOnFailure {
		problems = append(problems, fmt.Sprintf("%s.spec.restartPolicy is %s; write Never or OnFailure, or leave it out", at, pod.RestartPolicy))
	}
	if pod.ActiveDeadlineSeconds != nil {
		problems = append(problems, at+".spec.activeDeadlineSeconds is job.timeoutSeconds; write it there")
	}
	if len(pod.EphemeralContainers) > 0 {
		problems = append(problems, at+".spec.ephemeralContainers cannot be in a template; leave it out")
	}
	for _, c := range slices.Concat(pod.InitContainers, pod.Containers) {
		if c.Image == "" {
			problems = append(problems, fmt.Sprintf("%s.spec: container %q has no image; write one", at, c.Name))
		}
		for _, e := range c.Env {
			if strings.HasPrefix(e.Name, v1alpha1.EnvPrefix) {
				problems = append(problems, fmt.Sprintf("%s.spec: container %q sets %s, which the operator sets; take it out", at, c.Name, e.Name))
			}
		}
	}
	return problems
}

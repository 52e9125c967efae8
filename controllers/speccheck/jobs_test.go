// Copyright The Countersign Authors.
// SPDX-License-Identifier: Apache-2.0

package speccheck

import (
	"strings"
	"testing"

	"github.com/countersign/countersign/api/v1alpha1"
	"k8s.io/apimachinery/pkg/runtime"
)

func TestJobProblems(t *testing.T) {
	pod := func(text string) func(*v1alpha1.Check) {
		return func(c *v1alpha1.Check) { c.Job.Template = runtime.RawExtension{Raw: []byte(text)} }
	}
	container := func(text string) func(*v1alpha1.Check) {
		return pod(`{"spec":{"containers":[{"name":"test","image":"test:1",` + text + `}]}}`)
	}
	const at = "spec.checks.beforeSwitch[name=e2e]"
	for name, tc := range map[string]struct {
		change func(*v1alpha1.Check)
		want   string
	}{
		"Valid": {func(*v1alpha1.Check) {}, ""},
		"Defaulted": {func(c *v1alpha1.Check) {
			c.PeriodSeconds, c.TimeoutSeconds, c.SuccessThreshold, c.FailureThreshold = 5, 1, 1, 3
		}, ""},
		"Period":          {func(c *v1alpha1.Check) { c.PeriodSeconds = 6 }, at + ".periodSeconds is not for a job, which runs once; take it out"},
		"Timeout":         {func(c *v1alpha1.Check) { c.TimeoutSeconds = 2 }, at + ".timeoutSeconds is not for a job"},
		"Successes":       {func(c *v1alpha1.Check) { c.SuccessThreshold = 2 }, at + ".successThreshold is not for a job"},
		"Failures":        {func(c *v1alpha1.Check) { c.FailureThreshold = 1 }, at + ".failureThreshold is not for a job"},
		"TooLong":         {func(c *v1alpha1.Check) { c.Job.TimeoutSeconds = 600 }, at + " may take 600 seconds"},
		"DelayedTooLong":  {func(c *v1alpha1.Check) { c.InitialDelaySeconds = 300 }, at + " may take 600 seconds"},
		"LongEnough":      {func(c *v1alpha1.Check) { c.InitialDelaySeconds = 299 }, ""},
		"NoTemplate":      {pod(``), at + ".job.template.spec.containers is empty; add the container that runs the test"},
		"UnknownField":    {pod(`{"spec":{"container":[]}}`), at + `.job.template is no Pod template (unknown field "spec.container"); mend it`},
		"NoTemplateAtAll": {pod(`{"spec":"x"}`), at + ".job.template is no Pod template ("},
		"OurLabel":        {pod(`{"metadata":{"labels":{"countersign.dev/colour":"blue"}},"spec":{"containers":[{"name":"t","image":"i"}]}}`), at + ".job.template.metadata.labels has countersign.dev/colour"},
		"Always":          {pod(`{"spec":{"restartPolicy":"Always","containers":[{"name":"t","image":"i"}]}}`), "restartPolicy is Always; write Never or OnFailure"},
		"OnFailure":       {pod(`{"spec":{"restartPolicy":"OnFailure","containers":[{"name":"t","image":"i"}]}}`), ""},
		"Deadline":        {pod(`{"spec":{"activeDeadlineSeconds":5,"containers":[{"name":"t","image":"i"}]}}`), "activeDeadlineSeconds is job.timeoutSeconds; write it there"},
		"NoImage":         {pod(`{"spec":{"containers":[{"name":"t"}]}}`), `container "t" has no image`},
		"Environment":     {container(`"env":[{"name":"COUNTERSIGN_ADDRESSES","value":"127.0.0.1"}]`), `container "test" sets COUNTERSIGN_ADDRESSES, which the operator sets; take it out`},
		"OwnEnvironment":  {container(`"env":[{"name":"ADDRESSES","value":"127.0.0.1"}]`), ""},
	} {
		t.Run(name, func(t *testing.T) {
			spec := valid()
			c := v1alpha1.Check{Name: "e2e", Job: &v1alpha1.JobCheck{TimeoutSeconds: 300}}
			container(`"args":["a"]`)(&c)
			tc.change(&c)
			spec.Checks.BeforeSwitch = append(spec.Checks.BeforeSwitch, c)
			problems := Problems(spec)
			if tc.want == "" && len(problems) > 0 || tc.want != "" && (len(problems) != 1 || !strings.Contains(problems[0], tc.want)) {
				t.Errorf("got %q, want %q", problems, tc.want)
			}
		})
	}
}

// A job runs once: it watches nothing.
func TestJobAfterTheSwitch(t *testing.T) {
	spec := valid()
	spec.Checks.AfterSwitch = append(spec.Checks.AfterSwitch, v1alpha1.Check{Name: "e2e", Job: &v1alpha1.JobCheck{}})
	if problems := Problems(spec); len(problems) != 1 || !strings.Contains(problems[0], "spec.checks.afterSwitch[name=e2e].job runs once") {
		t.Errorf("got %q", problems)
	}
}

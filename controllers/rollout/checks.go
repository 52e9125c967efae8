// Copyright The Countersign Authors.
// SPDX-License-Identifier: Apache-2.0

package rollout

import (
	"fmt"
	"slices"

	"github.com/countersign/countersign/api/v1alpha1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
)

// run declares checks against the ready Pods of a workload.
func (p *plan) run(stage v1alpha1.CheckStage, digest string, declared []v1alpha1.Check, w Workload) {
	for _, c := range declared {
		r := CheckRun{Stage: stage, Digest: digest, Check: c}
		port := portOf(c.HTTP.Port, w.Template)
		for _, pod := range w.Pods {
			if pod.Ready && !pod.Terminating && pod.IP != "" && pod.Revision == w.Revision {
				r.Targets = append(r.Targets, CheckTarget{Pod: pod.Name, IP: pod.IP, Port: port})
			}
		}
		p.runs = append(p.runs, r)
	}
}

// portOf resolves a port by name; 0 when the template has none of that name.
func portOf(port intstr.IntOrString, template corev1.PodTemplateSpec) int32 {
	if port.Type == intstr.Int {
		return port.IntVal
	}
	for _, c := range template.Spec.Containers {
		for _, cp := range c.Ports {
			if cp.Name == port.StrVal {
				return cp.ContainerPort
			}
		}
	}
	return 0
}

// recordResults carries results of a stage over to the status. Passed and
// failed are facts; they stay when the operator starts anew and has not run
// the check again.
func (p *plan) recordResults(stage v1alpha1.CheckStage, digest string, declared []v1alpha1.Check) {
	p.st.Checks = slices.DeleteFunc(p.st.Checks, func(c v1alpha1.CheckStatus) bool {
		return c.Stage == stage && (c.Digest != digest || !slices.ContainsFunc(declared, func(d v1alpha1.Check) bool { return d.Name == c.Name }))
	})
	for _, r := range p.snap.Results {
		if r.Stage != stage || r.Digest != digest {
			continue
		}
		p.setCheck(v1alpha1.CheckStatus{Stage: stage, Name: r.Name, Digest: digest, State: r.State, Message: clip(r.Message, 512), At: *microless(r.At)})
	}
	slices.SortFunc(p.st.Checks, func(a, b v1alpha1.CheckStatus) int {
		if a.Stage != b.Stage {
			return compare(string(b.Stage), string(a.Stage)) // BeforeSwitch comes first
		}
		return compare(a.Name, b.Name)
	})
}

func (p *plan) setCheck(c v1alpha1.CheckStatus) {
	for i, have := range p.st.Checks {
		if have.Stage != c.Stage || have.Name != c.Name {
			continue
		}
		if have.State == v1alpha1.CheckFailed || have.State == v1alpha1.CheckPassed && c.State == v1alpha1.CheckRunning && c.Stage == v1alpha1.StageBeforeSwitch {
			return
		}
		if have.State == c.State {
			c.At, c.Message = have.At, have.Message // only changes of state are news
		}
		p.st.Checks[i] = c
		return
	}
	p.st.Checks = append(p.st.Checks, c)
}

// passNow tells whether the checks pass as they run. What the status says may
// be from before the operator was started anew.
func (p *plan) passNow(stage v1alpha1.CheckStage, digest string, declared []v1alpha1.Check) bool {
	for _, d := range declared {
		passes := slices.ContainsFunc(p.snap.Results, func(r CheckResult) bool {
			return r.Stage == stage && r.Name == d.Name && r.Digest == digest && r.State == v1alpha1.CheckPassed
		})
		if !passes {
			return false
		}
	}
	return true
}

func (p *plan) failedCheck(stage v1alpha1.CheckStage, digest string) string {
	for _, c := range p.st.Checks {
		if c.Stage == stage && c.Digest == digest && c.State == v1alpha1.CheckFailed {
			return fmt.Sprintf("check %s failed: %s", c.Name, c.Message)
		}
	}
	return ""
}

// allPassed is asked for each declared check by name: a result that is not
// there has not passed.
func (p *plan) allPassed(stage v1alpha1.CheckStage, digest string, declared []v1alpha1.Check) bool {
	for _, d := range declared {
		passed := slices.ContainsFunc(p.st.Checks, func(c v1alpha1.CheckStatus) bool {
			return c.Stage == stage && c.Name == d.Name && c.Digest == digest && c.State == v1alpha1.CheckPassed
		})
		if !passed {
			return false
		}
	}
	return true
}

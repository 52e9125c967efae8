// Copyright The Countersign Authors.
// SPDX-License-Identifier: Apache-2.0

package rollout

import (
	"fmt"
	"slices"

	"github.com/countersign/countersign/api/v1alpha1"
	"github.com/countersign/countersign/controllers/speccheck"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
)

// run declares checks against the ready Pods of a workload. With fewer than
// atLeast that are known, they have nobody to ask: what the others would answer
// is not known.
func (p *plan) run(stage v1alpha1.CheckStage, digest string, round int32, declared []v1alpha1.Check, w Workload, atLeast int32) {
	for _, c := range declared {
		if c.Job == nil {
			p.runs = append(p.runs, CheckRun{Stage: stage, Digest: digest, Round: round, Check: c, Targets: targets(c, w, atLeast)})
		}
	}
}

// targets are the ready Pods of a workload; none with fewer than atLeast.
func targets(c v1alpha1.Check, w Workload, atLeast int32) (known []CheckTarget) {
	port := portOf(c, w.Template.Spec)
	for _, pod := range w.Pods {
		if pod.Ready && !pod.Terminating && pod.IP != "" && pod.Revision == w.Revision {
			known = append(known, CheckTarget{Pod: pod.Name, IP: pod.IP, Port: port})
		}
	}
	if int64(len(known)) < int64(atLeast) {
		return nil
	}
	return known
}

// portOf resolves the port of a check; 0 when it asks none, or the template has
// none of that name.
func portOf(c v1alpha1.Check, pod corev1.PodSpec) int32 {
	switch port, _ := c.Port(); {
	case port == nil:
		return 0
	case port.Type == intstr.Int:
		return port.IntVal
	default:
		return speccheck.PortNumber(pod, port.StrVal)
	}
}

// recordResults carries results of a stage over to the status. Passed and
// failed are facts; they stay when the operator starts anew and has not run
// the check again.
func (p *plan) recordResults(stage v1alpha1.CheckStage, digest string, round int32, declared []v1alpha1.Check) {
	p.st.Checks = slices.DeleteFunc(p.st.Checks, func(c v1alpha1.CheckStatus) bool {
		return c.Stage == stage && (c.Digest != digest || !slices.ContainsFunc(declared, func(d v1alpha1.Check) bool { return d.Name == c.Name }))
	})
	for _, r := range p.snap.Results {
		if r.Stage != stage || r.Digest != digest || r.Round != round {
			continue
		}
		p.setCheck(v1alpha1.CheckStatus{Stage: stage, Name: r.Name, Digest: digest, State: r.State, Message: clip(r.Message, 512), At: *microless(r.At)})
	}
	p.sortChecks()
}

func (p *plan) sortChecks() {
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
		if have.State == v1alpha1.CheckFailed || have.State == v1alpha1.CheckPassed && c.State != v1alpha1.CheckFailed && c.Stage == v1alpha1.StageBeforeSwitch {
			return
		}
		if have.State == c.State && have.Message == c.Message {
			c.At = have.At
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

// inconclusive says which check could not find out, and why; empty when there is
// none.
func (p *plan) inconclusive(stage v1alpha1.CheckStage, digest string) string {
	for _, c := range p.st.Checks {
		if c.Stage == stage && c.Digest == digest && c.State == v1alpha1.CheckInconclusive {
			return fmt.Sprintf("check %s is inconclusive: %s", c.Name, c.Message)
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

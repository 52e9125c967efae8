// Copyright The Countersign Authors.
// SPDX-License-Identifier: Apache-2.0

package rollout_test

import (
	"testing"
	"time"

	"github.com/countersign/countersign/api/v1alpha1"
	"github.com/countersign/countersign/controllers/rollout"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// What could not be found out is not passed, and no failure of the content.
func TestInconclusive(t *testing.T) {
	scenarios(t, map[string]func(*testing.T){
		"before the switch it holds the candidate until its time is over": func(t *testing.T) {
			w := serving(t, withChecks)
			w.outcomes["smoke"] = v1alpha1.CheckInconclusive
			w.edit("v2")
			w.run()
			w.approve("bob")
			w.run()
			w.wants(v1alpha1.PhaseTesting)
			w.wantsCondition(v1alpha1.ConditionTested, metav1.ConditionFalse, v1alpha1.ReasonChecksInconclusive)
			w.wantsTraffic(blue)
			w.pass(600 * time.Second)
			w.wants(v1alpha1.PhaseHalted)
			w.wantsStalled(v1alpha1.ReasonProgressDeadlineExceeded, "check smoke is inconclusive: as told; to try again")
			w.wantsTraffic(blue)
		},
		"what passed before stays passed": func(t *testing.T) {
			w := serving(t, withChecks, func(w *world) {
				w.rel.Spec.Checks.BeforeSwitch = append(w.rel.Spec.Checks.BeforeSwitch, check("slow"))
			})
			w.outcomes["slow"] = v1alpha1.CheckRunning
			w.edit("v2")
			w.run()
			w.outcomes["smoke"], w.outcomes["slow"] = v1alpha1.CheckInconclusive, v1alpha1.CheckPassed
			w.approve("bob")
			w.run()
			w.wantsTraffic(green)
		},
		"after the switch it does not go back, and does not finish": func(t *testing.T) {
			w := secondObserved(t, withChecks)
			w.outcomes["live"] = v1alpha1.CheckInconclusive
			w.run()
			w.pass(3600 * time.Second)
			w.wants(v1alpha1.PhaseObserving)
			w.wantsTraffic(green)
			w.wantsCondition(v1alpha1.ConditionVerified, metav1.ConditionFalse, v1alpha1.ReasonChecksInconclusive)
			w.outcomes["live"] = v1alpha1.CheckPassed
			w.run()
			w.wants(v1alpha1.PhaseStable)
		},
		"other content does not wait for it longer than the observation": func(t *testing.T) {
			w := secondObserved(t, withChecks)
			w.outcomes["live"] = v1alpha1.CheckInconclusive
			w.edit("v3")
			w.run()
			w.pass(599 * time.Second)
			w.wants(v1alpha1.PhaseObserving)
			w.pass(time.Second)
			w.wantsTraffic(green)
			w.wantsStalled(v1alpha1.ReasonRollbackImpossible, "check live is inconclusive: as told")
			w.outcomes["live"] = v1alpha1.CheckPassed
			w.approve("bob")
			w.run()
			w.wantsTraffic(blue)
		},
		"the latest message is told with its time": func(t *testing.T) {
			w := serving(t, withChecks)
			w.outcomes["smoke"] = v1alpha1.CheckRunning
			w.edit("v2")
			w.run()
			had := w.rel.Status.Checks[0]
			s := w.snapshot()
			s.Now = s.Now.Add(time.Minute)
			for i := range s.Results {
				s.Results[i].Message, s.Results[i].At = "it does not pass", s.Now
			}
			if got := rollout.Decide(s).Status.Checks[0]; got.Message != "it does not pass" || !got.At.After(had.At.Time) {
				t.Errorf("it was %+v and is %+v", had, got)
			}
		},
		"D02 a Pod that is not known yet is not left out": func(t *testing.T) {
			w := serving(t, withChecks)
			w.outcomes["smoke"] = v1alpha1.CheckRunning
			w.edit("v2")
			w.run()
			s := w.snapshot()
			s.Green.Pods = s.Green.Pods[:2]
			if c := rollout.Decide(s).Checks; len(c) != 1 || len(c[0].Targets) != 0 {
				t.Errorf("with two of three Pods these run: %+v", c)
			}
		},
		"a port that a sidecar names": func(t *testing.T) {
			always := corev1.ContainerRestartPolicyAlways
			w := secondObserved(t, withChecks)
			s := w.snapshot()
			pod := &s.Green.Template.Spec
			pod.InitContainers = []corev1.Container{{RestartPolicy: &always, Ports: []corev1.ContainerPort{{Name: "http", ContainerPort: 9090}}}}
			pod.Containers = []corev1.Container{{Ports: []corev1.ContainerPort{{Name: "http", ContainerPort: 53, Protocol: corev1.ProtocolUDP}}}}
			if c := rollout.Decide(s).Checks; len(c) != 1 || c[0].Targets[0].Port != 9090 {
				t.Errorf("these run: %+v", c)
			}
		},
	})
}

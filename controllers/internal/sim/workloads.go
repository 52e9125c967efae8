// Copyright The Countersign Authors.
// SPDX-License-Identifier: Apache-2.0

package sim

import (
	"encoding/json"
	"fmt"
	"hash/fnv"
	"maps"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	policyv1 "k8s.io/api/policy/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/intstr"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// templateHashLabel is how the Deployment controller tells its generations of
// Pods apart.
const templateHashLabel = "pod-template-hash"

// podFacts is what the kubelet knows of a Pod.
type podFacts struct {
	readyAt time.Time
	ip      string
	// started once, it has its environment.
	started bool
	// owner is the Deployment that started it.
	owner types.UID
}

// live objects of a kind, which must not be changed.
func live[T client.Object](s *sim, k kind, keep func(T) bool) []T {
	var out []T
	for _, o := range s.server.shelves[k].sorted(nil) {
		if t := o.(T); keep == nil || keep(t) {
			out = append(out, t)
		}
	}
	return out
}

func matches(selector, labels map[string]string) bool {
	for k, v := range selector {
		if labels[k] != v {
			return false
		}
	}
	return len(selector) > 0
}

func (s *sim) podsOf(d *appsv1.Deployment) []*corev1.Pod {
	return live(s, kindPod, func(p *corev1.Pod) bool {
		return p.Namespace == d.Namespace && p.DeletionTimestamp == nil && matches(d.Spec.Selector.MatchLabels, p.Labels)
	})
}

func hashOf(v any) string {
	raw, err := json.Marshal(v)
	if err != nil {
		panic(err)
	}
	h := fnv.New64a()
	_, _ = h.Write(raw)
	return fmt.Sprintf("%x", h.Sum64())
}

func ready(p *corev1.Pod) bool {
	for _, c := range p.Status.Conditions {
		if c.Type == corev1.PodReady {
			return c.Status == corev1.ConditionTrue
		}
	}
	return false
}

func readySince(p *corev1.Pod) time.Time {
	for _, c := range p.Status.Conditions {
		if c.Type == corev1.PodReady && c.Status == corev1.ConditionTrue {
			return c.LastTransitionTime.Time
		}
	}
	return time.Time{}
}

// deploymentController brings one Deployment a step further and, mostly, writes
// what it sees into its status.
func (s *sim) deploymentController(d *appsv1.Deployment) {
	if d.DeletionTimestamp != nil {
		return
	}
	s.rollPods(d)
	if s.calm || s.rng.IntN(10) < 8 {
		s.deploymentStatus(d)
	}
}

func (s *sim) rollPods(d *appsv1.Deployment) {
	hash, desired := hashOf(d.Spec.Template), int(*d.Spec.Replicas)
	surge, unavailable := 0, 0
	if ru := d.Spec.Strategy.RollingUpdate; ru != nil {
		surge, _ = intstr.GetScaledValueFromIntOrPercent(ru.MaxSurge, desired, true)
		unavailable, _ = intstr.GetScaledValueFromIntOrPercent(ru.MaxUnavailable, desired, false)
	}
	var current, older []*corev1.Pod
	available := 0
	for _, p := range s.podsOf(d) {
		if p.Labels[templateHashLabel] == hash {
			current = append(current, p)
		} else {
			older = append(older, p)
		}
		if ready(p) {
			available++
		}
	}
	for n := len(current); n < desired && n+len(older) < desired+surge; n++ {
		s.startPod(d, hash)
	}
	for _, p := range older {
		if ready(p) && available-1 < desired-unavailable {
			continue
		}
		if ready(p) {
			available--
		}
		s.must(s.server.remove("deployment-controller", keyOf(p), nil))
	}
	s.trimPods(current, desired)
}

// trimPods deletes surplus Pods, those that are not ready first.
func (s *sim) trimPods(pods []*corev1.Pod, desired int) {
	surplus := len(pods) - desired
	for _, unready := range []bool{true, false} {
		for _, p := range pods {
			if surplus > 0 && ready(p) != unready {
				s.must(s.server.remove("deployment-controller", keyOf(p), nil))
				surplus--
			}
		}
	}
}

func (s *sim) startPod(d *appsv1.Deployment, hash string) {
	s.podNumber++
	labels := maps.Clone(d.Spec.Template.Labels)
	labels[templateHashLabel] = hash
	p := &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Namespace: d.Namespace, Name: fmt.Sprintf("%s-%s-%d", d.Name, hash[:4], s.podNumber), Labels: labels},
		Spec:       *d.Spec.Template.Spec.DeepCopy(),
	}
	created, err := s.server.create("deployment-controller", p)
	s.must(err)
	delay := time.Duration(2+s.rng.IntN(15)) * time.Second
	s.pods[created.GetName()] = &podFacts{
		readyAt: s.clock.Add(delay), ip: fmt.Sprintf("10.0.%d.%d", s.podNumber/250, s.podNumber%250+1), owner: d.UID,
	}
}

func (s *sim) deploymentStatus(d *appsv1.Deployment) {
	hash := hashOf(d.Spec.Template)
	st := appsv1.DeploymentStatus{ObservedGeneration: d.Generation}
	for _, p := range s.podsOf(d) {
		st.Replicas++
		if p.Labels[templateHashLabel] == hash {
			st.UpdatedReplicas++
		}
		if !ready(p) {
			continue
		}
		st.ReadyReplicas++
		if !s.clock.Before(readySince(p).Add(time.Duration(d.Spec.MinReadySeconds) * time.Second)) {
			st.AvailableReplicas++
		}
	}
	have := s.server.get(keyOf(d)).(*appsv1.Deployment)
	if equality.Semantic.DeepEqual(have.Status, st) {
		return
	}
	next := have.DeepCopy()
	next.Status = st
	_, err := s.server.updateStatus("deployment-controller", next)
	s.must(err)
}

func (s *sim) deployments() []*appsv1.Deployment {
	return live[*appsv1.Deployment](s, kindDeployment, nil)
}

// garbageCollector removes the Pods and budgets of Deployments that are gone.
func (s *sim) garbageCollector() {
	owners := map[types.UID]bool{}
	for _, d := range s.deployments() {
		owners[d.UID] = true
	}
	for _, p := range live(s, kindPod, func(p *corev1.Pod) bool { return p.DeletionTimestamp == nil }) {
		if !owners[s.pods[p.Name].owner] {
			s.must(s.server.remove("garbage-collector", keyOf(p), nil))
		}
	}
	for _, b := range live(s, kindBudget, func(b *policyv1.PodDisruptionBudget) bool { return len(b.OwnerReferences) > 0 }) {
		if !owners[b.OwnerReferences[0].UID] {
			s.must(s.server.remove("garbage-collector", keyOf(b), nil))
		}
	}
}

// kubelet starts, watches and stops Pods.
func (s *sim) kubelet() {
	for _, p := range live[*corev1.Pod](s, kindPod, nil) {
		if !s.calm && s.rng.IntN(10) < 3 {
			continue
		}
		if p.DeletionTimestamp != nil {
			delete(s.pods, p.Name)
			s.must(s.server.drop("kubelet", keyOf(p)))
			continue
		}
		s.podStatus(p)
	}
}

func (s *sim) podStatus(p *corev1.Pod) {
	facts := s.pods[p.Name]
	want := corev1.ConditionFalse
	if !s.clock.Before(facts.readyAt) && s.becomesReady(p) && (facts.started || s.canStart(p)) {
		facts.started = true
		want = corev1.ConditionTrue
	}
	if p.Status.PodIP != "" && len(p.Status.Conditions) > 0 && p.Status.Conditions[0].Status == want {
		return
	}
	next := p.DeepCopy()
	next.Status.PodIP = facts.ip
	next.Status.Conditions = []corev1.PodCondition{{
		Type: corev1.PodReady, Status: want, LastTransitionTime: metav1.NewTime(s.clock.Truncate(time.Second)),
	}}
	_, err := s.server.updateStatus("kubelet", next)
	s.must(err)
}

// churn loses a Pod, as when a node goes away.
func (s *sim) churn() {
	pods := live(s, kindPod, func(p *corev1.Pod) bool { return p.DeletionTimestamp == nil })
	if len(pods) == 0 {
		return
	}
	p := pods[s.rng.IntN(len(pods))]
	s.logf("node churn takes pod %s", p.Name)
	s.must(s.server.remove("node", keyOf(p), nil))
}

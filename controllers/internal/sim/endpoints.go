// Copyright The Countersign Authors.
// SPDX-License-Identifier: Apache-2.0

package sim

import (
	"maps"

	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
)

// endpointController brings the EndpointSlices of some Services up to date, and
// removes those of Services that are gone.
func (s *sim) endpointController() {
	for _, svc := range live[*corev1.Service](s, kindService, nil) {
		if s.calm || s.rng.IntN(10) < 6 {
			s.syncSlice(svc)
		}
	}
	for _, slice := range live[*discoveryv1.EndpointSlice](s, kindSlice, nil) {
		name := types.NamespacedName{Namespace: slice.Namespace, Name: slice.Labels[discoveryv1.LabelServiceName]}
		if s.server.get(key{kindService, name}) == nil {
			s.must(s.server.drop("endpoint-controller", keyOf(slice)))
		}
	}
}

// syncSlice writes the slice of one Service. The Service's labels are copied to
// it. The slices of a Service without selector belong to somebody else.
func (s *sim) syncSlice(svc *corev1.Service) {
	if len(svc.Spec.Selector) == 0 {
		return
	}
	labels := maps.Clone(svc.Labels)
	if labels == nil {
		labels = map[string]string{}
	}
	labels[discoveryv1.LabelServiceName] = svc.Name
	want := &discoveryv1.EndpointSlice{
		ObjectMeta: metav1.ObjectMeta{Namespace: svc.Namespace, Name: svc.Name + "-slice", Labels: labels},
		Endpoints:  s.endpointsFor(svc),
	}
	have, _ := s.server.get(keyOf(want)).(*discoveryv1.EndpointSlice)
	if have == nil {
		_, err := s.server.create("endpoint-controller", want)
		s.must(err)
		return
	}
	if maps.Equal(have.Labels, labels) && equality.Semantic.DeepEqual(have.Endpoints, want.Endpoints) {
		return
	}
	next := have.DeepCopy()
	next.Labels, next.Endpoints = labels, want.Endpoints
	_, err := s.server.update("endpoint-controller", next)
	s.must(err)
}

func (s *sim) endpointsFor(svc *corev1.Service) []discoveryv1.Endpoint {
	var out []discoveryv1.Endpoint
	for _, p := range live[*corev1.Pod](s, kindPod, nil) {
		if p.Namespace != svc.Namespace || p.Status.PodIP == "" || !matches(svc.Spec.Selector, p.Labels) {
			continue
		}
		terminating := p.DeletionTimestamp != nil
		serving := ready(p)
		isReady := serving && !terminating
		out = append(out, discoveryv1.Endpoint{
			Addresses:  []string{p.Status.PodIP},
			Conditions: discoveryv1.EndpointConditions{Ready: &isReady, Serving: &serving, Terminating: &terminating},
			TargetRef:  &corev1.ObjectReference{Kind: "Pod", Namespace: p.Namespace, Name: p.Name, UID: p.UID},
		})
		if isReady && isActiveService(svc) {
			s.gotTraffic(p)
		}
	}
	return out
}

// Copyright The Countersign Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/watch"
)

// TestEndpointJournal: around a failure it is shown what led where, and nothing else.
func TestEndpointJournal(t *testing.T) {
	ready := true
	j := &endpointJournal{}
	j.note(watch.Event{Type: watch.Modified, Object: &discoveryv1.EndpointSlice{
		ObjectMeta: metav1.ObjectMeta{Name: "shop-x"},
		Endpoints:  []discoveryv1.Endpoint{{TargetRef: &corev1.ObjectReference{Name: "shop-blue-1"}, Conditions: discoveryv1.EndpointConditions{Ready: &ready}}},
	}})
	j.note(watch.Event{Type: watch.Deleted, Object: &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Name: "shop-green-1"}}})
	j.note(watch.Event{Type: watch.Error, Object: &metav1.Status{}})
	if len(j.seen) != 2 {
		t.Fatalf("it has %+v", j.seen)
	}
	j.seen[1].at = j.seen[0].at.Add(-time.Minute)
	var out strings.Builder
	j.print(&out, []time.Time{j.seen[0].at.Add(time.Second)})
	if got := out.String(); !strings.Contains(got, " -1000 ms MODIFIED EndpointSlice shop-x: shop-blue-1 ready=true serving=false ending=false\n") || strings.Contains(got, "green") {
		t.Errorf("it shows %s", got)
	}
}

// Copyright The Countersign Authors.
// SPDX-License-Identifier: Apache-2.0

package telemetry

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/countersign/countersign/api/v1alpha1"
	"github.com/go-logr/logr"
	"github.com/prometheus/client_golang/prometheus"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/tools/events"
)

// seriesOf are the series that name a Release, without their labels of namespace
// and name.
func seriesOf(t *testing.T, namespace, name string) (series []string) {
	t.Helper()
	registry := prometheus.NewRegistry()
	registry.MustRegister(Collectors()...)
	families, err := registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range families {
		for _, m := range f.GetMetric() {
			labels, other := map[string]string{}, ""
			for _, l := range m.GetLabel() {
				labels[l.GetName()] = l.GetValue()
				if l.GetName() != "namespace" && l.GetName() != "name" {
					other += " " + l.GetValue()
				}
			}
			if labels["namespace"] == namespace && labels["name"] == name {
				series = append(series, fmt.Sprintf("%s%s=%v", strings.TrimPrefix(f.GetName(), "countersign_"), other, int64(m.GetGauge().GetValue())))
			}
		}
	}
	return series
}

// A Release has one series of its phase, those of what is amiss while it is, and
// none when it is gone. Another of the same name in another namespace keeps its own.
func TestSeriesOfARelease(t *testing.T) {
	teller := Teller{Recorder: events.NewFakeRecorder(9), Log: logr.Discard(), Now: time.Now}
	status := v1alpha1.ReleaseStatus{}
	show := func(namespace string, s v1alpha1.ReleaseStatus, deleted *metav1.Time) {
		teller.Tell(&v1alpha1.Release{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: "series", DeletionTimestamp: deleted}, Status: s}, status, nil)
		status = s
	}
	expect := func(when, namespace string, want ...string) {
		t.Helper()
		if got := seriesOf(t, namespace, "series"); !slices.Equal(got, want) {
			t.Errorf("%s: the series are %q, want %q", when, got, want)
		}
	}
	show("b", v1alpha1.ReleaseStatus{Phase: v1alpha1.PhaseStable}, nil)
	waiting := v1alpha1.ReleaseStatus{
		Phase: v1alpha1.PhaseAwaitingApproval, Candidate: &v1alpha1.CandidateStatus{TestedAt: &metav1.Time{Time: time.Unix(42, 0)}},
		Reviews: []v1alpha1.PendingReview{{Epoch: 1, Overdue: true}},
	}
	show("a", waiting, nil)
	expect("waiting", "a", "approval_waiting_since_timestamp_seconds=42", "release_phase AwaitingApproval=1", "review_overdue=1")
	halted := func(reason string) v1alpha1.ReleaseStatus {
		return v1alpha1.ReleaseStatus{Phase: v1alpha1.PhaseHalted, Conditions: []metav1.Condition{{Type: v1alpha1.ConditionStalled, Reason: reason}}}
	}
	show("a", halted("CheckFailed"), nil)
	expect("halted", "a", "release_phase Halted=1", "release_stalled CheckFailed=1")
	show("a", halted("RolledBack"), nil)
	expect("halted otherwise", "a", "release_phase Halted=1", "release_stalled RolledBack=1")
	waiting.Phase = v1alpha1.PhaseDeleting
	show("a", waiting, &metav1.Time{Time: time.Now()})
	expect("deleting", "a", "release_phase Deleting=1")
	teller.Gone(types.NamespacedName{Namespace: "a", Name: "series"})
	expect("gone", "a")
	expect("the other", "b", "release_phase Stable=1")
	teller.Gone(types.NamespacedName{Namespace: "b", Name: "series"})
	if len(teller.shown) != 0 {
		t.Errorf("it remembers %v", teller.shown)
	}
}

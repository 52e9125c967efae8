// Copyright The Countersign Authors.
// SPDX-License-Identifier: Apache-2.0

package rollout_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/countersign/countersign/api/v1alpha1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// wants the Release to be in a phase.
func (w *world) wants(phase v1alpha1.Phase) {
	w.t.Helper()
	if got := w.rel.Status.Phase; got != phase {
		w.t.Errorf("it is %s, want %s; it waits for %q; %+v", got, phase, w.rel.Status.WaitingFor, w.condition(v1alpha1.ConditionReady))
	}
}

// wantsActions that were carried out since the last time it was asked.
func (w *world) wantsActions(want ...string) {
	w.t.Helper()
	if !slices.Equal(w.did, want) {
		w.t.Errorf("it did %q, want %q", w.did, want)
	}
	w.did = nil
}

func (w *world) wantsNotice(reason string) {
	w.t.Helper()
	if !slices.Contains(w.told, reason) {
		w.t.Errorf("it told %v, want %s among them", w.told, reason)
	}
}

func (w *world) wantsNoNotice(reason string) {
	w.t.Helper()
	if slices.Contains(w.told, reason) {
		w.t.Errorf("it told %v, and %s should not be among them", w.told, reason)
	}
}

func (w *world) condition(kind string) metav1.Condition {
	if c := meta.FindStatusCondition(w.rel.Status.Conditions, kind); c != nil {
		return *c
	}
	return metav1.Condition{}
}

// wantsCondition; an empty status means that it is not there.
func (w *world) wantsCondition(kind string, status metav1.ConditionStatus, reason string) {
	w.t.Helper()
	if c := w.condition(kind); c.Status != status || c.Reason != reason {
		w.t.Errorf("%s is %s %s (%s), want %s %s", kind, c.Status, c.Reason, c.Message, status, reason)
	}
}

func (w *world) wantsReady(status metav1.ConditionStatus, reason string) {
	w.t.Helper()
	w.wantsCondition(v1alpha1.ConditionReady, status, reason)
}

// wantsStalled with a part of its message.
func (w *world) wantsStalled(reason, part string) {
	w.t.Helper()
	w.wantsCondition(v1alpha1.ConditionStalled, metav1.ConditionTrue, reason)
	if m := w.condition(v1alpha1.ConditionStalled).Message; !strings.Contains(m, part) {
		w.t.Errorf("the message is %q, want %q in it", m, part)
	}
}

// wantsTraffic of every Service of ours to lead to a colour.
func (w *world) wantsTraffic(c v1alpha1.Colour) {
	w.t.Helper()
	for name, svc := range w.services {
		if got, _ := leadsTo(svc.selector); !svc.preview && got != c {
			w.t.Errorf("Service %s leads to %q, want %q", name, got, c)
		}
	}
}

func (w *world) wantsReplicas(c v1alpha1.Colour, n int32) {
	w.t.Helper()
	if got := w.colours[c].replicas; got != n {
		w.t.Errorf("%s has %d replicas, want %d", c, got, n)
	}
}

func (w *world) wantsWaiting(part string) {
	w.t.Helper()
	if !strings.Contains(w.rel.Status.WaitingFor, part) {
		w.t.Errorf("it waits for %q, want %q in it", w.rel.Status.WaitingFor, part)
	}
}

// scenarios runs each in a world of its own.
func scenarios(t *testing.T, table map[string]func(*testing.T)) {
	t.Helper()
	for name, scenario := range table {
		t.Run(name, scenario)
	}
}

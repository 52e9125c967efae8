// Copyright The Countersign Authors.
// SPDX-License-Identifier: Apache-2.0

// Package telemetry tells people about committed decisions: as events on the
// Release and as metrics. Nothing else in the operator records events.
package telemetry

import (
	"crypto/sha256"
	"encoding/hex"
	"strings"
	"sync"
	"time"

	"github.com/countersign/countersign/api/v1alpha1"
	"github.com/countersign/countersign/controllers/rollout"
	"github.com/go-logr/logr"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/tools/events"
)

// noteLimit is the longest note that the events API takes, in bytes.
const noteLimit = 1024

// Notifier sends notices elsewhere.
type Notifier interface {
	Notify(*v1alpha1.Release, rollout.Notice)
}

// Teller tells events, metrics and traces. It waits for nobody.
type Teller struct {
	Recorder events.EventRecorder
	Log      logr.Logger
	// Now is the clock.
	Now func() time.Time
	// Traces tells traces. May be nil.
	Traces *Traces
	// Notifier sends notices elsewhere, and does not wait. May be nil.
	Notifier Notifier

	mu    sync.Mutex
	shown map[types.NamespacedName]shown
}

// Tell is called once for each committed decision.
func (t *Teller) Tell(rel *v1alpha1.Release, before v1alpha1.ReleaseStatus, notices []rollout.Notice) {
	stages := ended(&before, &rel.Status, t.Now())
	t.measure(rel, before, stages)
	t.Traces.tell(rel, &before, stages)
	for _, n := range notices {
		kind := corev1.EventTypeNormal
		if n.Warning {
			kind = corev1.EventTypeWarning
		}
		note := n.Message
		if len(note) > noteLimit {
			note = strings.ToValidUTF8(note[:noteLimit], "")
		}
		t.Recorder.Eventf(rel, nil, kind, n.Reason, action(n), "%s", note)
		t.Log.WithValues(LogValues(rel)...).Info(n.Message, "reason", n.Reason)
		if t.Notifier != nil {
			t.Notifier.Notify(rel, n)
		}
	}
}

// LogValues are what every line of a log about a Release has: which one, the content
// that it is about, and its phase.
func LogValues(rel *v1alpha1.Release) []any {
	return []any{"namespace", rel.Namespace, "release", rel.Name, "digest", Digest(&rel.Status), "phase", string(rel.Status.Phase)}
}

// Digest of the content that a Release is about: of its candidate or, without one,
// of what serves. Empty while neither has one.
func Digest(s *v1alpha1.ReleaseStatus) string {
	switch {
	case s.Candidate != nil:
		return s.Candidate.Digest
	case s.Active != nil:
		return s.Active.Digest
	}
	return ""
}

// action tells notes of one reason apart: events that have the same reason and
// action are taken for one, of which only the first note is kept.
func action(n rollout.Notice) string {
	sum := sha256.Sum256([]byte(n.Message))
	return n.Reason + "-" + hex.EncodeToString(sum[:8])
}

// Gone is called when a Release does not exist any more.
func (t *Teller) Gone(release types.NamespacedName) {
	t.forget(release)
	t.Traces.forget(release)
}

// Conflict counts a write that was refused because the world moved on.
func (t *Teller) Conflict() { conflicts.Inc() }

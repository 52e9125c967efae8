// Copyright The Countersign Authors.
// SPDX-License-Identifier: Apache-2.0

package telemetry

import (
	"context"
	"math"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/countersign/countersign/api/v1alpha1"
	"github.com/countersign/countersign/controllers/rollout"
	"github.com/go-logr/logr"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	eventsv1 "k8s.io/api/events/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/tools/events"
)

var began = time.Date(2026, 11, 24, 12, 0, 0, 0, time.UTC)

func at(d time.Duration) *metav1.MicroTime {
	m := metav1.NewMicroTime(began.Add(d))
	return &m
}

// told is the events that one Tell writes.
func told(t *testing.T, before, after v1alpha1.ReleaseStatus, notices ...rollout.Notice) []string {
	t.Helper()
	recorder := events.NewFakeRecorder(9)
	teller := Teller{Recorder: recorder, Log: logr.Discard(), Now: func() time.Time { return began }}
	teller.Tell(&v1alpha1.Release{Status: after}, before, notices)
	var said []string
	for range len(recorder.Events) {
		said = append(said, <-recorder.Events)
	}
	return said
}

func TestEvents(t *testing.T) {
	said := told(t, v1alpha1.ReleaseStatus{}, v1alpha1.ReleaseStatus{},
		rollout.Notice{Reason: rollout.NoticeTrafficSwitched, Message: "100% of it"},
		rollout.Notice{Reason: rollout.NoticeRolledBack, Message: "x" + strings.Repeat("é", 1000), Warning: true})
	if len(said) != 2 || said[0] != "Normal TrafficSwitched 100% of it" {
		t.Fatalf("it said %q", said)
	}
	note, ok := strings.CutPrefix(said[1], "Warning RolledBack ")
	if !ok || len(note) > noteLimit || strings.ToValidUTF8(note, "") != note {
		t.Errorf("the long one has %d bytes and is %q", len(note), said[1][:20])
	}
}

// sink takes what would go to the API server.
type sink chan string

func (s sink) Create(_ context.Context, e *eventsv1.Event) (*eventsv1.Event, error) {
	s <- "create " + e.Note
	return e, nil
}

func (s sink) Update(_ context.Context, e *eventsv1.Event) (*eventsv1.Event, error) {
	s <- "update " + e.Note
	return e, nil
}

func (s sink) Patch(_ context.Context, e *eventsv1.Event, _ []byte) (*eventsv1.Event, error) {
	s <- "patch " + e.Note
	return e, nil
}

// Two votes that are counted by one decision are two events. What is said again is
// one that was said before.
func TestEveryNoteIsAnEvent(t *testing.T) {
	written := make(sink, 9)
	broadcaster := events.NewBroadcaster(written)
	if err := broadcaster.StartRecordingToSinkWithContext(t.Context()); err != nil {
		t.Fatal(err)
	}
	defer broadcaster.Shutdown()
	scheme := runtime.NewScheme()
	if err := v1alpha1.AddToScheme(scheme); err != nil {
		t.Fatal(err)
	}
	teller := Teller{Recorder: broadcaster.NewRecorder(scheme, "countersign.dev/operator"), Log: logr.Discard(), Now: time.Now}
	tell := func(messages ...string) (said []string) {
		var notices []rollout.Notice
		for _, m := range messages {
			notices = append(notices, rollout.Notice{Reason: rollout.NoticeApprovalCounted, Message: m})
		}
		teller.Tell(&v1alpha1.Release{ObjectMeta: metav1.ObjectMeta{Namespace: "prod", Name: "shop"}}, v1alpha1.ReleaseStatus{}, notices)
		for range messages {
			select {
			case s := <-written:
				said = append(said, s)
			case <-time.After(10 * time.Second):
				t.Fatalf("of %q only %q was written", messages, said)
			}
		}
		slices.Sort(said)
		return said
	}
	if got, want := tell("alice's counts", "bob's counts"), []string{"create alice's counts", "create bob's counts"}; !slices.Equal(got, want) {
		t.Errorf("written is %q, want %q", got, want)
	}
	if got, want := tell("bob's counts"), []string{"patch bob's counts"}; !slices.Equal(got, want) {
		t.Errorf("written is %q, want %q", got, want)
	}
}

// An event is refused whose action is longer than 128 characters.
func TestActionsAreShort(t *testing.T) {
	for _, reason := range []string{rollout.NoticeRolledBack, rollout.NoticeBreakGlassReviewed} {
		a, b := action(rollout.Notice{Reason: reason, Message: strings.Repeat("x", 2000)}), action(rollout.Notice{Reason: reason, Message: strings.Repeat("x", 2001)})
		if a == b || len(a) > 128 || !strings.HasPrefix(a, reason) {
			t.Errorf("the actions are %q and %q", a, b)
		}
	}
}

// scrape is what Prometheus reads from a registry.
func scrape(t *testing.T, g prometheus.Gatherer) string {
	t.Helper()
	r := httptest.NewRecorder()
	promhttp.HandlerFor(g, promhttp.HandlerOpts{}).ServeHTTP(r, httptest.NewRequest(http.MethodGet, "/metrics", nil))
	return r.Body.String()
}

// value of a series; 0 while there is none.
func value(t *testing.T, series string) float64 {
	t.Helper()
	registry := prometheus.NewRegistry()
	registry.MustRegister(Collectors()...)
	for line := range strings.Lines(scrape(t, registry)) {
		if text, ok := strings.CutPrefix(strings.TrimSpace(line), series+" "); ok {
			v, err := strconv.ParseFloat(text, 64)
			if err != nil {
				t.Fatal(err)
			}
			return v
		}
	}
	return 0
}

// grows checks by how much a series grows.
func grows(t *testing.T, series string, by float64, tell func()) {
	t.Helper()
	before := value(t, series)
	tell()
	if got := value(t, series) - before; math.Abs(got-by) > 1e-9 {
		t.Errorf("%s grows by %v, want %v", series, got, by)
	}
}

func TestTransitions(t *testing.T) {
	stable, switching := v1alpha1.ReleaseStatus{Phase: v1alpha1.PhaseStable}, v1alpha1.ReleaseStatus{Phase: v1alpha1.PhaseSwitching}
	grows(t, `countersign_phase_transitions_total{from="Stable",to="Switching"}`, 1, func() {
		told(t, stable, switching)
		told(t, switching, switching)
	})
}

func TestVotes(t *testing.T) {
	vote := v1alpha1.VoteStatus{Slot: "bob", User: "bob", Decision: "approve"}
	counted := vote
	counted.Counted = true
	with := func(votes ...v1alpha1.VoteStatus) v1alpha1.ReleaseStatus { return v1alpha1.ReleaseStatus{Votes: votes} }
	for _, does := range []string{"false", "true"} {
		grows(t, `countersign_votes_total{counted="`+does+`"}`, 1, func() {
			told(t, with(), with(vote))
			told(t, with(vote), with(vote))
			told(t, with(vote), with(counted))
		})
	}
}

func TestSwitches(t *testing.T) {
	sw := func(patched, settled *metav1.MicroTime) v1alpha1.ReleaseStatus {
		return v1alpha1.ReleaseStatus{Switch: &v1alpha1.SwitchStatus{
			Epoch: 2, Reason: v1alpha1.SwitchRollback, IntendedAt: *at(0), PatchedAt: patched, SettledAt: settled,
		}}
	}
	intended, patched, settled := sw(nil, nil), sw(at(20*time.Millisecond), nil), sw(at(20*time.Millisecond), at(300*time.Millisecond))
	for series, by := range map[string]float64{
		`countersign_rollbacks_total{trigger="failure"}`:                             1,
		`countersign_rollbacks_total{trigger="request"}`:                             0,
		`countersign_switch_duration_seconds_count{reason="Rollback",step="patch"}`:  1,
		`countersign_switch_duration_seconds_sum{reason="Rollback",step="patch"}`:    0.02,
		`countersign_switch_duration_seconds_count{reason="Rollback",step="settle"}`: 1,
		`countersign_switch_duration_seconds_sum{reason="Rollback",step="settle"}`:   0.3,
	} {
		grows(t, series, by, func() {
			told(t, v1alpha1.ReleaseStatus{}, intended)
			told(t, intended, patched)
			told(t, patched, patched)
			told(t, patched, settled)
			told(t, settled, settled)
		})
	}
	promote := settled
	promote.Switch = settled.Switch.DeepCopy()
	promote.Switch.Reason = v1alpha1.SwitchPromote
	grows(t, `countersign_rollbacks_total{trigger="failure"}`, 0, func() { told(t, intended, promote) })
	asked := settled
	asked.Switch = settled.Switch.DeepCopy()
	asked.Switch.AskedBy = "alice"
	grows(t, `countersign_rollbacks_total{trigger="request"}`, 1, func() { told(t, intended, asked) })
}

func TestConflicts(t *testing.T) {
	grows(t, `countersign_conflicts_total`, 1, (&Teller{}).Conflict)
}

func TestBreakGlassMetrics(t *testing.T) {
	const used, late = "countersign_break_glass_total", `countersign_review_overdue{name="",namespace=""}`
	before := value(t, used)
	intended := v1alpha1.ReleaseStatus{Switch: &v1alpha1.SwitchStatus{Epoch: 2, Reason: v1alpha1.SwitchBreakGlass, IntendedAt: *at(0)}}
	landed := *intended.DeepCopy()
	landed.Switch.PatchedAt = at(time.Second)
	landed.Reviews = []v1alpha1.PendingReview{{Epoch: 2}, {Epoch: 1}}
	told(t, intended, landed)
	told(t, landed, landed)
	if got := value(t, used) - before; got != 1 {
		t.Errorf("it was used %v times", got)
	}
	if value(t, late) != 0 {
		t.Error("what waits is overdue")
	}
	landed.Reviews[0].Overdue, landed.Reviews[1].Overdue = true, true
	told(t, landed, landed)
	if got := value(t, late); got != 2 {
		t.Errorf("%v are overdue", got)
	}
	told(t, landed, v1alpha1.ReleaseStatus{})
	if strings.Contains(scrapeOverdue(t), "countersign_review_overdue{") {
		t.Error("a Release that nothing is overdue of is still there")
	}
}

func scrapeOverdue(t *testing.T) string {
	t.Helper()
	registry := prometheus.NewRegistry()
	registry.MustRegister(overdue)
	return scrape(t, registry)
}

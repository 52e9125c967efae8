// Copyright The Countersign Authors.
// SPDX-License-Identifier: Apache-2.0

package telemetry

import (
	"context"
	"encoding/hex"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/countersign/countersign/api/v1alpha1"
	"github.com/go-logr/logr"
	collectorv1 "go.opentelemetry.io/proto/otlp/collector/trace/v1"
	tracev1 "go.opentelemetry.io/proto/otlp/trace/v1"
	"google.golang.org/protobuf/proto"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/tools/events"
)

// collector takes traces by OTLP over HTTP.
type collector struct {
	*httptest.Server
	mu    sync.Mutex
	spans []*tracev1.Span
}

func newCollector(t *testing.T) *collector {
	t.Helper()
	c := &collector{}
	c.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		var request collectorv1.ExportTraceServiceRequest
		if err != nil || r.URL.Path != "/v1/traces" || proto.Unmarshal(body, &request) != nil {
			t.Errorf("%s has %d bytes that are no spans: %v", r.URL.Path, len(body), err)
			return
		}
		c.mu.Lock()
		defer c.mu.Unlock()
		for _, of := range request.ResourceSpans {
			for _, scope := range of.ScopeSpans {
				c.spans = append(c.spans, scope.Spans...)
			}
		}
	}))
	t.Cleanup(c.Close)
	return c
}

func traces(t *testing.T, endpoint string) *Traces {
	t.Helper()
	traces, err := NewTraces(t.Context(), endpoint, "cluster", "v1")
	if err != nil {
		t.Fatal(err)
	}
	return traces
}

func attributesOf(list []*tracev1.Span_Event) (text []string) {
	for _, e := range list {
		var values []string
		for _, a := range e.Attributes {
			values = append(values, strings.Trim(strings.SplitN(a.Value.String(), ":", 2)[1], `" `))
		}
		text = append(text, e.Name+" "+strings.Join(values, " "))
	}
	return text
}

// lived is a release from apply to finish. Every other decision is told by another
// operator, as after a restart.
func lived(t *testing.T, c *collector, uid string, restarts bool) []*tracev1.Span {
	t.Helper()
	promote := func(patched, settled int) *v1alpha1.SwitchStatus {
		return switching(v1alpha1.SwitchPromote, 2, 10, patched, settled)
	}
	cast := func(s v1alpha1.ReleaseStatus) v1alpha1.ReleaseStatus {
		s.Votes = []v1alpha1.VoteStatus{{Slot: "alice", User: "alice@corp", Decision: "approve", Counted: true, Rule: "p/qa", At: second(8)}}
		return s
	}
	tested := candidate(2, 1, 3, 4)
	tested.Digest = "sha256:c"
	serves := active(2, 11, 0)
	serves.Digest = "sha256:c"
	finished := active(2, 11, 40)
	finished.Digest = "sha256:c"
	smoke := []v1alpha1.CheckStatus{{Stage: v1alpha1.StageBeforeSwitch, Name: "smoke", Digest: "sha256:c", State: v1alpha1.CheckPassed, Message: "fine", At: *second(4)}}
	life := []v1alpha1.ReleaseStatus{
		{}, {Candidate: candidate(2, 1, 0, 0)}, {Candidate: candidate(2, 1, 3, 0)}, {Candidate: tested, Checks: smoke},
		cast(v1alpha1.ReleaseStatus{Candidate: tested, Switch: promote(0, 0)}),
		{Active: serves, Switch: promote(11, 0)}, {Active: serves, Switch: promote(11, 12)}, {Active: finished, Switch: promote(11, 12)},
	}
	var teller *Teller
	for i := range life[1:] {
		if teller == nil || restarts {
			if teller != nil {
				if err := teller.Traces.Close(t.Context()); err != nil {
					t.Fatal(err)
				}
			}
			teller = &Teller{Recorder: events.NewFakeRecorder(9), Log: logr.Discard(), Now: time.Now, Traces: traces(t, c.URL+"/v1/traces")}
		}
		teller.Tell(&v1alpha1.Release{ObjectMeta: metav1.ObjectMeta{Namespace: "prod", Name: "shop", UID: types.UID(uid)}, Status: life[i+1]}, life[i], nil)
	}
	if err := teller.Traces.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	spans := c.spans
	c.spans = nil
	return spans
}

func TestTraces(t *testing.T) {
	c := newCollector(t)
	spans := lived(t, c, "u1", false)
	names, got := map[string]string{}, []string{}
	for _, s := range spans {
		names[hex.EncodeToString(s.SpanId)] = s.Name
	}
	for _, s := range spans {
		seconds := func(nanos uint64) float64 { return time.Unix(0, int64(nanos)).Sub(began).Seconds() }
		got = append(got, fmt.Sprintf("%s under %q %v-%v %q", s.Name, names[hex.EncodeToString(s.ParentSpanId)], seconds(s.StartTimeUnixNano), seconds(s.EndTimeUnixNano), attributesOf(s.Events)))
		if string(s.TraceId) != string(spans[0].TraceId) || len(s.TraceId) != 16 {
			t.Errorf("%s is of another trace", s.Name)
		}
	}
	want := []string{
		`Preparing under "release" 1-3 []`,
		`Testing under "release" 3-4 ["check smoke Passed fine"]`,
		`AwaitingApproval under "release" 4-10 ["vote alice approve true p/qa"]`,
		`Switching under "release" 10-12 []`, `patch under "Switching" 10-11 []`, `settle under "Switching" 11-12 []`,
		`Observing under "release" 11-40 []`, `release under "" 1-40 []`,
	}
	slices.Sort(got)
	slices.Sort(want)
	if !slices.Equal(got, want) {
		t.Errorf("the spans are\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

// Operators that take over from one another tell one trace, and another Release of
// the same name has one of its own.
func TestTracesSurviveRestarts(t *testing.T) {
	c := newCollector(t)
	named := func(spans []*tracev1.Span) (list []string) {
		for _, s := range spans {
			list = append(list, fmt.Sprintf("%s %x %x %x", s.Name, s.TraceId, s.SpanId, s.ParentSpanId))
		}
		slices.Sort(list)
		return list
	}
	whole, restarted, other := named(lived(t, c, "u1", false)), named(lived(t, c, "u1", true)), named(lived(t, c, "u2", false))
	if len(whole) != 8 || !slices.Equal(whole, restarted) {
		t.Errorf("it is\n%s\nand with restarts\n%s", strings.Join(whole, "\n"), strings.Join(restarted, "\n"))
	}
	for _, s := range other {
		if slices.Contains(whole, s) {
			t.Errorf("two Releases share %s", s)
		}
	}
}

// What fails is told as an error.
func TestTracesOfWhatFails(t *testing.T) {
	c := newCollector(t)
	teller := &Teller{Recorder: events.NewFakeRecorder(9), Log: logr.Discard(), Now: time.Now, Traces: traces(t, c.URL)}
	halted := candidate(2, 1, 3, 0)
	halted.Halted = &v1alpha1.HaltedStatus{Reason: "CheckFailed", At: *second(9)}
	teller.Tell(&v1alpha1.Release{Status: v1alpha1.ReleaseStatus{Candidate: halted}}, v1alpha1.ReleaseStatus{Candidate: candidate(2, 1, 3, 0)}, nil)
	if err := teller.Traces.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	if len(c.spans) != 2 {
		t.Fatalf("%d spans", len(c.spans))
	}
	for _, s := range c.spans {
		if s.Status.GetCode() != tracev1.Status_STATUS_CODE_ERROR || s.Status.Message != "CheckFailed" {
			t.Errorf("%s has the status %v", s.Name, s.Status)
		}
	}
}

// A collector that does not answer holds up nobody.
func TestTracesWaitForNobody(t *testing.T) {
	stuck := make(chan struct{})
	server := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { <-stuck }))
	defer server.Close()
	defer close(stuck)
	teller := &Teller{Recorder: events.NewFakeRecorder(9), Log: logr.Discard(), Now: time.Now, Traces: traces(t, server.URL)}
	done := make(chan struct{})
	go func() {
		defer close(done)
		for n := range 10000 {
			teller.Tell(&v1alpha1.Release{Status: v1alpha1.ReleaseStatus{Candidate: candidate(int64(n), 1, 3, 4)}}, v1alpha1.ReleaseStatus{}, nil)
		}
	}()
	select {
	case <-done:
	case <-time.After(20 * time.Second):
		t.Fatal("it waits for the collector")
	}
	if n := len(teller.Traces.began[types.NamespacedName{}]); n > beganLimit {
		t.Errorf("it remembers %d contents of one Release", n)
	}
	teller.Gone(types.NamespacedName{})
	if len(teller.Traces.began) != 0 {
		t.Error("it remembers a Release that is gone")
	}
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	if err := teller.Traces.Close(ended); err == nil {
		t.Error("it says that it sent what it could not")
	}
}

func TestTracesEndpoint(t *testing.T) {
	for _, endpoint := range []string{"collector:4318", "ftp://collector", "/v1/traces", "http://"} {
		if _, err := NewTraces(t.Context(), endpoint, "", ""); err == nil {
			t.Errorf("%q is taken", endpoint)
		}
	}
}

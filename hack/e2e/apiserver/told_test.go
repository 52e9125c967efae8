// Copyright The Countersign Authors.
// SPDX-License-Identifier: Apache-2.0

package apiserver

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"testing"

	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"
	collector "go.opentelemetry.io/proto/otlp/collector/trace/v1"
	"google.golang.org/protobuf/proto"
)

// listener is an endpoint of notifications and a collector of traces.
type listener struct {
	*httptest.Server
	reasons, spans chan string
}

// told is a notification, as far as it is looked at.
type told struct {
	Type, Subject string
	Data          struct{ Namespace, Release, Reason, Digest string }
}

func listen(t *testing.T, key string) *listener {
	t.Helper()
	webhook, err := standardwebhooks.NewWebhook(key)
	if err != nil {
		t.Fatal(err)
	}
	l := &listener{reasons: make(chan string, 1000), spans: make(chan string, 1000)}
	paths := http.NewServeMux()
	paths.HandleFunc("/events", func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err == nil {
			err = webhook.Verify(body, r.Header)
		}
		var e told
		if err == nil {
			err = json.Unmarshal(body, &e)
		}
		if err != nil {
			t.Errorf("a notification: %v", err)
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		l.reasons <- e.Data.Namespace + "/" + e.Data.Release + " " + e.Data.Reason + " " + e.Subject
	})
	paths.HandleFunc("/v1/traces", func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		var export collector.ExportTraceServiceRequest
		if err == nil {
			err = proto.Unmarshal(body, &export)
		}
		if err != nil {
			t.Errorf("an export of traces: %v", err)
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		for _, of := range export.ResourceSpans {
			for _, scope := range of.ScopeSpans {
				for _, span := range scope.Spans {
					l.spans <- span.Name
				}
			}
		}
	})
	l.Server = httptest.NewServer(paths)
	t.Cleanup(l.Close)
	return l
}

// TestToldOutside: the flags of the process lead notifications and traces of a
// release to who listens.
func TestToldOutside(t *testing.T) {
	s := openShop(t)
	const key = "whsec_MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIz"
	file := filepath.Join(t.TempDir(), "key")
	if err := os.WriteFile(file, []byte(key+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	l := listen(t, key)
	again := func(more ...string) {
		s.operator.controller.stop()
		s.operator.startController(t, more...)
		s.operator.controller.awaitReady(t)
	}
	again("--notify-url="+l.URL+"/events", "--notify-key-file="+file, "--notify-reasons=TrafficSwitched", "--traces-endpoint="+l.URL+"/v1/traces")
	t.Cleanup(func() { again() })
	rel := s.promote(t, "v1")
	s.awaitStable(t)
	want := s.namespace + "/" + shopName + " TrafficSwitched " + rel.Status.Active.Digest
	awaitHeard(t, "the notification "+want, l.reasons, want)
	s.operator.controller.stop() // what waits is sent
	awaitHeard(t, "the span of a switch", l.spans, "Switching")
	if n := len(l.reasons); n > 0 {
		t.Errorf("%d more were sent, such as %q", n, <-l.reasons)
	}
}

func awaitHeard(t *testing.T, what string, heard <-chan string, want string) {
	t.Helper()
	var others []string
	eventually(t, what, func() string {
		for {
			select {
			case h := <-heard:
				if h == want {
					return ""
				}
				others = append(others, h)
			default:
				return "only these were heard: " + fmt.Sprint(others)
			}
		}
	})
}

// Copyright The Countersign Authors.
// SPDX-License-Identifier: Apache-2.0

package load

import (
	"bytes"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// TestKeepsConnections: each connection has its share of the requests, and is
// left when the server says so.
func TestKeepsConnections(t *testing.T) {
	for name, c := range map[string]struct {
		closeEach int64
		opened    int
	}{
		"for good":                 {0, 4},
		"until the server says so": {5, 8},
	} {
		t.Run(name, func(t *testing.T) {
			var seen atomic.Int64
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				if n := seen.Add(1); c.closeEach > 0 && n%c.closeEach == 0 {
					w.Header().Set("Connection", "close")
				}
				fmt.Fprint(w, `{"version":"v1","pod":"p"}`)
			}))
			t.Cleanup(server.Close)
			var out bytes.Buffer
			trace := NewTrace(&out)
			s := run(t, Options{Target: target(t, server.URL), Rate: 500, Duration: time.Minute, Count: 20, Connections: 4, Trace: trace})
			if err := trace.Close(); err != nil {
				t.Fatal(err)
			}
			if s.Sent != 20 || s.OK != 20 || s.Opened < 4 || s.Opened > c.opened || c.closeEach > 0 && s.Opened == 4 {
				t.Errorf("summary is %s with %d connections, want %d", s, s.Opened, c.opened)
			}
			records, err := NewTraceReader(&out).Next()
			if err != nil || len(records) != 20 {
				t.Fatalf("the trace has %d lines, error %v", len(records), err)
			}
			first := 0
			for _, r := range records {
				if r.Status != 200 || r.Version != "v1" || r.Pod != "p" || r.Took <= 0 || time.Since(r.At) > time.Minute {
					t.Errorf("a line says %+v", r)
				}
				if r.Nth == 1 {
					first++
				}
			}
			if first != s.Opened {
				t.Errorf("%d lines are the first of a connection, want %d", first, s.Opened)
			}
		})
	}
}

// TestKeptRequestIsNotRepeated: what Go's own client would quietly send again is
// a failure here.
func TestKeptRequestIsNotRepeated(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { listener.Close() })
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			buffer := make([]byte, 4096)
			if _, err := conn.Read(buffer); err == nil {
				fmt.Fprint(conn, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}")
				_, _ = conn.Read(buffer) // the second request, which gets no answer
			}
			conn.Close()
		}
	}()
	s := run(t, Options{Target: target(t, "http://"+listener.Addr().String()), Rate: 100, Duration: time.Minute, Count: 4, Connections: 1})
	if s.OK != 2 || s.Failed != 2 || s.Causes["connection reset"] != 2 || s.Opened != 2 {
		t.Errorf("summary is %s with %d connections, want every other request to fail", s, s.Opened)
	}
}

func TestKeptConnectionRefused(t *testing.T) {
	server := httptest.NewServer(http.NotFoundHandler())
	at := target(t, server.URL)
	server.Close()
	s := run(t, Options{Target: at, Rate: 100, Duration: time.Minute, Count: 3, Connections: 2})
	if s.Failed != 3 || s.Causes["connection refused"] != 3 || s.Opened != 0 {
		t.Errorf("summary is %s", s)
	}
}

// TestTraceIsReadWhileItIsWritten: a line that is half there is left for later.
func TestTraceIsReadWhileItIsWritten(t *testing.T) {
	file := filepath.Join(t.TempDir(), "trace")
	w, err := os.Create(file)
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close()
	r, err := os.Open(file)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	reader := NewTraceReader(r)
	for i, step := range []struct {
		write string
		want  int
	}{
		{"", 0},
		{`{"at":"2026-01-01T00:00:00Z","took":1000000}` + "\n" + `{"at":"2026-01-01`, 1},
		{`T00:00:01Z","took":5,"cause":"timeout"}`, 0},
		{"\n", 1},
	} {
		if _, err := w.WriteString(step.write); err != nil {
			t.Fatal(err)
		}
		got, err := reader.Next()
		if err != nil || len(got) != step.want {
			t.Fatalf("step %d: %v, error %v; want %d lines", i, got, err, step.want)
		}
		if i == 1 && !got[0].Done().Equal(got[0].At.Add(time.Millisecond)) {
			t.Errorf("it was answered at %s", got[0].Done())
		}
	}
	if _, err := NewTraceReader(strings.NewReader("nonsense\n")).Next(); err == nil {
		t.Error("nonsense is let through")
	}
}

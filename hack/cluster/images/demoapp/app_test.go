// Copyright The Countersign Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
)

func TestHealth(t *testing.T) {
	now := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	a := newApp(settings{version: "v1", pod: "p", sickAfter: 20 * time.Second}, func() time.Time { return now })
	h := a.handler()
	for i, step := range []struct {
		after        time.Duration
		method, path string
		want         int
	}{
		{0, "GET", "/healthz", 200},
		{19 * time.Second, "GET", "/healthz", 200},
		{time.Second, "GET", "/healthz", 503}, // SICK_AFTER has passed
		{0, "GET", "/", 503},
		{0, "GET", "/readyz", 200}, // readiness is not health
		{0, "POST", "/well", 200},
		{time.Hour, "GET", "/healthz", 200},
		{0, "POST", "/sick?for=10s", 200},
		{9 * time.Second, "GET", "/healthz", 503},
		{time.Second, "GET", "/healthz", 200},
		{0, "POST", "/sick", 200},
		{time.Hour, "GET", "/healthz", 503},
		{0, "POST", "/sick?for=never", 400},
		{0, "GET", "/sick", 405},
		{0, "GET", "/other", 404},
		{0, "GET", "/slow?for=1ms", 503},
		{0, "POST", "/well", 200},
		{0, "GET", "/slow?for=1ms", 200},
		{0, "GET", "/slow?for=ever", 400},
		{0, "GET", "/slow?for=2m", 400},
	} {
		now = now.Add(step.after)
		w := httptest.NewRecorder()
		h.ServeHTTP(w, httptest.NewRequest(step.method, step.path, http.NoBody))
		if w.Code != step.want {
			t.Errorf("step %d: %s %s is %d, want %d", i, step.method, step.path, w.Code, step.want)
		}
	}
}

func TestTellsVersion(t *testing.T) {
	a := newApp(settings{version: "v7", pod: "shop-1"}, time.Now)
	w := httptest.NewRecorder()
	a.handler().ServeHTTP(w, httptest.NewRequest("GET", "/", http.NoBody))
	if got := strings.TrimSpace(w.Body.String()); got != `{"pod":"shop-1","version":"v7"}` {
		t.Errorf("answer is %s", got)
	}
}

func TestAsksToLeaveWhileDraining(t *testing.T) {
	a := newApp(settings{}, time.Now)
	server := httptest.NewServer(a.handler())
	t.Cleanup(server.Close)
	for _, draining := range []bool{false, true} {
		a.draining.Store(draining)
		response, err := server.Client().Get(server.URL)
		if err != nil {
			t.Fatal(err)
		}
		response.Body.Close()
		if response.Close != draining {
			t.Errorf("draining %t: asked to close %t", draining, response.Close)
		}
	}
}

func TestSettings(t *testing.T) {
	env := map[string]string{"VERSION": "v2", "SICK_AFTER": "20s", "DRAIN_SECONDS": "0.5"}
	s, err := fromEnvironment(func(k string) string { return env[k] })
	if err != nil {
		t.Fatal(err)
	}
	if s.version != "v2" || s.sickAfter != 20*time.Second || s.drain != 500*time.Millisecond || s.address != ":8080" {
		t.Errorf("settings are %+v", s)
	}
	for _, k := range []string{"START_DELAY", "SICK_AFTER", "DRAIN_SECONDS"} {
		if _, err := fromEnvironment(func(name string) string {
			if name == k {
				return "soon"
			}
			return ""
		}); err == nil || !strings.Contains(err.Error(), k) {
			t.Errorf("%s=soon: error is %v, want one that names it", k, err)
		}
	}
}

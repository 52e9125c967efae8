// Copyright The Countersign Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"encoding/json"
	"net/http"
	"sync"
	"sync/atomic"
	"time"
)

// maxSlow bounds how long a request can be made to take.
const maxSlow = time.Minute

// app is the server's state: from when until when it is sick.
type app struct {
	settings settings
	now      func() time.Time
	// draining: it was told to end.
	draining atomic.Bool

	mu    sync.Mutex
	from  time.Time // zero: not sick
	until time.Time // zero: without end
}

func newApp(s settings, now func() time.Time) *app {
	a := &app{settings: s, now: now}
	if s.sickAfter > 0 {
		a.from = now().Add(s.sickAfter)
	}
	return a
}

func (a *app) sick() bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	now := a.now()
	return !a.from.IsZero() && !now.Before(a.from) && (a.until.IsZero() || now.Before(a.until))
}

func (a *app) set(from, until time.Time) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.from, a.until = from, until
}

func (a *app) handler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /{$}", a.answer)
	mux.HandleFunc("GET /healthz", a.answer)
	mux.HandleFunc("GET /slow", a.answerSlowly)
	mux.HandleFunc("GET /readyz", func(w http.ResponseWriter, _ *http.Request) { a.write(w, http.StatusOK) })
	mux.HandleFunc("POST /sick", a.fallSick)
	mux.HandleFunc("POST /well", func(w http.ResponseWriter, _ *http.Request) {
		a.set(time.Time{}, time.Time{})
		a.write(w, http.StatusOK)
	})
	return mux
}

func (a *app) answer(w http.ResponseWriter, _ *http.Request) {
	if a.sick() {
		a.write(w, http.StatusServiceUnavailable)
		return
	}
	a.write(w, http.StatusOK)
}

func (a *app) answerSlowly(w http.ResponseWriter, r *http.Request) {
	span, err := time.ParseDuration(or(r.URL.Query().Get("for"), "2500ms"))
	if err != nil || span < 0 || span > maxSlow {
		http.Error(w, `"for" wants a time of at most 1m, such as 2500ms`, http.StatusBadRequest)
		return
	}
	if !wait(r.Context(), span) {
		return // nobody listens any more
	}
	a.answer(w, r)
}

func (a *app) fallSick(w http.ResponseWriter, r *http.Request) {
	var until time.Time
	if d := r.URL.Query().Get("for"); d != "" {
		span, err := time.ParseDuration(d)
		if err != nil || span <= 0 {
			http.Error(w, `"for" wants a time such as 30s`, http.StatusBadRequest)
			return
		}
		until = a.now().Add(span)
	}
	a.set(a.now(), until)
	a.write(w, http.StatusOK)
}

// write answers. While draining it also asks clients not to use the connection
// again: whoever keeps one open goes elsewhere before this server ends, and no
// request meets a connection that is just being closed.
func (a *app) write(w http.ResponseWriter, status int) {
	if a.draining.Load() {
		w.Header().Set("Connection", "close")
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(map[string]string{"version": a.settings.version, "pod": a.settings.pod})
}

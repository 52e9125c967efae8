// Copyright The Countersign Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"encoding/json"
	"net/http"
	"sync"
	"time"
)

// app is the server's state: from when until when it is sick.
type app struct {
	settings settings
	now      func() time.Time

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

func (a *app) write(w http.ResponseWriter, status int) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(map[string]string{"version": a.settings.version, "pod": a.settings.pod})
}

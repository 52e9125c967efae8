// Copyright The Countersign Authors.
// SPDX-License-Identifier: Apache-2.0

// Command demoapp is a small HTTP server to release: it tells its version, can
// be made sick, and drains before it ends.
//
//	GET  /            {"version": ..., "pod": ...}; 503 while sick
//	GET  /healthz     200, or 503 while sick
//	GET  /slow?for=2s the same as /, after that time (default 2.5 s)
//	GET  /readyz      200 until it is told to end, whatever its health
//	POST /sick?for=1m makes this pod sick, without "for" until POST /well
//	POST /well        makes it well
//
// As "demoapp ask /healthz" it asks every Pod that COUNTERSIGN_ADDRESSES names, as
// the Job of a check, and fails unless all answer with 200.
//
// Environment: VERSION, POD_NAME (or the host's name), ADDRESS (default :8080),
// START_DELAY, SICK_AFTER (time after the start at which it falls sick),
// DRAIN_SECONDS (how long it keeps serving after SIGTERM, asking clients not to
// use their connections again; default 3).
package main

import (
	"context"
	"errors"
	"fmt"
	"log"
	"net/http"
	"os"
	"os/signal"
	"strconv"
	"syscall"
	"time"
)

func main() {
	if len(os.Args) == 3 && os.Args[1] == "ask" {
		if err := ask(os.Args[2], os.Getenv); err != nil {
			lastWords(err)
			log.Fatal(err)
		}
		return
	}
	if err := run(); err != nil {
		log.Fatal(err)
	}
}

func run() error {
	settings, err := fromEnvironment(os.Getenv)
	if err != nil {
		return err
	}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, syscall.SIGINT)
	defer stop()
	if !wait(ctx, settings.startDelay) {
		return nil
	}
	app := newApp(settings, time.Now)
	server := &http.Server{Addr: settings.address, Handler: app.handler(), ReadHeaderTimeout: 10 * time.Second}
	failed := make(chan error, 1)
	go func() { failed <- server.ListenAndServe() }()
	log.Printf("version %s serves on %s", settings.version, settings.address)
	select {
	case err := <-failed:
		return err
	case <-ctx.Done():
	}
	app.draining.Store(true)
	return drain(server, settings.drain)
}

// drain goes on accepting while the endpoints of this pod are taken out of
// every node's tables: a Service still sends new connections here for a moment.
// Then it waits for the answers that are still due.
func drain(server *http.Server, d time.Duration) error {
	log.Printf("draining for %s", d)
	wait(context.Background(), d)
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	if err := server.Shutdown(ctx); err != nil && !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}

// wait tells whether the time passed without ctx being done.
func wait(ctx context.Context, d time.Duration) bool {
	select {
	case <-ctx.Done():
		return false
	case <-time.After(d):
		return true
	}
}

type settings struct {
	version, pod, address        string
	startDelay, sickAfter, drain time.Duration
}

func fromEnvironment(getenv func(string) string) (settings, error) {
	host, _ := os.Hostname() // only a name to show
	s := settings{
		version: or(getenv("VERSION"), "unknown"),
		pod:     or(getenv("POD_NAME"), host),
		address: or(getenv("ADDRESS"), ":8080"),
	}
	seconds, err := strconv.ParseFloat(or(getenv("DRAIN_SECONDS"), "3"), 64)
	if err != nil {
		return s, fmt.Errorf("DRAIN_SECONDS: %w", err)
	}
	s.drain = time.Duration(seconds * float64(time.Second))
	if s.startDelay, err = time.ParseDuration(or(getenv("START_DELAY"), "0s")); err != nil {
		return s, fmt.Errorf("START_DELAY: %w", err)
	}
	if s.sickAfter, err = time.ParseDuration(or(getenv("SICK_AFTER"), "0s")); err != nil {
		return s, fmt.Errorf("SICK_AFTER: %w", err)
	}
	return s, nil
}

func or(value, fallback string) string {
	if value == "" {
		return fallback
	}
	return value
}

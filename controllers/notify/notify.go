// Copyright The Countersign Authors.
// SPDX-License-Identifier: Apache-2.0

// Package notify sends what is told of Releases to an HTTP endpoint, as CloudEvents
// that are signed by Standard Webhooks. Whoever tells something never waits for it:
// it goes into a queue of bounded length and is sent beside the reconciler, again and
// again for a bounded time. What is not sent in the end is counted and logged; the
// events of the cluster have it.
package notify

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/cenkalti/backoff/v5"
	"github.com/countersign/countersign/api/v1alpha1"
	"github.com/countersign/countersign/controllers/rollout"
	"github.com/go-logr/logr"
)

const (
	// queueLimit is how many notifications wait at most.
	queueLimit = 1024
	// workers send at the same time, so that one that is tried again holds up no other.
	workers = 4
	// attemptLimit is how long the other end may take.
	attemptLimit = 10 * time.Second
)

// Options of a Sender.
type Options struct {
	// URL that notifications are posted to.
	URL string
	// KeyFile has the key that they are signed with, and the former one on a line of
	// its own while it is rotated. It is read anew each time.
	KeyFile string
	// CAFile has the authorities that the endpoint is trusted by. Empty means those
	// of the system.
	CAFile string
	// Reasons of the notices that are sent. Empty means all.
	Reasons []string
	// RetryFor is for how long a notification is tried.
	RetryFor time.Duration
	// Cluster is the id of the cluster.
	Cluster string
	Log     logr.Logger
	// Now is the clock.
	Now func() time.Time
}

// Sender sends notifications. It is a Runnable for the manager.
type Sender struct {
	options Options
	client  *http.Client
	queue   chan message
	// gone is set when the endpoint says that it wants no more.
	gone atomic.Bool
	// pause between attempts.
	pause func() backoff.BackOff
}

// message is a notification as it is sent.
type message struct {
	id   string
	body []byte
	// about are the values of the log of the Release and the event that it is about.
	about []any
	since time.Time
}

// New checks the options, and that there is a key.
func New(o Options) (*Sender, error) {
	u, err := url.Parse(o.URL)
	if err != nil || u.Host == "" || u.Scheme != "https" && u.Scheme != "http" {
		return nil, errors.New("--notify-url is no URL such as https://hooks.example.com/countersign")
	}
	if _, err := readKeys(o.KeyFile); err != nil {
		return nil, fmt.Errorf("--notify-key-file: %w", err)
	}
	for _, reason := range o.Reasons {
		if _, known := rollout.Explain(reason); !known {
			return nil, fmt.Errorf("--notify-reasons: there is no event %q; docs/events.md lists them", reason)
		}
	}
	transport := &http.Transport{
		Proxy: http.ProxyFromEnvironment, MaxIdleConnsPerHost: workers, IdleConnTimeout: time.Minute,
		TLSClientConfig: &tls.Config{MinVersion: tls.VersionTLS12},
	}
	if o.CAFile != "" {
		pem, err := os.ReadFile(o.CAFile)
		if err != nil {
			return nil, fmt.Errorf("--notify-ca-file: %w", err)
		}
		transport.TLSClientConfig.RootCAs = x509.NewCertPool()
		if !transport.TLSClientConfig.RootCAs.AppendCertsFromPEM(pem) {
			return nil, fmt.Errorf("--notify-ca-file: %s has no certificate in PEM", o.CAFile)
		}
	}
	return &Sender{
		options: o, queue: make(chan message, queueLimit),
		pause: func() backoff.BackOff { return backoff.NewExponentialBackOff() },
		client: &http.Client{
			Transport: transport, Timeout: attemptLimit,
			// What is signed for one endpoint is not handed to another.
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		},
	}, nil
}

// Notify puts a notification into the queue. It never waits.
func (s *Sender) Notify(rel *v1alpha1.Release, n rollout.Notice) {
	if len(s.options.Reasons) > 0 && !slices.Contains(s.options.Reasons, n.Reason) {
		return
	}
	m, err := s.compose(rel, n)
	if err != nil {
		s.drop(m, dropRefused, err)
		return
	}
	if s.gone.Load() {
		s.drop(m, dropGone, errGone)
		return
	}
	s.put(m)
}

func (s *Sender) put(m message) {
	select {
	case s.queue <- m:
		waiting.Set(float64(len(s.queue)))
	default:
		s.drop(m, dropFull, fmt.Errorf("%d wait already", queueLimit))
	}
}

// NeedLeaderElection is true: only the leader tells anything.
func (s *Sender) NeedLeaderElection() bool { return true }

// Start sends until ctx is done.
func (s *Sender) Start(ctx context.Context) error {
	var sending sync.WaitGroup
	for range workers {
		sending.Go(func() {
			for {
				select {
				case <-ctx.Done():
					return
				case m := <-s.queue:
					waiting.Set(float64(len(s.queue)))
					s.deliver(ctx, m)
				}
			}
		})
	}
	sending.Wait()
	return nil
}

// Close tries what is left once more, until ctx ends.
func (s *Sender) Close(ctx context.Context) error {
	left := 0
	for {
		select {
		case m := <-s.queue:
			if err := s.attempt(ctx, m); err != nil {
				s.drop(m, dropStopped, err)
				left++
				continue
			}
			sent.Inc()
		default:
			waiting.Set(0)
			if left > 0 {
				return fmt.Errorf("%d notifications were not sent any more", left)
			}
			return nil
		}
	}
}

// deliver tries a notification until it is taken, refused for good, or too late. One
// that ctx has interrupted waits for Close.
func (s *Sender) deliver(ctx context.Context, m message) {
	if s.gone.Load() {
		s.drop(m, dropGone, errGone)
		return
	}
	_, err := backoff.Retry(ctx, func() (struct{}, error) { return struct{}{}, s.attempt(ctx, m) },
		backoff.WithBackOff(s.pause()),
		// The time that it has waited counts: one that is too late is tried once.
		backoff.WithMaxElapsedTime(max(s.options.RetryFor-s.options.Now().Sub(m.since), time.Nanosecond)),
		backoff.WithNotify(func(err error, _ time.Duration) {
			s.options.Log.V(1).WithValues(m.about...).Info("A notification is tried again", "id", m.id, "why", err.Error())
		}))
	var no refusal
	switch {
	case err == nil:
		sent.Inc()
	case ctx.Err() != nil:
		s.put(m)
	case errors.Is(err, errGone):
		s.gone.Store(true)
		s.drop(m, dropGone, err)
	case errors.As(err, &no):
		s.drop(m, dropRefused, err)
	default:
		s.drop(m, dropExpired, err)
	}
}

func (s *Sender) drop(m message, why string, err error) {
	dropped.WithLabelValues(why).Inc()
	s.options.Log.WithValues(m.about...).Info("A notification was dropped", "id", m.id, "dropped", why, "why", err.Error())
}

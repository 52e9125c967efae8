// Copyright The Countersign Authors.
// SPDX-License-Identifier: Apache-2.0

// Package load sends requests at a constant rate, whether or not earlier ones
// were answered, and counts what came of them.
package load

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"sync"
	"time"
)

const (
	// MaxRate and MaxDuration bound every run.
	MaxRate     = 5000
	MaxDuration = time.Hour

	// maxOpen bounds how many requests wait for an answer: a target that never
	// answers must not fill the memory.
	maxOpen   = 10000
	lateAfter = 100 * time.Millisecond
)

var (
	errOverload = errors.New("too many requests are still unanswered")
	errClosed   = errors.New("closed without an answer")
)

// Options say what to send.
type Options struct {
	Target      Target
	Rate        int // requests a second
	Duration    time.Duration
	Count       int           // stop after so many; 0: the duration alone decides
	Timeout     time.Duration // for each request; 0: 5 s
	Connections int           // keep so many open and share the rate among them; 0: each request opens its own
	Trace       *Trace        // gets a line for each request; nil: none
}

func (o *Options) check() error {
	if o.Rate < 1 || o.Rate > MaxRate {
		return fmt.Errorf("rate is %d, want 1 to %d", o.Rate, MaxRate)
	}
	if o.Duration <= 0 || o.Duration > MaxDuration {
		return fmt.Errorf("duration is %s, want more than 0 and at most %s", o.Duration, MaxDuration)
	}
	if o.Count < 0 || o.Timeout < 0 {
		return errors.New("count and timeout cannot be negative")
	}
	if o.Connections < 0 || o.Connections > maxOpen {
		return fmt.Errorf("connections are %d, want 0 to %d", o.Connections, maxOpen)
	}
	if o.Connections > 0 && o.Target.URL.Scheme != "http" {
		return errors.New("connections are only kept to http URLs")
	}
	if o.Timeout == 0 {
		o.Timeout = 5 * time.Second
	}
	return nil
}

// Run sends until the duration, the count or ctx is over, waits for the last
// answers and sums up.
func Run(ctx context.Context, o Options) (Summary, error) {
	if err := o.check(); err != nil {
		return Summary{}, err
	}
	r := &runner{opts: o, client: newClient(o), tally: newTally(), open: make(chan struct{}, maxOpen), start: time.Now()}
	if o.Connections > 0 {
		r.keep(ctx)
	} else {
		r.pace(ctx, 0, 1, r.launch)
	}
	sent := time.Since(r.start)
	r.wait.Wait()
	s := r.tally.summary()
	s.URL, s.Rate, s.Seconds = o.Target.URL.String(), o.Rate, sent.Seconds()
	return s, nil
}

type runner struct {
	opts   Options
	client *http.Client
	tally  *tally
	open   chan struct{}
	start  time.Time
	wait   sync.WaitGroup
}

// pace does something for every step-th request from the first one on, each at
// its own time, counted from the start, so that a slow moment is caught up with
// and never lowers the rate.
func (r *runner) pace(ctx context.Context, first, step int, do func(due time.Duration)) {
	timer := time.NewTimer(0)
	defer timer.Stop()
	for i := first; r.opts.Count == 0 || i < r.opts.Count; i += step {
		due := time.Duration(i) * time.Second / time.Duration(r.opts.Rate)
		if due >= r.opts.Duration {
			return
		}
		timer.Reset(due - time.Since(r.start))
		select {
		case <-ctx.Done():
			return
		case <-timer.C:
		}
		do(due)
	}
}

func (r *runner) launch(due time.Duration) {
	select {
	case r.open <- struct{}{}:
	default:
		r.add(result{sent: due, err: errOverload})
		return
	}
	r.wait.Go(func() {
		defer func() { <-r.open }()
		r.add(r.request(due))
	})
}

func (r *runner) add(out result) {
	r.tally.add(out)
	if r.opts.Trace != nil {
		r.opts.Trace.add(out.record(r.start))
	}
}

// request is not bound to the run's context: what was sent is counted to its end.
func (r *runner) request(due time.Duration) result {
	out := r.sending(due)
	ctx, cancel := context.WithTimeout(context.Background(), r.opts.Timeout)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, r.opts.Target.URL.String(), http.NoBody)
	if err != nil {
		return r.ended(out, err)
	}
	response, err := r.client.Do(request)
	if err != nil {
		return r.ended(out, err)
	}
	return r.read(out, response)
}

func (r *runner) sending(due time.Duration) result {
	sent := time.Since(r.start)
	return result{sent: sent, late: sent-due > lateAfter, nth: 1}
}

// ended is a request that is over, with an error or without.
func (r *runner) ended(out result, err error) result {
	out.took, out.err = time.Since(r.start)-out.sent, err
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		out.err = errClosed
	}
	return out
}

func (r *runner) read(out result, response *http.Response) result {
	defer response.Body.Close()
	body, err := io.ReadAll(io.LimitReader(response.Body, 1<<20))
	out = r.ended(out, err)
	out.status = response.StatusCode
	var answer struct {
		Version string `json:"version"`
		Pod     string `json:"pod"`
	}
	if json.Unmarshal(body, &answer) == nil { // other servers answer otherwise
		out.version, out.pod = answer.Version, answer.Pod
	}
	return out
}

// newClient connects to the checked address alone: no proxy, no DNS, and no
// redirect to elsewhere.
func newClient(o Options) *http.Client {
	return &http.Client{
		Transport: &http.Transport{
			DisableKeepAlives: true,
			DialContext: func(ctx context.Context, network, _ string) (net.Conn, error) {
				var d net.Dialer
				return d.DialContext(ctx, network, o.Target.Address.String())
			},
		},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

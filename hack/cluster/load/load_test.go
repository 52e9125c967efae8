// Copyright The Countersign Authors.
// SPDX-License-Identifier: Apache-2.0

package load

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

func TestTarget(t *testing.T) {
	ranges := []netip.Prefix{netip.MustParsePrefix("10.96.0.0/16")}
	resolve := func(_ context.Context, host string) (netip.Addr, error) {
		if host == "shop" {
			return netip.MustParseAddr("10.96.3.4"), nil
		}
		return netip.Addr{}, fmt.Errorf("no Service %s", host)
	}
	for url, want := range map[string]string{
		"http://127.0.0.1:8080/":        "127.0.0.1:8080",
		"http://127.9.9.9/":             "127.9.9.9:80",
		"http://localhost:81/x":         "127.0.0.1:81",
		"https://[::1]/":                "[::1]:443",
		"http://10.96.1.2:80/":          "10.96.1.2:80",
		"http://[::ffff:10.96.1.2]:80/": "10.96.1.2:80",
		"http://shop/":                  "10.96.3.4:80",
		// refused
		"http://10.97.0.1/":            "",
		"http://192.168.1.1/":          "",
		"http://192.0.2.1/":            "",
		"http://[2001:db8::1]/":        "",
		"http://[::ffff:192.0.2.1]/":   "",
		"http://0.0.0.0/":              "",
		"http://other/":                "",
		"http://example.com/":          "",
		"http://shop@192.0.2.1/":       "",
		"http://user:pw@127.0.0.1/":    "",
		"ftp://127.0.0.1/":             "",
		"127.0.0.1:8080":               "",
		"http:///":                     "",
		"http://127.0.0.1:0/":          "",
		"http://127.0.0.1:70000/":      "",
		"http://10.96.1.2.example.com": "",
	} {
		got, err := NewTarget(t.Context(), url, ranges, resolve)
		if want == "" {
			if err == nil {
				t.Errorf("%s is let through to %s", url, got.Address)
			}
			continue
		}
		if err != nil || got.Address.String() != want {
			t.Errorf("%s leads to %s, error %v; want %s", url, got.Address, err, want)
		}
	}
}

func TestTally(t *testing.T) {
	all := newTally()
	ms := time.Millisecond
	for _, r := range []result{
		{sent: 0, status: 200, version: "v1", took: 1 * ms},
		{sent: 500 * ms, status: 200, version: "v1", took: 2 * ms},
		{sent: 900 * ms, status: 503, version: "v2", took: 3 * ms},
		{sent: 1100 * ms, status: 200, version: "v2", took: 4 * ms, late: true},
		{sent: 1200 * ms, status: 404},
		{sent: 1300 * ms, err: fmt.Errorf("dial: %w", syscall.ECONNREFUSED)},
		{sent: 1400 * ms, err: syscall.ECONNRESET},
		{sent: 1500 * ms, err: errClosed},
		{sent: 1600 * ms, err: context.DeadlineExceeded},
		{sent: 1700 * ms, err: errors.New("something else")},
	} {
		all.add(r)
	}
	s := all.summary()
	if s.Sent != 10 || s.OK != 3 || s.Sick != 1 || s.Unexpected != 1 || s.Failed != 5 || s.Late != 1 {
		t.Errorf("counts are %+v", s)
	}
	if s.Sent != s.OK+s.Sick+s.Unexpected+s.Failed {
		t.Error("the counts do not add up")
	}
	want := "map[connection refused:1 connection reset:2 other:1 timeout:1]"
	if got := fmt.Sprint(s.Causes); got != want {
		t.Errorf("causes are %s, want %s", got, want)
	}
	if got, want := fmt.Sprint(s.Versions), "[{v1 2 0 0.5} {v2 2 0.9 1.1}]"; got != want {
		t.Errorf("versions are %s, want %s", got, want)
	}
	if got, want := fmt.Sprint(s.Timeline), "[{0 map[v1:2 v2:1] 1 0} {1 map[v2:1] 0 5}]"; got != want {
		t.Errorf("timeline is %s, want %s", got, want)
	}
	if s.Latency.Max != 4 {
		t.Errorf("latency is %+v", s.Latency)
	}
}

func TestRun(t *testing.T) {
	var mu sync.Mutex
	connections := map[string]bool{}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		connections[r.RemoteAddr] = true
		mu.Unlock()
		fmt.Fprint(w, `{"version":"v1"}`)
	}))
	t.Cleanup(server.Close)
	s := run(t, Options{Target: target(t, server.URL), Rate: 500, Duration: time.Minute, Count: 50})
	if s.Sent != 50 || s.OK != 50 || len(s.Versions) != 1 || s.Versions[0].Answers != 50 {
		t.Errorf("summary is %s", s)
	}
	if len(connections) != 50 {
		t.Errorf("%d connections for 50 requests, want one each", len(connections))
	}
	if !strings.HasPrefix(s.String(), "50 sent in ") {
		t.Errorf("line is %q", s)
	}
}

func TestRunCountsRefusals(t *testing.T) {
	server := httptest.NewServer(http.NotFoundHandler())
	at := target(t, server.URL)
	server.Close()
	s := run(t, Options{Target: at, Rate: 100, Duration: time.Minute, Count: 5})
	if s.Failed != 5 || s.Causes["connection refused"] != 5 {
		t.Errorf("summary is %s", s)
	}
}

func TestRunStops(t *testing.T) {
	server := httptest.NewServer(http.NotFoundHandler())
	t.Cleanup(server.Close)
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	s, err := Run(ctx, Options{Target: target(t, server.URL), Rate: 50, Duration: time.Hour})
	if err != nil || s.Sent == 0 || s.Sent > 50 || s.Unexpected != s.Sent {
		t.Errorf("summary is %s, error %v", s, err)
	}
}

func TestOptions(t *testing.T) {
	for name, o := range map[string]Options{
		"no rate":                   {Duration: time.Second},
		"too fast":                  {Rate: MaxRate + 1, Duration: time.Second},
		"no end":                    {Rate: 1},
		"too long":                  {Rate: 1, Duration: MaxDuration + 1},
		"negative":                  {Rate: 1, Duration: time.Second, Count: -1},
		"negative time":             {Rate: 1, Duration: time.Second, Timeout: -1},
		"fewer than no connections": {Rate: 1, Duration: time.Second, Connections: -1},
		"kept over TLS":             {Rate: 1, Duration: time.Second, Connections: 1, Target: Target{URL: &url.URL{Scheme: "https"}}},
	} {
		if err := o.check(); err == nil {
			t.Errorf("%s: is let through", name)
		}
	}
}

func target(t *testing.T, url string) Target {
	t.Helper()
	to, err := NewTarget(t.Context(), url, nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	return to
}

func run(t *testing.T, o Options) Summary {
	t.Helper()
	s, err := Run(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

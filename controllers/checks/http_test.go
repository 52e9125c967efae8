// Copyright The Countersign Authors.
// SPDX-License-Identifier: Apache-2.0

package checks

import (
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/countersign/countersign/api/v1alpha1"
	"k8s.io/apimachinery/pkg/util/intstr"
)

func target(t *testing.T, handler http.HandlerFunc) Target {
	t.Helper()
	server := httptest.NewServer(handler)
	t.Cleanup(server.Close)
	at, err := netip.ParseAddrPort(strings.TrimPrefix(server.URL, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	return Target{Pod: "shop-0", IP: at.Addr().String(), Port: int32(at.Port())}
}

func status(code int) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(code) }
}

func TestAskHTTP(t *testing.T) {
	hang := make(chan struct{})
	t.Cleanup(func() { close(hang) })
	for name, tc := range map[string]struct {
		handler http.HandlerFunc
		want    string // a part of the error; empty if it succeeds
	}{
		"200": {handler: status(200)},
		"204": {handler: status(204)},
		"399": {handler: status(399)},
		"400": {handler: status(400), want: "Pod shop-0 answered 400 Bad Request to /healthz?deep=1"},
		"500": {handler: status(500), want: "500"},
		"the path it asks": {handler: func(w http.ResponseWriter, r *http.Request) {
			if r.Method != http.MethodGet || r.URL.String() != "/healthz?deep=1" || r.Header.Get("User-Agent") != "countersign-check" {
				w.WriteHeader(500)
			}
		}},
		"a redirect is an answer and is not followed": {handler: func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path != "/healthz" {
				t.Errorf("it asked for %s", r.URL)
			}
			http.Redirect(w, r, "/elsewhere", http.StatusFound)
		}},
		"one that hangs": {handler: func(_ http.ResponseWriter, r *http.Request) {
			select {
			case <-hang:
			case <-r.Context().Done():
			}
		}, want: "did not answer"},
		"an answer that breaks off": {handler: func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", "100")
			_, _ = w.Write([]byte("x"))
		}, want: "broke off"},
		"a long answer": {handler: func(w http.ResponseWriter, _ *http.Request) {
			_, _ = w.Write(make([]byte, 4*bodyLimit))
		}},
	} {
		t.Run(name, func(t *testing.T) {
			begun := time.Now()
			err := askHTTP(t.Context(), target(t, tc.handler), v1alpha1.HTTPCheck{Path: "/healthz?deep=1"}, 200*time.Millisecond)
			if tc.want == "" && err != nil || tc.want != "" && (err == nil || !strings.Contains(err.Error(), tc.want)) {
				t.Errorf("got %v, want %q", err, tc.want)
			}
			if took := time.Since(begun); took > 10*time.Second {
				t.Errorf("it took %s", took)
			}
		})
	}
}

func TestAskHTTPWithoutAnyone(t *testing.T) {
	to := target(t, status(200))
	to.Port = 0
	err := askHTTP(t.Context(), to, v1alpha1.HTTPCheck{Path: "/", Port: intstr.FromString("web")}, time.Second)
	if err == nil || !strings.Contains(err.Error(), "no container port named web") {
		t.Errorf("got %v", err)
	}
	server := httptest.NewServer(status(200))
	at := netip.MustParseAddrPort(strings.TrimPrefix(server.URL, "http://"))
	server.Close()
	err = askHTTP(t.Context(), Target{Pod: "shop-0", IP: at.Addr().String(), Port: int32(at.Port())}, v1alpha1.HTTPCheck{Path: "/"}, time.Second)
	if err == nil || !strings.Contains(err.Error(), "Pod shop-0 did not answer") {
		t.Errorf("got %v", err)
	}
}

// An old connection may lead to what is gone: each question opens its own.
func TestConnectionsAreNotKept(t *testing.T) {
	var opened atomic.Int32
	server := httptest.NewUnstartedServer(status(200))
	server.Config.ConnState = func(_ net.Conn, s http.ConnState) {
		if s == http.StateNew {
			opened.Add(1)
		}
	}
	server.Start()
	defer server.Close()
	at := netip.MustParseAddrPort(strings.TrimPrefix(server.URL, "http://"))
	for range 3 {
		if err := askHTTP(t.Context(), Target{Pod: "p", IP: at.Addr().String(), Port: int32(at.Port())}, v1alpha1.HTTPCheck{Path: "/"}, time.Second); err != nil {
			t.Fatal(err)
		}
	}
	if n := opened.Load(); n != 3 {
		t.Errorf("%d connections for three questions", n)
	}
}

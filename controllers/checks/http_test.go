// Copyright The Countersign Authors.
// SPDX-License-Identifier: Apache-2.0

package checks

import (
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/countersign/countersign/api/v1alpha1"
	"k8s.io/apimachinery/pkg/util/intstr"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"
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

func replies(code int) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(code) }
}

// patience is how long a test waits for an answer that comes, in seconds: long
// enough for a machine that has much else to do.
const patience = 30

// put asks one Pod, as the Prober does.
func put(t *testing.T, c v1alpha1.Check, to Target, objects ...client.Object) error {
	t.Helper()
	if c.TimeoutSeconds == 0 {
		c.TimeoutSeconds = patience
	}
	return putRun(t, Run{Check: c, Targets: []Target{to}}, to, objects...)
}

func putRun(t *testing.T, run Run, to Target, objects ...client.Object) error {
	t.Helper()
	ask, err := newAsker(fake.NewClientBuilder().WithObjects(objects...).Build()).question(t.Context(), shop, run)
	if err != nil {
		return err
	}
	return limited(ask, run)(t.Context(), to)
}

// answers compares an error with a part of its text; empty if there is none.
func answers(t *testing.T, err error, want string) {
	t.Helper()
	if want == "" && err != nil || want != "" && (err == nil || !strings.Contains(err.Error(), want)) {
		t.Errorf("got %v, want %q", err, want)
	}
	if err != nil && strings.Contains(err.Error(), "hidden") {
		t.Errorf("it tells what the other end sent: %v", err)
	}
}

func says(body string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte(body)) }
}

// demands answers 500 unless the request is as it should be.
func demands(right func(*http.Request) bool) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if !right(r) {
			w.WriteHeader(http.StatusInternalServerError)
		}
	}
}

func hangs(_ http.ResponseWriter, r *http.Request) {
	select {
	case <-r.Context().Done():
	case <-time.After(10 * time.Second):
	}
}

// raw answers with bytes of its own.
func raw(answer string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		conn, _, err := w.(http.Hijacker).Hijack()
		if err == nil {
			_, _ = conn.Write([]byte(answer))
			_ = conn.Close()
		}
	}
}

func TestHTTP(t *testing.T) {
	path := v1alpha1.HTTPCheck{Path: "/healthz?deep=1"}
	for name, tc := range map[string]struct {
		check   v1alpha1.HTTPCheck
		handler http.HandlerFunc
		timeout int32
		want    string // a part of the error; empty if it succeeds
	}{
		"200":                 {handler: replies(200)},
		"204":                 {handler: replies(204)},
		"399":                 {handler: replies(399)},
		"400":                 {check: path, handler: replies(400), want: "Pod shop-0 answered 400 Bad Request to /healthz?deep=1"},
		"500":                 {handler: replies(500), want: "500"},
		"a status of its own": {handler: replies(599), want: "Pod shop-0 answered 599 to /"},
		"what it asks": {check: path, handler: demands(func(r *http.Request) bool {
			return r.Method == http.MethodGet && r.URL.String() == "/healthz?deep=1" && r.Header.Get("User-Agent") == "countersign-check"
		})},
		"method and body": {check: v1alpha1.HTTPCheck{Method: "POST", Body: "ping"}, handler: demands(func(r *http.Request) bool {
			body, _ := io.ReadAll(r.Body)
			return r.Method == "POST" && string(body) == "ping"
		})},
		"headers": {check: v1alpha1.HTTPCheck{Headers: []v1alpha1.HTTPHeader{
			{Name: "host", Value: "shop.example"}, {Name: "x-a", Value: "1"}, {Name: "X-A", Value: "2"}, {Name: "user-agent", Value: "me"},
		}}, handler: demands(func(r *http.Request) bool {
			return r.Host == "shop.example" && slices.Equal(r.Header["X-A"], []string{"1", "2"}) && slices.Equal(r.Header["User-Agent"], []string{"me"})
		})},
		"a status that is listed":           {check: v1alpha1.HTTPCheck{Statuses: []v1alpha1.StatusRange{"200", "404"}}, handler: replies(404)},
		"in a range, first":                 {check: v1alpha1.HTTPCheck{Statuses: []v1alpha1.StatusRange{"418-420"}}, handler: replies(418)},
		"in a range, last":                  {check: v1alpha1.HTTPCheck{Statuses: []v1alpha1.StatusRange{"418-420"}}, handler: replies(420)},
		"below a range":                     {check: v1alpha1.HTTPCheck{Statuses: []v1alpha1.StatusRange{"418-420"}}, handler: replies(417), want: "417"},
		"above a range":                     {check: v1alpha1.HTTPCheck{Statuses: []v1alpha1.StatusRange{"418-420"}}, handler: replies(421), want: "421"},
		"one that is not listed":            {check: v1alpha1.HTTPCheck{Statuses: []v1alpha1.StatusRange{"204"}}, handler: replies(200), want: "answered 200 OK"},
		"the text":                          {check: v1alpha1.HTTPCheck{BodyContains: "UP"}, handler: says(`{"status":"UP"}`)},
		"another text":                      {check: v1alpha1.HTTPCheck{BodyContains: "UP"}, handler: says("hidden"), want: "answered 200 OK to / without the text of bodyContains"},
		"a match":                           {check: v1alpha1.HTTPCheck{BodyMatches: `^version: \d+$`}, handler: says("version: 12")},
		"no match":                          {check: v1alpha1.HTTPCheck{BodyMatches: `^version: \d+$`}, handler: says("hidden: 12"), want: "without a match of bodyMatches"},
		"no expression":                     {check: v1alpha1.HTTPCheck{BodyMatches: `(`}, handler: says("("), want: "bodyMatches is no regular expression"},
		"a text beyond what is read":        {check: v1alpha1.HTTPCheck{BodyContains: "UP"}, handler: says(strings.Repeat(" ", bodyLimit) + "UP"), want: "in its first 64 KiB"},
		"a text at the end of it":           {check: v1alpha1.HTTPCheck{BodyContains: "UP"}, handler: says(strings.Repeat(" ", bodyLimit-2) + "UP and more")},
		"the body of a failure is not told": {handler: func(w http.ResponseWriter, _ *http.Request) { http.Error(w, "hidden", 503) }, want: "503 Service Unavailable"},
		"a redirect is an answer and is not followed": {handler: func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path != "/" {
				t.Errorf("it asked for %s", r.URL)
			}
			http.Redirect(w, r, "/elsewhere", http.StatusFound)
		}},
		"one that hangs": {handler: hangs, timeout: 1, want: "Pod shop-0 did not answer within 1 s"},
		"an answer that breaks off": {handler: func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", "100")
			_, _ = w.Write([]byte("x"))
		}, want: "broke off"},
		"a long answer":               {handler: says(strings.Repeat("x", 4*bodyLimit))},
		"a head without an end":       {handler: func(w http.ResponseWriter, _ *http.Request) { w.Header().Set("X-A", strings.Repeat("x", 2*headLimit)) }, want: "gave no answer of this protocol"},
		"what is not HTTP":            {handler: raw("SSH-2.0-hidden\r\n"), want: "gave no answer of this protocol"},
		"a reason of its own":         {handler: raw("HTTP/1.1 503 hidden\r\n\r\n"), want: "503 Service Unavailable"},
		"nothing at all":              {handler: raw(""), want: "broke off the connection"},
		"a path that is no path":      {check: v1alpha1.HTTPCheck{Path: "/%zz"}, handler: replies(200), want: "the request cannot be made"},
		"one that does not speak TLS": {check: v1alpha1.HTTPCheck{TLS: &v1alpha1.CheckTLS{InsecureSkipVerify: true}}, handler: replies(200), want: "does not speak TLS"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if tc.check.Path == "" {
				tc.check.Path = "/"
			}
			answers(t, put(t, v1alpha1.Check{HTTP: &tc.check, TimeoutSeconds: tc.timeout}, target(t, tc.handler)), tc.want)
		})
	}
}

func TestWithoutAnyone(t *testing.T) {
	to := target(t, replies(200))
	to.Port = 0
	http, tcp := v1alpha1.HTTPCheck{Path: "/", Port: intstr.FromString("web")}, v1alpha1.TCPCheck{Port: intstr.FromString("web")}
	answers(t, put(t, v1alpha1.Check{HTTP: &http}, to), "no container port named web, which http.port says")
	answers(t, put(t, v1alpha1.Check{TCP: &tcp}, to), "no container port named web, which tcp.port says")
	to.Port = 1 // the system gives it to nobody
	answers(t, put(t, v1alpha1.Check{HTTP: &http}, to), "Pod shop-0 refused the connection")
	answers(t, put(t, v1alpha1.Check{TCP: &tcp}, to), "Pod shop-0 refused the connection")
	err := put(t, v1alpha1.Check{}, to)
	if !isUnclear(err) {
		t.Errorf("a check that asks nothing: %v", err)
	}
}

func TestTCP(t *testing.T) {
	answers(t, put(t, v1alpha1.Check{TCP: &v1alpha1.TCPCheck{}}, target(t, hangs)), "")
}

// An old connection may lead to what is gone: each question opens its own.
func TestConnectionsAreNotKept(t *testing.T) {
	var opened atomic.Int32
	server := httptest.NewUnstartedServer(replies(200))
	server.Config.ConnState = func(_ net.Conn, s http.ConnState) {
		if s == http.StateNew {
			opened.Add(1)
		}
	}
	server.Start()
	defer server.Close()
	at := netip.MustParseAddrPort(strings.TrimPrefix(server.URL, "http://"))
	ask, err := httpQuestion(v1alpha1.HTTPCheck{Path: "/"}, nil)
	if err != nil {
		t.Fatal(err)
	}
	for range 3 {
		if err := ask(t.Context(), Target{Pod: "p", IP: at.Addr().String(), Port: int32(at.Port())}); err != nil {
			t.Fatal(err)
		}
	}
	if n := opened.Load(); n != 3 {
		t.Errorf("%d connections for three questions", n)
	}
}

// Copyright The Countersign Authors.
// SPDX-License-Identifier: Apache-2.0

package notify

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/cenkalti/backoff/v5"
	cloudevents "github.com/cloudevents/sdk-go/v2/event"
	"github.com/countersign/countersign/api/v1alpha1"
	"github.com/countersign/countersign/controllers/rollout"
	"github.com/go-logr/logr"
	"github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"
	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

const limit = 20 * time.Second

func key(c string) string {
	return keyPrefix + base64.StdEncoding.EncodeToString([]byte(strings.Repeat(c, 32)))
}

// got is a request as the endpoint has it.
type got struct {
	at     time.Time
	header http.Header
	body   []byte
}

// endpoint answers each request by the next of its answers, and with 204 after them.
type endpoint struct {
	*httptest.Server
	requests chan got
	mu       sync.Mutex
	answers  []http.HandlerFunc
}

func status(code int, headers ...string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		for i := 0; i < len(headers); i += 2 {
			w.Header().Set(headers[i], headers[i+1])
		}
		w.WriteHeader(code)
	}
}

func (e *endpoint) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	answer := status(http.StatusNoContent)
	e.mu.Lock()
	if len(e.answers) > 0 {
		answer, e.answers = e.answers[0], e.answers[1:]
	}
	e.mu.Unlock()
	e.requests <- got{time.Now(), r.Header, body}
	answer(w, r)
}

func newEndpoint(t *testing.T, answers ...http.HandlerFunc) *endpoint {
	t.Helper()
	e := &endpoint{requests: make(chan got, 10*queueLimit), answers: answers}
	e.Server = httptest.NewServer(e)
	t.Cleanup(e.Close)
	return e
}

func (e *endpoint) next(t *testing.T) got {
	t.Helper()
	select {
	case r := <-e.requests:
		return r
	case <-time.After(limit):
		t.Fatal("nothing is sent")
	}
	return got{}
}

// sender with a key in a file, which tries quickly. It is not started.
func sender(t *testing.T, url string, change ...func(*Options)) *Sender {
	t.Helper()
	file := filepath.Join(t.TempDir(), "key")
	write(t, file, key("a"))
	o := Options{URL: url, KeyFile: file, RetryFor: time.Minute, Cluster: "c1", Log: logr.Discard(), Now: time.Now}
	for _, c := range change {
		c(&o)
	}
	s, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	s.pause = func() backoff.BackOff { return backoff.NewConstantBackOff(time.Millisecond) }
	return s
}

func write(t *testing.T, file, text string) {
	t.Helper()
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

func start(t *testing.T, s *Sender) (stop func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- s.Start(ctx) }()
	stop = sync.OnceFunc(func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	t.Cleanup(stop)
	return stop
}

func shop(version string) *v1alpha1.Release {
	return &v1alpha1.Release{
		ObjectMeta: metav1.ObjectMeta{Namespace: "prod", Name: "shop", UID: "u1", ResourceVersion: version},
		Status:     v1alpha1.ReleaseStatus{Phase: v1alpha1.PhaseHalted, Candidate: &v1alpha1.CandidateStatus{Digest: "sha256:c"}},
	}
}

var rolledBack = rollout.Notice{Warning: true, Reason: rollout.NoticeRolledBack, Message: "blue serves again"}

func value(t *testing.T, m prometheus.Metric) float64 {
	t.Helper()
	var d dto.Metric
	if err := m.Write(&d); err != nil {
		t.Fatal(err)
	}
	return d.GetCounter().GetValue()
}

// counts polls until a counter has grown by so much.
func counts(t *testing.T, m prometheus.Metric, from, by float64) {
	t.Helper()
	deadline := time.After(limit)
	for tick := time.NewTicker(time.Millisecond); ; {
		if got := value(t, m) - from; got == by {
			return
		}
		select {
		case <-tick.C:
		case <-deadline:
			t.Fatalf("it is counted %v times, want %v", value(t, m)-from, by)
		}
	}
}

func verifies(t *testing.T, secret string, r got) error {
	t.Helper()
	webhook, err := standardwebhooks.NewWebhook(secret)
	if err != nil {
		t.Fatal(err)
	}
	return webhook.Verify(r.body, r.header)
}

// A notification is a CloudEvent in structured mode, signed by Standard Webhooks.
func TestNotification(t *testing.T) {
	e := newEndpoint(t)
	s := sender(t, e.URL)
	start(t, s)
	s.Notify(shop("7"), rolledBack)
	r := e.next(t)
	if err := verifies(t, key("a"), r); err != nil {
		t.Error(err)
	}
	if kind := r.header.Get("Content-Type"); !strings.HasPrefix(kind, "application/cloudevents+json") {
		t.Errorf("it is of type %s", kind)
	}
	var event cloudevents.Event
	if err := json.Unmarshal(r.body, &event); err != nil {
		t.Fatal(err)
	}
	var said data
	if err := event.DataAs(&said); err != nil {
		t.Fatal(err)
	}
	if event.Validate() != nil || event.SpecVersion() != "1.0" || event.Type() != "dev.countersign.release.RolledBack" || event.Subject() != "sha256:c" ||
		event.Source() != "/clusters/c1/namespaces/prod/releases/shop" || event.ID() != r.header.Get("webhook-id") || event.Time().IsZero() {
		t.Errorf("it is %s", r.body)
	}
	if said.Namespace != "prod" || said.Release != "shop" || said.Reason != "RolledBack" || !said.Warning || said.Digest != "sha256:c" || said.Phase != "Halted" ||
		said.Message != "blue serves again" || said.Meaning == "" || !strings.Contains(said.Next, "-n prod -l countersign.dev/release=shop") {
		t.Errorf("it says %+v", said)
	}
}

// The signature covers the body, the id and the time.
func TestSignature(t *testing.T) {
	e := newEndpoint(t)
	s := sender(t, e.URL)
	start(t, s)
	s.Notify(shop("7"), rolledBack)
	r := e.next(t)
	for name, change := range map[string]func(*got){
		"body": func(r *got) { r.body = []byte(strings.Replace(string(r.body), "RolledBack", "ReleaseFinished", 1)) },
		"id":   func(r *got) { r.header.Set("webhook-id", "other") },
		"time": func(r *got) { r.header.Set("webhook-timestamp", fmt.Sprint(time.Now().Unix()+1)) },
	} {
		changed := got{r.at, r.header.Clone(), r.body}
		change(&changed)
		if verifies(t, key("a"), changed) == nil {
			t.Errorf("with another %s it verifies", name)
		}
	}
}

// What is told twice of the same version has the same id, and nothing else has.
func TestIDs(t *testing.T) {
	s := sender(t, "http://127.0.0.1:1")
	of := func(version string, n rollout.Notice) string {
		m, err := s.compose(shop(version), n)
		if err != nil {
			t.Fatal(err)
		}
		return m.id
	}
	other := rolledBack
	other.Message = "another"
	if of("7", rolledBack) != of("7", rolledBack) {
		t.Error("the same has two ids")
	}
	if of("7", rolledBack) == of("8", rolledBack) || of("7", rolledBack) == of("7", other) {
		t.Error("two have the same id")
	}
}

// Keys are rotated without a restart: while both are in the file, receivers with
// either of them can verify.
func TestRotation(t *testing.T) {
	e := newEndpoint(t)
	s := sender(t, e.URL)
	start(t, s)
	for _, row := range []struct {
		file     string
		old, new bool
	}{{key("a"), true, false}, {key("b") + "\n" + key("a") + "\n", true, true}, {key("b"), false, true}} {
		write(t, s.options.KeyFile, row.file)
		s.Notify(shop("7"), rolledBack)
		r := e.next(t)
		if got := verifies(t, key("a"), r) == nil; got != row.old {
			t.Errorf("with %q the old key verifies: %t", row.file, got)
		}
		if got := verifies(t, key("b"), r) == nil; got != row.new {
			t.Errorf("with %q the new key verifies: %t", row.file, got)
		}
	}
}

// What fails is tried again, with the same id and a signature of its own.
func TestRetries(t *testing.T) {
	hangUp := func(w http.ResponseWriter, _ *http.Request) {
		if c, _, err := http.NewResponseController(w).Hijack(); err == nil {
			_ = c.Close()
		}
	}
	e := newEndpoint(t, status(http.StatusInternalServerError), hangUp, status(http.StatusUnauthorized), status(http.StatusTooManyRequests))
	s := sender(t, e.URL)
	start(t, s)
	before := value(t, sent)
	s.Notify(shop("7"), rolledBack)
	ids := map[string]bool{}
	for range 5 {
		r := e.next(t)
		ids[r.header.Get("webhook-id")] = true
		if err := verifies(t, key("a"), r); err != nil {
			t.Error(err)
		}
	}
	if len(ids) != 1 {
		t.Errorf("it has the ids %v", ids)
	}
	counts(t, sent, before, 1)
}

// An endpoint that does not answer in time is tried again.
func TestTimeout(t *testing.T) {
	stuck := make(chan struct{})
	e := newEndpoint(t, func(http.ResponseWriter, *http.Request) { <-stuck })
	defer close(stuck)
	s := sender(t, e.URL)
	s.client.Timeout = 50 * time.Millisecond
	start(t, s)
	before := value(t, sent)
	s.Notify(shop("7"), rolledBack)
	e.next(t)
	e.next(t)
	counts(t, sent, before, 1)
}

func TestRetryAfter(t *testing.T) {
	e := newEndpoint(t, status(http.StatusTooManyRequests, "Retry-After", "1"))
	s := sender(t, e.URL)
	start(t, s)
	s.Notify(shop("7"), rolledBack)
	first, second := e.next(t), e.next(t)
	if waited := second.at.Sub(first.at); waited < time.Second {
		t.Errorf("it waits %s, want a second", waited)
	}
	now := time.Date(2026, 11, 28, 12, 0, 0, 0, time.UTC)
	for text, want := range map[string]time.Duration{
		"30": 30 * time.Second, "Sat, 28 Nov 2026 12:00:07 GMT": 7 * time.Second, "999999999999": retryAfterLimit, "soon": 0, "": 0, "-5": -5 * time.Second,
	} {
		if got := retryAfter(text, now); got != want {
			t.Errorf("%q is %s, want %s", text, got, want)
		}
	}
}

// What is refused for good is dropped at once, and counted.
func TestRefusals(t *testing.T) {
	elsewhere := newEndpoint(t)
	for name, answer := range map[string]http.HandlerFunc{
		"malformed": status(http.StatusBadRequest), "redirected": status(http.StatusTemporaryRedirect, "Location", elsewhere.URL),
	} {
		t.Run(name, func(t *testing.T) {
			e := newEndpoint(t, answer)
			s := sender(t, e.URL)
			start(t, s)
			refused := dropped.WithLabelValues(dropRefused)
			before := value(t, refused)
			s.Notify(shop("7"), rolledBack)
			counts(t, refused, before, 1)
			s.Notify(shop("8"), rolledBack)
			e.next(t)
			if r := e.next(t); r.header.Get("webhook-id") == "" || len(e.requests) > 0 {
				t.Error("it is tried again")
			}
			if len(elsewhere.requests) > 0 {
				t.Error("the redirect was followed")
			}
		})
	}
}

// An endpoint that says that it is gone gets no more.
func TestGone(t *testing.T) {
	e := newEndpoint(t, status(http.StatusGone))
	s := sender(t, e.URL)
	start(t, s)
	gone := dropped.WithLabelValues(dropGone)
	before := value(t, gone)
	s.Notify(shop("7"), rolledBack)
	counts(t, gone, before, 1)
	s.Notify(shop("8"), rolledBack)
	counts(t, gone, before, 2)
	if len(e.requests) != 1 {
		t.Errorf("it was asked %d times", len(e.requests))
	}
}

// What takes too long is dropped, and what has waited for too long is tried once.
func TestExpiry(t *testing.T) {
	answers := make([]http.HandlerFunc, 1000)
	for i := range answers {
		answers[i] = status(http.StatusBadGateway)
	}
	e := newEndpoint(t, answers...)
	s := sender(t, e.URL, func(o *Options) { o.RetryFor = 20 * time.Millisecond })
	expired := dropped.WithLabelValues(dropExpired)
	before := value(t, expired)
	m, err := s.compose(shop("7"), rolledBack)
	if err != nil {
		t.Fatal(err)
	}
	m.since = m.since.Add(-time.Hour)
	s.deliver(t.Context(), m)
	if n := len(e.requests); n != 1 || value(t, expired)-before != 1 {
		t.Errorf("it was tried %d times, and dropped %v times", n, value(t, expired)-before)
	}
	m.since = time.Now()
	s.deliver(t.Context(), m)
	if value(t, expired)-before != 2 {
		t.Error("it is not dropped")
	}
}

// Whoever tells something waits for nobody, however many wait already: here nobody
// takes anything out of the queue.
func TestNotifyWaitsForNobody(t *testing.T) {
	s := sender(t, "http://127.0.0.1:1")
	full := dropped.WithLabelValues(dropFull)
	before := value(t, full)
	done := make(chan struct{})
	go func() {
		defer close(done)
		for n := range queueLimit + 7 {
			s.Notify(shop(fmt.Sprint(n)), rolledBack)
		}
	}()
	select {
	case <-done:
	case <-time.After(limit):
		t.Fatal("it waits for the endpoint")
	}
	if n := value(t, full) - before; n != 7 {
		t.Errorf("%v are dropped", n)
	}
}

func TestReasons(t *testing.T) {
	s := sender(t, "http://127.0.0.1:1", func(o *Options) { o.Reasons = []string{rollout.NoticeRolledBack} })
	s.Notify(shop("7"), rollout.Notice{Reason: rollout.NoticeReleaseFinished, Message: "x"})
	s.Notify(shop("7"), rolledBack)
	if len(s.queue) != 1 {
		t.Errorf("%d wait", len(s.queue))
	}
}

// What waits when the process ends is tried once more, and what then fails is counted.
func TestClose(t *testing.T) {
	stuck := make(chan struct{})
	e := newEndpoint(t, func(http.ResponseWriter, *http.Request) { <-stuck }, status(http.StatusNoContent), status(http.StatusBadGateway))
	defer close(stuck)
	s := sender(t, e.URL)
	stop := start(t, s)
	s.Notify(shop("7"), rolledBack)
	first := e.next(t)
	stop() // while the endpoint is still to answer
	s.Notify(shop("8"), rolledBack)
	stopped := dropped.WithLabelValues(dropStopped)
	before, taken := value(t, stopped), value(t, sent)
	if err := s.Close(t.Context()); err == nil || value(t, stopped)-before != 1 || value(t, sent)-taken != 1 {
		t.Errorf("%v; dropped are %v, sent %v, want one of each", err, value(t, stopped)-before, value(t, sent)-taken)
	}
	if again := e.next(t); again.header.Get("webhook-id") != first.header.Get("webhook-id") {
		t.Error("what was interrupted is not tried again")
	}
}

func TestTLS(t *testing.T) {
	e := &endpoint{requests: make(chan got, 9)}
	e.Server = httptest.NewTLSServer(e)
	defer e.Close()
	ca := filepath.Join(t.TempDir(), "ca.crt")
	write(t, ca, string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: e.Certificate().Raw})))
	trusted := sender(t, e.URL, func(o *Options) { o.CAFile = ca })
	m, err := trusted.compose(shop("7"), rolledBack)
	if err != nil {
		t.Fatal(err)
	}
	if err := trusted.attempt(t.Context(), m); err != nil {
		t.Error(err)
	}
	if err := sender(t, e.URL).attempt(t.Context(), m); err == nil || len(e.requests) != 1 {
		t.Errorf("an endpoint that nobody vouches for is trusted: %v", err)
	}
}

func TestOptions(t *testing.T) {
	directory := t.TempDir()
	file := func(name, text string) string {
		write(t, filepath.Join(directory, name), text)
		return filepath.Join(directory, name)
	}
	good := Options{URL: "https://hooks.example.com", KeyFile: file("key", key("a")+"\n"), Log: logr.Discard(), Now: time.Now}
	if _, err := New(good); err != nil {
		t.Fatal(err)
	}
	for want, change := range map[string]func(*Options){
		"--notify-url":                    func(o *Options) { o.URL = "hooks.example.com" },
		"--notify-key-file: read the key": func(o *Options) { o.KeyFile = "" },
		"has 0 keys":                      func(o *Options) { o.KeyFile = file("empty", "\n") },
		"has 5 keys":                      func(o *Options) { o.KeyFile = file("many", strings.Repeat(key("a")+"\n", 5)) },
		"openssl rand -base64 32":         func(o *Options) { o.KeyFile = file("short", "whsec_YWJj") },
		"is no key":                       func(o *Options) { o.KeyFile = file("bare", strings.TrimPrefix(key("a"), keyPrefix)) },
		"--notify-ca-file: open":          func(o *Options) { o.CAFile = "nowhere" },
		"has no certificate":              func(o *Options) { o.CAFile = o.KeyFile },
		`no event "Rolledback"`:           func(o *Options) { o.Reasons = []string{"Rolledback"} },
	} {
		o := good
		change(&o)
		if _, err := New(o); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error is %v, want one with %q", err, want)
		}
	}
}

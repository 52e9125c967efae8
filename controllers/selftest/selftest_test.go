// Copyright The Countersign Authors.
// SPDX-License-Identifier: Apache-2.0

package selftest

import (
	"context"
	"crypto/ed25519"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/countersign/countersign/api/v1alpha1"
	"github.com/countersign/countersign/controllers/digest"
	"github.com/countersign/countersign/controllers/receipt"
	dto "github.com/prometheus/client_model/go"
	appsv1 "k8s.io/api/apps/v1"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"
)

// world is an API server whose guards can be taken away.
type world struct {
	*Tester
	// gone are policies that do not refuse; others refuse in their stead.
	gone, replaced map[string]bool
	// stamp is what the webhook makes of a receipt.
	stamp   func(*receipt.Authors)
	signer  *receipt.Signer
	keys    error
	asked   atomic.Int32
	changes int
}

func newWorld(t *testing.T) *world {
	t.Helper()
	scheme := runtime.NewScheme()
	if err := errors.Join(clientgoscheme.AddToScheme(scheme), v1alpha1.AddToScheme(scheme)); err != nil {
		t.Fatal(err)
	}
	w := &world{gone: map[string]bool{}, replaced: map[string]bool{}, stamp: func(*receipt.Authors) {}}
	w.signer = receipt.NewSigner(ed25519.NewKeyFromSeed(make([]byte, ed25519.SeedSize)))
	m := shipped(t, shippedUser)
	operator := interceptor.NewClient(fake.NewClientBuilder().WithScheme(scheme).Build(), interceptor.Funcs{Create: w.webhook})
	probe := interceptor.NewClient(fake.NewClientBuilder().WithScheme(scheme).Build(), interceptor.Funcs{
		Create: func(_ context.Context, _ client.WithWatch, o client.Object, _ ...client.CreateOption) error {
			return w.guard(o, "")
		},
		Patch: func(_ context.Context, _ client.WithWatch, o client.Object, p client.Patch, _ ...client.PatchOption) error {
			data, err := p.Data(o)
			if err != nil {
				return err
			}
			for _, what := range []string{"finalizer", "rollback"} {
				if strings.Contains(string(data), what) {
					return w.guard(o, what)
				}
			}
			return w.guard(o, "annotations")
		},
		SubResourcePatch: func(_ context.Context, _ client.Client, _ string, o client.Object, _ client.Patch, _ ...client.SubResourcePatchOption) error {
			return w.guard(o, "sub")
		},
	})
	w.Tester = &Tester{
		Operator: operator, Probe: probe, Configuration: store(t, m).client(), Manifests: m,
		Verifier: receipt.NewVerifier(w.signer.Public()), Keys: func(context.Context) error { return w.keys },
		Cluster: "c", SystemNamespace: "countersign-system", OperatorUser: shippedUser, Changed: func() { w.changes++ },
	}
	return w
}

// webhook signs who wrote a Release.
func (w *world) webhook(ctx context.Context, c client.WithWatch, o client.Object, opts ...client.CreateOption) error {
	if rel, is := o.(*v1alpha1.Release); is {
		w.asked.Add(1)
		revision, err := digest.Revision(rel.Spec)
		if err != nil {
			return err
		}
		a := receipt.Authors{Cluster: "c", Namespace: rel.Namespace, Name: rel.Name, Revision: revision, Authors: []string{shippedUser}, Nonce: "x", DryRun: true}
		w.stamp(&a)
		envelope, err := w.signer.SignAuthors(ctx, a)
		if err != nil {
			return err
		}
		rel.Annotations = map[string]string{v1alpha1.AuthorsReceiptAnnotation: receipt.FormatAuthorsReceipt(envelope)}
	}
	return c.Create(ctx, o, opts...)
}

// guard refuses by the policy that has to.
func (w *world) guard(o client.Object, how string) error {
	policy := policyOf(o, how)
	switch {
	case w.gone[policy]:
		return nil
	case w.replaced[policy]:
		policy = "something.example.com"
	}
	return apierrors.NewForbidden(schema.GroupResource{}, o.GetName(),
		fmt.Errorf("ValidatingAdmissionPolicy '%s' with binding '%s' denied request: no", policy, policy))
}

func policyOf(o client.Object, how string) string {
	switch x := o.(type) {
	case *v1alpha1.Release:
		return map[string]string{"": votesPolicy, "finalizer": "release-finalizer.countersign.dev", "rollback": "release-requests.countersign.dev", "annotations": "release-breakglass.countersign.dev", "sub": "release-status.countersign.dev"}[how]
	case *appsv1.Deployment:
		return map[string]string{"": "workload-guard.countersign.dev", "sub": "scale-guard.countersign.dev"}[how]
	case *corev1.Service:
		if len(x.Spec.Selector) > 0 {
			return "selector-guard.countersign.dev"
		}
		return "service-guard.countersign.dev"
	case *batchv1.Job:
		return "job-guard.countersign.dev"
	case *corev1.Pod:
		return "pod-guard.countersign.dev"
	case *discoveryv1.EndpointSlice:
		return "endpointslice-guard.countersign.dev"
	case *corev1.ConfigMap:
		if len(x.Labels) > 0 {
			return "config-guard.countersign.dev"
		}
		return "keys-guard.countersign.dev"
	}
	return ""
}

func (w *world) wants(t *testing.T, intact bool, says string) {
	t.Helper()
	if got := w.State(); got.Intact != intact || !strings.Contains(got.Why, says) {
		t.Errorf("the gate is %+v; want it intact %t, saying %q", got, intact, says)
	}
	var m dto.Metric
	if err := frozen.Write(&m); err != nil || !w.State().Untested && m.GetGauge().GetValue() != oneIf(!intact) {
		t.Errorf("the metric says that it is %v (frozen 1), %v", m.GetGauge().GetValue(), err)
	}
}

// TestUntested: a gate that was never tested lets nothing through.
func TestUntested(t *testing.T) {
	w := newWorld(t)
	if w.Check(nil) == nil || w.Try(t.Context()) == nil || w.asked.Load() != 0 {
		t.Error("it was let through")
	}
	w.wants(t, false, "has not been tested yet")
}

// TestGuards takes each guard away in turn.
func TestGuards(t *testing.T) {
	rows := map[string]struct {
		change func(*world)
		says   string
	}{
		"keys":            {func(w *world) { w.keys = errors.New("they are somebody else's") }, "keys: they are"},
		"other signer":    {func(w *world) { w.signer = receipt.NewSigner(ed25519.NewKeyFromSeed([]byte(strings.Repeat("x", 32)))) }, "not of a key that is trusted"},
		"no key":          {func(w *world) { w.signer = receipt.NewSigner(nil) }, "no signing key"},
		"names others":    {func(w *world) { w.stamp = func(a *receipt.Authors) { a.Authors = []string{"alice"} } }, "the receipt names [alice]"},
		"names too many":  {func(w *world) { w.stamp = func(a *receipt.Authors) { a.Authors = append(a.Authors, "alice") } }, "the receipt names"},
		"of before":       {func(w *world) { w.stamp = func(a *receipt.Authors) { a.Revision = "x" } }, "of something else"},
		"another cluster": {func(w *world) { w.stamp = func(a *receipt.Authors) { a.Cluster = "d" } }, "of something else"},
		"not dry":         {func(w *world) { w.stamp = func(a *receipt.Authors) { a.DryRun = false } }, "does not say so"},
		"configuration":   {func(w *world) { w.Manifests.Webhook.Name = "other" }, "other is missing"},
	}
	for _, p := range probes() {
		rows[p.policy+" is gone"] = struct {
			change func(*world)
			says   string
		}{func(w *world) { w.gone[p.policy] = true }, p.policy + " did not refuse"}
		rows[p.policy+" is replaced"] = struct {
			change func(*world)
			says   string
		}{func(w *world) { w.replaced[p.policy] = true }, p.policy + " could not be tried"}
	}
	for name, row := range rows {
		t.Run("sec/53 "+name, func(t *testing.T) {
			w := newWorld(t)
			w.init()
			w.test(t.Context(), true)
			w.wants(t, true, "")
			row.change(w)
			w.test(t.Context(), true)
			w.wants(t, false, row.says)
			if w.changes != 2 {
				t.Errorf("told %d times, want once for each change", w.changes)
			}
		})
	}
}

// TestFixtureHoldsNothing: nobody is left after an uninstall to take a finalizer off
// what the probe attacks, so it has none, and loses one of an earlier version.
func TestFixtureHoldsNothing(t *testing.T) {
	w := newWorld(t)
	w.init()
	for _, when := range []string{"made", "found"} {
		w.test(t.Context(), true)
		fixture := Fixture()
		if err := w.Operator.Get(t.Context(), client.ObjectKeyFromObject(fixture), fixture); err != nil {
			t.Fatal(err)
		}
		if len(fixture.Finalizers) > 0 {
			t.Errorf("%s, it has the finalizers %q", when, fixture.Finalizers)
		}
		fixture.Finalizers = []string{v1alpha1.Finalizer}
		if err := w.Operator.Update(t.Context(), fixture); err != nil {
			t.Fatal(err)
		}
	}
	w.wants(t, true, "")
}

// TestTry: what a promotion waits for finds what makes a vote count falsely, and
// is not what thaws.
func TestTry(t *testing.T) {
	w := newWorld(t)
	w.init()
	w.test(t.Context(), true)
	if err := w.Try(t.Context()); err != nil {
		t.Fatal(err)
	}
	w.gone[votesPolicy] = true
	if err := w.Try(t.Context()); err == nil || !strings.Contains(err.Error(), votesPolicy) {
		t.Errorf("got %v", err)
	}
	w.gone[votesPolicy] = false
	asked := w.asked.Load()
	if err := w.Try(t.Context()); err == nil || w.asked.Load() != asked {
		t.Errorf("got %v, and it was tried again", err)
	}
	w.test(t.Context(), false)
	w.wants(t, false, votesPolicy)
	w.test(t.Context(), true)
	w.wants(t, true, "")
}

// TestOlderTest: a test that began before another one froze the gate does not
// thaw it.
func TestOlderTest(t *testing.T) {
	w := newWorld(t)
	w.init()
	w.test(t.Context(), true)
	w.record(t.Context(), []finding{{"x", errors.New("gone")}}, 9, false)
	w.record(t.Context(), []finding{{"x", nil}}, 8, true)
	w.wants(t, false, "x: gone")
	w.record(t.Context(), []finding{{"x", nil}}, 10, true)
	w.wants(t, true, "")
}

// TestShared: promotions at once share tests, and none is content with a test
// that began before it asked.
func TestShared(t *testing.T) {
	w := newWorld(t)
	w.init()
	w.test(t.Context(), true)
	before := w.asked.Load()
	w.trying <- struct{}{} // a test runs
	results := make(chan error)
	for range 20 {
		go func() { results <- w.Try(t.Context()) }()
	}
	time.Sleep(50 * time.Millisecond) // until all wait: more tests, if not
	<-w.trying
	for range 20 {
		if err := <-results; err != nil {
			t.Error(err)
		}
	}
	if n := w.asked.Load() - before; n < 1 || n > 3 {
		t.Errorf("%d tests for 20 promotions at once, want them shared", n)
	}
}

// TestStart: while the gate is frozen it is tried again soon, and a change of the
// configuration does not wait.
func TestStart(t *testing.T) {
	w := newWorld(t)
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error)
	go func() { ended <- w.Start(ctx) }()
	w.wants(t, true, "")
	before := w.asked.Load()
	w.Kick()
	for deadline := time.Now().Add(5 * time.Second); w.asked.Load() == before; time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("it was not tested")
		}
	}
	cancel()
	if err := <-ended; err != nil {
		t.Error(err)
	}
	w.wants(t, true, "")
}

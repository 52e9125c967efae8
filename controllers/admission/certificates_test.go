// Copyright The Countersign Authors.
// SPDX-License-Identifier: Apache-2.0

package admission

import (
	"bytes"
	"context"
	"errors"
	"strings"
	"sync"
	"testing"
	"time"

	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"
)

var secretKey = client.ObjectKey{Namespace: "countersign-system", Name: "cert"}

func configuration(webhooks ...string) *admissionregistrationv1.MutatingWebhookConfiguration {
	c := &admissionregistrationv1.MutatingWebhookConfiguration{ObjectMeta: metav1.ObjectMeta{Name: "countersign"}}
	path := Path
	for _, name := range webhooks {
		c.Webhooks = append(c.Webhooks, admissionregistrationv1.MutatingWebhook{Name: name, ClientConfig: admissionregistrationv1.WebhookClientConfig{
			Service: &admissionregistrationv1.ServiceReference{Namespace: "countersign-system", Name: "webhook", Path: &path},
		}})
	}
	return c
}

func options(now *time.Time) CertificateOptions {
	return CertificateOptions{
		Namespace: secretKey.Namespace, SecretName: secretKey.Name, DNSNames: []string{"webhook.svc"},
		WebhookConfigurations: []string{"countersign"}, Now: func() time.Time { return *now },
	}
}

// cluster is a client to a cluster with these objects, where calls can be made to
// fail.
func cluster(t *testing.T, calls interceptor.Funcs, objects ...client.Object) client.Client {
	t.Helper()
	return fake.NewClientBuilder().WithScheme(scheme(t)).WithObjects(objects...).WithInterceptorFuncs(calls).Build()
}

func ensured(t *testing.T, c client.Client, now *time.Time) *Certificates {
	t.Helper()
	certs, err := EnsureCertificates(t.Context(), c, options(now))
	if err != nil {
		t.Fatal(err)
	}
	return certs
}

func get[T client.Object](t *testing.T, c client.Client, key client.ObjectKey, into T) T {
	t.Helper()
	if err := c.Get(t.Context(), key, into); err != nil {
		t.Fatal(err)
	}
	return into
}

// trustedByCluster tells whether the API server could call what is served.
func trustedByCluster(t *testing.T, c client.Client, certs *Certificates, now time.Time) {
	t.Helper()
	served, err := certs.GetCertificate(nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, w := range get(t, c, client.ObjectKey{Name: "countersign"}, configuration()).Webhooks {
		if err := trustedBy(w.ClientConfig.CABundle, served.Leaf, "webhook.svc", now); err != nil {
			t.Errorf("webhook %s does not trust what is served: %v", w.Name, err)
		}
	}
}

func TestEnsureCertificates(t *testing.T) {
	now := noon()
	c := cluster(t, interceptor.Funcs{}, configuration("a", "b"))
	certs := ensured(t, c, &now)
	if err := certs.Check(nil); err != nil {
		t.Errorf("not healthy: %v", err)
	}
	trustedByCluster(t, c, certs, now)
	secret := get(t, c, secretKey, &corev1.Secret{})
	if secret.Type != corev1.SecretTypeTLS {
		t.Errorf("the Secret is of type %s", secret.Type)
	}
	before := get(t, c, client.ObjectKey{Name: "countersign"}, configuration()).ResourceVersion
	ensured(t, c, &now)
	if again := get(t, c, secretKey, &corev1.Secret{}); again.ResourceVersion != secret.ResourceVersion {
		t.Error("a Secret that is up to date was written")
	}
	if again := get(t, c, client.ObjectKey{Name: "countersign"}, configuration()).ResourceVersion; again != before {
		t.Error("a configuration that is up to date was written")
	}
	if certs.NeedLeaderElection() {
		t.Error("only the leader renews")
	}
}

// Replicas that start at once come to share one certificate.
func TestReplicasAgree(t *testing.T) {
	now := noon()
	c := cluster(t, interceptor.Funcs{}, configuration("a"))
	const replicas = 4
	var all [replicas]*Certificates
	var wait sync.WaitGroup
	for i := range all {
		wait.Go(func() {
			certs, err := EnsureCertificates(t.Context(), c, options(&now))
			if err != nil {
				t.Error(err)
			}
			all[i] = certs
		})
	}
	wait.Wait()
	secret := get(t, c, secretKey, &corev1.Secret{})
	for _, certs := range all {
		if certs == nil {
			continue
		}
		if served, _ := certs.GetCertificate(nil); !bytes.Equal(served.Leaf.Raw, leafOf(t, secret.Data).Raw) {
			t.Error("a replica serves another certificate than the Secret's")
		}
		trustedByCluster(t, c, certs, now)
	}
}

// A running replica takes up what another one renewed, and a caBundle that
// somebody took out comes back.
func TestRefresh(t *testing.T) {
	now := noon()
	c := cluster(t, interceptor.Funcs{}, configuration("a"))
	mine, other := ensured(t, c, &now), ensured(t, c, &now)
	now = now.Add(61 * day)
	for _, certs := range []*Certificates{other, mine} {
		if err := certs.refresh(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	served, _ := mine.GetCertificate(nil)
	if renewed, _ := other.GetCertificate(nil); !bytes.Equal(served.Leaf.Raw, renewed.Leaf.Raw) || served.Leaf.NotAfter.Sub(now) < 80*day {
		t.Error("the replicas do not serve one renewed certificate")
	}
	changed := get(t, c, client.ObjectKey{Name: "countersign"}, configuration())
	changed.Webhooks[0].ClientConfig.CABundle = nil
	if err := c.Update(t.Context(), changed); err != nil {
		t.Fatal(err)
	}
	if err := mine.refresh(t.Context()); err != nil {
		t.Fatal(err)
	}
	trustedByCluster(t, c, mine, now)
}

// Nothing is served before the configuration trusts it.
func TestTrustComesFirst(t *testing.T) {
	now, broken := noon(), false
	c := cluster(t, interceptor.Funcs{Patch: func(ctx context.Context, c client.WithWatch, o client.Object, p client.Patch, opts ...client.PatchOption) error {
		if broken {
			return errors.New("forbidden")
		}
		return c.Patch(ctx, o, p, opts...)
	}}, configuration("a"))
	certs := ensured(t, c, &now)
	before, _ := certs.GetCertificate(nil)
	now, broken = noon().Add(authorityLife), true
	if err := certs.refresh(t.Context()); err == nil || !strings.Contains(err.Error(), "forbidden") {
		t.Fatalf("got %v", err)
	}
	if after, _ := certs.GetCertificate(nil); after != before {
		t.Error("it serves a certificate that nobody trusts yet")
	}
	broken = false
	if err := certs.refresh(t.Context()); err != nil {
		t.Fatal(err)
	}
	trustedByCluster(t, c, certs, now)
}

func TestCertificateHealth(t *testing.T) {
	now := noon()
	c := cluster(t, interceptor.Funcs{})
	certs := ensured(t, c, &now)
	wants := func(part string) {
		t.Helper()
		err := certs.Check(nil)
		if (err == nil) != (part == "") || err != nil && !strings.Contains(err.Error(), part) {
			t.Errorf("got %v, want %q", err, part)
		}
	}
	wants("MutatingWebhookConfiguration countersign is missing")
	if certs.pause() != retry {
		t.Error("it does not look again soon")
	}
	if err := c.Create(t.Context(), configuration()); err != nil {
		t.Fatal(err)
	}
	refresh := func() {
		t.Helper()
		if err := certs.refresh(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	refresh()
	wants("has no webhooks")
	if err := c.Delete(t.Context(), configuration()); err != nil {
		t.Fatal(err)
	}
	if err := c.Create(t.Context(), configuration("a")); err != nil {
		t.Fatal(err)
	}
	refresh()
	wants("")
	if certs.pause() != lookAgain {
		t.Error("it looks again too soon")
	}
	now = now.Add(leafLife - 8*day)
	wants("")
	now = now.Add(2 * day)
	wants("expires in 144h0m0s")
	refresh()
	wants("")
}

// A failure is told by Check, and what is served goes on being served.
func TestStart(t *testing.T) {
	now := noon()
	certs := ensured(t, cluster(t, interceptor.Funcs{}, configuration("a")), &now)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := certs.Start(ctx); err != nil {
		t.Errorf("the end of the process is an error: %v", err)
	}
	certs.record(nil, errors.New("no connection"))
	if err := certs.Check(nil); err == nil || certs.pause() != retry {
		t.Errorf("got %v", err)
	}
	if served, err := certs.GetCertificate(nil); err != nil || served == nil {
		t.Errorf("got %v, %v", served, err)
	}
}

// Races and failures while writing.
func TestCertificateWrites(t *testing.T) {
	lost := apierrors.NewConflict(schema.GroupResource{Resource: "secrets"}, "cert", errors.New("changed"))
	for name, tc := range map[string]struct {
		failures int
		err      error
		want     string
	}{
		"LostOnce":  {1, lost, ""},
		"Created":   {1, apierrors.NewAlreadyExists(schema.GroupResource{Resource: "secrets"}, "cert"), ""},
		"Gone":      {1, apierrors.NewNotFound(schema.GroupResource{Resource: "secrets"}, "cert"), ""},
		"LostEver":  {1000, lost, "lost the race 10 times"},
		"Forbidden": {1, apierrors.NewForbidden(schema.GroupResource{Resource: "secrets"}, "cert", errors.New("no")), "write Secret countersign-system/cert"},
	} {
		t.Run(name, func(t *testing.T) {
			now, left := noon(), tc.failures
			c := cluster(t, interceptor.Funcs{Create: func(ctx context.Context, c client.WithWatch, o client.Object, opts ...client.CreateOption) error {
				if left--; left >= 0 {
					return tc.err
				}
				return c.Create(ctx, o, opts...)
			}}, configuration("a"))
			_, err := EnsureCertificates(t.Context(), c, options(&now))
			if (err == nil) != (tc.want == "") || err != nil && !strings.Contains(err.Error(), tc.want) {
				t.Errorf("got %v, want %q", err, tc.want)
			}
		})
	}
}

func TestUseURL(t *testing.T) {
	c := configuration("a", "b")
	c.Webhooks[1].ClientConfig.Service.Path = nil
	UseURL(c, "https://127.0.0.1:9443/")
	if got := c.Webhooks[0].ClientConfig; got.Service != nil || *got.URL != "https://127.0.0.1:9443"+Path {
		t.Errorf("got %+v", got)
	}
	if got := c.Webhooks[1].ClientConfig; *got.URL != "https://127.0.0.1:9443" {
		t.Errorf("got %s", *got.URL)
	}
}

// The webhook's account only reads: it is ready when the operator has done the
// rest, and writes nothing.
func TestReadOnly(t *testing.T) {
	now, wrote := noon(), false
	operator := cluster(t, interceptor.Funcs{}, configuration("a"))
	reader := interceptor.NewClient(operator.(client.WithWatch), interceptor.Funcs{
		Create: func(context.Context, client.WithWatch, client.Object, ...client.CreateOption) error {
			wrote = true
			return nil
		},
		Patch: func(context.Context, client.WithWatch, client.Object, client.Patch, ...client.PatchOption) error {
			wrote = true
			return nil
		},
	})
	o := options(&now)
	o.ReadOnly = true
	certs, err := EnsureCertificates(t.Context(), reader, o)
	if err != nil {
		t.Fatalf("without the operator it does not wait: %v", err)
	}
	if _, err := certs.GetCertificate(nil); err == nil || certs.Check(nil) == nil {
		t.Error("it is ready without a certificate")
	}
	ensured(t, operator, &now)
	if err := certs.refresh(t.Context()); err != nil {
		t.Fatal(err)
	}
	trustedByCluster(t, operator, certs, now)
	c := get(t, operator, client.ObjectKey{Name: "countersign"}, configuration())
	c.Webhooks[0].ClientConfig.CABundle = []byte("x")
	if err := operator.Update(t.Context(), c); err != nil {
		t.Fatal(err)
	}
	if err := certs.refresh(t.Context()); err == nil || wrote {
		t.Errorf("got %v, wrote %t, while the API server does not trust it", err, wrote)
	}
}

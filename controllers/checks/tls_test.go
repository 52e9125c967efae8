// Copyright The Countersign Authors.
// SPDX-License-Identifier: Apache-2.0

package checks

import (
	"context"
	"encoding/pem"
	"errors"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/countersign/countersign/api/v1alpha1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"
)

// secure is a Pod that speaks TLS, with a certificate for example.com, and the
// certificate in PEM.
func secure(t *testing.T, handler http.HandlerFunc) (Target, []byte) {
	t.Helper()
	server := httptest.NewUnstartedServer(handler)
	server.EnableHTTP2 = true
	server.StartTLS()
	t.Cleanup(server.Close)
	at, err := netip.ParseAddrPort(strings.TrimPrefix(server.URL, "https://"))
	if err != nil {
		t.Fatal(err)
	}
	certificate := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw})
	return Target{Pod: "shop-0", IP: at.Addr().String(), Port: int32(at.Port())}, certificate
}

func ca(kind v1alpha1.ConfigKind, key string) *v1alpha1.CheckCA {
	return &v1alpha1.CheckCA{ConfigRef: v1alpha1.ConfigRef{Kind: kind, Name: "ca"}, Key: key}
}

func TestTLS(t *testing.T) {
	to, certificate := secure(t, replies(200))
	meta := metav1.ObjectMeta{Namespace: shop.Namespace, Name: "ca"}
	secret := &corev1.Secret{ObjectMeta: meta, Data: map[string][]byte{"ca.crt": certificate, "empty": []byte("hidden")}}
	config := &corev1.ConfigMap{ObjectMeta: meta, Data: map[string]string{"root.pem": string(certificate)}, BinaryData: map[string][]byte{"bin": certificate}}
	elsewhere := secret.DeepCopy()
	elsewhere.Namespace = "other"
	objects := []client.Object{secret, config}
	for name, tc := range map[string]struct {
		tls     v1alpha1.CheckTLS
		objects []client.Object
		want    string
		// unclear is whether it says nothing about the Pod.
		unclear bool
	}{
		"any certificate":          {tls: v1alpha1.CheckTLS{InsecureSkipVerify: true}},
		"a Secret":                 {tls: v1alpha1.CheckTLS{CA: ca(v1alpha1.Secret, ""), ServerName: "example.com"}, objects: objects},
		"a ConfigMap":              {tls: v1alpha1.CheckTLS{CA: ca(v1alpha1.ConfigMap, "root.pem"), ServerName: "example.com"}, objects: objects},
		"binary data":              {tls: v1alpha1.CheckTLS{CA: ca(v1alpha1.ConfigMap, "bin"), ServerName: "example.com"}, objects: objects},
		"another name":             {tls: v1alpha1.CheckTLS{CA: ca(v1alpha1.Secret, ""), ServerName: "shop.internal"}, objects: objects, want: "Pod shop-0 showed a certificate that ca did not sign"},
		"another CA":               {tls: v1alpha1.CheckTLS{CA: ca(v1alpha1.Secret, ""), ServerName: "example.com"}, objects: []client.Object{&corev1.Secret{ObjectMeta: meta, Data: map[string][]byte{"ca.crt": otherCA}}}, want: "Pod shop-0 showed a certificate that ca did not sign"},
		"no such object":           {tls: v1alpha1.CheckTLS{CA: ca(v1alpha1.Secret, ""), ServerName: "example.com"}, want: "Secret ca, which tls.ca names, does not exist", unclear: true},
		"in another namespace":     {tls: v1alpha1.CheckTLS{CA: ca(v1alpha1.Secret, ""), ServerName: "example.com"}, objects: []client.Object{elsewhere}, want: "does not exist", unclear: true},
		"no such key":              {tls: v1alpha1.CheckTLS{CA: ca(v1alpha1.ConfigMap, ""), ServerName: "example.com"}, objects: objects, want: "ConfigMap ca, which tls.ca names, has no key ca.crt", unclear: true},
		"no certificates":          {tls: v1alpha1.CheckTLS{CA: ca(v1alpha1.Secret, "empty"), ServerName: "example.com"}, objects: objects, want: "key empty of Secret ca, which tls.ca names, holds no certificates", unclear: true},
		"another kind":             {tls: v1alpha1.CheckTLS{CA: ca("Pod", ""), ServerName: "example.com"}, objects: objects, want: "cannot be read", unclear: true},
		"no name":                  {tls: v1alpha1.CheckTLS{CA: ca(v1alpha1.Secret, "")}, objects: objects, want: "tls does not say how", unclear: true},
		"neither":                  {want: "tls does not say how", unclear: true},
		"a CA and any certificate": {tls: v1alpha1.CheckTLS{CA: ca(v1alpha1.Secret, ""), InsecureSkipVerify: true}, objects: objects, want: "tls does not say how", unclear: true},
	} {
		t.Run(name, func(t *testing.T) {
			err := put(t, v1alpha1.Check{HTTP: &v1alpha1.HTTPCheck{Path: "/", TLS: &tc.tls}}, to, tc.objects...)
			answers(t, err, tc.want)
			if isUnclear(err) != tc.unclear {
				t.Errorf("%v: unclear is %t", err, isUnclear(err))
			}
		})
	}
	answers(t, put(t, v1alpha1.Check{HTTP: &v1alpha1.HTTPCheck{Path: "/"}}, to), "answered 400")
}

// What the API server says of Secrets is not told on, and certificates are not
// read for each round.
func TestCertificatesAreKeptForAMinute(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		reads := 0
		var fault error
		secret := &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: "prod", Name: "ca"}, Data: map[string][]byte{"ca.crt": otherCA}}
		a := &authorities{reader: fake.NewClientBuilder().WithObjects(secret).WithInterceptorFuncs(interceptor.Funcs{
			Get: func(ctx context.Context, c client.WithWatch, key client.ObjectKey, o client.Object, opts ...client.GetOption) error {
				reads++
				if fault != nil {
					return fault
				}
				return c.Get(ctx, key, o, opts...)
			},
		}).Build()}
		read := func() error {
			_, err := a.config(t.Context(), "prod", &v1alpha1.CheckTLS{CA: ca(v1alpha1.Secret, ""), ServerName: "example.com"})
			return err
		}
		for range 3 {
			answers(t, read(), "")
		}
		if reads != 1 {
			t.Errorf("read %d times", reads)
		}
		time.Sleep(knownFor)
		fault = errors.New("hidden")
		answers(t, read(), "Secret ca, which tls.ca names, cannot be read")
		if len(a.recent.known) != 0 {
			t.Errorf("%d are kept", len(a.recent.known))
		}
	})
}

// otherCA is a certificate that signs nothing here.
var otherCA = []byte(`-----BEGIN CERTIFICATE-----
MIIBdzCCAR2gAwIBAgIUHpBA4l6UjPvS5GIW/zQekUng6zAwCgYIKoZIzj0EAwIw
EDEOMAwGA1UEAwwFb3RoZXIwIBcNMjYxMTI0MTg0MjI2WhgPMjEyNjEwMzExODQy
MjZaMBAxDjAMBgNVBAMMBW90aGVyMFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAE
/7Unpa19IaQVA5M/FLSV7K8D8a0VYh6z2KCHtVdFoh5+mZssG5tmtkwHig+hFfUW
3eytQ+S2XT9I776kedBr1qNTMFEwHQYDVR0OBBYEFMTvDdIUGHJTl0jp6wSFLVMk
UJRvMB8GA1UdIwQYMBaAFMTvDdIUGHJTl0jp6wSFLVMkUJRvMA8GA1UdEwEB/wQF
MAMBAf8wCgYIKoZIzj0EAwIDSAAwRQIhAIusJf9ld8s9UbfxeSIKBiCN2NSmv0gy
i62sWgHL7F2zAiBy6XtAYkhNVu29MhW7ZeNzYVn6QLn1tcl6cTNpWbGdlQ==
-----END CERTIFICATE-----
`)

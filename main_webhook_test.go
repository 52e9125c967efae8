// Copyright The Countersign Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/countersign/countersign/controllers/admission"
	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"
)

// authority signs client certificates.
type authority struct {
	certificate *x509.Certificate
	key         *ecdsa.PrivateKey
}

func newKey(t *testing.T) *ecdsa.PrivateKey {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func certificate(t *testing.T, name string, authorized bool, public any, by *authority) *x509.Certificate {
	t.Helper()
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: name}, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IsCA: authorized, BasicConstraintsValid: true, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth},
	}
	parent := template
	if by.certificate != nil {
		parent = by.certificate
	}
	der, err := x509.CreateCertificate(rand.Reader, template, parent, public, by.key)
	if err != nil {
		t.Fatal(err)
	}
	made, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return made
}

func newAuthority(t *testing.T, name string) *authority {
	t.Helper()
	a := &authority{key: newKey(t)}
	a.certificate = certificate(t, name, true, &a.key.PublicKey, a)
	return a
}

func (a *authority) client(t *testing.T) []tls.Certificate {
	t.Helper()
	key := newKey(t)
	return []tls.Certificate{{Certificate: [][]byte{certificate(t, "kube-apiserver", false, &key.PublicKey, a).Raw}, PrivateKey: key}}
}

// serve starts the webhook's server on loopback with these options.
func serve(t *testing.T, clientCA string) (address string) {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	port := listener.Addr().(*net.TCPAddr).Port
	if err := listener.Close(); err != nil {
		t.Fatal(err)
	}
	configuration := &admissionregistrationv1.MutatingWebhookConfiguration{ObjectMeta: metav1.ObjectMeta{Name: webhookConfiguration},
		Webhooks: []admissionregistrationv1.MutatingWebhook{{Name: "releases.countersign.dev"}}}
	p := &process{
		options: options{controller: true, namespace: "countersign-system", webhookURL: "https://127.0.0.1", webhookHost: "127.0.0.1", webhookPort: port, clientCA: clientCA},
		direct:  fake.NewClientBuilder().WithScheme(clientgoscheme.Scheme).WithObjects(configuration, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: "countersign-system"}}).Build(),
	}
	ctx, cancel := context.WithCancel(t.Context())
	certificates, err := p.certificates(ctx)
	if err != nil {
		t.Fatal(err)
	}
	server := p.webhookServer(certificates)
	server.Register(admission.Path, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusTeapot) }))
	ended := make(chan error, 1)
	go func() { ended <- server.Start(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
	return fmt.Sprintf("https://127.0.0.1:%d%s", port, admission.Path)
}

// ask calls the webhook, once it listens.
func ask(t *testing.T, address string, shown []tls.Certificate) error {
	t.Helper()
	transport := &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true, Certificates: shown}} //nolint:gosec // who serves is not what is tried
	defer transport.CloseIdleConnections()
	response, err := (&http.Client{Transport: transport, Timeout: 10 * time.Second}).Post(address, "application/json", nil)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusTeapot {
		t.Errorf("the answer is %s", response.Status)
	}
	return nil
}

// TestClientAuthority: with --webhook-client-ca nobody is heard who does not show a
// certificate of that authority.
func TestClientAuthority(t *testing.T) {
	ours, others := newAuthority(t, "ours"), newAuthority(t, "others")
	file := filepath.Join(t.TempDir(), "client-ca.crt")
	if err := os.WriteFile(file, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: ours.certificate.Raw}), 0o600); err != nil {
		t.Fatal(err)
	}
	strict, open := serve(t, file), serve(t, "")
	for name, tc := range map[string]struct {
		address string
		shown   []tls.Certificate
		heard   bool
	}{
		"the API server's certificate":    {strict, ours.client(t), true},
		"no certificate":                  {strict, nil, false},
		"one of another authority":        {strict, others.client(t), false},
		"any caller, where none is named": {open, nil, true},
	} {
		t.Run("sec/40 "+name, func(t *testing.T) {
			awaitListening(t, tc.address)
			if err := ask(t, tc.address, tc.shown); (err == nil) != tc.heard {
				t.Errorf("got %v, want heard %v", err, tc.heard)
			}
		})
	}
}

func awaitListening(t *testing.T, address string) {
	t.Helper()
	host := address[len("https://") : len(address)-len(admission.Path)]
	for deadline := time.Now().Add(10 * time.Second); ; time.Sleep(10 * time.Millisecond) {
		conn, err := net.Dial("tcp", host)
		if err == nil {
			_ = conn.Close()
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("it does not listen: %v", err)
		}
	}
}

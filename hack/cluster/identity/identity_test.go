// Copyright The Countersign Authors.
// SPDX-License-Identifier: Apache-2.0

package identity

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"
	"k8s.io/client-go/tools/clientcmd"
)

func issuer(t *testing.T) (*Issuer, *http.Client) {
	t.Helper()
	ca, err := NewAuthority(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	i, err := NewIssuer(ca)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := i.Close(); err != nil {
			t.Error(err)
		}
	})
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(ca.PEM())
	return i, &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots}}}
}

func fetch[T any](t *testing.T, client *http.Client, url string) T {
	t.Helper()
	response, err := client.Get(url)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	var v T
	if err := json.NewDecoder(response.Body).Decode(&v); err != nil {
		t.Fatal(err)
	}
	return v
}

// The token is checked as an API server does it: with what the issuer publishes.
func TestTokenClaims(t *testing.T) {
	i, client := issuer(t)
	discovery := fetch[map[string]any](t, client, i.URL+"/.well-known/openid-configuration")
	if discovery["issuer"] != i.URL {
		t.Errorf("issuer is %v, want %s", discovery["issuer"], i.URL)
	}
	keys := fetch[jose.JSONWebKeySet](t, client, discovery["jwks_uri"].(string))
	now := time.Now()
	ids := map[string]bool{}
	for _, p := range People() {
		raw, err := i.Token(p, now)
		if err != nil {
			t.Fatal(err)
		}
		token, err := jwt.ParseSigned(raw, []jose.SignatureAlgorithm{jose.ES256})
		if err != nil {
			t.Fatal(err)
		}
		var got Claims
		if err := token.Claims(keys, &got); err != nil {
			t.Fatal(err)
		}
		if err := got.Validate(jwt.Expected{Issuer: i.URL, AnyAudience: jwt.Audience{Audience}, Time: now}); err != nil {
			t.Error(err)
		}
		if err := got.ValidateWithLeeway(jwt.Expected{Time: now.Add(TokenLife + time.Second)}, 0); err == nil {
			t.Error("the token never ends")
		}
		if got.Email != p.Email || !got.EmailVerified || got.Subject != p.Name || !slices.Equal(got.Groups, p.Groups) {
			t.Errorf("claims of %s are %+v", p.Name, got)
		}
		if got.ID == "" || ids[got.ID] {
			t.Errorf("jti of %s is %q: empty or used before", p.Name, got.ID)
		}
		ids[got.ID] = true
	}
}

func TestPeopleAreDistinct(t *testing.T) {
	names, emails := map[string]bool{Admin: true}, map[string]bool{}
	for _, p := range People() {
		if names[p.Name] || emails[p.Email] || len(p.Groups) == 0 {
			t.Errorf("%+v is there twice or has no group", p)
		}
		names[p.Name], emails[p.Email] = true, true
	}
}

func TestCertificates(t *testing.T) {
	ca, err := NewAuthority(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(ca.PEM())
	server, err := ca.Server("s", "127.0.0.1", "kubernetes.default.svc")
	if err != nil {
		t.Fatal(err)
	}
	for _, host := range []string{"127.0.0.1", "kubernetes.default.svc"} {
		_, err := parse(t, server).Verify(x509.VerifyOptions{Roots: roots, DNSName: host})
		if err != nil {
			t.Errorf("%s: %v", host, err)
		}
	}
	client, err := ca.Client("u", "g")
	if err != nil {
		t.Fatal(err)
	}
	got := parse(t, client)
	if got.Subject.CommonName != "u" || !slices.Equal(got.Subject.Organization, []string{"g"}) {
		t.Errorf("subject is %s", got.Subject)
	}
	if _, err := got.Verify(x509.VerifyOptions{Roots: roots}); err == nil {
		t.Error("a client's certificate serves as a server's")
	}
}

func parse(t *testing.T, p Pair) *x509.Certificate {
	t.Helper()
	c, err := p.TLS()
	if err != nil {
		t.Fatal(err)
	}
	return c.Leaf
}

func TestKubeconfig(t *testing.T) {
	cfg := NewKubeconfig("https://127.0.0.1:1", []byte("ca"))
	AddPair(cfg, Admin, Pair{Cert: []byte("c"), Key: []byte("k")})
	AddToken(cfg, "alice", "t")
	file := filepath.Join(t.TempDir(), "kubeconfig")
	if err := WriteKubeconfig(cfg, file); err != nil {
		t.Fatal(err)
	}
	info, err := os.Stat(file)
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("mode is %v, error %v; want only the owner to read it", info.Mode(), err)
	}
	got, err := clientcmd.LoadFromFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if got.CurrentContext != Admin || len(got.Contexts) != 2 || got.AuthInfos["alice"].Token != "t" {
		t.Errorf("kubeconfig is %+v", got)
	}
}

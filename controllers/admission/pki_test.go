// Copyright The Countersign Authors.
// SPDX-License-Identifier: Apache-2.0

package admission

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"maps"
	"net"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
)

const day = 24 * time.Hour

func hostsOf(names ...string) hosts {
	return hosts{DNSNames: names, IPs: []net.IP{net.IPv4(127, 0, 0, 1), net.IPv6loopback}}
}

// issued is the data of a Secret after its first use, at noon.
func issued(t *testing.T) map[string][]byte {
	t.Helper()
	return renew(t, nil, hostsOf("webhook.svc"), noon(), true)
}

func renew(t *testing.T, data map[string][]byte, h hosts, now time.Time, change bool) map[string][]byte {
	t.Helper()
	next, changed, err := renewed(data, h, now)
	if err != nil {
		t.Fatal(err)
	}
	if changed != change {
		t.Fatalf("changed %v, want %v", changed, change)
	}
	// What serves is trusted by the bundle, for every host, at that time.
	pair, err := tls.X509KeyPair(next[corev1.TLSCertKey], next[corev1.TLSPrivateKeyKey])
	if err != nil {
		t.Fatal(err)
	}
	names := append([]string{"127.0.0.1", "::1"}, h.DNSNames...)
	for _, name := range names {
		if err := trustedBy(next[authorityCert], pair.Leaf, name, now); err != nil {
			t.Errorf("%s at %s: %v", name, now, err)
		}
	}
	return next
}

func trustedBy(bundle []byte, leaf *x509.Certificate, name string, now time.Time) error {
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(bundle)
	_, err := leaf.Verify(x509.VerifyOptions{Roots: roots, DNSName: name, CurrentTime: now, KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}})
	return err
}

func leafOf(t *testing.T, data map[string][]byte) *x509.Certificate {
	t.Helper()
	pair, err := tls.X509KeyPair(data[corev1.TLSCertKey], data[corev1.TLSPrivateKeyKey])
	if err != nil {
		t.Fatal(err)
	}
	return pair.Leaf
}

func TestFirstCertificate(t *testing.T) {
	data := issued(t)
	leaf := leafOf(t, data)
	if leaf.IsCA || len(trusted(data[authorityCert], noon())) != 1 {
		t.Errorf("the leaf is an authority (%v) or there is not one authority", leaf.IsCA)
	}
	if err := trustedBy(data[authorityCert], leaf, "other.svc", noon()); err == nil {
		t.Error("it serves any name")
	}
	if err := trustedBy(data[authorityCert], leaf, "webhook.svc", noon().Add(-30*time.Minute)); err != nil {
		t.Errorf("a client whose clock is behind refuses it: %v", err)
	}
	other := issued(t)
	if bytes.Equal(other[authorityKey], data[authorityKey]) || trustedBy(other[authorityCert], leaf, "webhook.svc", noon()) == nil {
		t.Error("two authorities have the same key")
	}
}

// A leaf is renewed when two thirds of its life are over or it does not fit any
// more; the authority stays.
func TestRenewLeaf(t *testing.T) {
	first := issued(t)
	with := func(key string, value []byte) map[string][]byte {
		data := maps.Clone(first)
		data[key] = value
		return data
	}
	for name, tc := range map[string]struct {
		data   map[string][]byte
		hosts  hosts
		after  time.Duration
		change bool
	}{
		"Same":       {first, hostsOf("webhook.svc"), 0, false},
		"BeforeDue":  {first, hostsOf("webhook.svc"), 59 * day, false},
		"Due":        {first, hostsOf("webhook.svc"), 60*day + time.Minute, true},
		"Expired":    {first, hostsOf("webhook.svc"), 91 * day, true},
		"MoreHosts":  {first, hostsOf("webhook.svc", "localhost"), 0, true},
		"OtherIP":    {first, hosts{IPs: []net.IP{net.IPv4(10, 0, 0, 1)}}, 0, true},
		"NoCert":     {with(corev1.TLSCertKey, nil), hostsOf("webhook.svc"), 0, true},
		"NoKey":      {with(corev1.TLSPrivateKeyKey, nil), hostsOf("webhook.svc"), 0, true},
		"OtherKey":   {with(corev1.TLSPrivateKeyKey, issued(t)[corev1.TLSPrivateKeyKey]), hostsOf("webhook.svc"), 0, true},
		"ForeignOne": {foreign(first, issued(t)), hostsOf("webhook.svc"), 0, true},
	} {
		t.Run(name, func(t *testing.T) {
			next, changed, err := renewed(tc.data, tc.hosts, noon().Add(tc.after))
			if err != nil || changed != tc.change {
				t.Fatalf("changed %v, want %v (%v)", changed, tc.change, err)
			}
			if !bytes.Equal(next[authorityCert], first[authorityCert]) || !bytes.Equal(next[authorityKey], first[authorityKey]) {
				t.Error("the authority changed")
			}
			for _, host := range tc.hosts.DNSNames {
				if err := trustedBy(next[authorityCert], leafOf(t, next), host, noon().Add(tc.after)); err != nil {
					t.Error(err)
				}
			}
		})
	}
}

// foreign is a Secret whose leaf another authority signed.
func foreign(data, other map[string][]byte) map[string][]byte {
	data = maps.Clone(data)
	data[corev1.TLSCertKey], data[corev1.TLSPrivateKeyKey] = other[corev1.TLSCertKey], other[corev1.TLSPrivateKeyKey]
	return data
}

// While an authority is replaced, replicas that still serve what the former one
// signed are trusted, until it expires.
func TestAuthoritiesOverlap(t *testing.T) {
	first := issued(t)
	life := authorityLife + clockSlack
	due := noon().Add(life * 2 / 3)
	before := renew(t, first, hostsOf("webhook.svc"), due.Add(-2*day), true)
	if len(trusted(before[authorityCert], due)) != 1 {
		t.Fatal("the authority was replaced too early")
	}
	second := renew(t, before, hostsOf("webhook.svc"), due, true)
	if n := len(trusted(second[authorityCert], due)); n != 2 {
		t.Fatalf("%d authorities are trusted, want 2", n)
	}
	if err := trustedBy(second[authorityCert], leafOf(t, before), "webhook.svc", due); err != nil {
		t.Errorf("a replica that has not looked yet is not trusted: %v", err)
	}
	renew(t, second, hostsOf("webhook.svc"), due, false)
	after := noon().Add(authorityLife + time.Minute)
	third := renew(t, second, hostsOf("webhook.svc"), after, true)
	if n := len(trusted(third[authorityCert], after)); n != 1 {
		t.Errorf("%d authorities are trusted after the first has expired, want 1", n)
	}
}

// A Secret that somebody damaged is mended; what can still be trusted is.
func TestMendSecret(t *testing.T) {
	first := issued(t)
	leaf := leafOf(t, first)
	notAuthority := pem.EncodeToMemory(&pem.Block{Type: pemCertificate, Bytes: leaf.Raw})
	for name, tc := range map[string]struct {
		change func(map[string][]byte)
		kept   bool // the former authority stays trusted
	}{
		"NoAuthority":      {func(d map[string][]byte) { delete(d, authorityCert) }, false},
		"GarbageAuthority": {func(d map[string][]byte) { d[authorityCert] = []byte("x") }, false},
		"NoAuthorityKey":   {func(d map[string][]byte) { delete(d, authorityKey) }, true},
		"GarbageKey":       {func(d map[string][]byte) { d[authorityKey] = []byte("x") }, true},
		"LeafAsAuthority": {func(d map[string][]byte) {
			d[authorityCert], d[authorityKey] = notAuthority, d[corev1.TLSPrivateKeyKey]
		}, false},
		"Empty": {func(d map[string][]byte) { clear(d) }, false},
	} {
		t.Run(name, func(t *testing.T) {
			data := maps.Clone(first)
			tc.change(data)
			next := renew(t, data, hostsOf("webhook.svc"), noon(), true)
			if kept := trustedBy(next[authorityCert], leaf, "webhook.svc", noon()) == nil; kept != tc.kept {
				t.Errorf("the former authority is trusted: %v, want %v", kept, tc.kept)
			}
			renew(t, next, hostsOf("webhook.svc"), noon(), false)
		})
	}
}

// Copyright The Countersign Authors.
// SPDX-License-Identifier: Apache-2.0

package admission

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"math/big"
	"net"
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"
)

const (
	authorityLife = 5 * 365 * 24 * time.Hour
	leafLife      = 90 * 24 * time.Hour
	// clockSlack lets clients whose clock is behind accept a fresh certificate.
	clockSlack = time.Hour

	authorityCert = "ca.crt"
	authorityKey  = "ca.key"

	pemCertificate = "CERTIFICATE"
	pemKey         = "PRIVATE KEY"
)

// hosts are the names and addresses that a serving certificate is for.
type hosts struct {
	DNSNames []string
	IPs      []net.IP
}

// renewed is the data of the Secret brought up to date, and whether anything in
// it had to change. A new authority stands in front of the former ones, which
// stay trusted for as long as replicas may serve what they signed.
func renewed(data map[string][]byte, h hosts, now time.Time) (map[string][]byte, bool, error) {
	bundle := trusted(data[authorityCert], now)
	ca, key, err := authority(data)
	if err != nil || due(ca, now) {
		if ca, key, err = newAuthority(now); err != nil {
			return nil, false, err
		}
		bundle = append([]*x509.Certificate{ca}, bundle...)
	}
	leaf, leafKey := data[corev1.TLSCertKey], data[corev1.TLSPrivateKeyKey]
	if !serves(leaf, leafKey, ca, h, now) {
		if leaf, leafKey, err = newLeaf(ca, key, h, now); err != nil {
			return nil, false, err
		}
	}
	keyPEM, err := encodeKey(key)
	if err != nil {
		return nil, false, err
	}
	next := map[string][]byte{
		authorityCert: encodeCerts(bundle), authorityKey: keyPEM,
		corev1.TLSCertKey: leaf, corev1.TLSPrivateKeyKey: leafKey,
	}
	changed := false
	for name, value := range next {
		changed = changed || !bytes.Equal(value, data[name])
	}
	return next, changed, nil
}

// trusted are the authorities of a bundle that have not expired.
func trusted(bundle []byte, now time.Time) (certs []*x509.Certificate) {
	for block, rest := pem.Decode(bundle); block != nil; block, rest = pem.Decode(rest) {
		if c, err := x509.ParseCertificate(block.Bytes); err == nil && c.IsCA && now.Before(c.NotAfter) {
			certs = append(certs, c)
		}
	}
	return certs
}

// authority is the first certificate of the bundle, with its key.
func authority(data map[string][]byte) (*x509.Certificate, *ecdsa.PrivateKey, error) {
	pair, err := tls.X509KeyPair(data[authorityCert], data[authorityKey])
	if err != nil {
		return nil, nil, err
	}
	key, ok := pair.PrivateKey.(*ecdsa.PrivateKey)
	if !ok || !pair.Leaf.IsCA {
		return nil, nil, errors.New("not an authority")
	}
	return pair.Leaf, key, nil
}

// due tells whether two thirds of a certificate's life are over.
func due(c *x509.Certificate, now time.Time) bool {
	return now.After(c.NotBefore.Add(c.NotAfter.Sub(c.NotBefore) * 2 / 3))
}

// serves tells whether a leaf can go on: its key fits, the authority signed it,
// it covers every host and it is not due.
func serves(cert, key []byte, ca *x509.Certificate, h hosts, now time.Time) bool {
	pair, err := tls.X509KeyPair(cert, key)
	if err != nil || pair.Leaf.CheckSignatureFrom(ca) != nil || due(pair.Leaf, now) {
		return false
	}
	for _, name := range h.DNSNames {
		if pair.Leaf.VerifyHostname(name) != nil {
			return false
		}
	}
	return !slices.ContainsFunc(h.IPs, func(ip net.IP) bool { return pair.Leaf.VerifyHostname(ip.String()) != nil })
}

func newAuthority(now time.Time) (*x509.Certificate, *ecdsa.PrivateKey, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, nil, fmt.Errorf("generate key: %w", err)
	}
	template := &x509.Certificate{
		Subject:   pkix.Name{CommonName: "countersign-webhook-ca"},
		NotBefore: now.Add(-clockSlack), NotAfter: now.Add(authorityLife),
		KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageDigitalSignature, BasicConstraintsValid: true, IsCA: true,
	}
	cert, err := issue(template, template, key, key)
	return cert, key, err
}

func newLeaf(ca *x509.Certificate, caKey *ecdsa.PrivateKey, h hosts, now time.Time) (cert, key []byte, err error) {
	leafKey, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, nil, fmt.Errorf("generate key: %w", err)
	}
	template := &x509.Certificate{
		Subject:  pkix.Name{CommonName: "countersign-webhook"},
		DNSNames: h.DNSNames, IPAddresses: h.IPs,
		NotBefore: now.Add(-clockSlack), NotAfter: now.Add(leafLife),
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
		BasicConstraintsValid: true,
	}
	leaf, err := issue(template, ca, leafKey, caKey)
	if err != nil {
		return nil, nil, err
	}
	key, err = encodeKey(leafKey)
	return encodeCerts([]*x509.Certificate{leaf}), key, err
}

// issue signs template, for the holder of key, by the parent's key.
func issue(template, parent *x509.Certificate, key, parentKey *ecdsa.PrivateKey) (*x509.Certificate, error) {
	serial, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 120))
	if err != nil {
		return nil, fmt.Errorf("generate serial number: %w", err)
	}
	template.SerialNumber = serial
	der, err := x509.CreateCertificate(rand.Reader, template, parent, key.Public(), parentKey)
	if err != nil {
		return nil, fmt.Errorf("issue certificate: %w", err)
	}
	return x509.ParseCertificate(der)
}

func encodeCerts(certs []*x509.Certificate) (out []byte) {
	for _, c := range certs {
		out = append(out, pem.EncodeToMemory(&pem.Block{Type: pemCertificate, Bytes: c.Raw})...)
	}
	return out
}

func encodeKey(key any) ([]byte, error) {
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return nil, fmt.Errorf("encode key: %w", err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: pemKey, Bytes: der}), nil
}

// Copyright The Countersign Authors.
// SPDX-License-Identifier: Apache-2.0

// Package identity makes who is who in a local cluster: a certificate
// authority, certificates for its programs, people with tokens of a local
// OpenID Connect issuer, and the kubeconfig that holds them.
package identity

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"fmt"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"time"

	"k8s.io/client-go/util/cert"
	"k8s.io/client-go/util/keyutil"
)

// certificateLife is that of a local cluster, at most.
const certificateLife = 365 * 24 * time.Hour

// Authority signs the certificates of one cluster.
type Authority struct {
	dir  string
	key  crypto.Signer
	cert *x509.Certificate
}

// Pair is a certificate and its key, both PEM.
type Pair struct{ Cert, Key []byte }

// NewAuthority makes an authority that keeps its files in dir.
func NewAuthority(dir string) (*Authority, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	key, err := newKey()
	if err != nil {
		return nil, err
	}
	ca, err := cert.NewSelfSignedCACert(cert.Config{CommonName: "countersign-local"}, key)
	if err != nil {
		return nil, err
	}
	a := &Authority{dir: dir, key: key, cert: ca}
	if err := os.WriteFile(a.File("ca.crt"), a.PEM(), 0o644); err != nil {
		return nil, err
	}
	return a, writeKey(a.File("service-accounts.key"))
}

func newKey() (*ecdsa.PrivateKey, error) { return ecdsa.GenerateKey(elliptic.P256(), rand.Reader) }

func writeKey(file string) error {
	key, err := newKey()
	if err != nil {
		return err
	}
	pem, err := keyutil.MarshalPrivateKeyToPEM(key)
	if err != nil {
		return err
	}
	return os.WriteFile(file, pem, 0o600)
}

// PEM is the authority's own certificate.
func (a *Authority) PEM() []byte { return encodeCert(a.cert.Raw) }

// File is the path of one of the authority's files.
func (a *Authority) File(name string) string { return filepath.Join(a.dir, name) }

// Client makes a client certificate for a user in groups.
func (a *Authority) Client(user string, groups ...string) (Pair, error) {
	return a.sign(&x509.Certificate{
		Subject:     pkix.Name{CommonName: user, Organization: groups},
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth},
	})
}

// Server makes a serving certificate for names and addresses.
func (a *Authority) Server(name string, hosts ...string) (Pair, error) {
	template := &x509.Certificate{
		Subject:     pkix.Name{CommonName: name},
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}
	for _, host := range hosts {
		if ip := net.ParseIP(host); ip != nil {
			template.IPAddresses = append(template.IPAddresses, ip)
		} else {
			template.DNSNames = append(template.DNSNames, host)
		}
	}
	return a.sign(template)
}

func (a *Authority) sign(template *x509.Certificate) (Pair, error) {
	key, err := newKey()
	if err != nil {
		return Pair{}, err
	}
	serial, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 120))
	if err != nil {
		return Pair{}, err
	}
	template.SerialNumber = serial
	template.NotBefore = time.Now().Add(-time.Minute)
	template.NotAfter = time.Now().Add(certificateLife)
	template.KeyUsage = x509.KeyUsageDigitalSignature
	raw, err := x509.CreateCertificate(rand.Reader, template, a.cert, key.Public(), a.key)
	if err != nil {
		return Pair{}, err
	}
	pem, err := keyutil.MarshalPrivateKeyToPEM(key)
	return Pair{Cert: encodeCert(raw), Key: pem}, err
}

// Write writes a pair as NAME.crt and NAME.key beside the authority.
func (a *Authority) Write(name string, pair Pair) error {
	if err := os.WriteFile(a.File(name+".crt"), pair.Cert, 0o644); err != nil {
		return err
	}
	return os.WriteFile(a.File(name+".key"), pair.Key, 0o600)
}

// TLS is the pair for a server of ours.
func (p Pair) TLS() (tls.Certificate, error) {
	c, err := tls.X509KeyPair(p.Cert, p.Key)
	if err != nil {
		return c, fmt.Errorf("certificate and key do not fit: %w", err)
	}
	return c, nil
}

func encodeCert(raw []byte) []byte {
	pem, err := cert.EncodeCertificates(&x509.Certificate{Raw: raw})
	if err != nil { // only writing to memory
		panic(err)
	}
	return pem
}

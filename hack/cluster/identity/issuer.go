// Copyright The Countersign Authors.
// SPDX-License-Identifier: Apache-2.0

package identity

import (
	"crypto/ecdsa"
	"crypto/rand"
	"crypto/tls"
	"encoding/json"
	"errors"
	"io"
	"log"
	"net"
	"net/http"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"
)

const (
	// Audience is what the people's tokens are for.
	Audience = "countersign-local"
	// TokenLife is how long a person's token is valid.
	TokenLife = 24 * time.Hour

	keyID = "local"
)

// Issuer is a small OpenID Connect issuer: it signs tokens and publishes the
// key that the API server checks them with.
type Issuer struct {
	URL    string
	key    *ecdsa.PrivateKey
	server *http.Server
}

// Claims are what a token says about a person. With jti the API server gives
// the request a credential id, by which an impersonated request is told apart.
type Claims struct {
	jwt.Claims
	Email         string   `json:"email"`
	EmailVerified bool     `json:"email_verified"`
	Groups        []string `json:"groups"`
}

// NewIssuer serves an issuer over HTTPS on a loopback port of its own choice.
func NewIssuer(ca *Authority) (*Issuer, error) {
	pair, err := ca.Server("issuer", "127.0.0.1", "localhost")
	if err != nil {
		return nil, err
	}
	certificate, err := pair.TLS()
	if err != nil {
		return nil, err
	}
	key, err := newKey()
	if err != nil {
		return nil, err
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	i := &Issuer{URL: "https://" + l.Addr().String(), key: key}
	i.server = &http.Server{
		Handler:           i.handler(),
		ReadHeaderTimeout: 10 * time.Second,
		ErrorLog:          log.New(io.Discard, "", 0),
		TLSConfig:         &tls.Config{Certificates: []tls.Certificate{certificate}, MinVersion: tls.VersionTLS12},
	}
	go func() { _ = i.server.ServeTLS(l, "", "") }() // ends by Close
	return i, nil
}

// Close stops serving.
func (i *Issuer) Close() error {
	if err := i.server.Close(); err != nil && !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}

func (i *Issuer) handler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /.well-known/openid-configuration", func(w http.ResponseWriter, _ *http.Request) {
		writeJSON(w, map[string]any{
			"issuer":                                i.URL,
			"jwks_uri":                              i.URL + "/keys",
			"response_types_supported":              []string{"id_token"},
			"subject_types_supported":               []string{"public"},
			"id_token_signing_alg_values_supported": []string{string(jose.ES256)},
		})
	})
	mux.HandleFunc("GET /keys", func(w http.ResponseWriter, _ *http.Request) {
		writeJSON(w, jose.JSONWebKeySet{Keys: []jose.JSONWebKey{{
			Key: i.key.Public(), KeyID: keyID, Algorithm: string(jose.ES256), Use: "sig",
		}}})
	})
	return mux
}

func writeJSON(w http.ResponseWriter, v any) {
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(v) // a reader that has gone needs no answer
}

// Token signs a new token for a person.
func (i *Issuer) Token(p Person, now time.Time) (string, error) {
	signer, err := jose.NewSigner(
		jose.SigningKey{Algorithm: jose.ES256, Key: jose.JSONWebKey{Key: i.key, KeyID: keyID}},
		(&jose.SignerOptions{}).WithType("JWT"))
	if err != nil {
		return "", err
	}
	return jwt.Signed(signer).Claims(i.claims(p, now)).Serialize()
}

func (i *Issuer) claims(p Person, now time.Time) Claims {
	return Claims{
		Claims: jwt.Claims{
			Issuer:    i.URL,
			Subject:   p.Name,
			Audience:  jwt.Audience{Audience},
			ID:        rand.Text(),
			IssuedAt:  jwt.NewNumericDate(now),
			NotBefore: jwt.NewNumericDate(now.Add(-time.Minute)),
			Expiry:    jwt.NewNumericDate(now.Add(TokenLife)),
		},
		Email:         p.Email,
		EmailVerified: true, // the API server asks for it when the username is an email
		Groups:        p.Groups,
	}
}

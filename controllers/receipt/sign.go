// Copyright The Countersign Authors.
// SPDX-License-Identifier: Apache-2.0

package receipt

import (
	"context"
	"crypto"
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"sync/atomic"

	"github.com/secure-systems-lab/go-securesystemslib/dsse"
)

// KeyID names a public key in an envelope: the first 16 hex digits of the
// SHA-256 of its bytes.
func KeyID(key ed25519.PublicKey) string {
	sum := sha256.Sum256(key)
	return hex.EncodeToString(sum[:8])
}

// Signer makes receipts. Its key can be replaced while it is in use; without
// one it signs nothing.
type Signer struct {
	key atomic.Pointer[ed25519.PrivateKey]
}

// NewSigner signs with key.
func NewSigner(key ed25519.PrivateKey) *Signer {
	s := &Signer{}
	s.Use(key)
	return s
}

// Use replaces the key.
func (s *Signer) Use(key ed25519.PrivateKey) { s.key.Store(&key) }

// Public is the key that verifies what the Signer signs; nil without one.
func (s *Signer) Public() ed25519.PublicKey {
	key, ok := s.private()
	if !ok {
		return nil
	}
	return publicOf(key)
}

func (s *Signer) private() (ed25519.PrivateKey, bool) {
	if s == nil {
		return nil, false
	}
	key := s.key.Load()
	if key == nil || len(*key) != ed25519.PrivateKeySize {
		return nil, false
	}
	return *key, true
}

func publicOf(key ed25519.PrivateKey) ed25519.PublicKey {
	return ed25519.PublicKey(key[ed25519.PrivateKeySize-ed25519.PublicKeySize:])
}

// SignVote is the envelope that proves v.
func (s *Signer) SignVote(ctx context.Context, v Vote) (string, error) {
	v = v.canonical()
	if err := v.check(); err != nil {
		return "", fmt.Errorf("sign vote: %w", err)
	}
	return s.sign(ctx, VotePayloadType, v)
}

// SignAuthors is the envelope that proves a.
func (s *Signer) SignAuthors(ctx context.Context, a Authors) (string, error) {
	a = a.canonical()
	if err := a.check(); err != nil {
		return "", fmt.Errorf("sign authors: %w", err)
	}
	return s.sign(ctx, AuthorsPayloadType, a)
}

func (s *Signer) sign(ctx context.Context, payloadType string, statement any) (string, error) {
	key, ok := s.private()
	if !ok {
		return "", errors.New("no signing key")
	}
	payload, err := json.Marshal(statement)
	if err != nil {
		return "", fmt.Errorf("encode payload: %w", err)
	}
	envelopes, err := dsse.NewEnvelopeSigner(signingKey(key))
	if err != nil {
		return "", err
	}
	envelope, err := envelopes.SignPayload(ctx, payloadType, payload)
	if err != nil {
		return "", fmt.Errorf("sign payload: %w", err)
	}
	return encode(envelope)
}

func encode(envelope *dsse.Envelope) (string, error) {
	raw, err := json.Marshal(envelope)
	if err != nil {
		return "", fmt.Errorf("encode envelope: %w", err)
	}
	text := base64.RawURLEncoding.EncodeToString(raw)
	if len(text) > maxEnvelope {
		return "", fmt.Errorf("the receipt would be longer than %d bytes", maxEnvelope)
	}
	return text, nil
}

// signingKey and verifyingKey are Ed25519 as the envelope library wants it.
type signingKey ed25519.PrivateKey

func (k signingKey) Sign(_ context.Context, data []byte) ([]byte, error) {
	return ed25519.Sign(ed25519.PrivateKey(k), data), nil
}

func (k signingKey) KeyID() (string, error) {
	return KeyID(publicOf(ed25519.PrivateKey(k))), nil
}

type verifyingKey ed25519.PublicKey

func (k verifyingKey) Verify(_ context.Context, data, sig []byte) error {
	if len(k) != ed25519.PublicKeySize || !ed25519.Verify(ed25519.PublicKey(k), data, sig) {
		return errors.New("wrong signature")
	}
	return nil
}

func (k verifyingKey) KeyID() (string, error)   { return KeyID(ed25519.PublicKey(k)), nil }
func (k verifyingKey) Public() crypto.PublicKey { return ed25519.PublicKey(k) }

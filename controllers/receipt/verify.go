// Copyright The Countersign Authors.
// SPDX-License-Identifier: Apache-2.0

package receipt

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"sync/atomic"

	"github.com/secure-systems-lab/go-securesystemslib/dsse"
)

// maxEnvelope bounds what is decoded: an annotation may hold 256 KiB.
const maxEnvelope = 64 << 10

// errUntrusted is of a receipt that no trusted key has signed.
var errUntrusted = errors.New("the signature is not of a key that is trusted")

// Keys are those that receipts are verified by.
type Keys struct {
	// Trusted keys prove everything.
	Trusted []ed25519.PublicKey
	// Retired keys were trusted once. They prove rejections and nothing else:
	// when a key goes, what it approved has to be approved again, and what
	// holds a release back goes on holding it.
	Retired []ed25519.PublicKey
}

// Verifier tells receipts of the keys it trusts from everything else. Its keys
// can be replaced while it is in use.
type Verifier struct{ keys atomic.Pointer[Keys] }

// NewVerifier trusts keys. Without any it refuses every receipt.
func NewVerifier(keys ...ed25519.PublicKey) *Verifier {
	v := &Verifier{}
	v.Use(Keys{Trusted: keys})
	return v
}

// Use replaces the keys.
func (v *Verifier) Use(keys Keys) { v.keys.Store(&keys) }

// Vote is what a vote's envelope proves.
func (v *Verifier) Vote(envelope string) (Vote, error) {
	keys := v.known()
	vote, err := openVote(keys.Trusted, envelope)
	if !errors.Is(err, errUntrusted) || len(keys.Retired) == 0 {
		return vote, err
	}
	former, formerErr := openVote(keys.Retired, envelope)
	switch {
	case formerErr != nil:
		return Vote{}, err
	case former.Decision != Reject:
		return Vote{}, errors.New("it was signed by a key that is trusted no longer")
	}
	return former, nil
}

func openVote(keys []ed25519.PublicKey, envelope string) (Vote, error) {
	payload, err := openBy(keys, VotePayloadType, envelope)
	if err != nil {
		return Vote{}, err
	}
	var vote Vote
	if err := decode(payload, &vote); err != nil {
		return Vote{}, err
	}
	if err := same(payload, vote.canonical()); err != nil {
		return Vote{}, err
	}
	return vote, vote.check()
}

func (v *Verifier) known() Keys {
	if v == nil {
		return Keys{}
	}
	if keys := v.keys.Load(); keys != nil {
		return *keys
	}
	return Keys{}
}

// Authors is what the envelope of an author list proves.
func (v *Verifier) Authors(envelope string) (Authors, error) {
	payload, err := v.open(AuthorsPayloadType, envelope)
	if err != nil {
		return Authors{}, err
	}
	var authors Authors
	if err := decode(payload, &authors); err != nil {
		return Authors{}, err
	}
	if err := same(payload, authors.canonical()); err != nil {
		return Authors{}, err
	}
	return authors, authors.check()
}

// open is the payload of an envelope that a trusted key has signed.
func (v *Verifier) open(payloadType, envelope string) ([]byte, error) {
	return openBy(v.known().Trusted, payloadType, envelope)
}

// openBy is the payload of an envelope of the wanted type with one good signature.
func openBy(keys []ed25519.PublicKey, payloadType, envelope string) ([]byte, error) {
	if len(envelope) > maxEnvelope {
		return nil, fmt.Errorf("the envelope is longer than %d bytes", maxEnvelope)
	}
	raw, err := base64.RawURLEncoding.Strict().DecodeString(envelope)
	if err != nil {
		return nil, errors.New("the envelope is not base64")
	}
	var e dsse.Envelope
	if err := decode(raw, &e); err != nil {
		return nil, err
	}
	if e.PayloadType != payloadType {
		return nil, errors.New("the envelope is of another kind")
	}
	if len(e.Signatures) != 1 {
		return nil, errors.New("the envelope needs exactly one signature")
	}
	if len(keys) == 0 {
		return nil, errors.New("no verification key is configured")
	}
	verifiers := make([]dsse.Verifier, 0, len(keys))
	for _, key := range keys {
		verifiers = append(verifiers, verifyingKey(key))
	}
	envelopes, err := dsse.NewEnvelopeVerifier(verifiers...)
	if err != nil {
		return nil, err
	}
	_, payload, err := envelopes.VerifyAndDecode(context.Background(), &e)
	if err != nil {
		return nil, errUntrusted
	}
	return payload, nil
}

// decode refuses unknown fields and anything that follows the value.
func decode(raw []byte, into any) error {
	decoder := json.NewDecoder(bytes.NewReader(raw))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(into); err != nil {
		return errors.New("the receipt is not what admission writes")
	}
	if _, err := decoder.Token(); err != io.EOF {
		return errors.New("the receipt has something after its end")
	}
	return nil
}

// same refuses a payload in any other spelling than the signer's: repeated
// fields, other capitals, other time zones.
func same(payload []byte, statement any) error {
	again, err := json.Marshal(statement)
	if err != nil {
		return fmt.Errorf("encode payload: %w", err)
	}
	if !bytes.Equal(again, payload) {
		return errors.New("the receipt is not spelled as admission writes it")
	}
	return nil
}

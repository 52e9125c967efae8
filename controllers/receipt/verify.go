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

	"github.com/secure-systems-lab/go-securesystemslib/dsse"
)

// maxEnvelope bounds what is decoded: an annotation may hold 256 KiB.
const maxEnvelope = 64 << 10

// Verifier tells receipts of the keys it trusts from everything else.
type Verifier struct{ keys []dsse.Verifier }

// NewVerifier trusts keys. Without any it refuses every receipt.
func NewVerifier(keys ...ed25519.PublicKey) *Verifier {
	v := &Verifier{}
	for _, key := range keys {
		v.keys = append(v.keys, verifyingKey(key))
	}
	return v
}

// Vote is what a vote's envelope proves.
func (v *Verifier) Vote(envelope string) (Vote, error) {
	payload, err := v.open(VotePayloadType, envelope)
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

// open is the payload of an envelope of the wanted type with one good signature.
func (v *Verifier) open(payloadType, envelope string) ([]byte, error) {
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
	if v == nil || len(v.keys) == 0 {
		return nil, errors.New("no verification key is configured")
	}
	envelopes, err := dsse.NewEnvelopeVerifier(v.keys...)
	if err != nil {
		return nil, err
	}
	_, payload, err := envelopes.VerifyAndDecode(context.Background(), &e)
	if err != nil {
		return nil, errors.New("the signature is not of a key that is trusted")
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

// Copyright The Countersign Authors.
// SPDX-License-Identifier: Apache-2.0

// Package keys keeps the Ed25519 keys that receipts are signed with.
//
// The operator makes them: a Ring writes the private one to a Secret, which the
// webhook's account may read by its name and nothing else, and the public ones
// to a ConfigMap, which the webhook's account cannot write. So whoever takes the
// webhook over can sign for as long as they hold it, and cannot make a key of
// their own trusted. A Holder is the webhook's side: it takes up the current key
// without a restart.
//
// Secrets have one of two names, a slot each, because RBAC can name an object
// only in full: a rotation fills the slot that is not in use.
package keys

import (
	"bytes"
	"crypto/ed25519"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"time"

	"github.com/countersign/countersign/controllers/receipt"
)

const (
	// ConfigMapName is the ConfigMap of the keys that are trusted.
	ConfigMapName = "countersign-trusted-keys"
	// SecretPrefix begins the names of the Secrets of private keys; a slot follows.
	SecretPrefix = "countersign-signing-key-"
	// RotateAnnotation, on the ConfigMap, asks for another key. With the value
	// Compromised, what the former keys approved counts no longer; with any
	// other it counts for as long as they overlap.
	RotateAnnotation = "countersign.dev/rotate"
	Compromised      = "compromised"

	// entry of the ConfigMap's data.
	entry = "keys.json"
	// limit is how many keys are remembered: one that is forgotten holds no
	// release back any more.
	limit = 16
)

// slots of private keys.
var slots = []string{"a", "b"}

// Key is one public key.
type Key struct {
	// ID is the key's name in an envelope.
	ID string `json:"id"`
	// Public is the key itself, in base64.
	Public string `json:"public"`
	// Slot of the Secret that has, or had, the private key.
	Slot string `json:"slot"`
	// CreatedAt is when it was made.
	CreatedAt time.Time `json:"createdAt"`
	// TrustedUntil is the end of the overlap. The current key has none.
	TrustedUntil *time.Time `json:"trustedUntil,omitempty"`
}

// Set is all keys that there were, the current one first.
type Set struct {
	Keys []Key `json:"keys"`
}

// Current is the key that is signed with.
func (s Set) Current() Key { return s.Keys[0] }

// Receipts are the keys as receipts are verified by them at a time.
func (s Set) Receipts(now time.Time) receipt.Keys {
	var keys receipt.Keys
	for i, k := range s.Keys {
		public, err := k.public()
		switch {
		case err != nil:
		case i == 0 || k.TrustedUntil != nil && now.Before(*k.TrustedUntil):
			keys.Trusted = append(keys.Trusted, public)
		default:
			keys.Retired = append(keys.Retired, public)
		}
	}
	return keys
}

func (k Key) public() (ed25519.PublicKey, error) {
	raw, err := base64.StdEncoding.Strict().DecodeString(k.Public)
	if err != nil || len(raw) != ed25519.PublicKeySize {
		return nil, fmt.Errorf("key %s is not an Ed25519 key", k.ID)
	}
	return raw, nil
}

func keyOf(public ed25519.PublicKey, slot string, now time.Time) Key {
	return Key{
		ID: receipt.KeyID(public), Public: base64.StdEncoding.EncodeToString(public),
		Slot: slot, CreatedAt: now.UTC().Truncate(time.Second),
	}
}

// followed is the set after a rotation. What was trusted stays so until then,
// and never longer than it was to be.
func (s Set) followed(by Key, until time.Time) Set {
	until = until.UTC().Truncate(time.Second)
	next := Set{Keys: []Key{by}}
	for _, k := range s.Keys {
		if k.ID == by.ID {
			continue
		}
		if k.TrustedUntil == nil || k.TrustedUntil.After(until) {
			k.TrustedUntil = &until
		}
		next.Keys = append(next.Keys, k)
	}
	next.Keys = next.Keys[:min(len(next.Keys), limit)]
	return next
}

// parse reads what format wrote, and nothing else.
func parse(text string) (Set, error) {
	var s Set
	decoder := json.NewDecoder(bytes.NewReader([]byte(text)))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&s); err != nil {
		return Set{}, fmt.Errorf("decode %s: %w", entry, err)
	}
	if _, err := decoder.Token(); err != io.EOF {
		return Set{}, fmt.Errorf("%s has something after its end", entry)
	}
	return s, s.check()
}

func (s Set) check() error {
	if len(s.Keys) == 0 || len(s.Keys) > limit {
		return fmt.Errorf("there are %d keys, and there have to be 1 to %d", len(s.Keys), limit)
	}
	for i, k := range s.Keys {
		public, err := k.public()
		if err != nil {
			return err
		}
		if k.ID != receipt.KeyID(public) {
			return fmt.Errorf("key %s has the name of another", k.ID)
		}
		if (i == 0) != (k.TrustedUntil == nil) {
			return errors.New("the current key is the first, and the others are trusted until a time")
		}
		if !slices.Contains(slots, k.Slot) {
			return fmt.Errorf("key %s is in slot %q, which does not exist", k.ID, k.Slot)
		}
	}
	return nil
}

func (s Set) format() (string, error) {
	raw, err := json.MarshalIndent(s, "", "  ")
	if err != nil {
		return "", fmt.Errorf("encode the keys: %w", err)
	}
	return string(raw), nil
}

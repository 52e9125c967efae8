// Copyright The Countersign Authors.
// SPDX-License-Identifier: Apache-2.0

package receipt

import (
	"encoding/base64"
	"strings"
	"testing"

	"github.com/secure-systems-lab/go-securesystemslib/dsse"
)

// What is proven is what was signed, by the key that the envelope names.
func TestForgedReceipts(t *testing.T) {
	good := signVote(t, aVote())
	bob := aVote()
	bob.User = "bob@example.com"
	other, err := NewSigner(key(1)).SignVote(t.Context(), aVote())
	if err != nil {
		t.Fatal(err)
	}
	for name, envelope := range map[string]string{
		"payload of somebody else": edited(t, good, func(e *dsse.Envelope) { e.Payload = edit(t, signVote(t, bob)).Payload }),
		"name of a trusted key":    edited(t, other, func(e *dsse.Envelope) { e.Signatures[0].KeyID = edit(t, good).Signatures[0].KeyID }),
		"spelled otherwise":        loose(t),
	} {
		t.Run(name, func(t *testing.T) {
			if v, err := trusting().Vote(envelope); err == nil {
				t.Errorf("accepted as %+v", v)
			}
		})
	}
}

// edit is an envelope, opened.
func edit(t *testing.T, envelope string) (e dsse.Envelope) {
	edited(t, envelope, func(opened *dsse.Envelope) { e = *opened })
	return e
}

// loose is a good envelope with bits in its last character that mean nothing.
func loose(t *testing.T) string {
	t.Helper()
	const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
	v := aVote()
	for range 3 {
		if good := signVote(t, v); len(good)%4 != 0 {
			last := len(good) - 1
			text := good[:last] + string(alphabet[strings.IndexByte(alphabet, good[last])|1])
			if _, err := base64.RawURLEncoding.DecodeString(text); err != nil || text == good {
				t.Fatalf("%q says something else: %v", text, err)
			}
			return text
		}
		v.Nonce += "1"
	}
	t.Fatal("no envelope has bits to spare")
	return ""
}

// A key that was trusted once goes on holding back, and lets nothing through.
func TestRetiredKeys(t *testing.T) {
	v := NewVerifier()
	v.Use(Keys{Trusted: NewVerifier(NewSigner(key(1)).Public()).known().Trusted, Retired: trusting().known().Trusted})
	rejects, withdrawn := aVote(), aVote()
	rejects.Decision, withdrawn.Decision, withdrawn.Digest = Reject, Withdrawn, ""
	if _, err := v.Vote(signVote(t, rejects)); err != nil {
		t.Errorf("a rejection: %v", err)
	}
	for name, vote := range map[string]Vote{"an approval": aVote(), "a withdrawal": withdrawn} {
		if _, err := v.Vote(signVote(t, vote)); err == nil || !strings.Contains(err.Error(), "trusted no longer") {
			t.Errorf("%s: %v", name, err)
		}
	}
	if got, err := v.Authors(signAuthors(t, someAuthors())); err == nil {
		t.Errorf("authors are accepted: %+v", got)
	}
}

// What would not be read again is not signed.
func TestSignedReceiptsFit(t *testing.T) {
	v := aVote()
	v.Groups = []string{strings.Repeat("g", maxEnvelope)}
	if _, err := NewSigner(key(0)).SignVote(t.Context(), v); err == nil {
		t.Error("signed a receipt that is too long")
	}
}

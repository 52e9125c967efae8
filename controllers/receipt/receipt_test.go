// Copyright The Countersign Authors.
// SPDX-License-Identifier: Apache-2.0

package receipt

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"encoding/base64"
	"encoding/json"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/secure-systems-lab/go-securesystemslib/dsse"
)

const digestA = "sha256:aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"

func key(seed byte) ed25519.PrivateKey {
	return ed25519.NewKeyFromSeed([]byte(strings.Repeat(string(rune('a'+seed)), ed25519.SeedSize)))
}

func aVote() Vote {
	return Vote{
		Cluster: "c1", Namespace: "shop", Name: "shop", UID: "u1", Slot: "alice", Digest: digestA, Decision: Approve,
		User: "alice@example.com", Groups: []string{"qa"}, At: time.Date(2026, 3, 4, 5, 6, 7, 0, time.UTC), Nonce: "n1",
	}
}

func someAuthors() Authors {
	return Authors{
		Cluster: "c1", Namespace: "shop", Name: "shop", UID: "u1", Revision: "0123456789abcdef",
		Authors: []string{"dana@example.com", "dev@example.com"}, At: time.Date(2026, 3, 4, 5, 6, 7, 0, time.UTC), Nonce: "n1",
	}
}

func signVote(t *testing.T, v Vote) string {
	t.Helper()
	envelope, err := NewSigner(key(0)).SignVote(t.Context(), v)
	if err != nil {
		t.Fatal(err)
	}
	return envelope
}

func signAuthors(t *testing.T, a Authors) string {
	t.Helper()
	envelope, err := NewSigner(key(0)).SignAuthors(t.Context(), a)
	if err != nil {
		t.Fatal(err)
	}
	return envelope
}

func trusting() *Verifier { return NewVerifier(NewSigner(key(0)).Public()) }

func TestVoteRoundTrip(t *testing.T) {
	v := aVote()
	v.At = time.Date(2026, 3, 4, 6, 6, 7, 999, time.FixedZone("CET", 3600))
	v.Groups = []string{"security", "qa", "qa"}
	got, err := trusting().Vote(signVote(t, v))
	if err != nil {
		t.Fatal(err)
	}
	want := aVote()
	want.Groups = []string{"qa", "security"}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v, want %+v", got, want)
	}
}

func TestAuthorsRoundTrip(t *testing.T) {
	got, err := trusting().Authors(signAuthors(t, someAuthors()))
	if err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(got, someAuthors()) {
		t.Errorf("got %+v", got)
	}
}

func TestSigningIsDeterministic(t *testing.T) {
	if signVote(t, aVote()) != signVote(t, aVote()) {
		t.Error("the same statement got two envelopes")
	}
}

func TestSignRefusesIncomplete(t *testing.T) {
	cases := map[string]func(*Vote){
		"NoCluster":       func(v *Vote) { v.Cluster = "" },
		"NoNamespace":     func(v *Vote) { v.Namespace = "" },
		"NoName":          func(v *Vote) { v.Name = "" },
		"NoUID":           func(v *Vote) { v.UID = "" },
		"NoSlot":          func(v *Vote) { v.Slot = "" },
		"NoNonce":         func(v *Vote) { v.Nonce = "" },
		"NoUser":          func(v *Vote) { v.User = "" },
		"UserWithSpace":   func(v *Vote) { v.User = "alice v1" },
		"UserWithNewline": func(v *Vote) { v.User = "alice\n" },
		"NoDigest":        func(v *Vote) { v.Digest = "" },
		"UnknownDecision": func(v *Vote) { v.Decision = "maybe" },
		"DigestWithdrawn": func(v *Vote) { v.Decision = Withdrawn },
	}
	for name, change := range cases {
		t.Run(name, func(t *testing.T) {
			v := aVote()
			change(&v)
			if _, err := NewSigner(key(0)).SignVote(t.Context(), v); err == nil {
				t.Error("signed")
			}
		})
	}
	for name, change := range map[string]func(*Authors){
		"NoCluster":  func(a *Authors) { a.Cluster = "" },
		"NoRevision": func(a *Authors) { a.Revision = "" },
		"Nobody":     func(a *Authors) { a.Authors = nil },
		"BadUser":    func(a *Authors) { a.Authors = []string{`a"b`} },
	} {
		t.Run("Authors"+name, func(t *testing.T) {
			a := someAuthors()
			change(&a)
			if _, err := NewSigner(key(0)).SignAuthors(t.Context(), a); err == nil {
				t.Error("signed")
			}
		})
	}
}

func TestSignWithoutKey(t *testing.T) {
	if _, err := (*Signer)(nil).SignVote(t.Context(), aVote()); err == nil {
		t.Error("signed without a key")
	}
	if _, err := NewSigner(nil).SignVote(t.Context(), aVote()); err == nil {
		t.Error("signed with an empty key")
	}
}

// seal signs any payload, as somebody who has the key and another program could.
func seal(t *testing.T, payloadType, payload string) string {
	t.Helper()
	envelopes, err := dsse.NewEnvelopeSigner(signingKey(key(0)))
	if err != nil {
		t.Fatal(err)
	}
	e, err := envelopes.SignPayload(context.Background(), payloadType, []byte(payload))
	if err != nil {
		t.Fatal(err)
	}
	text, err := encode(e)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

func edited(t *testing.T, envelope string, change func(*dsse.Envelope)) string {
	t.Helper()
	raw, err := base64.RawURLEncoding.DecodeString(envelope)
	if err != nil {
		t.Fatal(err)
	}
	var e dsse.Envelope
	if err := json.Unmarshal(raw, &e); err != nil {
		t.Fatal(err)
	}
	change(&e)
	text, err := encode(&e)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

func TestVerifyRefuses(t *testing.T) {
	good := signVote(t, aVote())
	payload, err := json.Marshal(aVote())
	if err != nil {
		t.Fatal(err)
	}
	other, err := NewSigner(key(1)).SignVote(t.Context(), aVote())
	if err != nil {
		t.Fatal(err)
	}
	text := string(payload)
	cases := map[string]string{
		"Empty":        "",
		"NotBase64":    "%%%",
		"NotJSON":      base64.RawURLEncoding.EncodeToString([]byte("hello")),
		"OtherKey":     other,
		"OtherKind":    signAuthors(t, someAuthors()),
		"TooLong":      strings.Repeat("A", maxEnvelope+1),
		"NoSignature":  edited(t, good, func(e *dsse.Envelope) { e.Signatures = nil }),
		"TwoSigned":    edited(t, good, func(e *dsse.Envelope) { e.Signatures = append(e.Signatures, e.Signatures[0]) }),
		"OtherPayload": edited(t, good, func(e *dsse.Envelope) { e.Payload = base64.StdEncoding.EncodeToString([]byte(`{}`)) }),
		"OtherType":    edited(t, good, func(e *dsse.Envelope) { e.PayloadType = AuthorsPayloadType }),
		"Trailing":     good + base64.RawURLEncoding.EncodeToString([]byte("{}")),
		"ClosedTwice":  base64.RawURLEncoding.EncodeToString(append(opened(t, good), '}')),
		"Padded":       base64.RawURLEncoding.EncodeToString(append(opened(t, good), bytes.Repeat([]byte(" "), maxEnvelope)...)),
		"OtherMember":  base64.RawURLEncoding.EncodeToString(bytes.Replace(opened(t, good), []byte("{"), []byte(`{"weight":9,`), 1)),
		"UnknownField": seal(t, VotePayloadType, strings.Replace(text, `{`, `{"weight":9,`, 1)),
		"FieldTwice":   seal(t, VotePayloadType, strings.Replace(text, `{`, `{"user":"bob",`, 1)),
		"OtherCase":    seal(t, VotePayloadType, strings.Replace(text, `"user"`, `"User"`, 1)),
		"OtherZone":    seal(t, VotePayloadType, strings.Replace(text, `05:06:07Z`, `06:06:07+01:00`, 1)),
		"Incomplete":   seal(t, VotePayloadType, `{}`),
		"NoUser":       seal(t, VotePayloadType, strings.Replace(text, `alice@example.com`, ``, 1)),
		"AfterTheEnd":  seal(t, VotePayloadType, text+" {}"),
	}
	for name, envelope := range cases {
		t.Run(name, func(t *testing.T) {
			if v, err := trusting().Vote(envelope); err == nil {
				t.Errorf("accepted as %+v", v)
			}
		})
	}
	for name, v := range map[string]*Verifier{"NoKeys": NewVerifier(), "Nil": nil, "ShortKey": NewVerifier(ed25519.PublicKey("x"))} {
		t.Run(name, func(t *testing.T) {
			if _, err := v.Vote(good); err == nil {
				t.Error("accepted")
			}
		})
	}
}

// opened is the JSON of an envelope.
func opened(t *testing.T, envelope string) []byte {
	t.Helper()
	raw, err := base64.RawURLEncoding.DecodeString(envelope)
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

func TestVerifyWithSeveralKeys(t *testing.T) {
	v := NewVerifier(NewSigner(key(1)).Public(), NewSigner(key(0)).Public())
	if _, err := v.Vote(signVote(t, aVote())); err != nil {
		t.Errorf("a key that is trusted beside another was refused: %v", err)
	}
}

func TestKeyID(t *testing.T) {
	if id := KeyID(NewSigner(key(0)).Public()); len(id) != 16 {
		t.Errorf("keyid %q has not 16 digits", id)
	}
}

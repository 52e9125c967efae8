// Copyright The Countersign Authors.
// SPDX-License-Identifier: Apache-2.0

package receipt

import (
	"strings"
	"testing"
)

func TestVoteAnnotation(t *testing.T) {
	text := FormatVote("alice@example.com", "reject:"+digestA, "abc")
	got, err := ParseVoteAnnotation(text)
	if want := (VoteAnnotation{"alice@example.com", "reject:" + digestA, "abc"}); err != nil || got != want {
		t.Errorf("got %+v, %v", got, err)
	}
	for _, bad := range []string{
		"", "v1", "v1 alice " + digestA, "v2 alice " + digestA + " abc", "v1 alice " + digestA + " abc d",
		"v1  " + digestA + " abc", "v1 ali\nce " + digestA + " abc", "v1 alice  abc", "v1 alice x ", " v1 alice x y",
	} {
		if a, err := ParseVoteAnnotation(bad); err == nil {
			t.Errorf("%q was read as %+v", bad, a)
		}
	}
}

func TestOwner(t *testing.T) {
	for text, want := range map[string]string{
		FormatVote("alice@example.com", digestA, "abc"): "alice@example.com", "v1 alice x": "alice", "v1 alice ": "alice", "v1 alice  x y": "alice",
		"": "", "v1": "", "v1 alice": "", "v2 alice x": "", "v1  alice x": "", "v1 al\nice x": "", " v1 alice x": "",
	} {
		if user, named := Owner(text); user != want || named != (want != "") {
			t.Errorf("%q names %q, %v, want %q", text, user, named, want)
		}
	}
}

func TestAuthorsAnnotation(t *testing.T) {
	text, err := FormatAuthors([]string{"dev", "alice+x@example.com", "dev"})
	if want := `["alice+x@example.com","dev"]`; err != nil || text != want {
		t.Fatalf("got %s, %v, want %s", text, err, want)
	}
	if names, err := ParseAuthors(text); err != nil || len(names) != 2 {
		t.Errorf("got %v, %v", names, err)
	}
	for _, bad := range []string{"", "null", "{}", `["b","a"]`, `["a","a"]`, `[ "a"]`, `["a b"]`, `["a\u0062"]`, `["a"] `} {
		if names, err := ParseAuthors(bad); err == nil {
			t.Errorf("%q was read as %v", bad, names)
		}
	}
	if _, err := FormatAuthors([]string{`a"b`}); err == nil {
		t.Error("a name with a quote was written")
	}
}

func TestSafeUser(t *testing.T) {
	for _, good := range []string{"a", "alice@example.com", "system:serviceaccount:argocd:bot", "oidc:x/y#z+1=2_3-4", strings.Repeat("a", 253)} {
		if !SafeUser(good) {
			t.Errorf("%q was refused", good)
		}
	}
	for _, bad := range []string{"", " a", "a b", "a\n", `a"`, "ä", "-a", "a,b", "a<b", strings.Repeat("a", 254)} {
		if SafeUser(bad) {
			t.Errorf("%q was accepted", bad)
		}
	}
}

func FuzzParseVoteAnnotation(f *testing.F) {
	f.Add("v1 alice " + digestA + " abc")
	f.Add("v1 alice withdrawn abc")
	f.Fuzz(func(t *testing.T, s string) {
		if a, err := ParseVoteAnnotation(s); err == nil && FormatVote(a.User, a.Value, a.Envelope) != s {
			t.Errorf("%q was read as %+v, which is another annotation", s, a)
		}
	})
}

func FuzzParseAuthors(f *testing.F) {
	f.Add(`["a","b"]`)
	f.Fuzz(func(t *testing.T, s string) {
		names, err := ParseAuthors(s)
		if err != nil {
			return
		}
		if again, err := FormatAuthors(names); err != nil || again != s {
			t.Errorf("%q was read as %v and written as %q, %v", s, names, again, err)
		}
	})
}

// What verifies must be exactly what the signer would have written.
func FuzzVerify(f *testing.F) {
	signer := NewSigner(key(0))
	good, err := signer.SignVote(f.Context(), aVote())
	if err != nil {
		f.Fatal(err)
	}
	f.Add(good)
	f.Add(good[:len(good)-1])
	verifier := NewVerifier(signer.Public())
	f.Fuzz(func(t *testing.T, envelope string) {
		_, _ = verifier.Authors(envelope)
		v, err := verifier.Vote(envelope)
		if err != nil {
			return
		}
		if _, err := signer.SignVote(t.Context(), v); err != nil {
			t.Errorf("a vote was accepted that would not be signed: %v", err)
		}
	})
}

// Copyright The Countersign Authors.
// SPDX-License-Identifier: Apache-2.0

package receipt

import (
	"fmt"
	"strings"
	"testing"

	"github.com/countersign/countersign/api/v1alpha1"
	"github.com/countersign/countersign/controllers/approval"
)

func aClaim() Claim {
	v := aVote()
	return Claim{Cluster: v.Cluster, Namespace: v.Namespace, Name: v.Name, UID: v.UID, Slot: "erin", Digest: digestA,
		User: "erin@example.com", Groups: []string{"sre"}, At: v.At, Nonce: v.Nonce}
}

func aGlass() BreakGlass {
	return BreakGlass{Claim: aClaim(), Ticket: "INC-1", Reason: "checkout is down"}
}

func signGlass(t *testing.T, b BreakGlass) string {
	t.Helper()
	envelope, err := NewSigner(key(0)).SignBreakGlass(t.Context(), b)
	if err != nil {
		t.Fatal(err)
	}
	return envelope
}

func signReview(t *testing.T, r Review) string {
	t.Helper()
	envelope, err := NewSigner(key(0)).SignReview(t.Context(), r)
	if err != nil {
		t.Fatal(err)
	}
	return envelope
}

// broken is the shop with one use of break-glass and one review.
func broken(t *testing.T) *v1alpha1.Release {
	t.Helper()
	rel := shop(t)
	for key, value := range map[string]string{
		v1alpha1.GlassPrefix:         digestA + ";INC-1;checkout is down",
		v1alpha1.GlassReceiptPrefix:  FormatVote("erin@example.com", digestA, signGlass(t, aGlass())),
		v1alpha1.ReviewPrefix:        digestA,
		v1alpha1.ReviewReceiptPrefix: FormatVote("erin@example.com", digestA, signReview(t, Review{Claim: aClaim(), Permitted: []string{"p.a"}})),
	} {
		rel.Annotations[key+"erin"] = value
	}
	return rel
}

func TestEmergenciesProven(t *testing.T) {
	rel := broken(t)
	glasses, reviews := Glasses(rel, "c1", trusting()), Reviews(rel, "c1", trusting())
	want := approval.Glass{Slot: "erin", Digest: digestA, Ticket: "INC-1", Reason: "checkout is down", User: "erin@example.com", Groups: []string{"sre"}, At: aVote().At}
	if len(glasses) != 1 || fmt.Sprint(glasses[0]) != fmt.Sprint(want) {
		t.Errorf("got %+v, want %+v", glasses, want)
	}
	review := approval.Review{Slot: "erin", Digest: digestA, User: "erin@example.com", Groups: []string{"sre"}, At: aVote().At, Permitted: []string{"p.a"}}
	if len(reviews) != 1 || fmt.Sprint(reviews[0]) != fmt.Sprint(review) {
		t.Errorf("got %+v, want %+v", reviews, review)
	}
	for i := range 20 {
		rel.Annotations[fmt.Sprintf("%sz%02d", v1alpha1.GlassPrefix, i)] = "x"
		rel.Annotations[fmt.Sprintf("%sz%02d", v1alpha1.ReviewPrefix, i)] = "x"
	}
	if a, b := len(Glasses(rel, "c1", trusting())), len(Reviews(rel, "c1", trusting())); a != MaxEmergencySlots || b != MaxEmergencySlots {
		t.Errorf("%d and %d are read", a, b)
	}
}

// What a receipt does not prove names nobody and says why.
func TestEmergenciesUnproven(t *testing.T) {
	set := func(prefix, value string) func(*v1alpha1.Release) {
		return func(rel *v1alpha1.Release) { rel.Annotations[prefix+"erin"] = value }
	}
	// both stamps the glass and the review with claims that are changed.
	both := func(change func(*Claim)) func(*v1alpha1.Release) {
		return func(rel *v1alpha1.Release) {
			b := aGlass()
			change(&b.Claim)
			set(v1alpha1.GlassReceiptPrefix, FormatVote("erin@example.com", digestA, signGlass(t, b)))(rel)
			set(v1alpha1.ReviewReceiptPrefix, FormatVote("erin@example.com", digestA, signReview(t, Review{Claim: b.Claim})))(rel)
		}
	}
	text := func(user, digest string) func(*v1alpha1.Release) {
		return func(rel *v1alpha1.Release) {
			set(v1alpha1.GlassReceiptPrefix, FormatVote(user, digest, signGlass(t, aGlass())))(rel)
			set(v1alpha1.ReviewReceiptPrefix, FormatVote(user, digest, signReview(t, Review{Claim: aClaim(), Permitted: []string{"p.a"}})))(rel)
		}
	}
	none := func(rel *v1alpha1.Release) {
		delete(rel.Annotations, v1alpha1.GlassReceiptPrefix+"erin")
		delete(rel.Annotations, v1alpha1.ReviewReceiptPrefix+"erin")
	}
	swapped := func(rel *v1alpha1.Release) {
		a, b := v1alpha1.GlassReceiptPrefix+"erin", v1alpha1.ReviewReceiptPrefix+"erin"
		rel.Annotations[a], rel.Annotations[b] = rel.Annotations[b], rel.Annotations[a]
	}
	for name, tc := range map[string]struct {
		change func(*v1alpha1.Release)
		why    string
		// only the glass is concerned.
		glassOnly bool
	}{
		"NoReceipt": {change: none, why: "it has no receipt"},
		"NotSigned": {change: func(rel *v1alpha1.Release) {
			text("erin@example.com", digestA)(rel)
			set(v1alpha1.GlassReceiptPrefix, "v1 erin@example.com "+digestA+" x")(rel)
			set(v1alpha1.ReviewReceiptPrefix, "v1 erin@example.com "+digestA+" x")(rel)
		}, why: "is not valid"},
		"Garbage": {change: func(rel *v1alpha1.Release) {
			set(v1alpha1.GlassReceiptPrefix, "x")(rel)
			set(v1alpha1.ReviewReceiptPrefix, "x")(rel)
		}, why: "not of the form"},
		"OtherKind":      {change: swapped, why: "of another kind"},
		"OtherCluster":   {change: both(func(c *Claim) { c.Cluster = "c2" }), why: "in another cluster"},
		"OtherNamespace": {change: both(func(c *Claim) { c.Namespace = "bank" }), why: "in namespace bank"},
		"OtherName":      {change: both(func(c *Claim) { c.Name = "bank" }), why: "written for bank"},
		"OtherUID":       {change: both(func(c *Claim) { c.UID = "u0" }), why: "an earlier Release"},
		"OtherSlot":      {change: both(func(c *Claim) { c.Slot = "x" }), why: "of slot x"},
		"OtherDigest":    {change: both(func(c *Claim) { c.Digest = digestB }), why: "of another digest"},
		"OtherUser":      {change: both(func(c *Claim) { c.User = "bob" }), why: "another user"},
		"DryRun":         {change: both(func(c *Claim) { c.DryRun = true }), why: "a dry run"},
		"TextOtherUser":  {change: text("bob", digestA), why: "another user"},
		"TextOther":      {change: text("erin@example.com", digestB), why: "of another digest"},
		"OtherTicket":    {change: set(v1alpha1.GlassPrefix, digestA+";INC-2;checkout is down"), why: "of another ticket", glassOnly: true},
		"OtherReason":    {change: set(v1alpha1.GlassPrefix, digestA+";INC-1;none"), why: "of another reason", glassOnly: true},
		"Malformed":      {change: set(v1alpha1.GlassPrefix, "x"), why: "not of the form", glassOnly: true},
	} {
		t.Run("sec/61 "+name, func(t *testing.T) {
			rel := broken(t)
			tc.change(rel)
			if g := Glasses(rel, "c1", trusting())[0]; !strings.Contains(g.Invalid, tc.why) || g.User != "" || g.Groups != nil || !g.At.IsZero() {
				t.Errorf("got %+v, want %q", g, tc.why)
			}
			if r := Reviews(rel, "c1", trusting())[0]; !tc.glassOnly && (!strings.Contains(r.Invalid, tc.why) || r.User != "" || r.Groups != nil) {
				t.Errorf("got %+v, want %q", r, tc.why)
			}
		})
	}
	t.Run("sec/61 no key is trusted", func(t *testing.T) {
		if g := Glasses(broken(t), "c1", NewVerifier())[0]; g.Invalid == "" || g.User != "" {
			t.Errorf("got %+v", g)
		}
	})
}

func TestSignEmergenciesRefusesIncomplete(t *testing.T) {
	for name, change := range map[string]func(*BreakGlass){
		"NoCluster": func(b *BreakGlass) { b.Cluster = "" }, "NoUID": func(b *BreakGlass) { b.UID = "" }, "NoDigest": func(b *BreakGlass) { b.Digest = "" },
		"NoSlot": func(b *BreakGlass) { b.Slot = "" }, "NoNonce": func(b *BreakGlass) { b.Nonce = "" }, "NoUser": func(b *BreakGlass) { b.User = "" },
		"NoTicket": func(b *BreakGlass) { b.Ticket = "" }, "NoReason": func(b *BreakGlass) { b.Reason = "" }, "OddUser": func(b *BreakGlass) { b.User = "a b" },
	} {
		t.Run(name, func(t *testing.T) {
			b := aGlass()
			change(&b)
			if _, err := NewSigner(key(0)).SignBreakGlass(t.Context(), b); err == nil {
				t.Error("a break-glass was signed")
			}
			if b.Ticket == "" || b.Reason == "" {
				return
			}
			if _, err := NewSigner(key(0)).SignReview(t.Context(), Review{Claim: b.Claim}); err == nil {
				t.Error("a review was signed")
			}
		})
	}
}

// Programs that said for whom they wrote are proven with the authors.
func TestDelegatesProven(t *testing.T) {
	rel, a := shop(t), someAuthors()
	a.Delegates = []string{"dev@example.com"}
	rel.Annotations[v1alpha1.AuthorsReceiptAnnotation] = FormatAuthorsReceipt(signAuthors(t, a))
	if got := KnownAuthors(rel, a.Revision, "c1", trusting()); len(got.Delegates) != 1 || got.Delegates[0] != "dev@example.com" {
		t.Errorf("got %+v", got)
	}
	a.Delegates = []string{"zoe"}
	if _, err := NewSigner(key(0)).SignAuthors(t.Context(), a); err == nil {
		t.Error("a delegate who is no author was signed")
	}
}

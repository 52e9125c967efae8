// Copyright The Countersign Authors.
// SPDX-License-Identifier: Apache-2.0

package receipt

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/countersign/countersign/api/v1alpha1"
	"github.com/countersign/countersign/controllers/approval"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

const digestB = "sha256:bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb"

// shop has one vote, by alice in slot alice, and the authors of its content.
func shop(t *testing.T) *v1alpha1.Release {
	t.Helper()
	list, err := FormatAuthors(someAuthors().Authors)
	if err != nil {
		t.Fatal(err)
	}
	return &v1alpha1.Release{ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "shop", UID: "u1", Annotations: map[string]string{
		v1alpha1.VotePrefix + "alice":     digestA,
		v1alpha1.ReceiptPrefix + "alice":  FormatVote("alice@example.com", digestA, signVote(t, aVote())),
		v1alpha1.CommentPrefix + "alice":  "CHG-481",
		v1alpha1.AuthorsAnnotation:        list,
		v1alpha1.AuthorsReceiptAnnotation: FormatAuthorsReceipt(signAuthors(t, someAuthors())),
	}}}
}

func TestVotesProven(t *testing.T) {
	want := approval.Vote{
		Slot: "alice", Decision: approval.Approve, Digest: digestA, User: "alice@example.com", Groups: []string{"qa"}, At: aVote().At, Comment: "CHG-481",
	}
	got := Votes(shop(t), "c1", trusting())
	if len(got) != 1 || fmt.Sprint(got[0]) != fmt.Sprint(want) {
		t.Errorf("got %+v, want %+v", got, want)
	}
}

// A vote that its receipt does not prove names nobody and says why.
func TestVotesUnproven(t *testing.T) {
	// stamped has the receipt of another vote.
	stamped := func(change func(*Vote)) func(*v1alpha1.Release) {
		return func(rel *v1alpha1.Release) {
			v := aVote()
			change(&v)
			rel.Annotations[v1alpha1.ReceiptPrefix+"alice"] = FormatVote("alice@example.com", digestA, signVote(t, v))
		}
	}
	set := func(key, value string) func(*v1alpha1.Release) {
		return func(rel *v1alpha1.Release) { rel.Annotations[key+"alice"] = value }
	}
	withdrawn := func(v *Vote) { v.Decision, v.Digest = Withdrawn, "" }
	good := shop(t).Annotations[v1alpha1.ReceiptPrefix+"alice"]
	for name, tc := range map[string]struct {
		reason string
		change func(*v1alpha1.Release)
		why    string
	}{
		"NoReceipt":           {"it did not come through admission", func(rel *v1alpha1.Release) { delete(rel.Annotations, v1alpha1.ReceiptPrefix+"alice") }, "the vote has no receipt"},
		"Garbage":             {"it cannot be read", set(v1alpha1.ReceiptPrefix, "x"), "is not of the form"},
		"NotSigned":           {"anybody can write text", set(v1alpha1.ReceiptPrefix, "v1 alice@example.com "+digestA+" x"), "the receipt is not valid"},
		"D26 other cluster":   {"sec/28: it is of another cluster", stamped(func(v *Vote) { v.Cluster = "c2" }), "it was written in another cluster"},
		"D26 other namespace": {"sec/28: it is of another namespace", stamped(func(v *Vote) { v.Namespace = "bank" }), "it was written in namespace bank"},
		"D26 other name":      {"sec/28: it is of another Release", stamped(func(v *Vote) { v.Name = "bank" }), "it was written for bank"},
		"D26 other uid":       {"sec/06: it is of a Release that was deleted", stamped(func(v *Vote) { v.UID = "u0" }), "an earlier Release of the same name"},
		"OtherSlot":           {"a receipt that is copied to another slot would count twice", stamped(func(v *Vote) { v.Slot = "bob" }), "the receipt is of slot bob"},
		"OtherDigest":         {"sec/04: it is of other content", stamped(func(v *Vote) { v.Digest = digestB }), "the receipt is of another digest"},
		"Rejection":           {"no rejection becomes an approval", stamped(func(v *Vote) { v.Decision = Reject }), "the receipt says reject"},
		"Withdrawn":           {"sec/27: what was withdrawn stays so", stamped(withdrawn), "the receipt says withdrawn"},
		"DryRun":              {"sec/26: a dry run is no vote", stamped(func(v *Vote) { v.DryRun = true }), "the receipt is of a dry run"},
		"OtherUser":           {"the text before the envelope proves nothing", set(v1alpha1.ReceiptPrefix, strings.Replace(good, "alice@example.com", "bob@example.com", 1)), "the receipt names another user than its envelope"},
		"OtherValue":          {"the text before the envelope is the vote's", set(v1alpha1.ReceiptPrefix, strings.Replace(good, digestA, digestB, 1)), "the receipt is of another digest"},
		"ChangedVote":         {"a vote that was changed past admission", set(v1alpha1.VotePrefix, digestB), "the receipt is of another digest"},
		"ReversedVote":        {"a rejection that was turned past admission", set(v1alpha1.VotePrefix, "reject:"+digestA), "the receipt says approve"},
		"MalformedVote":       {"what does not parse is no vote", set(v1alpha1.VotePrefix, "yes"), "whole digest"},
		"AuthorsAsReceipt":    {"a receipt of another kind", set(v1alpha1.ReceiptPrefix, "v1 alice@example.com "+digestA+" "+signAuthors(t, someAuthors())), "of another kind"},
	} {
		t.Run(threat(tc.reason)+name, func(t *testing.T) {
			rel := shop(t)
			tc.change(rel)
			got := Votes(rel, "c1", trusting())
			if len(got) != 1 || !strings.Contains(got[0].Invalid, tc.why) || got[0].User != "" || got[0].Groups != nil || !got[0].At.IsZero() {
				t.Errorf("%s: got %+v, want %q", tc.reason, got, tc.why)
			}
		})
	}
}

// To write the same value once more stamps nothing, so that is not the advice.
func TestAdviceOnUnprovenVotes(t *testing.T) {
	rel := shop(t)
	delete(rel.Annotations, v1alpha1.ReceiptPrefix+"alice")
	const want = "withdraw it and cast it again: kubectl annotate release shop -n shop approvals.countersign.dev/alice- && " +
		"kubectl annotate release shop -n shop approvals.countersign.dev/alice=" + digestA
	if got := Votes(rel, "c1", trusting())[0].Invalid; !strings.HasSuffix(got, want) {
		t.Errorf("got %q", got)
	}
}

// With too many votes none counts, so that none can hide a rejection.
func TestTooManyVotes(t *testing.T) {
	rel := shop(t)
	for i := range MaxSlots {
		rel.Annotations[fmt.Sprintf("%sx%02d", v1alpha1.VotePrefix, i)] = digestA
	}
	votes := Votes(rel, "c1", trusting())
	if len(votes) != MaxSlots || votes[0].User != "" || !strings.Contains(votes[0].Invalid, "33 votes and none counts above 32") {
		t.Errorf("got %d votes, the first %+v", len(votes), votes[0])
	}
	delete(rel.Annotations, v1alpha1.VotePrefix+"x00")
	if votes = Votes(rel, "c1", trusting()); len(votes) != MaxSlots || votes[0].User != "alice@example.com" {
		t.Errorf("got %d votes, the first %+v", len(votes), votes[0])
	}
	if !slices.IsSortedFunc(votes, func(a, b approval.Vote) int { return strings.Compare(a.Slot, b.Slot) }) {
		t.Error("the votes are not sorted")
	}
}

func TestCommentsAreClipped(t *testing.T) {
	for name, tc := range map[string]struct {
		comment string
		length  int
	}{
		"Fits":       {strings.Repeat("x", MaxComment), MaxComment},
		"TooLong":    {strings.Repeat("x", MaxComment+1), MaxComment},
		"Characters": {"x" + strings.Repeat("\u2713", 200), 511 - (511-1)%3},
	} {
		t.Run(name, func(t *testing.T) {
			rel := shop(t)
			rel.Annotations[v1alpha1.CommentPrefix+"alice"] = tc.comment
			got := Votes(rel, "c1", trusting())[0].Comment
			if len(got) != tc.length || !strings.HasPrefix(tc.comment, got) {
				t.Errorf("got %d bytes, want %d", len(got), tc.length)
			}
		})
	}
}

func TestKnownAuthors(t *testing.T) {
	stamped := func(change func(*Authors)) func(*v1alpha1.Release) {
		return func(rel *v1alpha1.Release) {
			a := someAuthors()
			change(&a)
			rel.Annotations[v1alpha1.AuthorsReceiptAnnotation] = FormatAuthorsReceipt(signAuthors(t, a))
		}
	}
	set := func(key, value string) func(*v1alpha1.Release) {
		return func(rel *v1alpha1.Release) { rel.Annotations[key] = value }
	}
	for name, tc := range map[string]struct {
		reason string
		change func(*v1alpha1.Release)
		why    string
	}{
		"Proven":         {"the list that is signed", func(*v1alpha1.Release) {}, ""},
		"AtCreation":     {"at creation there is no uid", stamped(func(a *Authors) { a.UID = "" }), ""},
		"NoList":         {"nothing is inferred from absence", func(rel *v1alpha1.Release) { delete(rel.Annotations, v1alpha1.AuthorsAnnotation) }, "nobody is recorded"},
		"Nothing":        {"nothing is inferred from absence", func(rel *v1alpha1.Release) { clear(rel.Annotations) }, "nobody is recorded"},
		"EmptyList":      {"somebody wrote it", set(v1alpha1.AuthorsAnnotation, "[]"), "not the one that its receipt proves"},
		"Malformed":      {"it cannot be read", set(v1alpha1.AuthorsAnnotation, "dev"), "not a JSON array"},
		"NoReceipt":      {"it did not come through admission", func(rel *v1alpha1.Release) { delete(rel.Annotations, v1alpha1.AuthorsReceiptAnnotation) }, "has no receipt"},
		"NotSigned":      {"anybody can write text", set(v1alpha1.AuthorsReceiptAnnotation, "v1 x"), "is not valid"},
		"ShorterList":    {"sec/25: somebody took their name out", set(v1alpha1.AuthorsAnnotation, `["dana@example.com"]`), "not the one that its receipt proves"},
		"OtherCluster":   {"sec/28: it is of another cluster", stamped(func(a *Authors) { a.Cluster = "c2" }), "another cluster"},
		"OtherNamespace": {"sec/28: it is of another namespace", stamped(func(a *Authors) { a.Namespace = "bank" }), "in namespace bank"},
		"OtherName":      {"sec/28: it is of another Release", stamped(func(a *Authors) { a.Name = "bank" }), "written for bank"},
		"OtherUID":       {"sec/06: it is of a Release that was deleted", stamped(func(a *Authors) { a.UID = "u0" }), "an earlier Release"},
		"OtherRevision":  {"it is of other content", stamped(func(a *Authors) { a.Revision = "fedcba9876543210" }), "of other content than the spec"},
		"DryRun":         {"sec/26: a dry run changed nothing", stamped(func(a *Authors) { a.DryRun = true }), "of a dry run"},
		"VoteAsReceipt":  {"a receipt of another kind", set(v1alpha1.AuthorsReceiptAnnotation, "v1 "+signVote(t, aVote())), "of another kind"},
	} {
		t.Run(threat(tc.reason)+name, func(t *testing.T) {
			rel := shop(t)
			tc.change(rel)
			before := maps.Clone(rel.Annotations)
			got := KnownAuthors(rel, "0123456789abcdef", "c1", trusting())
			if got.Known != (tc.why == "") || !strings.Contains(got.Why, tc.why) || got.Known != slices.Equal(got.Names, someAuthors().Authors) {
				t.Errorf("%s: got %+v, want %q", tc.reason, got, tc.why)
			}
			if !maps.Equal(before, rel.Annotations) {
				t.Error("the Release was changed")
			}
		})
	}
}

// threat is the number that a reason begins with, as sec/NN, with a space.
func threat(reason string) string {
	if row, _, found := strings.Cut(reason, ":"); found && strings.HasPrefix(row, "sec/") {
		return row + " "
	}
	return ""
}

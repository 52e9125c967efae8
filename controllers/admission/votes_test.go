// Copyright The Countersign Authors.
// SPDX-License-Identifier: Apache-2.0

package admission

import (
	"fmt"
	"strings"
	"testing"

	"github.com/countersign/countersign/api/v1alpha1"
)

const (
	vote    = v1alpha1.VotePrefix
	stamp   = v1alpha1.ReceiptPrefix
	comment = v1alpha1.CommentPrefix
)

// Who votes is who the API server authenticated, on what is on offer now.
func TestCastVotes(t *testing.T) {
	stale := func(rel *v1alpha1.Release) { rel.Generation++ }
	command := "kubectl annotate release shop -n shop --overwrite approvals.countersign.dev/"
	cases(t, map[string]write{
		"Approve": {reason: "an approval is signed for the user", change: set(vote+"bob", candidate),
			want: map[string]string{vote + "bob": candidate, stamp + "bob": "v1 " + qa + " " + candidate + " ", "team": "="}, check: counts("bob=" + qa + " approve")},
		"Reject": {reason: "so is a rejection", by: person(carol), change: set(vote+"c", reject), check: counts("c=" + carol + " reject")},
		"Again": {reason: "the owner changes their mind", was: stored(t, voted(t, "bob", qa, candidate)), change: set(vote+"bob", reject),
			warns: "it blocks nothing", check: counts("bob=" + qa + " reject")},
		"AfterWithdrawal": {reason: "the owner votes again in their slot", was: stored(t, voted(t, "bob", qa, "withdrawn")), change: set(vote+"bob", candidate),
			check: counts("bob=" + qa + " approve")},
		"WithComment": {reason: "a vote and its comment come in one request", change: both(set(vote+"bob", candidate), set(comment+"bob", "CHG-481")),
			want: map[string]string{comment + "bob": "CHG-481"}, check: counts("bob=" + qa + " approve")},
		"DryRun": {reason: "sec/26: a receipt of a dry run never counts", change: set(vote+"bob", candidate), dryRun: true,
			want: map[string]string{stamp + "bob": "v1 "}, check: counts()},
		"ForgedReceiptOfOwn": {reason: "what the client says of its own slot is overwritten", change: both(set(vote+"bob", candidate), set(stamp+"bob", "v1 "+carol+" "+candidate+" x")),
			want: map[string]string{stamp + "bob": "v1 " + qa + " "}, check: counts("bob=" + qa + " approve")},

		"Two": {reason: "one vote in a request", change: both(set(vote+"bob", candidate), set(vote+"bobby", candidate)),
			refused: "OneVote", says: []string{"this one has 2 (bob, bobby)"}},
		"CastAndWithdraw": {reason: "one vote in a request", was: stored(t, voted(t, "bob", qa, candidate)), change: both(drop(vote+"bob"), set(vote+"bobby", candidate)),
			refused: "OneVote", says: []string{"(bobby, bob)"}},
		"WithContent": {reason: "sec/07: nobody approves what they change with it", change: both(set(vote+"bob", candidate), image("shop:2")),
			refused: "WithChange", says: []string{"kubectl get release shop -n shop -o wide"}},
		"WithReplicas": {reason: "nor with any other change of the spec", change: both(set(vote+"bob", candidate), scaled), refused: "WithChange"},
		"Malformed": {reason: "the message has the right command", change: set(vote+"bob", "yes"),
			refused: "Malformed", says: []string{"whole digest", command + "bob=" + candidate}},
		"Empty": {reason: "an empty vote is none", change: set(vote+"bob", ""), refused: "Malformed"},
		"OtherDigest": {reason: "sec/04: not what is on offer", change: set(vote+"bob", another),
			refused: "Digest", says: []string{another + " is not the current candidate, which is " + candidate, command + "bob=" + candidate}},
		"RejectOtherDigest": {reason: "the command of somebody who rejects rejects", change: set(vote+"bob", "reject:"+another),
			refused: "Digest", says: []string{command + "bob=" + reject}},
		"NoCandidate": {reason: "nothing is on offer", was: stored(t, func(rel *v1alpha1.Release) { rel.Status.Candidate = nil }), change: set(vote+"bob", candidate),
			refused: "NoCandidate", says: []string{"kubectl get release shop -n shop -o wide"}},
		"NoDigest": {reason: "nothing is on offer", was: stored(t, func(rel *v1alpha1.Release) { rel.Status.Candidate.Digest = "" }), change: set(vote+"bob", candidate),
			refused: "NoCandidate"},
		"StaleGeneration": {reason: "sec/30: the candidate is of an earlier spec", was: stored(t, stale), change: set(vote+"bob", candidate),
			refused: "NoCandidate", says: []string{"the spec of Release shop was changed", "kubectl get release shop -n shop -o wide"}},
	})
}

// Votes come from people with a credential of their own.
func TestVoters(t *testing.T) {
	cast := set(vote+"bob", candidate)
	mine := stored(t, voted(t, "bob", qa, candidate))
	cases(t, map[string]write{
		"ServiceAccount": {reason: "sec/34: a program", by: person(bot, "oidc:qa"), change: cast, refused: "Bot",
			says: []string{bot + " is not a person", "kubectl annotate release shop -n shop --overwrite approvals.countersign.dev/my-name=" + candidate}},
		"Button":       {reason: "sec/50: a button in a tool votes as the tool", by: person("system:serviceaccount:argocd:argocd-server", "oidc:qa"), change: cast, refused: "Bot"},
		"Operator":     {reason: "the operator itself", by: person(operator, "oidc:qa"), change: cast, refused: "Bot"},
		"SystemAdmin":  {reason: "an account of the API server", by: person("system:admin", "oidc:qa"), change: cast, refused: "Bot"},
		"Impersonated": {reason: "sec/55: kubectl --as shows no credential", by: with("", qa, "oidc:qa"), change: cast, refused: "Credential", says: []string{"kubectl --as"}},
		"Certificate":  {reason: "sec/42: who signs certificates could be anybody", by: with("X509SHA256=ab", qa, "oidc:qa"), change: cast, refused: "Credential"},
		"AlmostToken":  {reason: "the prefix is looked for at the beginning", by: with("X509JTI=ab", qa, "oidc:qa"), change: cast, refused: "Credential"},
		"Space":        {reason: "sec/47: a name that could forge a field of the receipt", by: person("bob "+candidate, "oidc:qa"), change: cast, refused: "Username"},
		"Newline":      {reason: "sec/47: a name that could forge a line of a log", by: person("bob\nadmin", "oidc:qa"), change: cast, refused: "Username"},
		"Quote":        {reason: "a name that could forge the list of authors", by: person(`a","b`, "oidc:qa"), change: cast, refused: "Username"},
		"Umlaut":       {reason: "a name that looks like another", by: person("bób", "oidc:qa"), change: cast, refused: "Username"},
		"Long":         {reason: "a name that fits no record", by: person(strings.Repeat("b", 254), "oidc:qa"), change: cast, refused: "Username"},
		"Odd":          {reason: "all that is safe can vote", by: person("https://idp/x#Bob+1=_-", "oidc:qa"), change: cast, check: counts("bob=https://idp/x#Bob+1=_- approve")},
		"WithdrawAs":   {reason: "an impersonated owner withdraws nothing", by: with("", qa), was: mine, change: drop(vote + "bob"), refused: "Credential"},
		"WithdrawCert": {reason: "nor one with a certificate", by: with("X509SHA256=ab", qa), was: mine, change: drop(vote + "bob"), refused: "Credential"},
	})
}

// A slot belongs to its first user, and each user has one.
func TestSlots(t *testing.T) {
	crowd := func(n int) *v1alpha1.Release {
		rel := stored(t)
		for i := range n {
			voted(t, fmt.Sprintf("s%d", i), fmt.Sprintf("u%d", i), candidate)(rel)
		}
		return rel
	}
	foreign := stored(t, voted(t, "bob", carol, candidate))
	cast := set(vote+"bob", candidate)
	cases(t, map[string]write{
		"Foreign": {reason: "sec/02: a slot of somebody else", was: foreign, change: set(vote+"bob", reject), refused: "Slot",
			says: []string{"slot bob belongs to " + carol, "approvals.countersign.dev/bob-corp=" + reject}},
		"ForeignMalformed": {reason: "the command is right even if what was written is not", was: foreign, change: set(vote+"bob", "yes"), refused: "Slot",
			says: []string{"approvals.countersign.dev/bob-corp=" + candidate}},
		"ForeignWithdrawn": {reason: "also after the vote in it was withdrawn", was: stored(t, voted(t, "bob", carol, "withdrawn")), change: cast, refused: "Slot"},
		"Unreadable": {reason: "nobody takes a slot whose receipt names nobody", was: stored(t, set(stamp+"bob", "v1 ?")), change: cast, refused: "Slot",
			says: []string{"belongs to nobody"}},
		"Damaged":       {reason: "whoever a damaged receipt names goes on", was: stored(t, set(stamp+"bob", "v1 "+qa+" x")), change: cast, check: counts("bob=" + qa + " approve")},
		"DamagedOther":  {reason: "and nobody else", was: stored(t, set(stamp+"bob", "v1 "+carol+" x")), change: cast, refused: "Slot"},
		"DamagedSecond": {reason: "it takes up a slot like any other", was: stored(t, set(stamp+"bobby", "v1 "+qa+" x")), change: cast, refused: "SecondSlot"},
		"EmptyReceipt":  {reason: "an empty receipt is one that cannot be read", was: stored(t, set(stamp+"bob", "")), change: cast, refused: "Slot"},
		"Second": {reason: "each person has one", was: stored(t, voted(t, "bobby", qa, "withdrawn")), change: cast, refused: "SecondSlot",
			says: []string{"you have slot bobby", "approvals.countersign.dev/bobby=" + candidate}},
		"Unowned": {reason: "a vote without a receipt keeps nobody out", was: stored(t, set(vote+"bob", another)), change: cast, check: counts("bob=" + qa + " approve")},
		"Last":    {reason: "the last slot is taken", was: crowd(31), change: cast, warns: "kept in reserve", want: map[string]string{stamp + "bob": "v1 " + qa}},
		"TooMany": {reason: "sec/29: there are 32", was: crowd(32), change: cast, refused: "TooManySlots", says: []string{"all 32 slots"}},
		"OwnOfMany": {reason: "who has one votes again", by: person("u7", "oidc:qa"), was: crowd(32), change: set(vote+"s7", reject), warns: "it blocks nothing",
			want: map[string]string{stamp + "s7": "v1 u7 " + reject}},
	})
}

// Only the owner takes a vote away, with nothing else.
func TestWithdrawals(t *testing.T) {
	mine := stored(t, voted(t, "bob", qa, candidate))
	unowned := stored(t, set(vote+"x", candidate))
	kept := map[string]string{vote + "bob": "=", stamp + "bob": "="}
	cases(t, map[string]write{
		"Owner": {reason: "the owner withdraws and keeps the slot", was: mine, change: drop(vote + "bob"),
			want: map[string]string{vote + "bob": "-", stamp + "bob": "v1 " + qa + " withdrawn "}, check: counts()},
		"OwnerReplaces": {reason: "also by a replace", was: mine, change: replaced, warns: "left as it is",
			want: map[string]string{vote + "bob": "-", stamp + "bob": "v1 " + qa + " withdrawn "}},
		"WithContent": {reason: "not together with a change of the spec", was: mine, change: both(drop(vote+"bob"), image("shop:2")),
			warns: "it cannot be withdrawn together with a change of the spec", want: kept},
		"WithReplicas": {reason: "of any field", was: mine, change: both(drop(vote+"bob"), scaled), warns: "the vote in slot bob was kept", want: kept},
		"Other": {reason: "sec/36: nobody else removes a veto", by: person(carol), was: mine, change: drop(vote + "bob"),
			warns: "only " + qa + " can withdraw it, with kubectl annotate release shop -n shop --overwrite approvals.countersign.dev/bob-", want: kept, check: counts("bob=" + qa + " approve")},
		"OtherWithReceipt": {reason: "nor with its receipt", by: person(carol), was: mine, change: drop(vote+"bob", stamp+"bob"), warns: "only " + qa, want: kept},
		"OnlyReceipt":      {reason: "the owner cannot hide the receipt", was: mine, change: drop(stamp + "bob"), warns: "receipt", want: kept},
		"ForgedWithdrawal": {reason: "the receipt of a withdrawal is written by admission", was: mine, change: both(drop(vote+"bob"), set(stamp+"bob", "v1 "+carol+" withdrawn x")),
			want: map[string]string{stamp + "bob": "v1 " + qa + " withdrawn "}},
		"Unowned": {reason: "whoever leaves out a vote that has no receipt takes it away, and gets no slot by it", was: unowned, change: drop(vote + "x"),
			want: map[string]string{vote + "x": "-", stamp + "x": "-"}},
		"UnownedBot":  {reason: "a sync does so as well", by: person(bot), was: unowned, change: replaced, warns: "left as it is", want: map[string]string{vote + "x": "-", stamp + "x": "-"}},
		"UnownedToo":  {reason: "also together with a change of the spec", was: unowned, change: both(drop(vote+"x"), scaled), want: map[string]string{vote + "x": "-", stamp + "x": "-"}},
		"UnownedMore": {reason: "also beside a vote of one's own", was: unowned, change: both(drop(vote+"x"), set(vote+"bob", candidate)), want: map[string]string{vote + "x": "-", stamp + "x": "-"}, check: counts("bob=" + qa + " approve")},
		"Unreadable": {reason: "who owns it cannot be told", was: stored(t, set(vote+"x", candidate), set(stamp+"x", "v1 ?")), change: drop(vote + "x"),
			warns: "names nobody", want: map[string]string{vote + "x": "=", stamp + "x": "="}},
	})
}

// Receipts are written by admission, beside a vote.
func TestReceipts(t *testing.T) {
	mine := stored(t, voted(t, "bob", qa, candidate))
	cases(t, map[string]write{
		"Forged":    {reason: "a receipt of somebody else's slot", change: set(stamp+"carol", "v1 "+carol+" "+candidate+" x"), refused: "Receipt", says: []string{"receipts.approvals.countersign.dev/carol"}},
		"ForgedToo": {reason: "also beside a vote of one's own", change: both(set(vote+"bob", candidate), set(stamp+"carol", "v1 "+carol+" "+candidate+" x")), refused: "Receipt"},
		"Changed":   {reason: "the receipt of a vote that stays", was: mine, change: set(stamp+"bob", "v1 "+carol+" "+candidate+" x"), refused: "Receipt"},
		"Garbage":   {reason: "by anybody", by: person(bot), change: set(stamp+"x", ""), refused: "Receipt"},
	})
}

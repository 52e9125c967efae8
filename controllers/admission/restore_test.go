// Copyright The Countersign Authors.
// SPDX-License-Identifier: Apache-2.0

package admission

import (
	"strings"
	"testing"

	"github.com/countersign/countersign/api/v1alpha1"
	"github.com/countersign/countersign/controllers/receipt"
)

// A sync that does not know the annotations neither fails nor loses any.
func TestSyncKeepsAnnotations(t *testing.T) {
	full := stored(t, voted(t, "bob", qa, candidate), voted(t, "carol", carol, reject), voted(t, "eve", "eve@corp", "withdrawn"), set(comment+"bob", "CHG-481"))
	votes := counts("bob="+qa+" approve", "carol="+carol+" reject")
	kept := map[string]string{
		vote + "bob": "=", stamp + "bob": "=", comment + "bob": "=", vote + "carol": "=", stamp + "carol": "=", stamp + "eve": "=",
		v1alpha1.AuthorsAnnotation: "=", v1alpha1.AuthorsReceiptAnnotation: "=", "team": "shop",
	}
	keptVotes := map[string]string{vote + "bob": "=", stamp + "bob": "=", comment + "bob": "=", vote + "carol": "=", stamp + "carol": "=", stamp + "eve": "="}
	cases(t, map[string]write{
		"Bot":          {reason: "sec/24: a replace from Git", by: person(bot), was: full, change: replaced, warns: "the vote in slot carol was kept: only " + carol, want: kept, check: votes},
		"BotNothing":   {reason: "an object without any annotations", by: person(bot), was: full, change: func(rel *v1alpha1.Release) { rel.Annotations = nil }, warns: "was kept", check: votes},
		"BotContent":   {reason: "a sync that brings new content", by: person(bot), was: full, change: both(replaced, image("shop:2")), warns: "was kept", want: keptVotes, check: all(votes, written(dev, bot))},
		"Person":       {reason: "sec/24: a replace by somebody else", by: person("eve@corp"), was: full, change: replaced, warns: "was kept", want: kept, check: votes},
		"Certificate":  {reason: "an administrator's credential is good for content", by: with("X509SHA256=ab", "kubernetes-admin"), was: full, change: replaced, warns: "was kept", want: kept, check: votes},
		"OwnerContent": {reason: "the owner of a vote syncs new content", was: full, change: both(replaced, image("shop:2")), warns: "was kept", want: map[string]string{vote + "bob": "=", vote + "carol": "="}},
		"OneOwner":     {reason: "the owner of one vote loses that, not the others", was: full, change: replaced, warns: "was kept", want: map[string]string{vote + "bob": "-", vote + "carol": "="}},
		"OnlyVotes":    {reason: "also if the receipts stay", by: person(bot), was: full, change: drop(vote+"bob", vote+"carol"), warns: "was kept", want: kept, check: votes},
		"OnlyReceipts": {reason: "also if the votes stay", by: person(bot), was: full, change: drop(stamp+"bob", stamp+"carol", stamp+"eve"), warns: "was kept", want: kept, check: votes},
		"OwnReceipts":  {reason: "the owner loses no receipt", was: full, change: drop(stamp + "bob"), warns: "receipt", want: kept, check: votes},
		"Nothing":      {reason: "a sync that changes nothing", by: person(bot), was: full, change: func(*v1alpha1.Release) {}, want: kept, check: votes},
		"VoteInGit":    {reason: "sec/48: a vote that comes from Git is nobody's", by: person(bot), was: full, change: set(vote+"zoe", candidate), refused: "Bot"},
		"StaleInGit":   {reason: "sec/48: also one that was changed since", by: person(bot), was: full, change: set(vote+"bob", another), refused: "Bot"},
	})
}

func all(checks ...func(*testing.T, *v1alpha1.Release)) func(*testing.T, *v1alpha1.Release) {
	return func(t *testing.T, rel *v1alpha1.Release) {
		t.Helper()
		for _, check := range checks {
			check(t, rel)
		}
	}
}

// A comment is a remark by the owner of the slot, fit for terminals.
func TestComments(t *testing.T) {
	mine := stored(t, voted(t, "bob", qa, candidate), set(comment+"bob", "CHG-481"))
	say := func(text string) func(*v1alpha1.Release) { return set(comment+"bob", text) }
	cases(t, map[string]write{
		"Owner":            {reason: "the owner comments", was: mine, change: say("tested on stage, \u00fc \u2713"), want: map[string]string{comment + "bob": "tested on stage"}},
		"Withdrawn":        {reason: "also after withdrawing", was: stored(t, voted(t, "bob", qa, "withdrawn")), change: say("why"), want: map[string]string{comment + "bob": "why"}},
		"Remove":           {reason: "the owner takes it back", was: mine, change: drop(comment + "bob"), want: map[string]string{comment + "bob": "-"}},
		"Foreign":          {reason: "nobody else writes it", by: person(carol), was: mine, change: say("x"), refused: "Comment", says: []string{"slot bob belongs to " + qa, "comments.approvals.countersign.dev/carol="}},
		"ForeignDrop":      {reason: "nobody else removes it", by: person(carol), was: mine, change: drop(comment + "bob"), warns: "only " + qa + " can remove it", want: map[string]string{comment + "bob": "="}},
		"NoVote":           {reason: "there is no comment without a vote", change: say("x"), refused: "Comment", says: []string{"beside no vote"}},
		"NoVoteDrop":       {reason: "one that got past admission stays", was: stored(t, say("x")), change: drop(comment + "bob"), warns: "was kept: only nobody", want: map[string]string{comment + "bob": "="}},
		"Unreadable":       {reason: "nobody comments beside a receipt that cannot be read", was: stored(t, set(stamp+"bob", "v1 ?")), change: say("x"), refused: "Comment"},
		"Impersonated":     {reason: "sec/55: nobody speaks for the owner", by: with("", qa), was: mine, change: say("x"), refused: "Credential"},
		"ImpersonatedDrop": {reason: "nor removes what they said", by: with("", qa), was: mine, change: drop(comment + "bob"), warns: "credentials of their own", want: map[string]string{comment + "bob": "="}},
		"OfTwoSlots":       {reason: "beside one's own vote, in one's own slot only", was: mine, change: both(set(vote+"bob", reject), set(comment+"x", "y")), refused: "Comment", warns: ""},
		"Longest":          {reason: "512 bytes", was: mine, change: say(strings.Repeat("x", receipt.MaxComment)), want: map[string]string{comment + "bob": "xxx"}},
		"TooLong":          {reason: "sec/29: and no more", was: mine, change: say(strings.Repeat("x", receipt.MaxComment+1)), refused: "Comment", says: []string{"has 513 bytes and can have 512"}},
		"Bytes":            {reason: "in bytes, not characters", was: mine, change: say(strings.Repeat("\u00fc", 257)), refused: "Comment", says: []string{"514 bytes"}},
		"Empty":            {reason: "an empty one says nothing", was: mine, change: say(""), want: map[string]string{comment + "bob": ""}},
	})
	for name, text := range map[string]string{
		"Newline": "a\nb", "Return": "a\rb", "Escape": "\x1b[31m", "Tab": "a\tb", "Null": "a\x00b", "C1": "a\u0085b",
		"LineSeparator": "a\u2028b", "ParagraphSeparator": "a\u2029b", "Override": "a\u202eb", "Isolate": "a\u2066b",
	} {
		t.Run(name, func(t *testing.T) {
			tc := write{reason: "sec/47: it could forge a line", was: mine, change: say(text), refused: "Comment", says: []string{"one line"}}
			tc.run(t)
		})
	}
}

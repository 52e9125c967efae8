// Copyright The Countersign Authors.
// SPDX-License-Identifier: Apache-2.0

package admission

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/countersign/countersign/api/v1alpha1"
	"github.com/countersign/countersign/controllers/receipt"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

const (
	glass       = v1alpha1.GlassPrefix
	glassStamp  = v1alpha1.GlassReceiptPrefix
	seen        = v1alpha1.ReviewPrefix
	seenStamp   = v1alpha1.ReviewReceiptPrefix
	erin        = "erin@corp"
	inc         = candidate + ";INC-1;checkout is down"
	glassRun    = "kubectl annotate release shop -n shop --overwrite break-glass.countersign.dev/"
	reviewRun   = "kubectl annotate release shop -n shop --overwrite reviews.countersign.dev/"
	onCallGroup = "oidc:sre-oncall"
)

// emergencyPolicy lets the people on call break the glass.
func emergencyPolicy() *v1alpha1.ApprovalPolicy {
	p := prod()
	p.Spec.BreakGlass = &v1alpha1.BreakGlass{Groups: []string{onCallGroup}, ReviewWithin: metav1.Duration{Duration: 48 * time.Hour}}
	return p
}

// shattered wants exactly these uses of break-glass to be proven, as "slot=user ticket".
func shattered(want ...string) func(*testing.T, *v1alpha1.Release) {
	return func(t *testing.T, rel *v1alpha1.Release) {
		t.Helper()
		var got []string
		for _, g := range receipt.Glasses(rel, "c1", verifier()) {
			if g.Invalid == "" {
				got = append(got, g.Slot+"="+g.User+" "+g.Ticket)
			}
		}
		if strings.Join(got, ", ") != strings.Join(want, ", ") {
			t.Errorf("%v are proven, want %v", got, want)
		}
	}
}

func reviewedBy(want ...string) func(*testing.T, *v1alpha1.Release) {
	return func(t *testing.T, rel *v1alpha1.Release) {
		t.Helper()
		var got []string
		for _, r := range receipt.Reviews(rel, "c1", verifier()) {
			if r.Invalid == "" {
				got = append(got, r.Slot+"="+r.User+" "+r.Digest)
			}
		}
		if strings.Join(got, ", ") != strings.Join(want, ", ") {
			t.Errorf("%v are proven, want %v", got, want)
		}
	}
}

// broke puts a use of break-glass with its receipt into a slot.
func broke(t testing.TB, slot, user string) func(*v1alpha1.Release) {
	return func(rel *v1alpha1.Release) {
		envelope, err := signer("k").SignBreakGlass(t.Context(), receipt.BreakGlass{Ticket: "INC-1", Reason: "checkout is down", Claim: receipt.Claim{
			Cluster: "c1", Namespace: "shop", Name: "shop", UID: "u1", Slot: slot, Digest: candidate, User: user, At: noon(), Nonce: "n0",
		}})
		if err != nil {
			t.Fatal(err)
		}
		rel.Annotations[glass+slot], rel.Annotations[glassStamp+slot] = inc, receipt.FormatVote(user, candidate, envelope)
	}
}

// pending is a use of break-glass by erin that waits to be reviewed.
func pending(n int) func(*v1alpha1.Release) {
	return func(rel *v1alpha1.Release) {
		for i := range n {
			digest := another
			if i > 0 {
				digest = fmt.Sprintf("sha256:%064d", i)
			}
			rel.Status.Reviews = append(rel.Status.Reviews, v1alpha1.PendingReview{Epoch: int64(i + 1), Digest: digest, By: erin, Ticket: "INC-1", Authors: []string{dev}})
		}
	}
}

func emergencyCases(t *testing.T, table map[string]write) {
	t.Helper()
	for name, tc := range table {
		if tc.by.Username == "" {
			tc.by = person(erin, onCallGroup, "oidc:hr")
		}
		if tc.policies == nil {
			tc.policies = []client.Object{emergencyPolicy()}
		}
		table[name] = tc
	}
	cases(t, table)
}

func TestBreakGlass(t *testing.T) {
	cast := set(glass+"erin", inc)
	mine := func(changes ...func(*v1alpha1.Release)) *v1alpha1.Release {
		return stored(t, append([]func(*v1alpha1.Release){broke(t, "erin", erin)}, changes...)...)
	}
	author := stored(t, wroteBy(t, dev, erin))
	emergencyCases(t, map[string]write{
		"OnCall": {reason: "somebody on call breaks the glass", change: cast, want: map[string]string{glass + "erin": inc, glassStamp + "erin": "v1 " + erin + " " + candidate + " "},
			check: shattered("erin=" + erin + " INC-1")},
		"Again":     {reason: "for another cause", was: mine(), change: set(glass+"erin", candidate+";INC-2;it is down still"), check: shattered("erin=" + erin + " INC-2")},
		"DryRun":    {reason: "sec/26: a dry run breaks nothing", change: cast, dryRun: true, check: shattered()},
		"TakenBack": {reason: "its owner takes it away, and the slot is free", was: mine(), change: drop(glass + "erin"), want: map[string]string{glass + "erin": "-", glassStamp + "erin": "-"}},
		"Veto":      {reason: "sec/61: no match for a veto", was: stored(t, voted(t, "carol", carol, reject)), change: cast, warns: "does not let the candidate through now: rejected by " + carol, check: shattered("erin=" + erin + " INC-1")},
		"Forged":    {reason: "what the client says is overwritten", change: both(cast, set(glassStamp+"erin", "v1 "+carol+" "+candidate+" x")), check: shattered("erin=" + erin + " INC-1")},

		"Author":         {reason: "sec/61: not for one's own work", was: author, change: cast, refused: "Ineligible", says: []string{erin + " changed the content and cannot break the glass", "approvals.countersign.dev/my-name=" + candidate}},
		"AuthorInStatus": {reason: "sec/61: whom only the status knows", was: stored(t, func(rel *v1alpha1.Release) { rel.Status.Candidate.Authors = []string{erin} }), change: cast, refused: "Ineligible"},
		"OtherAccount":   {reason: "sec/61: with no account", by: person("dev-admin@corp", onCallGroup), change: cast, refused: "Ineligible", says: []string{"as " + dev}},
		"AuthorsUnknown": {reason: "sec/61: anybody could be an author", was: stored(t, drop(v1alpha1.AuthorsReceiptAnnotation)), change: cast, refused: "Ineligible", says: []string{"has no receipt"}},
		"NotOnCall":      {reason: "sec/61: not everybody", by: person(qa, "oidc:qa"), change: cast, refused: "Ineligible", says: []string{"only members of " + onCallGroup}},
		"NotAllowed":     {reason: "sec/61: not where a policy does not say so", policies: []client.Object{prod()}, change: cast, refused: "Ineligible", says: []string{"policy prod has no breakGlass"}},
		"OneOfTwo":       {reason: "sec/61: every policy has to say so", policies: []client.Object{emergencyPolicy(), second()}, change: cast, refused: "Ineligible", says: []string{"policy second has no breakGlass"}},
		"NoPolicy":       {reason: "sec/62: without a policy nobody may", policies: []client.Object{}, change: cast, refused: "Ineligible", says: []string{"no ApprovalPolicy with rules covers"}},
		"Impersonated":   {reason: "sec/61: kubectl --as is nobody", by: with("", erin, onCallGroup), change: cast, refused: "Credential", says: []string{"break the glass with your own credentials"}},
		"Certificate":    {reason: "sec/61: nor is a certificate", by: with("X509SHA256=ab", erin, onCallGroup), change: cast, refused: "Credential"},
		"Bot":            {reason: "sec/61: nor a program", by: person(bot, onCallGroup), change: cast, refused: "Bot", says: []string{"cannot break the glass"}},
		"OddName":        {reason: "sec/47: a name that forges a receipt", by: person("erin "+candidate, onCallGroup), change: cast, refused: "Username"},
		"OtherDigest":    {reason: "sec/61: not for what is not on offer", change: set(glass+"erin", another+";INC-1;x"), refused: "Digest", says: []string{another + " is not the current candidate", glassRun + "erin=\"" + candidate + ";TICKET;REASON\""}},
		"NoCandidate":    {reason: "sec/61: nothing is on offer", was: stored(t, func(rel *v1alpha1.Release) { rel.Status.Candidate = nil }), change: cast, refused: "NoCandidate"},
		"NoTicket":       {reason: "sec/61: a ticket", change: set(glass+"erin", candidate+";;x"), refused: "Malformed", says: []string{"no ticket", glassRun}},
		"NoReason":       {reason: "sec/61: and a reason", change: set(glass+"erin", candidate+";INC-1; "), refused: "Malformed", says: []string{"no reason"}},
		"Escape":         {reason: "sec/47: a reason that forges a log", change: set(glass+"erin", inc+"\x1b[2J"), refused: "Malformed"},
		"WithContent":    {reason: "sec/61: not with a change", change: both(cast, image("shop:2")), refused: "WithChange", says: []string{glassRun}},
		"WithReplicas":   {reason: "sec/61: of any kind", change: both(cast, scaled), refused: "WithChange"},
		"WithVote":       {reason: "one statement in a request", by: person(erin, onCallGroup, "oidc:qa"), change: both(cast, set(vote+"erin", candidate)), refused: "OneVote"},
		"Two":            {reason: "one statement in a request", change: both(cast, set(glass+"x", inc)), refused: "OneVote"},
		"Foreign":        {reason: "sec/61: a slot of somebody else", was: stored(t, broke(t, "erin", "sam@corp")), change: set(glass+"erin", candidate+";INC-9;x"), refused: "Slot", says: []string{"belongs to sam@corp", glassRun + "erin-corp="}},
		"ForeignDrop":    {reason: "nobody else takes it away", by: person("sam@corp", onCallGroup), was: mine(), change: drop(glass + "erin"), warns: "only " + erin + " can take it away", want: map[string]string{glass + "erin": "=", glassStamp + "erin": "="}},
		"Sync":           {reason: "a sync loses nothing", by: person(bot), was: mine(), change: replaced, warns: "was kept", check: shattered("erin=" + erin + " INC-1")},
		"DropAs":         {reason: "nor does who acts as its owner", by: with("", erin), was: mine(), change: drop(glass + "erin"), warns: "was kept", want: map[string]string{glass + "erin": "="}},
		"DropWithChange": {reason: "nor is it lost with a change", was: mine(), change: both(drop(glass+"erin"), scaled), warns: "was kept", want: map[string]string{glass + "erin": "="}},
		"Unowned":        {reason: "what has no receipt anybody takes away", by: person(bot), was: stored(t, cast), change: drop(glass + "erin"), want: map[string]string{glass + "erin": "-"}},
		"ReceiptAlone":   {reason: "sec/61: a receipt made up", change: set(glassStamp+"erin", "v1 "+erin+" "+candidate+" x"), refused: "Receipt", says: []string{"break the glass with " + glassRun}},
		"ReceiptDropped": {reason: "a receipt that is left out is put back", by: person(bot), was: mine(), change: drop(glassStamp + "erin"), warns: "receipt", want: map[string]string{glassStamp + "erin": "="}},
		"Limit":          {reason: "four wait for a review", was: stored(t, pending(4)), change: cast, refused: "ReviewPending", says: []string{reviewRun + "my-name=" + another}},
		"BelowLimit":     {reason: "an emergency does not wait for the review of another", was: stored(t, pending(3)), change: cast, check: shattered("erin=" + erin + " INC-1")},
		"TooMany": {reason: "sec/29: there are eight slots", was: stored(t, func(rel *v1alpha1.Release) {
			for i := range receipt.MaxEmergencySlots {
				broke(t, fmt.Sprintf("s%d", i), fmt.Sprintf("u%d", i))(rel)
			}
		}), change: cast, refused: "TooManySlots", says: []string{"all 8 slots"}},
	})
	t.Run("sec/61 at creation", func(t *testing.T) {
		for _, key := range []string{glass, glassStamp, seen, seenStamp} {
			rel := manifest()
			set(key+"erin", inc)(rel)
			write{reason: key, refused: "AtCreation", says: []string{"take them out of the manifest"}}.judge(t, webhook(t, emergencyPolicy()), creating(t, person(erin, onCallGroup), rel))
		}
	})
}

func TestReviews(t *testing.T) {
	cast := set(seen+"bob", another)
	qaToo := func(user string) write { return write{by: person(user, "oidc:qa")} }
	was := stored(t, pending(2))
	by := func(w write, reason string, change func(*v1alpha1.Release), refused string, says ...string) write {
		w.reason, w.change, w.refused, w.says, w.was = reason, change, refused, says, was
		return w
	}
	table := map[string]write{
		"Eligible":     by(qaToo(qa), "somebody else whom a rule names", cast, ""),
		"Second":       by(qaToo(qa), "of any that wait", set(seen+"bob", was.Status.Reviews[1].Digest), ""),
		"Breaker":      by(qaToo(erin), "sec/61: not by who broke the glass", cast, "Ineligible", erin+" broke the glass and cannot review it", reviewRun+"my-name="+another),
		"Author":       by(qaToo(dev), "sec/61: nor by who wrote it", cast, "Ineligible", dev+" changed the content"),
		"OtherAccount": by(qaToo("dev-admin@corp"), "sec/61: with no account", cast, "Ineligible"),
		"OnCall":       by(write{by: person("sam@corp", onCallGroup)}, "sec/61: to be on call is not enough", cast, "Ineligible", "no rule names sam@corp"),
		"Impersonated": by(write{by: with("", qa, "oidc:qa")}, "sec/61: kubectl --as is nobody", cast, "Credential", "review a break-glass with your own credentials"),
		"Bot":          by(write{by: person(bot, "oidc:qa")}, "sec/61: a program has not looked at it", cast, "Bot"),
		"OtherDigest":  by(qaToo(qa), "of what does not wait", set(seen+"bob", candidate), "Digest", "is not what waits for a review", reviewRun+"bob="+another),
		"WithContent":  by(qaToo(qa), "not with a change", both(cast, image("shop:2")), "WithChange"),
		"ReceiptAlone": by(qaToo(qa), "sec/61: a receipt made up", set(seenStamp+"bob", "v1 "+qa+" "+another+" x"), "Receipt", "review a break-glass with "+reviewRun),
	}
	ok := table["Eligible"]
	ok.check = reviewedBy("bob=" + qa + " " + another)
	table["Eligible"] = ok
	dry := ok
	dry.dryRun, dry.check, dry.reason = true, reviewedBy(), "sec/26: a dry run reviews nothing"
	table["DryRun"] = dry
	table["NothingWaits"] = write{reason: "nothing has to be done", by: person(qa, "oidc:qa"), change: cast, refused: "NoReview"}
	emergencyCases(t, table)
}

// TestReviewByRBAC: whom RBAC lets approve may review, as they may vote.
func TestReviewByRBAC(t *testing.T) {
	p := emergencyPolicy()
	p.Spec.Rules = []v1alpha1.ApprovalRule{{Name: "owner", Count: 1, RBAC: true}}
	for name, tc := range map[string]struct {
		reason, user, refused string
		access                Permitter
	}{
		"Allowed":   {"whom RBAC allows", qa, "", allowed{qa: {"prod.owner"}}},
		"OtherRule": {"another rule", qa, "Ineligible", allowed{qa: {"prod.other"}}},
		"NoAccess":  {"nobody can be asked", qa, "Ineligible", nil},
		"NoAnswer":  {"there is no answer", qa, "Error", allowed(nil)},
		"Breaker":   {"not by who broke the glass", erin, "Ineligible", allowed{erin: {"prod.owner"}}},
		"Author":    {"nor by who wrote it", dev, "Ineligible", allowed{dev: {"prod.owner"}}},
	} {
		t.Run("sec/61 "+name, func(t *testing.T) {
			was := stored(t, pending(1))
			now := was.DeepCopy()
			set(seen+"bob", another)(now)
			w := webhook(t, p)
			w.Access = tc.access
			response, reason := w.handle(t.Context(), updating(t, person(tc.user, "b", "a"), was, now))
			if reason != tc.refused {
				t.Fatalf("%s: got %q (%+v), want %q", tc.reason, reason, response.Result, tc.refused)
			}
			if tc.refused != "" {
				return
			}
			reviews := receipt.Reviews(patched(t, encoded(t, now), response), w.Cluster, w.Verifier)
			if len(reviews) != 1 || !slices.Equal(reviews[0].Permitted, []string{"prod.owner"}) || !slices.Equal(reviews[0].Groups, []string{"a", "b"}) {
				t.Errorf("the receipt proves %+v", reviews)
			}
		})
	}
}

// Copyright The Countersign Authors.
// SPDX-License-Identifier: Apache-2.0

package admission

import (
	"context"
	"errors"
	"testing"

	"github.com/countersign/countersign/api/v1alpha1"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// A vote that could not count is refused when it is cast, with who could.
func TestEligibility(t *testing.T) {
	open := prod()
	open.Spec.AuthorsMayApprove = true
	elsewhere := prod()
	elsewhere.Spec.Namespaces = []string{"bank"}
	strict := prod()
	strict.Name = "strict"
	strict.Spec.Rules = []v1alpha1.ApprovalRule{{Name: "lead", Count: 1, Users: []string{"erin@corp"}}}
	noReceipt := stored(t, set(v1alpha1.AuthorsReceiptAnnotation, "v1 x"))
	cast, rejects := set(vote+"x", candidate), set(vote+"x", reject)
	cases(t, map[string]write{
		"Author": {reason: "sec/01: an author does not approve their own work", by: person(dev, "oidc:qa"), change: cast, refused: "Ineligible", says: []string{
			dev + " changed the content and cannot approve it", "prod/qa needs 1 more approval, from a member of oidc:qa", "from " + carol,
			"they run: kubectl annotate release shop -n shop --overwrite approvals.countersign.dev/my-name=" + candidate,
			"you may reject it: kubectl annotate release shop -n shop --overwrite approvals.countersign.dev/x=" + reject}},
		"AuthorRejects": {reason: "but may reject it", by: person(dev), change: rejects, check: counts("x=" + dev + " reject")},
		"OtherAccount": {reason: "sec/31: with no account", by: person("dev-admin@corp", "oidc:qa"), change: cast, refused: "Ineligible",
			says: []string{"dev-admin@corp is the same person as " + dev}},
		"OtherAccountRejects": {reason: "a rejection counts with any account", by: person("dev-admin@corp"), change: rejects, check: counts("x=dev-admin@corp reject")},
		"AuthorAllowed":       {reason: "unless the policies let authors", by: person(dev, "oidc:qa"), policies: []client.Object{open}, change: cast, check: counts("x=" + dev + " approve")},
		"AuthorAllowedByOne":  {reason: "all of them", by: person(dev, "oidc:qa"), policies: []client.Object{open, strict}, change: cast, refused: "Ineligible"},
		"AuthorInStatus": {reason: "an author whom only the status knows", by: person(qa, "oidc:qa"), was: stored(t, func(rel *v1alpha1.Release) { rel.Status.Candidate.Authors = []string{qa} }), change: cast,
			refused: "Ineligible", says: []string{qa + " changed the content"}},
		"AuthorOnRecord": {reason: "an author whom the status does not know yet", was: stored(t, wroteBy(t, qa)), change: cast, refused: "Ineligible"},
		"NotNamed": {reason: "no rule admits them", by: person("eve@corp", "oidc:dev"), change: cast, refused: "Ineligible",
			says: []string{"no rule names eve@corp", "prod/qa, prod/security", "prod/qa needs 1 more approval, from a member of oidc:qa"}},
		"NotNamedRejects": {reason: "a rejection that blocks nothing would mislead its voter", by: person("eve@corp", "oidc:dev"), change: rejects, refused: "Ineligible",
			says: []string{"a rejection by eve@corp would block nothing", "prod/qa, prod/security"}},
		"SeatRejects": {reason: "who could approve may say no, and is told what it does", change: rejects, warns: "it blocks nothing, because no rule that names its voter can veto", check: counts("x=" + qa + " reject")},
		"ExMemberRejects": {reason: "who approved takes it back in any case", by: person(qa), was: stored(t, voted(t, "x", qa, candidate)), change: rejects, warns: "it blocks nothing",
			check: counts("x=" + qa + " reject")},
		"VetoRejects": {reason: "who can veto vetoes", by: person(carol), change: rejects, check: counts("x=" + carol + " reject")},
		"Reserve": {reason: "a vote that is not needed is taken with a warning", was: stored(t, voted(t, "a", "ann@corp", candidate)), change: cast,
			warns: "does not count now: every seat that its voter could take is filled", check: counts("a=ann@corp approve", "x="+qa+" approve")},
		"OneMore": {reason: "nor is one that is needed because nobody knows who changed a ConfigMap kept in reserve", change: cast,
			was: stored(t, voted(t, "a", "ann@corp", candidate), func(rel *v1alpha1.Release) {
				rel.Status.Candidate.Config = []v1alpha1.ConfigCopy{{Kind: v1alpha1.ConfigMap, Name: "settings", Hash: "sha256:1"}}
			}), check: counts("a=ann@corp approve", "x="+qa+" approve")},
		"OthersComplete": {reason: "nobody is sent for when every seat is filled", by: person(dev), was: stored(t, voted(t, "a", "ann@corp", candidate), voted(t, "c", carol, candidate)), change: cast,
			refused: "Ineligible", says: []string{"every seat is filled: ann@corp, " + carol + "; you may reject it"}},
		"OtherPolicy": {reason: "a seat of one policy is enough to vote", by: person("erin@corp"), policies: []client.Object{prod(), strict}, change: cast, check: counts("x=erin@corp approve")},
		"AddedRule": {reason: "a rule that the Release adds admits too", by: person("zoe@corp"), was: stored(t, func(rel *v1alpha1.Release) {
			rel.Spec.Approval = &v1alpha1.AddedApproval{Rules: []v1alpha1.ApprovalRule{{Name: "po", Count: 1, Users: []string{"zoe@corp"}}}}
			wroteBy(t, dev)(rel)
		}), change: cast, check: counts("x=zoe@corp approve")},
		"NoPolicy":        {reason: "sec/62: without a policy no vote counts", policies: []client.Object{}, change: cast, refused: "NoPolicy", says: []string{"namespace shop", "kubectl get approvalpolicies"}},
		"PolicyElsewhere": {reason: "a policy of another namespace is none", policies: []client.Object{elsewhere}, change: rejects, refused: "NoPolicy"},
		"AuthorsUnknown": {reason: "anybody could be an author", was: noReceipt, change: cast, refused: "AuthorsUnknown",
			says: []string{"it is not proven who changed the content", "apply the active content, then the change again", "the receipt of the authors is not valid"}},
		"AuthorsOfOtherContent": {reason: "the record is of another spec", was: stored(t, image("shop:2")), change: cast, refused: "AuthorsUnknown", says: []string{"of other content than the spec"}},
		"UnknownVeto":           {reason: "a veto is on record for when they are known again", by: person(carol), was: noReceipt, change: rejects, warns: "does not count now", check: counts("x=" + carol + " reject")},
	})
}

// The groups in a receipt are those of the voter's that a policy names.
func TestGroupsInReceipts(t *testing.T) {
	write{reason: "no other group is anybody's business", by: person(qa, "system:authenticated", "oidc:hr", "oidc:qa"), change: set(vote+"bob", candidate),
		check: func(t *testing.T, rel *v1alpha1.Release) {
			t.Helper()
			if got := receiptOf(t, rel, "bob"); len(got.Groups) != 1 || got.Groups[0] != "oidc:qa" || got.Nonce != "n1" || !got.At.Equal(noon()) {
				t.Errorf("the receipt says %+v", got)
			}
		}}.run(t)
}

type brokenReader struct{ client.Reader }

func (brokenReader) List(context.Context, client.ObjectList, ...client.ListOption) error {
	return errors.New("the cache is not there")
}

// Policies that cannot be read are not the same as none, and admit nobody.
func TestPoliciesCannotBeRead(t *testing.T) {
	w := webhook(t)
	w.Reader = brokenReader{}
	was := stored(t)
	now := was.DeepCopy()
	set(vote+"bob", candidate)(now)
	if response, reason := w.handle(t.Context(), updating(t, person(qa, "oidc:qa"), was, now)); response.Allowed || reason != "Error" {
		t.Errorf("got %+v, %s", response, reason)
	}
}

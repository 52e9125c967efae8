// Copyright The Countersign Authors.
// SPDX-License-Identifier: Apache-2.0

package apiserver

import (
	"encoding/base64"
	"strings"
	"testing"

	"github.com/countersign/countersign/api/v1alpha1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

// asStage lets the people of a shop try things by each verb.
func (s *shop) asStage() *stage {
	return &stage{world: s.world, namespace: s.namespace, actors: s.people}
}

// wantsRefusal is a check of what one verb was answered.
func wantsRefusal(what string) func(*testing.T, error) {
	return func(t *testing.T, err error) { refused(t, what, err, "") }
}

// TestSavedVotes: a Release cannot be made with what was saved of an earlier one.
func TestSavedVotes(t *testing.T) {
	s := openShop(t)
	s.mustApply(t, "dev", s.manifest(t, "v1"))
	s.mustVote(t, "alice", s.awaitCandidate(t))
	saved := s.release(t).Annotations
	again := transform(releaseText("again"), func(o *unstructured.Unstructured) { o.SetAnnotations(saved) })
	t.Run("sec/06 saved", func(t *testing.T) {
		s.asStage().each(t, attempt{what: "made with them", who: "dev", create: again}, wantsRefusal("a Release with saved votes"))
	})
	t.Run("without them", func(t *testing.T) {
		s.asStage().each(t, attempt{what: "made without", who: "dev", create: releaseText("again"), not: []string{"create with generateName"}}, func(t *testing.T, err error) {
			if err != nil {
				t.Error(err)
			}
		})
	})
}

// TestPolicyIsNotChosen: who writes Releases writes no policy, and nothing that a
// Release or a namespace says takes a demand away.
func TestPolicyIsNotChosen(t *testing.T) {
	s := openShop(t)
	dev := s.people["dev"].resource("approvalpolicies", "")
	have, err := s.admin.resource("approvalpolicies", "").Get(within(t), s.namespace, metav1.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	weak := have.DeepCopy()
	set("spec.authorsMayApprove", true)(weak)
	const forbidden = "approvalpolicies.countersign.dev"
	for _, verb := range changeVerbs {
		if _, ok, err := (change{verb: verb, have: have, want: weak}).send(within(t), dev); ok {
			t.Run("sec/08 D20 weakened by "+verb, func(t *testing.T) { refused(t, verb, err, forbidden, "forbidden") })
		}
	}
	own := object(t, "apiVersion: countersign.dev/v1alpha1\nkind: ApprovalPolicy\nmetadata: {name: own-"+s.namespace+"}\nspec: {namespaces: ["+s.namespace+"], rules: [{name: any, count: 1, groups: [developers]}]}")
	for _, verb := range createVerbs[:3] {
		t.Run("sec/08 D20 one of their own by "+verb, func(t *testing.T) { refused(t, verb, createBy(within(t), dev, verb, own), forbidden, "forbidden") })
	}
	for _, verb := range deleteVerbs {
		t.Run("sec/08 D20 taken away by "+verb, func(t *testing.T) {
			refused(t, verb, deleteBy(within(t), dev, verb, s.namespace), forbidden, "forbidden")
		})
	}
	t.Run("sec/08 chosen in the Release", func(t *testing.T) {
		s.mustApply(t, "dev", s.manifest(t, "v1", label("countersign.dev/policy", "own"), annotate("countersign.dev/policy", "own"),
			set("spec.approval", map[string]any{"rules": []any{map[string]any{"name": "qa", "count": int64(1), "groups": []any{"qa", "developers"}}}})))
		digest := s.awaitTested(t)
		refused(t, "the author", s.vote(t, "dev", "dev", digest), "")
		s.mustVote(t, "alice", digest)
		s.await(t, "the others are asked for still", func(r *v1alpha1.Release) bool { return strings.Contains(r.Status.WaitingFor, "security") })
		s.neverMoves(t, "none")
	})
}

// TestHarvest: what a dry run brings says that it is of one, by whatever verb.
func TestHarvest(t *testing.T) {
	s := openShop(t)
	s.mustApply(t, "dev", s.manifest(t, "v1"))
	digest := s.awaitTested(t)
	s.allow(t, s.namespace, "release-author", email("alice")) // an approver may only patch
	have := s.asStage().get(t, "releases/"+shopName)
	want := have.DeepCopy()
	vote("alice", digest)(want)
	for _, verb := range changeVerbs {
		t.Run("sec/26 by "+verb, func(t *testing.T) {
			_, ok, err := change{verb: verb, have: have, want: want}.send(within(t), s.people["dev"].resource("releases", s.namespace))
			if !ok {
				return // a Release has no such verb
			}
			refused(t, "by the author", err, "")
			eventually(t, "alice may write it by "+verb, func() string {
				got, _, err := change{verb: verb, have: have, want: want}.send(within(t), s.people["alice"].resource("releases", s.namespace))
				if err == nil {
					ofDryRun(t, got)
				}
				return text(err)
			})
		})
	}
}

// ofDryRun wants the receipt of alice's vote to say so.
func ofDryRun(t *testing.T, got *unstructured.Unstructured) {
	t.Helper()
	parts := strings.Fields(got.GetAnnotations()[v1alpha1.ReceiptPrefix+"alice"])
	if len(parts) != 4 {
		t.Fatalf("the receipt is %q", parts)
	}
	if claim := opened(t, parts[3]); !strings.Contains(claim, `"dryRun":true`) || !strings.Contains(claim, email("alice")) {
		t.Errorf("the receipt says %s", claim)
	}
}

// opened is the payload of an envelope.
func opened(t *testing.T, envelope string) string {
	t.Helper()
	text, err := base64.RawURLEncoding.DecodeString(strings.TrimRight(strings.NewReplacer("+", "-", "/", "_").Replace(envelope), "="))
	if err != nil {
		t.Fatal(err)
	}
	_, after, ok := strings.Cut(string(text), `"payload":"`)
	payload, _, _ := strings.Cut(after, `"`)
	claim, err := base64.StdEncoding.DecodeString(payload)
	if !ok || err != nil {
		t.Fatalf("no payload in %s: %v", text, err)
	}
	return string(claim)
}

// TestCopiedReceipts: a receipt is worth nothing on another Release.
func TestCopiedReceipts(t *testing.T) {
	from, to := openShop(t), openShop(t)
	from.mustApply(t, "dev", from.manifest(t, "v1"))
	to.mustApply(t, "dev", to.manifest(t, "v1"))
	digest, other := from.awaitCandidate(t), to.awaitTested(t)
	from.mustVote(t, "alice", digest)
	copied := from.release(t).Annotations[v1alpha1.ReceiptPrefix+"alice"]
	as := func(value string) func(*unstructured.Unstructured) {
		return all(vote("alice", value), annotate(v1alpha1.ReceiptPrefix+"alice", copied))
	}
	t.Run("sec/28 D26 as it is", func(t *testing.T) {
		to.asStage().each(t, attempt{what: "copied", who: "mallory", on: "releases/" + shopName, change: as(digest)}, wantsRefusal("a copy"))
	})
	t.Run("sec/28 D26 beside a vote that fits", func(t *testing.T) {
		to.asStage().each(t, attempt{what: "copied", who: "mallory", on: "releases/" + shopName, change: as(other)}, wantsRefusal("a copy"))
	})
	t.Run("sec/28 D26 the receipt alone", func(t *testing.T) {
		to.asStage().each(t, attempt{what: "copied", who: "mallory", on: "releases/" + shopName, change: annotate(v1alpha1.ReceiptPrefix+"alice", copied)}, wantsRefusal("a copy"))
	})
	t.Run("sec/28 D26 without any lock", func(t *testing.T) {
		to.withoutPolicies(t)
		to.withoutWebhook(t)
		if err := to.patch(t, "mallory", annotations(as(other))); err != nil {
			t.Fatalf("%v: then this test is of no use", err)
		}
		to.awaitIgnored(t, "alice")
		if why := to.release(t).Status.Votes[0].Why; !strings.Contains(why, "it was written in namespace "+from.namespace) {
			t.Errorf("it is explained by %q", why)
		}
		to.neverMoves(t, "none")
	})
}

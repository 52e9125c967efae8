// Copyright The Countersign Authors.
// SPDX-License-Identifier: Apache-2.0

package apiserver

import (
	"fmt"
	"strings"
	"testing"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

const (
	glassPolicy       = "release-breakglass.countersign.dev"
	glassPeoplePolicy = "release-breakglass-people.countersign.dev"
)

var digestThree = "sha256:" + strings.Repeat("3", 64)

// glassOf is a use of break-glass with the receipt that the webhook would put
// beside it.
func glassOf(slot, user, digest, cause string) func(*unstructured.Unstructured) {
	return all(annotate("break-glass.countersign.dev/"+slot, digest+cause), glassReceipt(slot, user, digest))
}

func glassReceipt(slot, user, digest string) func(*unstructured.Unstructured) {
	return annotate("receipts.break-glass.countersign.dev/"+slot, "v1 "+user+" "+digest+" envelope")
}

func reviewOf(slot, user, digest string) func(*unstructured.Unstructured) {
	return all(annotate("reviews.countersign.dev/"+slot, digest), annotate("receipts.reviews.countersign.dev/"+slot, "v1 "+user+" "+digest+" envelope"))
}

// noGlass takes one away, with its receipt.
func noGlass(slot string) func(*unstructured.Unstructured) {
	return all(annotate("break-glass.countersign.dev/"+slot, ""), annotate("receipts.break-glass.countersign.dev/"+slot, ""))
}

const cause = ";INC-1;checkout is down"

// glassStage has Release shop, for which erin, who is on call, breaks the glass,
// and which has let digestTwo of dev through before; fresh, without a candidate;
// crowded, whose slots are taken; and open, which no ApprovalPolicy covers.
func glassStage(t *testing.T) *stage {
	s := newStage(t)
	s.install(t, []*unstructured.Unstructured{object(t, `
apiVersion: countersign.dev/v1alpha1
kind: ApprovalPolicy
metadata: {name: `+s.namespace+`}
spec:
  namespaces: [`+s.namespace+`]
  rules: [{name: any, count: 1, groups: [qa, security, developers]}]
  breakGlass: {groups: [sre-oncall]}
  persons: [{name: dana, users: ["`+email("dana")+`", "`+email("erin-too")+`"]}, {name: bob, users: ["`+email("bob")+`", "`+email("bob-too")+`"]}, {name: dev, users: ["`+email("dev")+`", "`+email("dev-too")+`"]}]
`)})
	s.actors["bob-too"], s.actors["dev-too"], s.actors["dana on call"] = s.person(t, email("bob-too")), s.person(t, email("dev-too")), s.onCall(t, email("dana"))
	s.actors["sam"], s.actors["erin-too"] = s.onCall(t, email("sam")), s.onCall(t, email("erin-too"))
	s.actors["odd on call"], s.actors["mallory as erin"] = s.onCall(t, "odd one"), s.actingAs(t, email("erin"))
	for name, status := range map[string]func(*unstructured.Unstructured){"shop": candidate(digestOne), "fresh": nil, "crowded": candidate(digestOne), "later": candidate(digestOne),
		"open": all(candidate(digestOne), set("status.conditions", []any{approvedIs("NoPolicy")}))} {
		o := object(t, releaseText(name))
		stamp(email("dana"), email("dev"))(o)
		s.put(t, "dev", withStamp(o, email("dev")))
		s.alter(t, "dana", "releases/"+name, all(image("v2"), stamp(email("dana"), email("dev"))))
		if status != nil {
			s.alter(t, "operator", "releases/"+name+"/status", all(status, set("status.candidate.observedGeneration", int64(2)),
				set("status.candidate.authors", []any{email("sam")}), set("status.reviews", []any{waiting(1, digestTwo), waiting(2, digestThree)})))
		}
	}
	s.alter(t, "erin", "releases/shop", glassOf("erin", email("erin"), digestOne, cause))
	s.alter(t, "erin", "releases/later", glassOf("erin", email("erin"), digestOne, cause))
	s.alter(t, "alice", "releases/later", reviewOf("alice", email("alice"), digestTwo))
	s.alter(t, "operator", "releases/later/status", all(set("status.candidate.digest", "sha256:"+strings.Repeat("4", 64)), set("status.reviews", []any{waiting(2, digestThree)})))
	for i := range 8 {
		name := fmt.Sprintf("crowd-%d", i)
		s.actors[name] = s.onCall(t, email(name))
		s.alter(t, name, "releases/crowded", glassOf(name, email(name), digestOne, cause))
	}
	return s
}

func withStamp(o *unstructured.Unstructured, users ...string) *unstructured.Unstructured {
	stamp(users...)(o)
	return o
}

func waiting(epoch int64, digest string) map[string]any {
	return map[string]any{"epoch": epoch, "digest": digest, "by": email("bob"), "ticket": "INC-0", "reason": "it was down", "authors": []any{email("dev")}, "dueBy": "2026-01-01T00:00:00Z"}
}

func TestBreakGlassPolicy(t *testing.T) {
	s := glassStage(t)
	for _, r := range glassRules() {
		t.Run(r.says, func(t *testing.T) { s.run(t, r) })
	}
	t.Run("every policy of the namespace has to let them", func(t *testing.T) {
		s.install(t, []*unstructured.Unstructured{object(t, "apiVersion: countersign.dev/v1alpha1\nkind: ApprovalPolicy\nmetadata: {name: "+s.namespace+"-strict}\n"+
			"spec: {namespaces: ["+s.namespace+"], rules: [{name: any, count: 1, groups: [qa]}]}")})
		again := attempt{what: "erin breaks the glass", who: "erin", on: "releases/shop", change: glassOf("erin", email("erin"), digestOne, ";INC-2;again")}
		s.saysSoon(t, again, "ApprovalPolicy "+s.namespace+"-strict does not let user "+email("erin"))
	})
}

func glassRules() []rule {
	rules, people := append(glassSpeakers(), glassSlots()...), glassPeople()
	for i := range rules {
		rules[i].policy, rules[i].row = glassPolicy, "sec/61"
	}
	for i := range people {
		people[i].policy, people[i].row = glassPeoplePolicy, "sec/61"
	}
	return append(rules, people...)
}

// glassPeople are whom the policies let, and who is whom.
func glassPeople() []rule {
	alice := email("alice")
	ok := attempt{what: "somebody on call", who: "erin", on: "releases/shop", change: glassOf("erin", email("erin"), digestOne, ";INC-2;down still")}
	sees := attempt{what: "somebody else reviews", who: "alice", on: "releases/shop", change: reviewOf("alice", alice, digestTwo)}
	return []rule{{
		says: " does not let user ",
		refused: []attempt{
			{what: "somebody who is not on call", who: "alice", on: "releases/shop", change: glassOf("alice", alice, digestOne, cause)},
			{what: "the platform's admin", who: "bob", on: "releases/shop", change: glassOf("bob", email("bob"), digestOne, cause)},
		},
		admitted: []attempt{ok},
	}, {
		says:     " and cannot break the glass for it: somebody else has to",
		refused:  []attempt{{what: "an author's other account", row: "sec/31", who: "erin-too", on: "releases/shop", change: glassOf("too", email("erin-too"), digestOne, cause)}},
		admitted: []attempt{ok},
	}, {
		says: "that was let through, with another account (ApprovalPolicy ",
		refused: []attempt{
			{what: "who broke the glass, with another account", row: "sec/31", who: "bob-too", on: "releases/shop", change: reviewOf("bob", email("bob-too"), digestTwo)},
			{what: "who wrote it, with another account", row: "sec/31", who: "dev-too", on: "releases/shop", change: reviewOf("dev", email("dev-too"), digestTwo)},
		},
		admitted: []attempt{sees},
	}}
}

func glassSpeakers() []rule {
	erin, alice, dev := email("erin"), email("alice"), email("dev")
	again := glassOf("erin", erin, digestOne, ";INC-2;down still")
	ok := attempt{what: "for another cause", who: "erin", on: "releases/shop", change: again}
	sees := attempt{what: "somebody else reviews", who: "alice", on: "releases/shop", change: reviewOf("alice", alice, digestTwo)}
	return []rule{{
		says: "a Release cannot be created with break-glass or reviews in it", doubled: true,
		refused: []attempt{
			{what: "created with break-glass", who: "dev", create: withAnnotations(releaseText("brought"), stamp(dev), annotate("break-glass.countersign.dev/erin", digestOne+cause))},
			{what: "created with a review", who: "dev", create: withAnnotations(releaseText("brought"), stamp(dev), annotate("reviews.countersign.dev/alice", digestOne))},
			{what: "created with a receipt", who: "dev", create: withAnnotations(releaseText("brought"), stamp(dev), glassReceipt("erin", erin, digestOne))},
		},
		admitted: []attempt{{what: "created without", who: "dev", create: withAnnotations(releaseText("brought"), stamp(dev))}},
	}, {
		says: "one request can vote, break the glass or review a break-glass once",
		refused: []attempt{
			{what: "with a vote", who: "erin", on: "releases/shop", change: all(again, cast("erin", erin, digestOne))},
			{what: "two reviews", who: "alice", on: "releases/shop", change: all(reviewOf("a", alice, digestTwo), reviewOf("b", alice, digestThree))},
		},
		admitted: []attempt{ok, sees},
	}, {
		says: "the glass cannot be broken, nor reviewed, together with a change of the spec",
		refused: []attempt{
			{what: "with replicas", who: "erin", on: "releases/shop", change: all(again, set("spec.replicas", int64(2)))},
			{what: "a review with replicas", who: "alice", on: "releases/shop", change: all(reviewOf("alice", alice, digestTwo), set("spec.replicas", int64(2)))},
			{what: "taken away with replicas", who: "erin", on: "releases/shop", change: all(noGlass("erin"), set("spec.replicas", int64(2)))},
		},
		admitted: []attempt{ok},
	}, {
		says: " is not a person and can neither break the glass",
		refused: []attempt{
			{what: "a program reviews", who: "robot", on: "releases/shop", change: func(o *unstructured.Unstructured) {
				reviewOf("robot", "system:serviceaccount:"+o.GetNamespace()+":robot", digestTwo)(o)
			}},
			{what: "the operator reviews", who: "operator", on: "releases/shop", change: reviewOf("x", operatorUser, digestTwo)},
		},
		admitted: []attempt{sees},
	}, {
		says:     "your username has characters that cannot be put on record",
		refused:  []attempt{{what: "a name with a space", who: "odd on call", on: "releases/shop", change: glassOf("odd", "odd one", digestOne, cause)}},
		admitted: []attempt{ok},
	}, {
		says: " did not show a token of their own: break the glass and review",
		refused: []attempt{
			{what: "mallory as erin", who: "mallory as erin", on: "releases/shop", change: again},
			{what: "a certificate reviews", who: "admin", on: "releases/shop", change: reviewOf("admin", "admin", digestTwo)},
		},
		admitted: []attempt{ok, sees},
	}, {
		says: "it is not of the form <digest>;<ticket>;<reason> with the digest of the current candidate",
		refused: []attempt{
			{what: "another digest", who: "erin", on: "releases/shop", change: glassOf("erin", erin, digestTwo, cause)},
			{what: "without a candidate", who: "erin", on: "releases/fresh", change: glassOf("erin", erin, digestOne, cause)},
			{what: "no ticket", who: "erin", on: "releases/shop", change: glassOf("erin", erin, digestOne, ";;x")},
			{what: "no reason", who: "erin", on: "releases/shop", change: glassOf("erin", erin, digestOne, ";INC-1;")},
			{what: "a digest alone", who: "erin", on: "releases/shop", change: glassOf("erin", erin, digestOne, "")},
			{what: "too long a ticket", who: "erin", on: "releases/shop", change: glassOf("erin", erin, digestOne, ";"+strings.Repeat("t", 65)+";x")},
			{what: "too long a reason", who: "erin", on: "releases/shop", change: glassOf("erin", erin, digestOne, ";"+strings.Repeat("t", 64)+";"+strings.Repeat("x", 513))},
			{what: "a terminal's escape", who: "erin", on: "releases/shop", change: glassOf("erin", erin, digestOne, ";INC-1;\x1b[2Jdown")},
			{what: "a line break", who: "erin", on: "releases/shop", change: glassOf("erin", erin, digestOne, ";INC-1;down\nby bob")},
			{what: "text turned round", who: "erin", on: "releases/shop", change: glassOf("erin", erin, digestOne, ";INC-1;down\u202enwod")},
		},
		admitted: []attempt{ok, {what: "as long as can be", who: "erin", on: "releases/shop", change: glassOf("erin", erin, digestOne, ";"+strings.Repeat("t", 64)+";"+strings.Repeat("x", 512))}},
	}, {
		says:     " that waits for a review: ",
		refused:  []attempt{{what: "a review of something else", who: "alice", on: "releases/shop", change: reviewOf("alice", alice, digestOne)}},
		admitted: []attempt{sees, {what: "of another that waits", who: "alice", on: "releases/shop", change: reviewOf("alice", alice, digestThree)}},
	}, {
		says: "so that nobody can break the glass for Release ",
		refused: []attempt{
			{what: "where no policy applies", row: "sec/62", who: "erin", on: "releases/open", change: glassOf("erin", erin, digestOne, cause)},
			{what: "a review there", row: "sec/62", who: "alice", on: "releases/open", change: reviewOf("alice", alice, digestTwo)},
		},
		admitted: []attempt{ok, sees},
	}, {
		says: " changed the content of Release ",
		refused: []attempt{
			{what: "an author", who: "dana on call", on: "releases/shop", change: glassOf("dana", email("dana"), digestOne, cause)},
			{what: "an author whom only the operator knows", who: "sam", on: "releases/shop", change: glassOf("sam", email("sam"), digestOne, cause)},
		},
		admitted: []attempt{ok},
	}, {
		says: " and cannot review it: somebody else has to",
		refused: []attempt{
			{what: "who broke the glass", who: "bob", on: "releases/shop", change: reviewOf("bob", email("bob"), digestTwo)},
			{what: "who wrote it", who: "dev", on: "releases/shop", change: reviewOf("dev", dev, digestTwo)},
		},
		admitted: []attempt{sees},
	}}
}

func glassSlots() []rule {
	erin, alice, mallory := email("erin"), email("alice"), email("mallory")
	return []rule{{
		says: " has no receipt of their own: the webhook countersign did not stamp it",
		refused: []attempt{
			{what: "no receipt", who: "alice", on: "releases/shop", change: annotate("reviews.countersign.dev/alice", digestTwo)},
			{what: "another's receipt", who: "mallory", on: "releases/shop", change: reviewOf("alice", alice, digestTwo)},
			{what: "a receipt of other content", who: "alice", on: "releases/shop", change: all(reviewOf("alice", alice, digestTwo), annotate("reviews.countersign.dev/alice", digestThree))},
			{what: "taken away without its receipt", who: "erin", on: "releases/shop", change: annotate("break-glass.countersign.dev/erin", "")},
		},
		admitted: []attempt{{what: "taken away with it", who: "erin", on: "releases/shop", change: noGlass("erin")}},
	}, {
		says: " belongs to somebody else",
		refused: []attempt{
			{what: "mallory takes erin's away", who: "mallory", on: "releases/shop", change: noGlass("erin")},
			{what: "in erin's slot", who: "crowd-0", on: "releases/shop", change: glassOf("erin", email("crowd-0"), digestOne, ";INC-3;x")},
		},
		admitted: []attempt{{what: "erin's own", who: "erin", on: "releases/shop", change: glassOf("erin", erin, digestOne, ";INC-3;x")}},
	}, {
		says:     "a Release has at most 8 slots for break-glass and 8 for reviews",
		refused:  []attempt{{what: "a ninth", who: "erin", on: "releases/crowded", change: glassOf("erin", erin, digestOne, cause)}},
		admitted: []attempt{{what: "one of the eight", who: "crowd-0", on: "releases/crowded", change: glassOf("crowd-0", email("crowd-0"), digestOne, ";INC-3;x")}},
	}, {
		says: "receipts are written by admission only: leave receipts.break-glass.countersign.dev/*",
		refused: []attempt{
			{what: "a receipt alone", who: "alice", on: "releases/shop", change: glassReceipt("alice", alice, digestOne)},
			{what: "erin's receipt taken away", who: "mallory", on: "releases/shop", change: annotate("receipts.break-glass.countersign.dev/erin", "")},
			{what: "the operator takes away what counts", who: "operator", on: "releases/shop", change: annotate("receipts.break-glass.countersign.dev/erin", "")},
			{what: "mallory's name on it", who: "mallory", on: "releases/shop", change: glassReceipt("erin", mallory, digestOne)},
		},
		admitted: []attempt{
			{what: "the operator takes an earlier one away", who: "operator", on: "releases/later", change: noGlass("erin")},
			{what: "and a review that is done", who: "operator", on: "releases/later", change: all(annotate("reviews.countersign.dev/alice", ""), annotate("receipts.reviews.countersign.dev/alice", ""))},
		},
	}}
}

// onCall is somebody on call with a token of their own.
func (s *stage) onCall(t *testing.T, user string) *actor {
	return s.impersonatingAs(t, user, map[string][]string{"authentication.kubernetes.io/credential-id": {"JTI=" + user}})
}

// actingAs is somebody who acts as one on call.
func (s *stage) actingAs(t *testing.T, user string) *actor { return s.impersonatingAs(t, user, nil) }

// Copyright The Countersign Authors.
// SPDX-License-Identifier: Apache-2.0

package apiserver

import (
	"fmt"
	"strings"
	"testing"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

const votesPolicy = "release-votes.countersign.dev"

var (
	digestOne = "sha256:" + strings.Repeat("1", 64)
	digestTwo = "sha256:" + strings.Repeat("2", 64)
)

func email(name string) string { return name + "@example.com" }

// cast is a vote with the receipt that the webhook would put beside it.
func cast(slot, user, value string) func(*unstructured.Unstructured) {
	return all(annotate("approvals.countersign.dev/"+slot, value), receipt(slot, user, value))
}

func receipt(slot, user, value string) func(*unstructured.Unstructured) {
	return annotate("receipts.approvals.countersign.dev/"+slot, "v1 "+user+" "+value+" envelope")
}

func vote(slot, value string) func(*unstructured.Unstructured) {
	return annotate("approvals.countersign.dev/"+slot, value)
}

func comment(slot, value string) func(*unstructured.Unstructured) {
	return annotate("comments.approvals.countersign.dev/"+slot, value)
}

// slotGone is what the operator does about a vote that has no effect any more.
func slotGone(slot string) func(*unstructured.Unstructured) {
	return all(vote(slot, ""), annotate("receipts.approvals.countersign.dev/"+slot, ""), comment(slot, ""))
}

func withdraw(slot, user string) func(*unstructured.Unstructured) {
	return all(vote(slot, ""), receipt(slot, user, "withdrawn"))
}

// stamp is the list of authors with its receipt.
func stamp(users ...string) func(*unstructured.Unstructured) {
	return all(annotate("countersign.dev/authors", `["`+strings.Join(users, `","`)+`"]`),
		annotate("receipts.countersign.dev/authors", "v1 "+strings.Join(users, ",")))
}

func image(version string) func(*unstructured.Unstructured) {
	return set("spec.template.spec.containers", []any{map[string]any{"name": "app", "image": "registry/app:" + version}})
}

func releaseText(name string) string {
	return fmt.Sprintf(`
apiVersion: countersign.dev/v1alpha1
kind: Release
metadata:
  name: %s
  annotations: {example.com/team: shop}
spec:
  replicas: 1
  observeSeconds: 1
  services: [{name: %s}]
  template:
    metadata: {labels: {app: shop}}
    spec: {containers: [{name: app, image: "registry/app:v1"}]}
`, name, name)
}

// candidate is the status of a Release that waits for votes.
func candidate(digest string) func(*unstructured.Unstructured) {
	return set("status", map[string]any{
		"observedGeneration": int64(1),
		"candidate": map[string]any{
			"colour": "blue", "digest": digest, "revision": "0123456789abcdef", "sequence": int64(1),
			"observedGeneration": int64(1), "since": "2026-01-01T00:00:00Z",
		},
		"conditions": []any{approvedIs("AwaitingApproval")},
	})
}

func approvedIs(reason string) map[string]any {
	return map[string]any{"type": "Approved", "status": "False", "reason": reason, "message": "x", "lastTransitionTime": "2026-01-01T00:00:00Z"}
}

// promoted is the status of a Release whose newest content is active.
func promoted(digest string) func(*unstructured.Unstructured) {
	return set("status", map[string]any{
		"observedGeneration": int64(1),
		"active": map[string]any{
			"colour": "blue", "digest": digest, "revision": "0123456789abcdef", "templateHash": digest, "sequence": int64(1),
			"services": []any{map[string]any{"name": "calm"}}, "observeSeconds": int64(1), "keepIdleSeconds": int64(1),
			"readinessGraceSeconds": int64(1), "epoch": int64(1), "since": "2026-01-01T00:00:00Z",
		},
	})
}

// votesStage has Release shop, on which alice has voted with a comment; calm,
// of which all is promoted; fresh, without a candidate; crowded, whose slots are
// all taken; open, which no ApprovalPolicy covers; later, whose votes are on what
// was there before; moved, whose candidate is another by now; and named, where a
// program has named alice.
func votesStage(t *testing.T) *stage {
	s := newStage(t)
	author := email("dev")
	for name, status := range map[string]func(*unstructured.Unstructured){
		"shop": candidate(digestOne), "crowded": candidate(digestOne), "calm": promoted(digestOne), "fresh": nil,
		"open": all(candidate(digestOne), set("status.conditions", []any{approvedIs("NoPolicy")})), "later": candidate(digestOne), "named": candidate(digestOne),
		"moved": candidate(digestTwo),
	} {
		o := object(t, releaseText(name))
		stamp(author)(o)
		s.put(t, "dev", o)
		if status != nil {
			s.alter(t, "operator", "releases/"+name+"/status", status)
		}
	}
	s.alter(t, "alice", "releases/shop", all(cast("alice", email("alice"), digestOne), comment("alice", "tested")))
	s.alter(t, "robot", "releases/named", annotate("countersign.dev/on-behalf-of", email("alice")))
	s.alter(t, "alice", "releases/later", all(cast("alice", email("alice"), digestOne), comment("alice", "tested")))
	s.alter(t, "bob", "releases/later", cast("bob", email("bob"), "reject:"+digestOne))
	s.alter(t, "operator", "releases/later/status", candidate(digestTwo))
	s.alter(t, "dana", "releases/later", cast("dana", email("dana"), "reject:"+digestTwo))
	for i := range 32 {
		name := fmt.Sprintf("crowd-%d", i)
		s.actors[name] = s.person(t, email(name))
		s.alter(t, name, "releases/crowded", cast(name, email(name), digestOne))
	}
	return s
}

func TestVotesPolicy(t *testing.T) {
	s := votesStage(t)
	for _, r := range votesRules() {
		t.Run(r.says, func(t *testing.T) { s.run(t, r) })
	}
	s.bareVote(t)
}

// bareVote: what got in without a receipt counts for nothing, and anybody who may
// write the Release takes it away, without a trace and by every verb.
func (s *stage) bareVote(t *testing.T) {
	s.withoutPolicy(t, votesPolicy, func() { s.alter(t, "mallory", "releases/shop", vote("bare", digestOne)) })
	for _, who := range []string{"robot", "dana"} {
		s.run(t, rule{policy: votesPolicy, admitted: []attempt{{what: "a vote without a receipt is taken away by " + who, who: who, on: "releases/shop", change: vote("bare", "")}}})
	}
}

// withoutPolicy does something while a policy is not enforced.
func (s *stage) withoutPolicy(t *testing.T, name string, do func()) {
	t.Helper()
	for _, o := range manifests(t, "policy") {
		if o.GetKind() == "ValidatingAdmissionPolicyBinding" && o.GetName() == name {
			s.delete(t, o)
			defer func() {
				s.install(t, []*unstructured.Unstructured{o})
				s.awaitPolicies(t)
			}()
		}
	}
	s.awaitPolicies(t)
	do()
}

func votesRules() []rule {
	rules := append(castingRules(), slotRules()...)
	rules = append(rules, recordRules()...)
	for i := range rules {
		rules[i].policy = votesPolicy
	}
	return rules
}

func withAnnotations(text string, changes ...func(*unstructured.Unstructured)) string {
	return transform(text, all(changes...))
}

func castingRules() []rule {
	alice, bob, dev := email("alice"), email("bob"), email("dev")
	fresh := releaseText("brought")
	return []rule{{
		says: "a Release cannot be created with votes, receipts or comments in it", doubled: true, row: "sec/03",
		refused: []attempt{
			{what: "created with a vote", who: "dev", create: withAnnotations(fresh, stamp(dev), vote("alice", digestOne))},
			{what: "created with a receipt", who: "dev", create: withAnnotations(fresh, stamp(dev), receipt("alice", alice, digestOne))},
			{what: "created with a comment", who: "dev", create: withAnnotations(fresh, stamp(dev), comment("alice", "tested"))},
		},
		admitted: []attempt{{what: "created without", who: "dev", create: withAnnotations(fresh, stamp(dev))}},
	}, {
		says: "one request can cast or withdraw one vote", doubled: true,
		refused: []attempt{
			{what: "two votes cast", who: "bob", on: "releases/shop", change: all(cast("bob", bob, digestOne), cast("bob2", bob, digestOne))},
			{what: "one cast and one withdrawn", who: "alice", on: "releases/shop", change: all(cast("more", alice, digestOne), withdraw("alice", alice))},
		},
		admitted: []attempt{
			{what: "one vote cast", who: "bob", on: "releases/shop", change: cast("bob", bob, digestOne)},
			{what: "one vote withdrawn", who: "alice", on: "releases/shop", change: withdraw("alice", alice)},
		},
	}, {
		says: "a vote cannot be cast or withdrawn together with a change of the spec", row: "sec/07",
		refused: []attempt{
			{what: "vote with replicas", who: "bob", on: "releases/shop", change: all(cast("bob", bob, digestOne), set("spec.replicas", int64(2)))},
			{what: "vote with content", who: "bob", on: "releases/shop", change: all(cast("bob", bob, digestOne), image("v2"), stamp(bob, dev))},
			{what: "withdrawal with replicas", who: "alice", on: "releases/shop", change: all(withdraw("alice", alice), set("spec.replicas", int64(2)))},
		},
		admitted: []attempt{
			{what: "replicas alone", who: "dev", on: "releases/shop", change: set("spec.replicas", int64(2))},
			{what: "vote with a label", who: "bob", on: "releases/shop", change: all(cast("bob", bob, digestOne), label("tier", "front"))},
		},
	}, {
		says: " is not a person and cannot vote on Release ", row: "sec/34 D21",
		refused: []attempt{
			{what: "a tool votes for whoever clicks", row: "sec/50 D21", who: "robot", on: "releases/shop", change: func(o *unstructured.Unstructured) {
				cast("alice2", "system:serviceaccount:"+o.GetNamespace()+":robot", digestOne)(o)
			}},
			{what: "a sync brings a vote from Git", row: "sec/48", who: "robot", on: "releases/shop", change: vote("git", digestOne)},
			{what: "a ServiceAccount votes", who: "robot", on: "releases/shop", change: func(o *unstructured.Unstructured) {
				user := "system:serviceaccount:" + o.GetNamespace() + ":robot"
				cast("robot", user, digestOne)(o)
			}},
			{what: "the operator votes", who: "operator", on: "releases/shop", change: cast("operator", operatorUser, digestOne)},
			{what: "the operator takes a vote on the candidate away", who: "operator", on: "releases/shop", change: slotGone("alice")},
			{what: "the operator takes a rejection of the candidate away", who: "operator", on: "releases/later", change: slotGone("dana")},
			{what: "the operator takes an earlier vote away, not its receipt", who: "operator", on: "releases/later", change: vote("alice", "")},
		},
		admitted: []attempt{
			{what: "a person votes", who: "bob", on: "releases/shop", change: cast("bob", bob, digestOne)},
			{what: "the operator takes a vote on what was before away", who: "operator", on: "releases/later", change: slotGone("alice")},
			{what: "and a rejection", who: "operator", on: "releases/later", change: slotGone("bob")},
			{what: "a ServiceAccount labels", who: "robot", on: "releases/shop", change: label("tier", "front")},
		},
	}, {
		says: "your username has characters that cannot be put on record", row: "sec/47",
		refused:  []attempt{{what: "a name with a space", who: "odd", on: "releases/shop", change: cast("odd", "odd one", digestOne)}},
		admitted: []attempt{{what: "a name with all that is allowed", who: "even", on: "releases/shop", change: cast("even", evenName, digestOne)}},
	}, {
		says: " did not show a token of their own: vote and comment",
		refused: []attempt{
			{what: "mallory as alice comments", row: "sec/55", who: "mallory as alice", on: "releases/shop", change: comment("alice", "tested by nobody")},
			{what: "a client certificate", row: "sec/42", who: "admin", on: "releases/shop", change: cast("admin", email("admin"), digestOne)},
			{what: "mallory as alice", row: "sec/55 D21", who: "mallory as alice", on: "releases/shop", change: cast("alice", alice, "reject:"+digestOne)},
		},
		admitted: []attempt{{what: "a token", who: "bob", on: "releases/shop", change: cast("bob", bob, digestOne)}},
	}, {
		says: "no ApprovalPolicy covers namespace ", row: "sec/62",
		refused: []attempt{
			{what: "a vote where no policy applies", who: "bob", on: "releases/open", change: cast("bob", bob, digestOne)},
			{what: "a rejection there", who: "bob", on: "releases/open", change: cast("bob", bob, "reject:"+digestOne)},
		},
		admitted: []attempt{{what: "where one does", who: "bob", on: "releases/shop", change: cast("bob", bob, digestOne)}},
	}, {
		says: "the vote is not on the current candidate of Release ", row: "sec/04",
		refused: []attempt{
			{what: "another digest", who: "bob", on: "releases/shop", change: cast("bob", bob, digestTwo)},
			{what: "the vote for one Release on another", row: "sec/65", who: "mallory", on: "releases/later", change: cast("mallory", email("mallory"), digestOne)},
			{what: "a vote on what was there a moment ago", row: "sec/30", who: "mallory", on: "releases/moved", change: cast("mallory", email("mallory"), digestOne)},
			{what: "a rejection of another digest", who: "bob", on: "releases/shop", change: cast("bob", bob, "reject:"+digestTwo)},
			{what: "no digest", who: "bob", on: "releases/shop", change: cast("bob", bob, "yes")},
		},
		admitted: []attempt{
			{what: "the candidate's digest", who: "bob", on: "releases/shop", change: cast("bob", bob, digestOne)},
			{what: "its rejection", who: "bob", on: "releases/shop", change: cast("bob", bob, "reject:"+digestOne)},
		},
	}, {
		says:     " has no candidate of its present spec to vote on yet",
		refused:  []attempt{{what: "without a candidate", who: "bob", on: "releases/fresh", change: cast("bob", bob, digestOne)}},
		admitted: []attempt{{what: "with one", who: "bob", on: "releases/shop", change: cast("bob", bob, digestOne)}},
	}}
}

func slotRules() []rule {
	alice, bob, mallory := email("alice"), email("bob"), email("mallory")
	return []rule{{
		says: " has no receipt of their own: the webhook countersign did not stamp it", row: "sec/02",
		refused: []attempt{
			{what: "no receipt", who: "bob", on: "releases/shop", change: vote("bob", digestOne)},
			{what: "another's receipt", who: "mallory", on: "releases/shop", change: cast("bob", bob, digestOne)},
			{what: "a receipt of another vote", who: "bob", on: "releases/shop", change: all(vote("bob", digestOne), receipt("bob", bob, "reject:"+digestOne))},
			{what: "withdrawn without a receipt", who: "alice", on: "releases/shop", change: vote("alice", "")},
			{what: "mallory takes alice's vote away", who: "mallory", on: "releases/shop", change: vote("alice", "")},
			{what: "the receipt is taken away too", who: "alice", on: "releases/shop", change: all(vote("alice", ""), annotate("receipts.approvals.countersign.dev/alice", ""))},
		},
		admitted: []attempt{{what: "a receipt", who: "bob", on: "releases/shop", change: cast("bob", bob, digestOne)}},
	}, {
		says: " belongs to ", row: "sec/36",
		refused: []attempt{
			{what: "mallory votes in alice's slot", who: "mallory", on: "releases/shop", change: cast("alice", mallory, "reject:"+digestOne)},
			{what: "mallory withdraws alice's vote", who: "mallory", on: "releases/shop", change: withdraw("alice", mallory)},
		},
		admitted: []attempt{{what: "alice changes her vote", who: "alice", on: "releases/shop", change: cast("alice", alice, "reject:"+digestOne)}},
	}, {
		says:     " already, and each person has one",
		refused:  []attempt{{what: "a second slot", who: "alice", on: "releases/shop", change: cast("alice2", alice, digestOne)}},
		admitted: []attempt{{what: "a first slot", who: "bob", on: "releases/shop", change: cast("alice2", bob, digestOne)}},
	}, {
		says: "a Release has at most 32 slots for votes", row: "sec/29",
		refused:  []attempt{{what: "a 33rd slot", who: "bob", on: "releases/crowded", change: cast("bob", bob, digestOne)}},
		admitted: []attempt{{what: "one of the 32", who: "crowd-0", on: "releases/crowded", change: cast("crowd-0", email("crowd-0"), "reject:"+digestOne)}},
	}, {
		says: "receipts are written by admission only, beside a vote", row: "sec/27",
		refused: []attempt{
			{what: "the operator takes away only a receipt", who: "operator", on: "releases/later", change: annotate("receipts.approvals.countersign.dev/alice", "")},
			{what: "a receipt alone", who: "bob", on: "releases/shop", change: receipt("bob", bob, digestOne)},
			{what: "alice's receipt changed", who: "alice", on: "releases/shop", change: receipt("alice", alice, "withdrawn")},
			{what: "alice's receipt taken away", who: "mallory", on: "releases/shop", change: annotate("receipts.approvals.countersign.dev/alice", "")},
		},
		admitted: []attempt{{what: "beside a vote", who: "bob", on: "releases/shop", change: cast("bob", bob, digestOne)}},
	}, {
		says: " is not beside a vote of ",
		refused: []attempt{
			{what: "mallory comments in alice's slot", who: "mallory", on: "releases/shop", change: comment("alice", "never tested")},
			{what: "mallory takes alice's comment away", who: "mallory", on: "releases/shop", change: comment("alice", "")},
			{what: "a comment without a vote", who: "bob", on: "releases/shop", change: comment("bob", "tested")},
		},
		admitted: []attempt{
			{what: "alice changes her comment", who: "alice", on: "releases/shop", change: comment("alice", "tested twice")},
			{what: "alice takes her comment away", who: "alice", on: "releases/shop", change: comment("alice", "")},
			{what: "a comment with a vote", who: "bob", on: "releases/shop", change: all(cast("bob", bob, digestOne), comment("bob", "tested"))},
		},
	}, {
		says: "a comment has at most 512 bytes and no control characters or line breaks", row: "sec/47",
		refused: []attempt{
			{what: "too long", who: "alice", on: "releases/shop", change: comment("alice", strings.Repeat("x", 513))},
			{what: "too long in bytes", who: "alice", on: "releases/shop", change: comment("alice", strings.Repeat("ü", 257))},
			{what: "a line break", who: "alice", on: "releases/shop", change: comment("alice", "tested\nby bob")},
			{what: "a terminal's escape", who: "alice", on: "releases/shop", change: comment("alice", "\x1b[2Jtested")},
			{what: "text turned round", who: "alice", on: "releases/shop", change: comment("alice", "tested \u202e detset")},
			{what: "a line separator", who: "alice", on: "releases/shop", change: comment("alice", "tested\u2028by bob")},
		},
		admitted: []attempt{{what: "as long as can be", who: "alice", on: "releases/shop", change: comment("alice", strings.Repeat("ü", 256))}},
	}}
}

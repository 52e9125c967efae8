// Copyright The Countersign Authors.
// SPDX-License-Identifier: Apache-2.0

package apiserver

import (
	"maps"
	"testing"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

const requestsPolicy = "release-requests.countersign.dev"

// kept is the status of a Release that serves digestOne and can go back.
func kept(o *unstructured.Unstructured) {
	promoted(digestOne)(o)
	active, _, err := unstructured.NestedMap(o.Object, "status", "active")
	if err != nil {
		panic(err)
	}
	former := map[string]any{}
	for _, field := range []string{"revision", "templateHash", "sequence", "services", "observeSeconds", "keepIdleSeconds", "readinessGraceSeconds"} {
		former[field] = active[field]
	}
	former["colour"], former["digest"] = "green", digestTwo
	set("status.former", former)(o)
}

// shelved is the status of a Release that serves digestOne and keeps digestTwo, which
// no colour holds.
func shelved(beforeIrreversible bool) func(*unstructured.Unstructured) {
	record := func(digest string) map[string]any {
		return map[string]any{"digest": digest, "revision": "shop-1", "hash": digest, "epoch": int64(1), "since": "2026-01-01T00:00:00Z", "beforeIrreversible": beforeIrreversible}
	}
	return all(promoted(digestOne), set("status.kept", []any{record(digestOne), record(digestTwo)}))
}

// origin is the status of a Release that took over what served before it.
func origin(more map[string]any) func(*unstructured.Unstructured) {
	o := map[string]any{"name": "legacy", "templateHash": digestTwo, "services": []any{}}
	maps.Copy(o, more)
	return all(promoted(digestOne), set("status.origin", o))
}

// asks is a request with who asks, as the webhook would put it beside it.
func asks(what, value, by string) func(*unstructured.Unstructured) {
	return all(annotate("countersign.dev/"+what, value), annotate("countersign.dev/"+what+"-by", by))
}

// halted is the status of a Release whose candidate was given up.
func halted(reason string) func(*unstructured.Unstructured) {
	return all(candidate(digestOne), set("status.candidate.halted", map[string]any{"reason": reason, "message": "x", "at": "2026-01-01T00:00:00Z"}))
}

// requestsStage has Release shop, which can go back from digestOne; asked, where
// dana has asked for that; alone, which keeps nothing; anew, whose Pods were made anew by 41; fresh, where nothing was let
// through; waits, with a candidate; early, whose candidate has no digest yet; and
// others whose candidate was given up.
func requestsStage(t *testing.T) *stage {
	s := newStage(t)
	for name, status := range map[string]func(*unstructured.Unstructured){"shop": kept, "asked": kept, "alone": promoted(digestOne), "fresh": nil,
		"forward": all(kept, set("status.active.irreversible", true)), "waits": candidate(digestOne), "early": candidate(""), "failed": halted("CheckFailed"), "late": halted("ProgressDeadlineExceeded"), "aborted": halted("Aborted"),
		"returned": halted("RolledBack"), "anew": all(kept, set("status.active.restart", map[string]any{"number": int64(41), "at": "2026-01-01T00:00:00Z"})), "shelved": shelved(false), "past": shelved(true),
		"taken": origin(nil), "left": origin(map[string]any{"leftAt": "2026-01-01T00:00:00Z"})} {
		s.put(t, "dev", withStamp(object(t, releaseText(name)), email("dev")))
		if status != nil {
			s.alter(t, "operator", "releases/"+name+"/status", status)
		}
	}
	s.alter(t, "dana", "releases/asked", asks("rollback", digestOne, email("dana")))
	return s
}

func TestRequestsPolicy(t *testing.T) {
	s := requestsStage(t)
	for _, r := range requestsRules() {
		t.Run(r.says, func(t *testing.T) { s.run(t, r) })
	}
}

func requestsRules() []rule {
	dana, mallory := email("dana"), email("mallory")
	rules := []rule{{
		says: " could be about",
		refused: []attempt{
			{what: "where nothing is kept", who: "dana", on: "releases/alone", change: asks("rollback", digestOne, dana)},
			{what: "where nothing was let through", who: "dana", on: "releases/fresh", change: asks("rollback", digestOne, dana)},
			{what: "to what served before, when its time is over", who: "dana", on: "releases/left", change: asks("rollback", digestOne, dana)},
			{what: "at creation", who: "dev", create: withAnnotations(releaseText("brought"), all(stamp(email("dev")), asks("rollback", digestOne, email("dev"))))},
			{what: "to give up what is given up", who: "dana", on: "releases/failed", change: asks("abort", digestOne, dana)},
			{what: "to give up what serves", who: "dana", on: "releases/shop", change: asks("abort", digestOne, dana)},
			{what: "to try again what goes on", who: "dana", on: "releases/waits", change: asks("retry", digestOne, dana)},
			{what: "to try again what was gone back from", who: "dana", on: "releases/returned", change: asks("retry", digestOne, dana)},
			{what: "to try again what serves", who: "dana", on: "releases/shop", change: asks("retry", digestOne, dana)},
			{what: "to make Pods anew where nothing serves", who: "dana", on: "releases/waits", change: asks("restart", digestOne+"/1", dana)},
			{what: "to make Pods anew, at creation", who: "dev", create: withAnnotations(releaseText("brought"), all(stamp(email("dev")), asks("restart", digestOne+"/1", email("dev"))))},
		},
		admitted: []attempt{
			{what: "where something is kept", who: "dana", on: "releases/shop", change: asks("rollback", digestOne, dana)},
			{what: "where what served before is", who: "dana", on: "releases/taken", change: asks("rollback", digestOne, dana)},
			{what: "where a record is", who: "dana", on: "releases/shelved", change: asks("rollback", digestOne+"/"+digestTwo, dana)},
		},
	}, {
		says: "is not about what is there now",
		refused: []attempt{
			{what: "to go back from other content", who: "dana", on: "releases/shop", change: asks("rollback", digestTwo, dana)},
			{what: "from part of a digest", who: "dana", on: "releases/shop", change: asks("rollback", digestOne[:20], dana)},
			{what: "again, from other content", who: "dana", on: "releases/asked", change: asks("rollback", digestTwo, dana)},
			{what: "from what is irreversible, without saying so", who: "dana", on: "releases/forward", change: asks("rollback", digestOne, dana)},
			{what: "from what is not, saying that it is", who: "dana", on: "releases/shop", change: asks("rollback", "irreversible:"+digestOne, dana)},
			{what: "to the one before, when only a record is kept", who: "dana", on: "releases/shelved", change: asks("rollback", digestOne, dana)},
			{what: "to what serves", who: "dana", on: "releases/shelved", change: asks("rollback", digestOne+"/"+digestOne, dana)},
			{what: "to a record from other content", who: "dana", on: "releases/shelved", change: asks("rollback", digestTwo+"/"+digestTwo, dana)},
			{what: "past what is irreversible, without saying so", who: "dana", on: "releases/past", change: asks("rollback", digestOne+"/"+digestTwo, dana)},
			{what: "to give up other content", who: "dana", on: "releases/waits", change: asks("abort", digestTwo, dana)},
			{what: "to give up by a number what has a digest", who: "dana", on: "releases/waits", change: asks("abort", "1", dana)},
			{what: "to give up another number", who: "dana", on: "releases/early", change: asks("abort", "2", dana)},
			{what: "to try other content again", who: "dana", on: "releases/failed", change: asks("retry", digestTwo, dana)},
			{what: "by the operator", who: "operator", on: "releases/shop", change: annotate("countersign.dev/rollback", digestTwo)},
			{what: "to make Pods of other content anew", who: "dana", on: "releases/shop", change: asks("restart", digestTwo+"/1", dana)},
			{what: "to make Pods anew by no number", who: "dana", on: "releases/shop", change: asks("restart", digestOne, dana)},
			{what: "to make Pods anew by a word", who: "dana", on: "releases/shop", change: asks("restart", digestOne+"/now", dana)},
			{what: "to make Pods anew by nothing", who: "dana", on: "releases/shop", change: asks("restart", digestOne+"/0", dana)},
			{what: "to make Pods anew by a padded number", who: "dana", on: "releases/shop", change: asks("restart", digestOne+"/01", dana)},
			{what: "to make Pods anew by two numbers", who: "dana", on: "releases/shop", change: asks("restart", digestOne+"/1/2", dana)},
			{what: "to make Pods anew by a number that is too long", who: "dana", on: "releases/shop", change: asks("restart", digestOne+"/1000000000000000000", dana)},
			{what: "to make Pods anew by the same number", who: "dana", on: "releases/anew", change: asks("restart", digestOne+"/41", dana)},
			{what: "to make Pods anew by a smaller number", who: "dana", on: "releases/anew", change: asks("restart", digestOne+"/5", dana)},
		},
		admitted: []attempt{
			{what: "somebody asks", who: "dana", on: "releases/shop", change: asks("rollback", digestOne, dana)},
			{what: "a program asks", who: "robot", on: "releases/shop", change: annotate("countersign.dev/rollback", digestOne)},
			{what: "a certificate asks, without the webhook", who: "admin", on: "releases/shop", change: annotate("countersign.dev/rollback", digestOne)},
			{what: "from what is irreversible, saying so", who: "dana", on: "releases/forward", change: asks("rollback", "irreversible:"+digestOne, dana)},
			{what: "past what is irreversible, saying so", who: "dana", on: "releases/past", change: asks("rollback", "irreversible:"+digestOne+"/"+digestTwo, dana)},
			{what: "to give up", who: "dana", on: "releases/waits", change: asks("abort", digestOne, dana)},
			{what: "to give up by number", who: "dana", on: "releases/early", change: asks("abort", "1", dana)},
			{what: "to try again after a check", who: "dana", on: "releases/failed", change: asks("retry", digestOne, dana)},
			{what: "to try again after the deadline", who: "dana", on: "releases/late", change: asks("retry", digestOne, dana)},
			{what: "to try again what was given up", who: "dana", on: "releases/aborted", change: asks("retry", digestOne, dana)},
			{what: "to make Pods anew", who: "dana", on: "releases/shop", change: asks("restart", digestOne+"/1", dana)},
			{what: "to make Pods anew by the time, without the webhook", who: "admin", on: "releases/shop", change: annotate("countersign.dev/restart", digestOne+"/1796000000")},
			{what: "to make Pods anew by the largest number", who: "dana", on: "releases/anew", change: asks("restart", digestOne+"/999999999999999999", dana)},
			{what: "to make Pods anew once more", who: "dana", on: "releases/anew", change: asks("restart", digestOne+"/42", dana)},
			{what: "it is taken back", who: "mallory", on: "releases/asked", change: asks("rollback", "", "")},
		},
	}, {
		says: "who asks for something is written by admission only",
		refused: []attempt{
			{what: "in the name of another", who: "mallory", on: "releases/shop", change: asks("rollback", digestOne, dana)},
			{what: "another is put on record later", who: "mallory", on: "releases/asked", change: annotate("countersign.dev/rollback-by", mallory)},
			{what: "who asked is taken off the record", who: "mallory", on: "releases/asked", change: annotate("countersign.dev/rollback-by", "")},
			{what: "who asked stays without what", who: "mallory", on: "releases/asked", change: annotate("countersign.dev/rollback", "")},
			{what: "somebody is on record who asked nothing", who: "mallory", on: "releases/shop", change: annotate("countersign.dev/rollback-by", dana)},
			{what: "to give up in the name of another", who: "mallory", on: "releases/waits", change: asks("abort", digestOne, dana)},
			{what: "to try again in the name of another", who: "mallory", on: "releases/failed", change: asks("retry", digestOne, dana)},
			{what: "to make Pods anew in the name of another", who: "mallory", on: "releases/shop", change: asks("restart", digestOne+"/1", dana)},
			{what: "mallory as alice", who: "mallory as alice", on: "releases/shop", change: asks("rollback", digestOne, mallory)},
		},
		admitted: []attempt{
			{what: "somebody asks", who: "mallory", on: "releases/shop", change: asks("rollback", digestOne, mallory)},
			{what: "another annotation", who: "mallory", on: "releases/asked", change: annotate("example.com/team", "till")},
		},
	}}
	for i := range rules {
		rules[i].policy = requestsPolicy
	}
	return rules
}

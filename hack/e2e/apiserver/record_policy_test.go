// Copyright The Countersign Authors.
// SPDX-License-Identifier: Apache-2.0

package apiserver

import "k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

// recordRules are about who is on record as an author.
func recordRules() []rule {
	dev, dana, mallory, alice := email("dev"), email("dana"), email("mallory"), email("alice")
	behalf := func(user string) func(*unstructured.Unstructured) {
		return annotate("countersign.dev/on-behalf-of", user)
	}
	byRobot := func(more ...string) func(*unstructured.Unstructured) {
		return func(o *unstructured.Unstructured) {
			robot := "system:serviceaccount:" + o.GetNamespace() + ":robot"
			all(image("v2"), stamp(append([]string{dev, robot}, more...)...))(o)
		}
	}
	return []rule{{
		says: " did not show credentials of their own, as with kubectl --as", row: "sec/55",
		refused: []attempt{
			{what: "mallory as alice changes the content", who: "mallory as alice", on: "releases/shop", change: all(image("v2"), stamp(alice, dev))},
			{what: "mallory as alice when all is promoted", who: "mallory as alice", on: "releases/calm", change: all(image("v2"), stamp(alice))},
			{what: "mallory as alice makes a Release", who: "mallory as alice", create: withAnnotations(releaseText("brought"), stamp(alice))},
		},
		admitted: []attempt{
			{what: "mallory changes the content", who: "mallory", on: "releases/shop", change: all(image("v2"), stamp(dev, mallory))},
			{what: "a certificate does", who: "admin", on: "releases/calm", change: all(image("v2"), stamp(email("admin")))},
			{what: "a tool acts as the tenant's account", who: "mallory as robot", on: "releases/shop", change: byRobot()},
			{what: "what is no content", who: "mallory as alice", on: "releases/shop", change: set("spec.replicas", int64(2))},
		},
	}, {
		says: " cannot say for whom the content of Release ", row: "sec/51",
		refused: []attempt{
			{what: "mallory says that alice wrote it", who: "mallory", on: "releases/shop", change: behalf(alice)},
			{what: "also together with content", who: "mallory", on: "releases/shop", change: all(image("v2"), stamp(dev, mallory), behalf(alice))},
			{what: "who acts as a program", who: "mallory as robot", on: "releases/shop", change: all(byRobot(), behalf(alice))},
			{what: "at creation", who: "dev", create: withAnnotations(releaseText("brought"), stamp(dev), behalf(alice))},
			{what: "nobody is said", who: "robot", on: "releases/shop", change: func(o *unstructured.Unstructured) {
				a := o.GetAnnotations()
				a["countersign.dev/on-behalf-of"] = ""
				o.SetAnnotations(a)
			}},
		},
		admitted: []attempt{
			{what: "a program says so", who: "robot", on: "releases/shop", change: all(byRobot(alice), behalf(alice))},
			{what: "anybody takes it away", who: "mallory", on: "releases/named", change: behalf("")},
			{what: "others change content beside it", who: "mallory", on: "releases/named", change: all(image("v2"), stamp(dev, mallory))},
		},
	}, {
		says: " and is not recorded as its author", row: "sec/25",
		refused: []attempt{
			{what: "content without a stamp", who: "dana", on: "releases/shop", change: image("v2")},
			{what: "the author before is left out", who: "dana", on: "releases/shop", change: all(image("v2"), stamp(dana))},
			{what: "somebody else is named too", who: "mallory", on: "releases/shop", change: all(image("v2"), stamp(alice, dev, mallory))},
			{what: "somebody else is named instead", who: "mallory", on: "releases/shop", change: all(image("v2"), stamp(dana, dev))},
			{what: "no list of names", who: "dev", on: "releases/shop", change: all(image("v2"), annotate("countersign.dev/authors", dev))},
			{what: "a program names somebody without saying so", row: "sec/51", who: "robot", on: "releases/shop", change: byRobot(alice)},
			{what: "a person names somebody beside what a program said", row: "sec/51", who: "mallory", on: "releases/named", change: all(image("v2"), stamp(alice, dev, mallory))},
			{what: "created without a stamp", who: "dev", create: releaseText("brought")},
			{what: "other Services", who: "dana", on: "releases/shop", change: set("spec.services", []any{map[string]any{"name": "other"}})},
			{what: "added approval taken away or added", who: "dana", on: "releases/shop", change: set("spec.approval", map[string]any{
				"rules": []any{map[string]any{"name": "x", "count": int64(1), "users": []any{"x"}}}})},
			{what: "other checks", who: "dana", on: "releases/shop", change: set("spec.checks", map[string]any{
				"afterSwitch": []any{map[string]any{"name": "live", "http": map[string]any{"port": int64(80)}}}})},
			{what: "other minReadySeconds", who: "dana", on: "releases/shop", change: set("spec.minReadySeconds", int64(5))},
			{what: "other observeSeconds", who: "dana", on: "releases/shop", change: set("spec.observeSeconds", int64(5))},
			{what: "other keepIdleSeconds", who: "dana", on: "releases/shop", change: set("spec.keepIdleSeconds", int64(5))},
			{what: "other progressDeadlineSeconds", who: "dana", on: "releases/shop", change: set("spec.progressDeadlineSeconds", int64(50))},
			{what: "another deletionPolicy", who: "dana", on: "releases/shop", change: set("spec.deletionPolicy", "Delete")},
			{what: "another workloadRef", who: "dana", on: "releases/shop", change: set("spec.workloadRef", map[string]any{"name": "other"})},
			{what: "marked irreversible", who: "dana", on: "releases/shop", change: set("spec.irreversible", true)},
			{what: "other readinessGraceSeconds", who: "dana", on: "releases/shop", change: set("spec.readinessGraceSeconds", int64(5))},
		},
		admitted: []attempt{
			{what: "the editor joins", who: "dana", on: "releases/shop", change: all(image("v2"), stamp(dana, dev))},
			{what: "a list begins anew when all is promoted", who: "dana", on: "releases/calm", change: all(image("v2"), stamp(dana))},
			{what: "previewReplicas is not content", who: "dana", on: "releases/shop", change: set("spec.previewReplicas", int64(1))},
			{what: "paused is not content", who: "dana", on: "releases/shop", change: set("spec.paused", true)},
		},
	}, {
		says: "the list of authors of Release ",
		refused: []attempt{{what: "a list without a receipt", who: "dana", on: "releases/shop",
			change: all(image("v2"), stamp(dana, dev), annotate("receipts.countersign.dev/authors", ""))}},
		admitted: []attempt{{what: "a list with one", who: "dana", on: "releases/shop", change: all(image("v2"), stamp(dana, dev))}},
	}, {
		says: "the list of authors and its receipt are written by admission only", row: "sec/25",
		refused: []attempt{
			{what: "the list is emptied", who: "dev", on: "releases/shop", change: annotate("countersign.dev/authors", "")},
			{what: "the list is changed", who: "dev", on: "releases/shop", change: annotate("countersign.dev/authors", `["`+dana+`"]`)},
			{what: "the receipt is changed", who: "dev", on: "releases/shop", change: annotate("receipts.countersign.dev/authors", "v1 x")},
			{what: "by the operator", who: "operator", on: "releases/shop", change: annotate("countersign.dev/authors", `["`+dana+`"]`)},
		},
		admitted: []attempt{{what: "another annotation", who: "dev", on: "releases/shop", change: annotate("example.com/team", "till")}},
	}, {
		says: " may annotate and pause Release ",
		refused: []attempt{
			{what: "an approver changes content", who: "approver", on: "releases/shop", change: all(image("v2"), stamp(email("approver"), dev)), not: []string{"update"}},
			{what: "replicas", who: "approver", on: "releases/shop", change: set("spec.replicas", int64(7)), not: []string{"update"}},
			{what: "the size of a preview", who: "approver", on: "releases/shop", change: set("spec.previewReplicas", int64(1)), not: []string{"update"}},
			{what: "how many contents are kept", who: "approver", on: "releases/shop", change: set("spec.revisionHistoryLimit", int64(7)), not: []string{"update"}},
			{what: "a budget of disruptions", who: "approver", on: "releases/shop", change: set("spec.disruptionBudget", map[string]any{"maxUnavailable": int64(1)}), not: []string{"update"}},
		},
		admitted: []attempt{
			{what: "an approver pauses", who: "approver", on: "releases/shop", change: set("spec.paused", true), not: []string{"update"}},
			{what: "an approver annotates", who: "approver", on: "releases/shop", change: annotate("example.com/note", "seen"), not: []string{"update"}},
			{what: "who may update changes content", who: "dev", on: "releases/shop", change: all(image("v2"), stamp(dev))},
		},
	}}
}

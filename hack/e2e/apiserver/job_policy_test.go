// Copyright The Countersign Authors.
// SPDX-License-Identifier: Apache-2.0

package apiserver

import (
	"fmt"
	"testing"
)

const jobPolicy = "job-guard.countersign.dev"

// jobText is a Job as the operator makes them.
func jobText(name, labels, template string) string {
	return fmt.Sprintf(`
apiVersion: batch/v1
kind: Job
metadata:
  name: %s
  labels: %s
  ownerReferences: [{apiVersion: countersign.dev/v1alpha1, kind: Release, name: shop, uid: x, controller: true}]
spec:
  backoffLimit: 0
  template:
    metadata: {labels: %s}
    spec: {restartPolicy: Never, containers: [{name: test, image: "registry/test:v1"}]}
`, name, labels, template)
}

// jobStage has a Job that tests Release shop, and one that is nobody's.
func jobStage(t *testing.T) *stage {
	s := newStage(t)
	for _, name := range []string{"job-controller", "cronjob-controller", "ttl-after-finished-controller", "generic-garbage-collector", "namespace-controller"} {
		s.actors[name] = s.account(t, "system:serviceaccount:kube-system:"+name)
	}
	s.put(t, "operator", object(t, jobText("shop-e2e", testLabels, testLabels)))
	s.put(t, "dev", object(t, transform(jobText("own", "{team: shop}", "{app: test}"), drop("metadata.ownerReferences"))))
	return s
}

func TestJobPolicy(t *testing.T) {
	s := jobStage(t)
	for _, r := range jobRules() {
		t.Run(r.says, func(t *testing.T) { s.run(t, r) })
	}
}

// succeeded is what the controller of Jobs says of one that has.
var succeeded = set("status", map[string]any{
	"startTime": "2026-11-24T12:00:00Z", "completionTime": "2026-11-24T12:01:00Z", "succeeded": int64(1), "ready": int64(0), "terminating": int64(0),
	"uncountedTerminatedPods": map[string]any{},
	"conditions": []any{
		map[string]any{"type": "SuccessCriteriaMet", "status": "True", "reason": "CompletionsReached"},
		map[string]any{"type": "Complete", "status": "True", "reason": "CompletionsReached"},
	},
})

func jobRules() []rule {
	const release = "countersign.dev/release"
	noApply := []string{"server-side apply"}
	other := transform(jobText("made", testLabels, testLabels), set("metadata.ownerReferences", []any{map[string]any{
		"apiVersion": "countersign.dev/v1alpha1", "kind": "Release", "name": "other", "uid": "x", "controller": true}}))
	return []rule{{
		policy: jobPolicy, row: "sec/22",
		says: ", which tests a candidate, or has Pods",
		refused: []attempt{
			{what: "it is said to have succeeded", who: "dev", on: "jobs/shop-e2e/status", change: succeeded, not: noApply},
			{what: "an admin says so", who: "admin", on: "jobs/shop-e2e/status", change: succeeded, not: noApply},
			{what: "the operator's bot says so", who: "robot", on: "jobs/shop-e2e/status", change: succeeded, not: noApply},
			{what: "its label is stripped", who: "dev", on: "jobs/shop-e2e", change: label(release, "")},
			{what: "an annotation", who: "dev", on: "jobs/shop-e2e", change: annotate("countersign.dev/targets", "a=10.0.0.1")},
			{what: "it is suspended", who: "admin", on: "jobs/shop-e2e", change: set("spec.suspend", true)},
			{what: "an owner that can be deleted", who: "dev", on: "jobs/shop-e2e", change: set("metadata.ownerReferences", owners)},
			{what: "it is deleted", who: "dev", on: "jobs/shop-e2e"},
			{what: "one is made", who: "dev", create: jobText("made", testLabels, testLabels)},
			{what: "one is made by its label alone", who: "admin", create: jobText("made", testLabels, "{app: test}")},
			{what: "Pods of one's own get our labels", who: "dev", create: jobText("made", "{team: shop}", testLabels)},
			{what: "a CronJob makes one", who: "cronjob-controller", create: jobText("made", "{team: shop}", ourLabels)},
			{what: "one's own is put under a Release", who: "dev", on: "jobs/own", change: label(release, "shop")},
		},
		admitted: []attempt{
			{what: "made by the operator", who: "operator", create: jobText("made", testLabels, testLabels)},
			{what: "deleted by the operator", who: "operator", on: "jobs/shop-e2e"},
			{what: "told about by its controller", who: "job-controller", on: "jobs/shop-e2e/status", change: succeeded, not: noApply},
			{what: "deleted when its time is over", who: "ttl-after-finished-controller", on: "jobs/shop-e2e"},
			{what: "deleted with its Release", who: "generic-garbage-collector", on: "jobs/shop-e2e"},
			{what: "deleted with its namespace", who: "namespace-controller", on: "jobs/shop-e2e"},
			{what: "one's own", who: "dev", on: "jobs/own", change: set("spec.suspend", true)},
			{what: "one's own is deleted", who: "dev", on: "jobs/own"},
			{what: "one's own is made", who: "dev", create: transform(jobText("made", "{team: shop}", "{app: test}"), drop("metadata.ownerReferences"))},
		},
	}, {
		policy: jobPolicy, row: "sec/41",
		says: "the operator makes no Job ",
		refused: []attempt{
			{what: "without a Release", who: "operator", create: transform(jobText("made", testLabels, testLabels), drop("metadata.ownerReferences"))},
			{what: "of another Release", who: "operator", create: other},
			{what: "without our labels", who: "operator", create: jobText("made", "{team: shop}", "{app: test}")},
			{what: "of no check", who: "operator", create: jobText("made", "{countersign.dev/release: shop}", testLabels)},
		},
		admitted: []attempt{{what: "a check", who: "operator", create: jobText("made", testLabels, testLabels)}},
	}, {
		policy: jobPolicy, row: "sec/41",
		says:     "the operator removes no Job ",
		refused:  []attempt{{what: "somebody's own", who: "operator", on: "jobs/own"}},
		admitted: []attempt{{what: "a check", who: "operator", on: "jobs/shop-e2e"}},
	}}
}

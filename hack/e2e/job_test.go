// Copyright The Countersign Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"strings"
	"testing"

	"github.com/countersign/countersign/api/v1alpha1"
)

// testedByJob has a Job test the candidates, in place of a request.
var testedByJob = strings.NewReplacer(
	"VERSION", "v1", "REPLICAS", "2",
	"    beforeSwitch: [{name: smoke, http: {path: /healthz, port: http}}]\n", `    beforeSwitch:
    - name: e2e
      job:
        timeoutSeconds: 60
        template:
          spec:
            containers: [{name: ask, image: IMAGE, imagePullPolicy: Never, args: [ask, PATH]}]
`).Replace(releaseManifest)

// TestJobsOfChecks: a Job in a container asks the Pods of the candidate. What it
// finds wrong halts the candidate and is told; what serves goes on.
func TestJobsOfChecks(t *testing.T) {
	g := newStage(t, "e2e-jobs")
	apply := func(image, path string) {
		g.Apply("dev", "the Release, tested by "+image+" with "+path,
			strings.NewReplacer("NAMESPACE", g.Release.Namespace, "IMAGE", image, "PATH", path).Replace(testedByJob))
	}
	apply("countersign.local/demoapp:v1", "/healthz")
	g.vote(g.AwaitCandidate(0), "alice", "bob")
	g.awaitEpoch(1)
	first := g.AwaitPhase(v1alpha1.PhaseStable)
	g.check()
	halted := func(says string) {
		t.Helper()
		rel := g.Await("the candidate is halted", func(r *v1alpha1.Release) bool {
			return r.Status.Candidate != nil && r.Status.Candidate.Halted != nil && r.Status.Candidate.ObservedGeneration == r.Generation
		})
		g.check()
		if h := rel.Status.Candidate.Halted; h.Reason != v1alpha1.ReasonCheckFailed || !strings.Contains(h.Message, says) {
			t.Errorf("it is halted as %s: %s, want CheckFailed and %q", h.Reason, h.Message, says)
		}
		if rel.Status.Active.Digest != first.Status.Active.Digest {
			t.Errorf("%s serves", rel.Status.Active.Digest)
		}
	}
	apply("countersign.local/demoapp:v1", "/nowhere")
	halted("404 Not Found")
}

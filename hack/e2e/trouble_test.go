// Copyright The Countersign Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"strings"
	"testing"

	"github.com/countersign/countersign/api/v1alpha1"
)

// TestCandidatesThatCannotStart are halted with what the kubelet or the scheduler
// says; what serves goes on.
func TestCandidatesThatCannotStart(t *testing.T) {
	g := newStage(t, "e2e-trouble")
	g.promote("v1", 1)
	for name, tc := range map[string]struct{ instead, by, says string }{
		"an image that does not exist": {"demoapp:v1", "nothing:v1", "its container app cannot start with image countersign.local/nothing:v1 (ErrImageNeverPull); look at its Pods"},
		"a node that does not exist":   {"      containers:\n", "      nodeSelector: {example.com/none: x}\n      containers:\n", "cannot be scheduled (0/1 nodes are available"},
	} {
		t.Run(name, func(t *testing.T) {
			manifest := strings.NewReplacer("NAMESPACE", g.Release.Namespace, "VERSION", "v1", "REPLICAS", "2",
				"  observeSeconds: 1\n", "  observeSeconds: 1\n  progressDeadlineSeconds: 10\n").Replace(releaseManifest)
			g.Apply("dev", name, strings.Replace(manifest, tc.instead, tc.by, 1))
			rel := g.Await("it is halted", func(r *v1alpha1.Release) bool {
				return r.Status.Phase == v1alpha1.PhaseHalted && r.Status.Candidate.ObservedGeneration == r.Generation
			})
			g.check()
			if h := rel.Status.Candidate.Halted; h.Reason != v1alpha1.ReasonProgressDeadlineExceeded || !strings.Contains(h.Message, tc.says) {
				t.Errorf("it is halted as %s: %s, want %q in it", h.Reason, h.Message, tc.says)
			}
			g.wantsAnswer("the Service", "services/shop:80", "v1")
		})
	}
}

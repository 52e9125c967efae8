// Copyright The Countersign Authors.
// SPDX-License-Identifier: Apache-2.0

package apiserver

import (
	"strings"
	"testing"

	"github.com/countersign/countersign/api/v1alpha1"
)

// TestPreviewReplicas is a candidate with one Pod of three until people let it
// through: it is tested on that one, grows, and is tested again before it serves.
func TestPreviewReplicas(t *testing.T) {
	s := openShop(t)
	s.mustApply(t, "dev", s.manifest(t, "v1", set("spec.replicas", int64(3)), set("spec.previewReplicas", int64(1)), tested(nil)))
	digest := s.awaitTested(t)
	s.awaitSize(t, "blue", 1)
	first := s.check(t)
	if c := s.release(t).Status.Candidate; c.Size != v1alpha1.PreviewSize || c.TestedReplicas != 1 {
		t.Errorf("it is on record as %+v", c)
	}
	s.mustVote(t, "alice", digest)
	s.mustVote(t, "bob", digest)
	s.awaitActive(t, digest)
	s.awaitSize(t, "blue", 3)
	jobs := s.jobs(t)
	if len(jobs) != 1 {
		t.Fatalf("there are %d Jobs", len(jobs))
	}
	env := environmentOf(t, &jobs[0])
	if jobs[0].GetName() == first.Job.Name || env[v1alpha1.EnvDigest] != digest || strings.Count(env[v1alpha1.EnvAddresses], ",") != 2 {
		t.Errorf("Job %s, after Job %s, tested %v", jobs[0].GetName(), first.Job.Name, env)
	}
	s.awaitStable(t)
	t.Run("another number is neither content nor a candidate", func(t *testing.T) {
		if err := s.patch(t, "dana", map[string]any{"spec": map[string]any{"previewReplicas": 2}}); err != nil {
			t.Fatal(err)
		}
		s.awaitStable(t)
		if rel := s.release(t); rel.Status.Active.Digest != digest || rel.Status.Candidate != nil || strings.Contains(rel.Annotations[v1alpha1.AuthorsAnnotation], "dana") {
			t.Errorf("%s; %v", standing(rel), rel.Annotations)
		}
	})
}

// Copyright The Countersign Authors.
// SPDX-License-Identifier: Apache-2.0

package admission

import (
	"strings"
	"testing"

	"github.com/countersign/countersign/api/v1alpha1"
)

const rollbackBy = v1alpha1.RollbackAnnotation + v1alpha1.RequesterSuffix

var served = "sha256:" + strings.Repeat("5", 64)

// keeps is a Release that can go back from what it serves.
func keeps(t *testing.T, changes ...func(*v1alpha1.Release)) *v1alpha1.Release {
	rel := stored(t)
	rel.Status.Active = &v1alpha1.ActiveStatus{Content: v1alpha1.Content{Digest: served, Revision: "r"}}
	rel.Status.Former = &v1alpha1.FormerStatus{Content: v1alpha1.Content{Digest: "sha256:" + strings.Repeat("4", 64)}}
	for _, change := range changes {
		change(rel)
	}
	return rel
}

func notes(pairs ...string) func(*v1alpha1.Release) {
	return func(rel *v1alpha1.Release) {
		for i := 0; i < len(pairs); i += 2 {
			if rel.Annotations == nil {
				rel.Annotations = map[string]string{}
			}
			if rel.Annotations[pairs[i]] = pairs[i+1]; pairs[i+1] == "" {
				delete(rel.Annotations, pairs[i])
			}
		}
	}
}

func TestRollbackRequest(t *testing.T) {
	asked := func(t *testing.T) *v1alpha1.Release {
		return keeps(t, notes(v1alpha1.RollbackAnnotation, served, rollbackBy, "erin@corp"))
	}
	cases(t, map[string]write{
		"asked":               {reason: "whoever may write may ask", was: keeps(t), change: notes(v1alpha1.RollbackAnnotation, served), want: map[string]string{rollbackBy: qa}},
		"a program asks":      {reason: "an alert may ask", by: person("system:serviceaccount:ops:watchdog"), was: keeps(t), change: notes(v1alpha1.RollbackAnnotation, served), want: map[string]string{rollbackBy: "watchdog"}},
		"in another's name":   {reason: "the name is admission's", was: keeps(t), change: notes(v1alpha1.RollbackAnnotation, served, rollbackBy, "erin@corp"), want: map[string]string{rollbackBy: qa}},
		"name without asking": {reason: "a name alone is nothing", was: keeps(t), change: notes(rollbackBy, "erin@corp"), want: map[string]string{rollbackBy: "-"}},
		"name changed":        {reason: "who asked stays on record", was: asked(t), change: notes(rollbackBy, qa), want: map[string]string{rollbackBy: "="}, warns: "written by admission only"},
		"name dropped":        {reason: "a sync from Git loses nothing", was: asked(t), change: notes(rollbackBy, ""), want: map[string]string{rollbackBy: "="}, warns: "written by admission only"},
		"taken back":          {reason: "with the name", was: asked(t), change: notes(v1alpha1.RollbackAnnotation, ""), want: map[string]string{v1alpha1.RollbackAnnotation: "-", rollbackBy: "-"}},
		"stays":               {reason: "old requests hinder nothing", was: asked(t), change: notes("example.com/x", "y"), want: map[string]string{v1alpha1.RollbackAnnotation: "=", rollbackBy: "="}},
		"other content": {reason: "it must not hit what came since", was: keeps(t), change: notes(v1alpha1.RollbackAnnotation, "sha256:x"),
			refused: "Request", says: []string{"is not about what is there now", "kubectl annotate release", v1alpha1.RollbackAnnotation + "=" + served}},
		"nothing kept": {reason: "it says what can be done", was: keeps(t, func(rel *v1alpha1.Release) { rel.Status.Former = nil }), change: notes(v1alpha1.RollbackAnnotation, served),
			refused: "Request", says: []string{"serves " + served, "keeps nothing to go back to", "kubectl describe release"}},
		"nothing active": {reason: "it says why", was: keeps(t, func(rel *v1alpha1.Release) { rel.Status.Active = nil }), change: notes(v1alpha1.RollbackAnnotation, served),
			refused: "Request", says: []string{"nothing was let through"}},
	})
}

func TestRequestAtCreation(t *testing.T) {
	rel := stored(t)
	rel.Annotations = map[string]string{v1alpha1.RollbackAnnotation: served}
	tc := write{reason: "there is nothing to go back from", refused: "AtCreation", says: []string{"take the annotation out"}}
	tc.judge(t, webhook(t, prod()), creating(t, person(dev), rel))
}

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

var earlier = "sha256:" + strings.Repeat("3", 64)

// shelved is a Release that keeps content which no colour holds.
func shelved(t *testing.T, beforeIrreversible bool) *v1alpha1.Release {
	return keeps(t, func(rel *v1alpha1.Release) {
		rel.Status.Former = nil
		rel.Status.Kept = []v1alpha1.KeptContent{{Digest: served}, {Digest: earlier, BeforeIrreversible: beforeIrreversible}}
	})
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
		"dropped by a sync": {reason: "a program takes back nothing that a person asked for", by: person(bot), was: asked(t), change: notes(v1alpha1.RollbackAnnotation, "", rollbackBy, ""),
			want: map[string]string{v1alpha1.RollbackAnnotation: "=", rollbackBy: "="}, warns: "was kept"},
		"dropped by a sync, name unknown": {reason: "it was asked while the webhook was away", by: person(bot), was: keeps(t, notes(v1alpha1.RollbackAnnotation, served)), change: notes(v1alpha1.RollbackAnnotation, ""),
			want: map[string]string{v1alpha1.RollbackAnnotation: "=", rollbackBy: "-"}, warns: "was kept"},
		"taken back by the program that asked": {reason: "it is its own", by: person(bot), was: keeps(t, notes(v1alpha1.RollbackAnnotation, served, rollbackBy, bot)), change: notes(v1alpha1.RollbackAnnotation, ""),
			want: map[string]string{v1alpha1.RollbackAnnotation: "-", rollbackBy: "-"}},
		"stays": {reason: "old requests hinder nothing", was: asked(t), change: notes("example.com/x", "y"), want: map[string]string{v1alpha1.RollbackAnnotation: "=", rollbackBy: "="}},
		"other content": {reason: "it must not hit what came since", was: keeps(t), change: notes(v1alpha1.RollbackAnnotation, "sha256:x"),
			refused: "Request", says: []string{"is not about what is there now", "kubectl annotate release", v1alpha1.RollbackAnnotation + "=" + served}},
		"irreversible": {reason: "it has to be said", was: keeps(t, func(rel *v1alpha1.Release) { rel.Status.Active.Irreversible = true }), change: notes(v1alpha1.RollbackAnnotation, served),
			refused: "Request", says: []string{v1alpha1.RollbackAnnotation + "=irreversible:" + served}},
		"irreversible, said": {reason: "people decide", was: keeps(t, func(rel *v1alpha1.Release) { rel.Status.Active.Irreversible = true }),
			change: notes(v1alpha1.RollbackAnnotation, "irreversible:"+served), want: map[string]string{rollbackBy: qa}},
		"nothing kept": {reason: "it says what can be done", was: keeps(t, func(rel *v1alpha1.Release) { rel.Status.Former = nil }), change: notes(v1alpha1.RollbackAnnotation, served),
			refused: "Request", says: []string{"serves " + served, "keeps nothing to go back to", "kubectl describe release"}},
		"to what is kept": {reason: "no colour has to hold it", was: shelved(t, false), change: notes(v1alpha1.RollbackAnnotation, served+"/"+earlier), want: map[string]string{rollbackBy: qa}},
		"to what serves": {reason: "that is no way back", was: shelved(t, false), change: notes(v1alpha1.RollbackAnnotation, served+"/"+served),
			refused: "Request", says: []string{v1alpha1.RollbackAnnotation + "=" + served + "/" + earlier}},
		"to what is not kept":                 {reason: "it is held to what there is", was: shelved(t, false), change: notes(v1alpha1.RollbackAnnotation, served+"/sha256:x"), refused: "Request"},
		"to what is kept, from other content": {reason: "it must not hit what came since", was: shelved(t, false), change: notes(v1alpha1.RollbackAnnotation, earlier+"/"+earlier), refused: "Request"},
		"past what is irreversible": {reason: "it has to be said", was: shelved(t, true), change: notes(v1alpha1.RollbackAnnotation, served+"/"+earlier),
			refused: "Request", says: []string{v1alpha1.RollbackAnnotation + "=irreversible:" + served + "/" + earlier}},
		"past what is irreversible, said": {reason: "people decide", was: shelved(t, true), change: notes(v1alpha1.RollbackAnnotation, "irreversible:"+served+"/"+earlier), want: map[string]string{rollbackBy: qa}},
		"nothing active": {reason: "it says why", was: keeps(t, func(rel *v1alpha1.Release) { rel.Status.Active = nil }), change: notes(v1alpha1.RollbackAnnotation, served),
			refused: "Request", says: []string{"nothing was let through"}},
	})
}

func TestAbortAndRetryRequests(t *testing.T) {
	with := func(t *testing.T, change func(*v1alpha1.CandidateStatus)) *v1alpha1.Release {
		return keeps(t, func(rel *v1alpha1.Release) { change(rel.Status.Candidate) })
	}
	unnamed := func(t *testing.T) *v1alpha1.Release {
		return with(t, func(c *v1alpha1.CandidateStatus) { c.Digest, c.Sequence = "", 7 })
	}
	halted := func(t *testing.T, reason string) *v1alpha1.Release {
		return with(t, func(c *v1alpha1.CandidateStatus) {
			c.Halted = &v1alpha1.HaltedStatus{Reason: reason, Message: "it is said why"}
		})
	}
	none := func(t *testing.T) *v1alpha1.Release {
		return keeps(t, func(rel *v1alpha1.Release) { rel.Status.Candidate = nil })
	}
	abort, retry := notes(v1alpha1.AbortAnnotation, candidate), notes(v1alpha1.RetryAnnotation, candidate)
	stamped := func(key string) map[string]string { return map[string]string{key + v1alpha1.RequesterSuffix: qa} }
	cases(t, map[string]write{
		"abort":           {reason: "whoever may write may ask", was: keeps(t), change: abort, want: stamped(v1alpha1.AbortAnnotation)},
		"abort by number": {reason: "there is no digest yet", was: unnamed(t), change: notes(v1alpha1.AbortAnnotation, "7"), want: stamped(v1alpha1.AbortAnnotation)},
		"abort another number": {reason: "it must not hit what came since", was: unnamed(t), change: notes(v1alpha1.AbortAnnotation, "6"),
			refused: "Request", says: []string{v1alpha1.AbortAnnotation + "=7"}},
		"abort other content": {reason: "it must not hit what came since", was: keeps(t), change: notes(v1alpha1.AbortAnnotation, served),
			refused: "Request", says: []string{v1alpha1.AbortAnnotation + "=" + candidate}},
		"abort nothing":        {reason: "it says what to do instead", was: none(t), change: abort, refused: "Request", says: []string{"has no candidate to give up", v1alpha1.RollbackAnnotation}},
		"abort twice":          {reason: "it says why", was: halted(t, v1alpha1.ReasonCheckFailed), change: abort, refused: "Request", says: []string{"given up already: it is said why"}},
		"retry after a check":  {reason: "nobody found it bad", was: halted(t, v1alpha1.ReasonCheckFailed), change: retry, want: stamped(v1alpha1.RetryAnnotation)},
		"retry after the time": {reason: "nobody found it bad", was: halted(t, v1alpha1.ReasonProgressDeadlineExceeded), change: retry, want: stamped(v1alpha1.RetryAnnotation)},
		"retry after an abort": {reason: "nobody found it bad", was: halted(t, v1alpha1.ReasonAborted), change: retry, want: stamped(v1alpha1.RetryAnnotation)},
		"retry after traffic":  {reason: "it was bad", was: halted(t, v1alpha1.ReasonRolledBack), change: retry, refused: "Request", says: []string{"not tried again as it is (RolledBack): it is said why"}},
		"retry what goes on":   {reason: "nothing failed", was: keeps(t), change: retry, refused: "Request", says: []string{"was not given up", "withdraw"}},
		"retry nothing":        {reason: "it says what to do instead", was: none(t), change: retry, refused: "Request", says: []string{"has no candidate to try again"}},
		"retry of other content": {reason: "it must not hit what came since", was: halted(t, v1alpha1.ReasonAborted), change: notes(v1alpha1.RetryAnnotation, served),
			refused: "Request", says: []string{v1alpha1.RetryAnnotation + "=" + candidate}},
	})
}

func TestRestartRequest(t *testing.T) {
	anew := func(value string) func(*v1alpha1.Release) { return notes(v1alpha1.RestartAnnotation, served+value) }
	by := map[string]string{v1alpha1.RestartAnnotation + v1alpha1.RequesterSuffix: qa}
	after := func(number int64) *v1alpha1.Release {
		return keeps(t, func(rel *v1alpha1.Release) { rel.Status.Active.Restart = &v1alpha1.RestartStatus{Number: number} })
	}
	form := "a slash, and a number without leading zeros that is larger than the last one"
	refused := func(reason string, was *v1alpha1.Release, change func(*v1alpha1.Release), says ...string) write {
		return write{reason: reason, was: was, change: change, refused: "Request", says: says}
	}
	cases(t, map[string]write{
		"the first":         {reason: "whoever may write may ask", was: keeps(t), change: anew("/1"), want: by},
		"by the time":       {reason: "any larger number will do", was: keeps(t), change: anew("/1796000000"), want: by},
		"once more":         {reason: "with a larger number", was: after(41), change: anew("/42"), want: by},
		"the largest":       {reason: "it can be stored", was: after(41), change: anew("/999999999999999999"), want: by},
		"the same":          refused("it was done", after(41), anew("/41"), form, v1alpha1.RestartAnnotation+"="+served+"/42"),
		"a smaller one":     refused("it was done", after(41), anew("/5"), v1alpha1.RestartAnnotation+"="+served+"/42"),
		"no number":         refused("it says what to write", keeps(t), anew(""), form, v1alpha1.RestartAnnotation+"="+served+"/1"),
		"a word":            refused("it says what to write", keeps(t), anew("/now"), form),
		"padded":            refused("one number has one form", keeps(t), anew("/01"), form),
		"two numbers":       refused("it says what to write", keeps(t), anew("/1/2"), form),
		"too long":          refused("it cannot be stored", keeps(t), anew("/1000000000000000000"), form),
		"other content":     refused("it must not hit what came since", keeps(t), notes(v1alpha1.RestartAnnotation, candidate+"/1"), v1alpha1.RestartAnnotation+"="+served+"/1"),
		"nothing serves":    refused("it says why", keeps(t, func(rel *v1alpha1.Release) { rel.Status.Active = nil }), anew("/1"), "no Pods to make anew", "kubectl describe release"),
		"after the largest": refused("it says what to do", after(999999999999999999), anew("/1"), "with another annotation"),
	})
}

func TestRequestAtCreation(t *testing.T) {
	rel := stored(t)
	rel.Annotations = map[string]string{v1alpha1.RollbackAnnotation: served}
	tc := write{reason: "there is nothing to go back from", refused: "AtCreation", says: []string{"take the annotation out"}}
	tc.judge(t, webhook(t, prod()), creating(t, person(dev), rel))
}

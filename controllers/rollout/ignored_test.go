// Copyright The Countersign Authors.
// SPDX-License-Identifier: Apache-2.0

package rollout_test

import (
	"slices"
	"testing"
	"time"

	"github.com/countersign/countersign/api/v1alpha1"
	"github.com/countersign/countersign/controllers/approval"
	"github.com/countersign/countersign/controllers/rollout"
)

// TestBreakGlassIgnored: each use that does not count is told once, with what to
// do, and again when it does not for another reason.
func TestBreakGlassIgnored(t *testing.T) {
	start := func(t *testing.T) *world {
		w := serving(t, withChecks, onCall)
		w.edit("v2")
		w.run()
		return w
	}
	scenarios(t, map[string]func(*testing.T){
		"sec/61 once": func(t *testing.T) {
			w := start(t)
			w.breakGlass(func(g *approval.Glass) { g.Groups = nil })
			want := "the break-glass in slot erin does not count: policy prod lets only members of sre break the glass; one of them has to; " +
				"to take it away: kubectl annotate release shop -n prod break-glass.countersign.dev/erin-; " +
				"to approve instead: kubectl annotate release shop -n prod approvals.countersign.dev/<you>=" + w.rel.Status.Candidate.Digest + " --overwrite"
			if !slices.Contains(rollout.Decide(w.snapshot()).Notices, rollout.Notice{Warning: true, Reason: "BreakGlassIgnored", Message: want}) {
				t.Errorf("no notice says %q", want)
			}
			w.run()
			w.wantsNotice("BreakGlassIgnored")
			w.told = nil
			w.pass(time.Minute)
			w.wantsNoNotice("BreakGlassIgnored")
			if n := len(w.rel.Status.Candidate.Ignored); n != 1 {
				t.Errorf("on record are %d", n)
			}
		},
		"sec/61 for another reason": func(t *testing.T) {
			w := start(t)
			w.breakGlass(func(g *approval.Glass) { g.Groups = nil })
			w.run()
			w.told = nil
			w.glasses[0].Groups, w.glasses[0].User = []string{"sre"}, "dev"
			w.run()
			w.wantsNotice("BreakGlassIgnored")
		},
		"sec/61 it expires": func(t *testing.T) {
			w := start(t)
			w.outcomes["smoke"] = v1alpha1.CheckRunning
			w.breakGlass(func(g *approval.Glass) { g.At = g.At.Add(-time.Hour) })
			w.run()
			w.wantsNotice("BreakGlassIgnored")
		},
		"it is taken away": func(t *testing.T) {
			w := start(t)
			w.breakGlass(func(g *approval.Glass) { g.Groups = nil })
			w.run()
			w.glasses = nil
			w.run()
			if got := w.rel.Status.Candidate.Ignored; got != nil {
				t.Errorf("on record is %q", got)
			}
		},
		"what counts is not": func(t *testing.T) {
			w := broken(t)
			w.wantsNoNotice("BreakGlassIgnored")
		},
		"nothing is while there is no digest to break the glass for": func(t *testing.T) {
			w := serving(t, withChecks, onCall)
			w.edit("v2")
			w.glasses = []approval.Glass{{Slot: "erin", User: "erin", Invalid: "its receipt is not valid", At: w.now}}
			w.step()
			if c := w.rel.Status.Candidate; c == nil || c.Digest != "" {
				t.Fatalf("the candidate is %+v, want one without a digest", c)
			}
			w.wantsNoNotice("BreakGlassIgnored")
		},
		"other content is not": func(t *testing.T) {
			w := start(t)
			w.breakGlass(func(g *approval.Glass) { g.Digest = "sha256:other" })
			w.run()
			w.wantsNoNotice("BreakGlassIgnored")
		},
	})
}

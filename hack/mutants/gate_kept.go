// Copyright The Countersign Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import "slices"

// keptGuards let traffic go back only to content that was let through, as it was.
func keptGuards() []guard {
	const kept = "controllers/rollout/kept.go"
	return slices.Concat(
		out("I1", kept, deciding,
			instead("kept: as it was recorded", ` && r.Hash == k.Hash && r.Hash != ""`, ``),
			instead("kept: read at all", ` && r.Hash != ""`, ``),
			instead("kept: as it was approved", `!p.kept(a.Content) || i`, `i`),
			instead("kept: not what failed", `return a.Failed != "" || limit == 0`, `return limit == 0`),
			instead("kept: no more than said", `return others > limit`, `return others > limit+1`),
			instead("kept: left behind", `if !listed || p.snap`, `if listed && p.snap`),
			instead("kept: while it is observed", `	case p.observing():
		why`, `	case false:
		why`),
			instead("kept: stands in the colour", `w.TemplateHash != content.TemplateHash`, `false`),
			instead("kept: its Pods are available", `if !w.Complete(max(p.replicas(), p.liveReady())) {`, `if false {`),
			instead("kept: its endpoints are there", `if !p.previewsComplete(content.Colour, p.replicas()) {`, `if false {`),
			instead("kept: nothing else is in the colour", ` || p.reachable(content.Colour)`, ``),
			instead("kept: somebody else's Deployment", `	case w.Foreign:
		hindrance`, `	case false:
		hindrance`),
			instead("kept: Services of the Release only", `return !p.named(s.Name)`, `return false`),
			instead("kept: copies that can be had", `have.Foreign || !slices.Contains(p.snap.Config.Wanted, c)`, `have.Foreign`),
			instead("kept: irreversible content that was deleted", `	case to != nil && !a.Irreversible:`, `	case to != nil:`),
			instead("kept: irreversible content without a record", `	case a.Irreversible:
		p.askPeople`, `	case false:
		p.askPeople`),
		),
		out("I11", "controllers/rollout/watch.go", deciding,
			instead("kept: gone back from", `			p.forget(a.Digest)
`, ``),
		),
		out("I11", switching, deciding,
			instead("kept: irreversible in between", ` || sw.To.Irreversible`, ``),
		),
		out("I1", candidate, deciding,
			instead("kept: candidates wait", `p.restoring == nil && !p.spec().Paused`, `!p.spec().Paused`),
			instead("kept: not retired meanwhile", `p.observing() || p.restoring != nil {`, `p.observing() {`),
		),
		out("I1", "controllers/rollout/config.go", deciding,
			instead("kept: its copies stay", `if record := p.snap.Record(k); record != nil {`, `if record := p.snap.Record(k); record == nil {`),
		),
	)
}

// Copyright The Countersign Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import "slices"

// deciding are the tests of the decisions.
var deciding = properly("./controllers/rollout")

// holdbackGuards keep a candidate from being switched to.
func holdbackGuards() []guard {
	const glass, images, review, freeze = "controllers/rollout/breakglass.go", "controllers/rollout/images.go",
		"controllers/rollout/review.go", "controllers/rollout/freeze.go"
	return slices.Concat(
		out("I1", gate, deciding,
			never("holdback: digest", `c.Digest == "" || c.Revision != p.snap.Revision || !p.materialised(c, w)`),
			instead("holdback: revision", `c.Digest == "" || c.Revision != p.snap.Revision || !p.materialised(c, w)`, `c.Digest == ""`),
			instead("holdback: complete", `case !w.Complete(p.enough(c)):`, `case p.replicas() < 0:`),
			never("holdback: checks", `c.TestedAt == nil`),
			never("holdback: approved", `p.way() == ""`),
			never("holdback: frozen", `!p.snap.Gate.Intact`),
			instead("holdback: image", `case p.wrongImage(c) != "":`, `case false:`),
			never("holdback: previews", `!p.previewsComplete(c.Colour, p.candidateReplicas())`),
			never("holdback: claimed", `!p.claimed()`),
			instead("previews: endpoints", ` || !svc.Preview.Endpoints.Only(c, int(n))`, ``),
			instead("authors: of the candidate", `Authors: c.Authors, AuthorsKnown`, `Authors: p.snap.Authors.Names, AuthorsKnown`),
		),
		out("I1", glass, deciding,
			instead("glass: ignored is told", `if !slices.Contains(told, entry) {`, `if false && !slices.Contains(told, entry) {`),
			instead("glass: ignored is told once", `if !slices.Contains(told, entry) {`, `if true || !slices.Contains(told, entry) {`),
			instead("glass: nothing to ignore yet", `c.Digest == ""`, `c.Digest == "-"`),
			instead("review: blocks approvals", `p.verdict.Outcome == approval.Approved && len(p.st.Reviews) == 0`, `p.verdict.Outcome == approval.Approved`),
			instead("glass: helps", `p.glass != nil && p.verdict.GlassHelps() && `, `p.glass != nil && `),
			instead("glass: limit", ` && len(p.st.Reviews) < approval.ReviewLimit`, ``),
			instead("revoked: not approved", `		if verdict.Outcome != approval.Approved {`, `		if false && verdict.Outcome != approval.Approved {`),
			instead("revoked: other user", `glass == nil || sw.BreakGlass == nil || glass.User != sw.BreakGlass.By`, `glass == nil || sw.BreakGlass == nil`),
			instead("revoked: glass gone", `glass == nil || sw.BreakGlass == nil || glass.User`, `sw.BreakGlass == nil || glass != nil && glass.User`),
			instead("revoked: no help", `	case !verdict.GlassHelps():`, `	case false:`),
			instead("glass: to be reviewed", `p.st.Reviews = append(slices.Clone(p.st.Reviews), v1alpha1.PendingReview{`, `_ = append(slices.Clone(p.st.Reviews), v1alpha1.PendingReview{`),
		),
		out("I1", review, deciding,
			instead("review: receipt", `r.Invalid != "" || r.Digest == ""`, `r.Digest == ""`),
			instead("review: other digest", ` || r.Digest != pending.Digest`, ``),
			instead("review: may", `; ok {`, `; ok || !ok {`),
		),
		out("I1", images, deciding,
			instead("images: not pinned", "		p.block(v1alpha1.ReasonImageNotPinned", "		p.alarm(v1alpha1.ReasonImageNotPinned"),
			never("images: running", `!strings.HasSuffix(id, speccheck.ImageDigest(k.Image))`),
			never("images: all Pods", `seen < p.candidateReplicas()`),
		),
		out("I1", candidate, deciding,
			instead("drift: what cannot be made", `if p.neverWas(c, w) {`, `if false {`),
			instead("drift: voted on anew", `c.Sequence, c.Digest, c.TemplateHash, c.PutBackFrom = p.st.Sequence, "", "", ""`, `c.TemplateHash, c.PutBackFrom = "", ""`),
			instead("drift: put back again", `	c.PutBackFrom = ""
	if w`, `	if w`),
		),
		out("I14", freeze, deciding,
			instead("freeze: tightened only", `err != nil || !approval.Tightens(was, now, p.subject(c))`, `err != nil`),
			instead("freeze: bounded", ` || len(text) > frozenLimit`, ``),
		),
		out("I7", switching, deciding,
			instead("called off: other digest", `if c == nil || c.Digest != sw.To.Digest {`, `if c == nil {`),
			instead("called off: template", `w.TemplateHash != sw.To.TemplateHash || !w.Exists`, `!w.Exists`),
			never("called off: no Pod", `w.Ready == 0`),
			never("called off: content", `sw.To.Revision != p.snap.Revision`),
			instead("called off: policies", `err != nil || d != sw.To.Digest`, `err != nil && d == ""`),
			never("called off: paused", `p.spec().Paused`),
			never("called off: frozen", `!p.snap.Gate.Intact && !p.snap.Gate.Untested`),
			instead("gate: resumed before it was tested", `	case !some && sw.Reason.Promotes() && !p.snap.Gate.Intact:
`, `	case false:
`),
			instead("gate: called off before it was tested", `if !p.snap.Gate.Intact && !p.snap.Gate.Untested {`, `if !p.snap.Gate.Intact {`),
			instead("shift: lapses", `sw.To.Config, p.standsUntil(sw)`, `sw.To.Config, time.Time{}`),
			instead("shift: glass lapses", `return approval.GlassUntil(p.snap.Policies, *glass)`, `return time.Time{}`),
			instead("called off: revoked", `	return p.revoked(sw, c)`, `	return ""`),
		),
		out("I6", "controllers/speccheck/images.go", of("./controllers/speccheck"),
			instead("images: length", ` || len(hex) != 64`, ``),
			instead("images: alphabet", ` || strings.Trim(hex, "0123456789abcdef") != ""`, ``),
			never("images: none", `len(pod.Containers) == 0`),
		))
}

// commitGuards are the last look before traffic moves.
func commitGuards() []guard {
	const permits, access, test = "controllers/permits.go", "controllers/access/access.go", "controllers/selftest/selftest.go"
	const trip, configuration = "controllers/selftest/roundtrip.go", "controllers/selftest/configuration.go"
	committing, probing := of("./controllers"), of("./controllers/selftest")
	return slices.Concat(
		out("I7", reconciler, committing,
			instead("commit: resourceVersion", "client.MergeFromWithOptions(base, client.MergeFromWithOptimisticLock{})", "client.MergeFrom(base)"),
			instead("commit: self-test", `err := frozen(); err != nil`, `err := frozen(); err != nil && rel == nil`),
			instead("commit: no gate", `		return func() error { return errFrozen }`, `		return func() error { return nil }`),
			instead("commit: of the self-test", `req.Namespace == r.Unreleased`, `req.Namespace == "-"`),
		),
		out("I6", permits, committing,
			instead("commit: access asked", `promotes(before, decision.Status)`, `false && promotes(before, decision.Status)`),
			instead("review: access asked", `if reviewed(before, decision.Status) {`, `if reviewed(before, before) {`),
			instead("review: access lost", `v.Permitted, changed = still, true`, `v.Permitted = still`),
			instead("review: no answer", `still, unasked = nil, err`, `still, unasked = v.Permitted, err`),
			instead("access: still permitted", `		if permits {`, `		if permits || !permits {`),
			instead("access: nobody to ask", `permits := false`, `permits := true`),
			instead("access: changed", `changed = changed || !slices.Equal(still, v.Permitted)`, `changed = changed && !slices.Equal(still, v.Permitted)`),
		),
		out("I6", access, of("./controllers/access"),
			instead("access: nobody", `who.User == "" || `, ``),
			instead("access: programs", `strings.HasPrefix(who.User, "system:")`, `strings.HasPrefix(who.User, "-")`),
			instead("access: superusers", `slices.Contains(who.Groups, superusers)`, `slices.Contains(who.Groups, "-")`),
			instead("access: denied", ` && !review.Status.Denied`, ``),
		),
		out("I14", "controllers/act/act.go", of("./controllers/act"),
			instead("policies: fewer or more", `len(live) != len(judged) || len(live) > 0 && `, `len(live) == len(judged) && len(live) > 0 && `),
			instead("policies: changed", ` && !reflect.DeepEqual(live, judged)`, ` && !reflect.DeepEqual(live, live)`),
		),
		out("I14", traffic, of("./controllers/act"),
			never("shift: too late", `!s.ValidUntil.IsZero() && !a.Now().Before(s.ValidUntil)`),
			instead("shift: never too late", `!a.Now().Before(s.ValidUntil)`, `a.Now().After(s.ValidUntil)`),
			instead("policies: read again", `	if s.Policies != nil {`, `	if false && s.Policies != nil {`),
			instead("service: resourceVersion", "		p.Metadata.ResourceVersion = svc.ResourceVersion\n		p.mark(", "		p.mark("),
		),
		out("I1", test, probing,
			instead("self-test: bad finding", `f.err != nil && gate.Intact`, `false && gate.Intact`),
			instead("self-test: thaws", `case whole && number > t.froze:`, `case number > t.froze:`),
			instead("self-test: older", `case whole && number > t.froze:`, `case whole:`),
			instead("self-test: before the switch", `			t.test(ctx, false)`, `			_ = ctx`),
		),
		out("I6", trip, probing,
			never("signed: of something else", `got.Cluster != t.Cluster || got.Namespace != Namespace || got.Name != attemptName || got.Revision != revision`),
			never("signed: dry run", `!got.DryRun`),
			never("signed: author", `!slices.Equal(got.Authors, []string{t.OperatorUser})`),
		),
		out("I1", configuration, probing,
			never("configuration: denies", `!slices.Contains(a.ValidationActions, admissionregistrationv1.Deny)`),
			never("configuration: policy", `!equality.Semantic.DeepEqual(part.have, part.want)`),
			never("configuration: binding", `!equality.Semantic.DeepEqual(a, b)`),
			never("configuration: webhook", `!equality.Semantic.DeepEqual(normalWebhooks(have.Webhooks), normalWebhooks(m.Webhook.Webhooks))`),
		))
}

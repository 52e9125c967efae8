// Copyright The Countersign Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import "slices"

// requestGuards hold what is asked for by an annotation to what it is about.
func requestGuards() []guard {
	return slices.Concat(
		out("I1", "controllers/rollout/requests.go", deciding,
			instead("request: about what is there", ` || annotations[key] != value`, ``),
			instead("request: about something", `value == "" || `, ``),
			instead("request: content stands", `case p.kept() && w.Ready > 0:`, `case w.Ready > 0:`),
			instead("request: has Pods", `case p.kept() && w.Ready > 0:`, `case p.kept() && w.Ready >= 0:`),
			instead("abort: by number", `fmt.Sprint(c.Sequence)))`, `"-"))`),
			instead("abort: asked", `by != "" {
		p.haltCandidate`, `c.Digest != "" {
		p.haltCandidate`),
			instead("abort: moving", `c.Halted != nil || p.moving() != nil`, `c.Halted != nil`),
			instead("retry: retryable", ` || !c.Halted.Retryable()`, ``),
			instead("retry: of the spec", ` || c.Revision != p.snap.Revision`, ``),
			instead("retry: asked", `	if by == "" {`, `	if by == "" && c.Digest == "" {`),
			instead("retry: what was made of it", `next.TemplateHash = c.TemplateHash`, `_ = next`),
			instead("request: who asked", "		p.st.Switch.AskedBy = by\n", ""),
		),
		out("I7", switching, deciding,
			instead("called off: aborted", `by != "" {`, `by != "" && c == nil {`),
		),
		out("I7", "controllers/rollout/watch.go", deciding,
			instead("half switched: aborted", `	case by != "":`, `	case false:`),
			instead("half switched: other content", `c != nil && c.Digest == sw.To.Digest {`, `c != nil {`),
		),
		out("I6", "controllers/admission/requests.go", admitting,
			never("abort: given up", `c.Halted != nil`),
			never("retry: goes on", `c.Halted == nil`),
			never("retry: had traffic", `!c.Halted.Retryable()`),
			instead("request: at creation", `	if r.creating() {`, `	if false && r.creating() {`),
			never("request: nothing to ask", `subject == ""`),
			never("request: something else", `value != subject`),
			instead("request: in whose name", `r.annotations[by] = r.user`, `_ = by`),
			instead("request: name alone", `delete(r.annotations, by)`, `_ = by`),
			instead("request: record", "		r.restore(key)\n", ""),
		))
}

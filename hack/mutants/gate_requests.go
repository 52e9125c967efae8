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
			instead("request: who asked", "		p.st.Switch.AskedBy = by\n", ""),
		),
		out("I6", "controllers/admission/requests.go", admitting,
			instead("request: at creation", `	if r.creating() {`, `	if false && r.creating() {`),
			never("request: nothing to ask", `subject == ""`),
			never("request: something else", `value != subject`),
			instead("request: in whose name", `r.annotations[by] = r.user`, `_ = by`),
			instead("request: name alone", `delete(r.annotations, by)`, `_ = by`),
			instead("request: record", "		r.restore(key)\n", ""),
		))
}

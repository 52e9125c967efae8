// Copyright The Countersign Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import "slices"

// requestGuards hold what is asked for by an annotation to what it is about.
func requestGuards() []guard {
	return slices.Concat(
		out("I1", "controllers/rollout/requests.go", deciding,
			instead("request: about what is there", ` || annotations[key] != value`, ``),
			instead("request: about something", `v1alpha1.IrreversiblePrefix) == "" || `, `v1alpha1.IrreversiblePrefix) == "-" || `),
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
		out("I11", "controllers/rollout/watch.go", deciding,
			instead("irreversible: by itself", `	case failure != "" && a.Irreversible:`, `	case false:`),
		),
		out("I11", candidate, deciding,
			instead("irreversible: deleted", `case !w.Exists && a.Irreversible && p.moving() == nil:`, `case false:`),
		),
		out("I11", "controllers/rollout/irreversible.go", deciding,
			instead("irreversible: sent after", `c != nil && c.Since.After(a.FailingSince.Time)`, `c != nil`),
			always("irreversible: shown", `!p.spec().Irreversible`),
		),
		out("I1", gate, deciding,
			instead("irreversible: as approved", `Irreversible: spec.Irreversible, `, ``),
		),
		out("I17", deleting, deciding,
			never("taken down: spec", `p.spec().DeletionPolicy != v1alpha1.DeleteOnDeletion`),
			instead("taken down: half switched", `sw != nil && sw.To.DeletionPolicy != v1alpha1.DeleteOnDeletion`, `sw != nil && sw.To.DeletionPolicy == "-"`),
			instead("taken down: as approved", `p.st.Active == nil || p.st.Active.DeletionPolicy == v1alpha1.DeleteOnDeletion`, `p.st.Active == nil || p.st.Active.DeletionPolicy != "-"`),
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

// Copyright The Countersign Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import "slices"

// requestGuards hold what is asked for by an annotation to what it is about.
func requestGuards() []guard {
	return slices.Concat(
		out("I1", "controllers/rollout/origin.go", deciding,
			instead("origin: another Release's", `	if w.Foreign {`, `	if false {`),
			instead("origin: leads there", `	case len(o.Services) == 0:`, `	case false:`),
			instead("origin: used by others", `	case len(w.UsedBy) > 0:`, `	case false:`),
			instead("origin: kept while observed", `p.inFlight() != nil || p.observing()`, `p.inFlight() != nil`),
			instead("origin: kept for its time", `if !p.due(o.KeepUntil.Time) {`, `if false {`),
			instead("origin: left alone", `o == nil || o.DrainedAt != nil ||`, `o == nil ||`),
		),
		out("I1", "controllers/rollout/watch.go", deciding,
			instead("back: stands as it was", `!w.Foreign && w.TemplateHash == to.TemplateHash`, `!w.Foreign`),
			instead("back: has Pods", `p.snap.Workload(to.Colour).Ready > 0 {`, `p.snap.Workload(to.Colour).Ready >= 0 {`),
		),
		out("I1", switching, deciding,
			instead("origin: left by the second content", `o.LeftAt = p.nowPtr() // what`, `_ = o // what`),
		),
		out("I1", "controllers/rollout/requests.go", deciding,
			instead("request: about what is there", ` || annotations[key] != value`, ``),
			instead("request: about something", `v1alpha1.IrreversiblePrefix) == "" || `, `v1alpha1.IrreversiblePrefix) == "-" || `),
			instead("request: about what is kept", `case p.wayBack() != nil:`, `case to != nil:`),
			instead("abort: by number", `fmt.Sprint(c.Sequence)))`, `"-"))`),
			instead("abort: asked", `by != "" {
		p.haltCandidate`, `c.Digest != "" {
		p.haltCandidate`),
			instead("abort: moving", `c.Halted != nil || p.moving() != nil`, `c.Halted != nil`),
			instead("retry: retryable", ` || !c.Halted.Retryable()`, ``),
			instead("retry: of the spec", ` || c.Revision != p.snap.Revision`, ``),
			instead("retry: asked", `	if by == "" {`, `	if by == "" && c.Digest == "" {`),
			instead("retry: what was made of it", `next.TemplateHash = c.TemplateHash`, `_ = next`),
			instead("request: who asked", "	p.st.Switch.AskedBy = by\n", ""),
		),
		out("I11", "controllers/rollout/watch.go", deciding,
			instead("irreversible: by itself", `	case failure != "" && a.Irreversible:`, `	case false:`),
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
			never("request: nothing to ask", `len(subjects) == 0`),
			never("request: something else", `!slices.Contains(subjects, value)`),
			instead("request: in whose name", `r.annotations[by] = r.user`, `_ = by`),
			instead("request: name alone", `delete(r.annotations, by)`, `_ = by`),
			instead("request: record", "		r.restore(key)\n", ""),
		))
}

// Copyright The Countersign Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import "slices"

// restartGuards hold Pods that are made anew to what was let through, and to
// whoever asks.
func restartGuards() []guard {
	const restart = "controllers/rollout/restart.go"
	return slices.Concat(
		out("I2", restart, deciding,
			instead("restart: while traffic moves", `	if a == nil || p.inFlight() != nil {`, `	if a == nil {`),
			instead("restart: of what was approved", `(!w.Exists || p.kept(a.Content))`, `(!w.Exists || true)`),
			instead("restart: of what is still approved", `p.kept(a.Content) && w.Restarts != `, `w.Restarts != `),
			instead("restart: once", ` && w.Restarts != a.Restart.Number {`, ` {`),
			instead("restart: begun before traffic moves", `a.Restart.Open() && p.inFlight() == nil && `, `a.Restart.Open() && `),
			instead("restart: all Pods", ` && w.Complete(p.replicas()) {`, ` {`),
			instead("restart: of this number", `w.Restarts == a.Restart.Number && `, ``),
			instead("restart: told", `limit > 0 && p.due(`, `limit < 0 && p.due(`),
			instead("restart: given up", "	r.CancelledAt = p.nowPtr()\n", ""),
			instead("restart: who asked", `AskedBy: p.requester(v1alpha1.RestartAnnotation, request), `, ``),
		),
		out("I2", switching, deciding,
			instead("restart: left by other content", "		p.leaveRestart(&p.st.Active.Content)\n", ""),
		),
		out("I2", "controllers/rollout/watch.go", deciding,
			instead("restart: not on the way back", "	p.leaveRestart(&to)\n", ""),
		),
		out("I2", candidate, deciding,
			instead("restart: candidates have had none", ` && w.Restarts == 0 &&`, ` &&`),
			instead("restart: of a Deployment that is made again", `Restarts: a.Restart.Last(), `, ``),
		),
		out("I2", "controllers/rollout/kept.go", deciding,
			instead("restart: no content of a record", "	record.Content.Restart = nil // of", "	// of"),
			instead("restart: not in the template of a record", "	delete(record.Template.Annotations, v1alpha1.RestartsAnnotation)\n", ""),
			instead("restart: kept content has had none", ` || w.Restarts != 0:`, `:`),
			instead("restart: of what is made again from its record", `Restarts: a.Restart.Last(), `, ``),
		),
		out("I2", "api/v1alpha1/restart.go", deciding,
			instead("restart: of what is active", `digest == c.Digest && `, ``),
			instead("restart: of something", ` && digest != ""`, ``),
			instead("restart: larger", ` && n > c.Restart.Last() {`, ` {`),
		),
		out("I1", "api/v1alpha1/restart.go", of("./controllers/digest"),
			instead("restart: a number", `if err != nil || n < 1 || len(s) > restartDigits || strconv.FormatInt(n, 10) != s {`, `if n = max(n, 1); err == nil && s == "" {`),
			instead("restart: one form of a number", ` || strconv.FormatInt(n, 10) != s`, ``),
			instead("restart: as long as is stored", ` || len(s) > restartDigits`, ``),
		),
		out("I1", "controllers/digest/digest.go", of("./controllers/digest"),
			always("restart: only a number is no content", `v1alpha1.ParseRestart(template.Annotations[v1alpha1.RestartsAnnotation]) > 0`),
		),
		out("I1", "controllers/speccheck/speccheck.go", of("./controllers/speccheck"),
			instead("restart: not in spec.template", `[v1alpha1.RestartsAnnotation]; has {`, `[v1alpha1.RestartsAnnotation]; has && false {`),
		),
		out("I6", "controllers/admission/requests.go", admitting,
			instead("restart: number asked for", `return rel.Status.Active.RestartNumber(value) > 0`, `return value != ""`),
			instead("restart: the last number", `	case a.RestartNumber(a.RestartRequest()) == 0:`, `	case false:`),
		),
		out("I9", "controllers/act/workloads.go", of("./controllers/act"),
			instead("restart: as it was read", `a.deployment(ctx, rel, r.Colour, r.ResourceVersion)`, `a.deployment(ctx, rel, r.Colour, "")`),
			instead("restart: kept when made again", `	if m.Restarts > 0 {`, `	if m.Restarts < 0 {`),
		),
	)
}

// Copyright The Countersign Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import "slices"

// growing is what makes a small candidate one of full size.
const growing = "controllers/rollout/grow.go"

// growthGuards keep a candidate from being switched to that has few Pods, or was
// tested on few.
func growthGuards() []guard {
	return slices.Concat(
		out("I1", gate, deciding,
			never("growth: full size", `c.Size != v1alpha1.FullSize`),
		),
		out("I1", growing, deciding,
			instead("growth: as many as serve", `max(p.replicas(), p.liveReady())`, `p.replicas()`),
			instead("growth: tested again", "	c.TestedAt = nil\n", ``),
			instead("growth: on all of them", ` && c.TestedReplicas >= p.replicas()`, ``),
			instead("growth: what few Pods answered", `p.st.Checks = slices.DeleteFunc(p.st.Checks,`, `_ = slices.DeleteFunc(slices.Clone(p.st.Checks),`),
			instead("growth: another round", "	c.Round++\n", ``),
			instead("growth: deadline", `c.ReadyAt, c.ProgressSince, c.TestedReplicas = nil, p.nowPtr(), 0`, `c.ReadyAt, c.TestedReplicas = nil, 0`),
			instead("growth: for good", `c == nil || c.Size == v1alpha1.FullSize || preview == nil`, `c == nil || preview == nil`),
			instead("growth: kept for going back", ` || kept:`, ` || kept && false:`),
		),
		out("I8", candidate, deciding,
			instead("growth: the fewest that were asked", `c.TestedReplicas = min(c.TestedReplicas, p.candidateReplicas())`, `c.TestedReplicas = p.candidateReplicas()`),
			instead("growth: fewer are asked", `c.TestedReplicas = min(c.TestedReplicas, p.candidateReplicas())`, `_ = c`),
		),
		out("I8", "controllers/rollout/checks.go", deciding,
			instead("growth: results of this round", ` || r.Round != round`, ``),
		),
		out("I8", "controllers/rollout/jobs.go", deciding,
			instead("growth: Job of this round", `Round: c.Round, `, ``),
		),
		out("I8", "controllers/jobcheck/job.go", of("./controllers/jobcheck"),
			instead("growth: name by round", `fmt.Sprint(r.Round), `, ``),
		),
		out("I8", "controllers/checks/prober.go", of("./controllers/checks"),
			instead("growth: checks begin anew", `run.Digest, run.Round}`, `run.Digest, 0}`),
			instead("growth: results say their round", ` Round: run.Round,`, ``),
		),
	)
}

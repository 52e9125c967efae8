// Copyright The Countersign Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import "slices"

// jobGuards make the result of a Job one about the candidate.
func jobGuards() []guard {
	const jobs, observed, acted, spec = "controllers/rollout/jobs.go", "controllers/observe/jobs.go", "controllers/act/jobs.go", "controllers/speccheck/jobs.go"
	named := of("./controllers/jobcheck")
	return slices.Concat(
		out("I8", jobs, deciding,
			instead("job: other content", ` || job.Digest != c.Digest`, ``),
			instead("job: other check", `job.Foreign || job.Check != d.Name`, `job.Foreign`),
			instead("job: foreign", `case job.Foreign || job.Check`, `case job.Check`),
			instead("job: other object", `case job == nil || now.Job.UID != "" && job.UID != now.Job.UID:`, `case job == nil:`),
			instead("job: leaving", `case job.Leaving:`, `case false:`),
			instead("job: Pods that changed", `case len(pods) > 0 && !jobcheck.Still(job.Targets, pods):`, `case len(pods) < 0:`),
			instead("job: Pods that are not known", `case len(pods) == 0:
		now.Message = fmt.Sprintf("Job %s has ended`, `case len(pods) < 0:
		now.Message = fmt.Sprintf("Job %s has ended`),
			instead("job: succeeded", `case job.Succeeded:`, `case true:`),
			instead("job: no run without end", `run.Number > maxJobRuns`, `run.Number < 0`),
			instead("job: a Service that finds its Pods", `	return p.bystander(d)
}`, `	return ""
}`),
			instead("job: previews", `case !p.previewsComplete(c.Colour, p.candidateReplicas()):`, `case false:`),
			instead("job: given up", ` || c.Halted != nil && !job.Done`, ``),
			instead("job: left behind", `!job.Foreign && !job.Leaving && !p.keepsJob(job)`, `false`),
			instead("job: somebody else's is left alone", `!job.Foreign && !job.Leaving && !p.keepsJob(job)`, `!job.Leaving && !p.keepsJob(job)`),
		),
		out("I8", "controllers/jobcheck/job.go", named,
			instead("job: name by content", `r.Check, r.Digest, fmt.Sprint(r.Round)`, `r.Check, fmt.Sprint(r.Round)`),
			instead("job: name by run", `, fmt.Sprint(r.Number)}`, `}`),
			instead("job: name by check", `r.UID, r.Check, r.Digest`, `r.UID, r.Digest`),
			instead("job: address", `now[t.Pod+"="+t.IP] = true`, `now[t.Pod+"="+t.IP], now[t.Pod+"="] = true, true`),
		),
		out("I8", "controllers/jobcheck/template.go", named,
			instead("job: unknown fields", `err == nil && len(strict) > 0`, `err == nil && len(strict) < 0`),
			never("job: size of the template", `n > maxTemplate`),
		),
		out("I8", observed, of("./controllers/observe"),
			instead("job: owner", ` || !metav1.IsControlledBy(j, rel)`, ``),
			instead("job: label", `j.Labels[v1alpha1.ReleaseLabel] != rel.Name || `, ``),
			instead("job: condition", `c.Status == corev1.ConditionTrue && (c.Type == batchv1.JobComplete`, `(c.Type == batchv1.JobComplete`),
			instead("job: read live", `range missing(rel.Status.Checks, jobs.Items)`, `range missing(nil, jobs.Items)`),
		),
		out("I8", acted, of("./controllers/act"),
			instead("job: just the one that was decided about", `(*types.UID)(&d.UID)`, `(*types.UID)(nil)`),
			instead("job: uses copies", `snapshot.Rewrite(&template, s.Config)`, `snapshot.Rewrite(&template, nil)`),
			instead("job: goes with its Release", `OwnerReferences: []metav1.OwnerReference{*metav1.NewControllerRef(rel, v1alpha1.GroupVersion.WithKind("Release"))},`, ``),
			instead("job: ends", `ActiveDeadlineSeconds: &timeout`, `Suspend: new(timeout < 0)`),
		),
		out("I8", spec, of("./controllers/speccheck"),
			instead("job: labels of ours", `problems, pod := labelProblems(at, t), t.Spec`, `problems, pod := []string(nil), t.Spec`),
			never("job: environment of ours", `strings.HasPrefix(e.Name, v1alpha1.EnvPrefix)`),
		),
		out("I1", "controllers/speccheck/images.go", of("./controllers/speccheck"),
			instead("job: images", `for _, j := range jobs(spec) {`, `for _, j := range jobs(spec)[:0] {`),
		),
		out("I1", "controllers/snapshot/sources.go", properly("./controllers/snapshot"),
			instead("job: its ConfigMaps are content", `if c.Job == nil {`, `if true || c.Job == nil {`),
		),
	)
}

// Copyright The Countersign Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import "slices"

// checkGuards make a check that passed mean something, and keep its questions
// and messages within bounds.
func checkGuards() []guard {
	asking := of("./controllers/checks")
	return slices.Concat(
		out("I8", "controllers/checks/count.go", asking,
			never("check: Pods that changed", `!still[target]`),
			instead("check: inconclusive ends successes", `isUnclear(err):
		st.passes = 0`, `isUnclear(err):`),
			instead("check: inconclusive", `return v1alpha1.CheckInconclusive,`, `return v1alpha1.CheckPassed,`),
		),
		out("I8", "controllers/checks/result.go", asking,
			never("check: no data", `len(series) == 0`),
			never("check: many series", `len(series) > 1`),
			never("check: warnings", `len(r.Warnings) > 0`),
			instead("check: not a number", ` || math.IsNaN(value)`, ``),
			instead("check: infinite", ` || math.IsInf(value, 0)`, ``),
			never("check: refused query", `status != http.StatusOK || err == nil && r.Status != "success"`),
		),
		out("I8", "controllers/checks/http.go", asking,
			instead("check: redirects", `return http.ErrUseLastResponse`, `return nil`),
			instead("check: kept connections", `DisableKeepAlives: true, `, ``),
			instead("check: long answers", `io.LimitReader(resp.Body, bodyLimit)`, `resp.Body`),
			instead("check: long heads", `MaxResponseHeaderBytes: headLimit,`, ``),
		),
		out("I8", "controllers/checks/services.go", asking,
			instead("check: headless", ` || !ip.IsValid()`, ``),
			instead("check: external name", `svc.Spec.Type == corev1.ServiceTypeExternalName || `, ``),
		),
		out("I8", "controllers/checks/authorities.go", asking,
			instead("check: certificate", `config.RootCAs = pool`, `config.RootCAs, config.InsecureSkipVerify = pool, true`),
			instead("check: either", `case c.CA == nil && c.InsecureSkipVerify:`, `case c.CA == nil:`),
		),
		out("I8", "controllers/checks/grpc.go", asking,
			instead("check: only serving", `answer.Status != grpc_health_v1.HealthCheckResponse_SERVING`, `answer.Status == grpc_health_v1.HealthCheckResponse_NOT_SERVING`),
		),
		out("I8", "controllers/rollout/checks.go", deciding,
			never("check: all Pods known", `int64(len(known)) < int64(atLeast)`),
		),
		jobGuards(),
	)
}

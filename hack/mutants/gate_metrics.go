// Copyright The Countersign Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import "slices"

// metricsGuards keep metrics, which name Releases of all tenants, from others, and
// their number within bounds.
func metricsGuards() []guard {
	return slices.Concat(
		out("-", "main_operator.go", of("."),
			instead("metrics: who asks", "o.SecureServing, o.FilterProvider = true, filters.WithAuthenticationAndAuthorization", "o.SecureServing, _ = true, filters.WithAuthenticationAndAuthorization"),
			instead("metrics: TLS", "o.SecureServing, o.FilterProvider = true,", "o.SecureServing, o.FilterProvider = false,"),
		),
		out("-", "controllers/telemetry/metrics.go", of("./controllers/telemetry"),
			instead("metrics: one phase", "		hide(name, was)\n", ""),
			instead("metrics: a Release that is gone", "	hide(name, t.shown[name])\n	delete(t.shown, name)\n", ""),
		),
		out("-", reconciler, of("./controllers"),
			instead("metrics: told that it is gone", "				r.Teller.Gone(req.NamespacedName)\n", ""),
		),
		out("-", "controllers/admission/metrics.go", of("./controllers/admission"),
			instead("metrics: operations that there are", `	operation := "other"`, `	operation := string(req.Operation)`),
		),
		out("-", "controllers/selftest/selftest.go", of("./controllers/selftest"),
			instead("metrics: frozen", "	frozen.Set(oneIf(!now.Intact))\n", ""),
		),
	)
}

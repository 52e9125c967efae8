// Copyright The Countersign Authors.
// SPDX-License-Identifier: Apache-2.0

package main

// metricsGuards keep metrics, which name Releases of all tenants, from others.
func metricsGuards() []guard {
	return out("-", "main_operator.go", of("."),
		instead("metrics: who asks", "o.SecureServing, o.FilterProvider = true, filters.WithAuthenticationAndAuthorization", "o.SecureServing, _ = true, filters.WithAuthenticationAndAuthorization"),
		instead("metrics: TLS", "o.SecureServing, o.FilterProvider = true,", "o.SecureServing, o.FilterProvider = false,"),
	)
}

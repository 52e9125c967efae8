// Copyright The Countersign Authors.
// SPDX-License-Identifier: Apache-2.0

// Package observability tests the alerts and the dashboard of config/observability
// with Prometheus' own packages. It is a module of its own, because nothing else
// here needs Prometheus.
package observability

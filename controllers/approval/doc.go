// Copyright The Countersign Authors.
// SPDX-License-Identifier: Apache-2.0

// Package approval decides whether a candidate may be let through: policies,
// votes, authors and the time go in, a verdict with an explanation for every
// vote comes out. It is the only place where this is decided; admission, the
// reconciler and the plugin call it.
//
// It is pure: it reads no clock and no object, and the same input gives the same
// verdict in whatever order policies, rules and votes are given. The zero
// Verdict approves nothing, and nothing that is empty or missing opens the gate.
package approval

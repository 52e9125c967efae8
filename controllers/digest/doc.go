// Copyright The Countersign Authors.
// SPDX-License-Identifier: Apache-2.0

// Package digest computes what an approval covers: the canonical form (RFC 8785)
// of everything that a candidate is made of and judged by, and its SHA-256.
//
// It is pure, and what it covers is the whole of its input but for this list:
//
//   - spec.replicas, spec.previewReplicas, spec.disruptionBudget, spec.revisionHistoryLimit
//     and spec.paused, which may change at any time;
//   - spec.template in Of, because the template that the API server defaulted is
//     covered in its place;
//   - the operator's own labels on the template, which differ by colour:
//     countersign.dev/release, countersign.dev/colour, countersign.dev/revision;
//   - the annotation countersign.dev/restarts on the template, if it is a number: it
//     grows when the Pods are made anew as what they are;
//   - the nodePort of a Service's ports, which the API server picks.
//
// A field that is added to the API is covered without a change here; a test walks
// every field of every type and keeps the list true.
package digest

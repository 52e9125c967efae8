// Copyright The Countersign Authors.
// SPDX-License-Identifier: Apache-2.0

// Package celcost measures what the policies on Releases cost the API server, by
// the evaluator that the API server itself uses. It is a module of its own,
// because nothing else here needs that code.
package celcost

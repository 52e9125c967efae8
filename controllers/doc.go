// Copyright The Countersign Authors.
// SPDX-License-Identifier: Apache-2.0

// Package controllers brings Releases along.
//
//	observe (reads) -> rollout.Decide (pure) -> commit (one fenced status write)
//	                -> act (writes) -> tell (events, metrics)
//
//	approval   PURE  policies x votes x authors x time -> verdict, explained
//	digest     PURE  what an approval covers, as one hash
//	rollout    PURE  snapshot -> decision
//	receipt          signed statements of admission, and what they prove
//	speccheck  PURE  what a spec must not contradict, one rule for all
//	observe          reads the world into a snapshot
//	act              carries actions out
//	checks           runs the checks of Releases
//	admission        the webhook that stamps authors and receipts
//	telemetry        events and metrics
//
// One promotion, seen from the Services:
//
//	spec edited   candidate        votes            commit   patch    settled
//	    |         in idle colour     |  |              |       |         |
//	----+-------------+--------------+--+--------------+-------+---------+----> time
//	    blue serves ......................................... | green serves
//	                                                   ^ epoch+1 recorded first
package controllers

// Copyright The Countersign Authors.
// SPDX-License-Identifier: Apache-2.0

// Package sim plays the operator against a model of a cluster, seed by seed, and
// judges every write by what must always hold (I1 to I17).
//
// The reconciler, the webhook, the receipts and the checks' bookkeeping are the
// real ones. The API server, with resource versions, conflicts, the status
// subresource, finalizers and the admission policies, the controllers of
// Kubernetes, the Pods and the people are models. Each instance of the operator
// has caches that lag, kind by kind, and its reconciliation is a coroutine: it
// stands still between two calls for as long as the seed likes, while others
// vote, edit, lead, crash or delete.
//
// The oracle keeps books of its own from who asked for what. It uses none of
// the code that it judges. At the end of each seed all is calm: the world has to
// come to rest, good content that people approve has to get there, content that
// falls sick has to be gone back from, and then nothing may be written.
//
//	go test ./controllers/internal/sim -run TestSeeds -count=1 -v -args -seeds=2000
//	go test ./controllers/internal/sim -run TestReplay -count=1 -v -args -seed=17
//
// The first ends with a line like "seeds=2000 steps=900000 violations=0". A seed
// that fails prints the invariant and the last writes; the second command plays
// it again and prints all of it. A seed depends on the model as well as on its
// number: one that found a fault is kept in the list of TestBadSeeds, and the
// fault in a test of the package that had it.
//
// That the silence means something is shown by taking guards away:
//
//	go run ./hack/mutants -set sim                # every guard
//	go run ./hack/mutants -set sim -only fence    # one
//
// A guard is a line in hack/mutants; the work tree is not touched. To see by hand
// what one of them is good for, take it out, run the first command with -stop,
// and put it back.
package sim

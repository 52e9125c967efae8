// Copyright The Countersign Authors.
// SPDX-License-Identifier: Apache-2.0

package checks

import (
	"context"
	"maps"
	"sync"
	"time"
)

// readWithin is how long a read from the API server may take, and knownFor how
// long what it gave is used, so that checks that run often do not read as often.
const (
	readWithin = 5 * time.Second
	knownFor   = time.Minute
)

// recent keeps what was read a short time ago.
type recent[K comparable, V any] struct {
	mu    sync.Mutex
	known map[K]reading[V]
}

type reading[V any] struct {
	value V
	at    time.Time
}

// get a value, by read when it is not known. An error is not kept.
func (r *recent[K, V]) get(ctx context.Context, key K, read func(context.Context) (V, error)) (V, error) {
	now := time.Now()
	r.mu.Lock()
	maps.DeleteFunc(r.known, func(_ K, had reading[V]) bool { return now.Sub(had.at) >= knownFor })
	had, is := r.known[key]
	r.mu.Unlock()
	if is {
		return had.value, nil
	}
	ctx, cancel := context.WithTimeout(ctx, readWithin)
	defer cancel()
	value, err := read(ctx)
	if err != nil {
		return value, err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.known == nil {
		r.known = map[K]reading[V]{}
	}
	r.known[key] = reading[V]{value, now}
	return value, nil
}

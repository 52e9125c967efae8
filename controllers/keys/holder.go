// Copyright The Countersign Authors.
// SPDX-License-Identifier: Apache-2.0

package keys

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"sync"
	"time"

	"github.com/countersign/countersign/controllers/receipt"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/log"
)

const (
	// look is how often the keys are read: a rotation is taken up that soon.
	look = 5 * time.Second
	// retry is how soon they are read while something is wrong.
	retry = time.Second
)

// Holder keeps a webhook's signer at the current key, and its verifier at those
// that are trusted. It is a Runnable for the manager.
type Holder struct {
	// Reader reads from the API server.
	Reader client.Reader
	// Namespace of the keys.
	Namespace string
	// Signer and Verifier are kept.
	Signer   *receipt.Signer
	Verifier *receipt.Verifier
	// Now is the clock.
	Now func() time.Time

	mu     sync.Mutex
	loaded bool
	fault  error
}

// NeedLeaderElection is false: every replica signs.
func (h *Holder) NeedLeaderElection() bool { return false }

// Start keeps them until ctx is done. A failure is told by Check and tried again;
// what was loaded before is used until then.
func (h *Holder) Start(ctx context.Context) error {
	every(ctx, func() time.Duration {
		err := h.Refresh(ctx)
		if err != nil && ctx.Err() == nil {
			log.FromContext(ctx).Error(err, "Could not take up the keys of receipts")
		}
		return pause(err, look)
	})
	return nil
}

// Refresh reads the keys.
func (h *Holder) Refresh(ctx context.Context) error {
	err := h.refresh(ctx)
	h.mu.Lock()
	defer h.mu.Unlock()
	h.fault = err
	h.loaded = h.loaded || err == nil
	return err
}

func (h *Holder) refresh(ctx context.Context) error {
	set, _, err := read(ctx, h.Reader, h.Namespace)
	if err != nil {
		return err
	}
	keys := set.Receipts(h.Now())
	h.Verifier.Use(keys)
	current := set.Current()
	if public := h.Signer.Public(); public != nil && receipt.KeyID(public) == current.ID {
		return nil
	}
	private, err := readPrivate(ctx, h.Reader, h.Namespace, current.Slot)
	if err != nil {
		return err
	}
	if err := proves(ctx, private, keys.Trusted[:1]...); err != nil {
		return fmt.Errorf("Secret %s is not of the current key %s: %w", secretKey(h.Namespace, current.Slot), current.ID, err)
	}
	h.Signer.Use(private)
	return nil
}

// Check is a health check: it fails while votes could not be signed so that the
// operator trusts them.
func (h *Holder) Check(*http.Request) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	switch {
	case h.fault != nil:
		return h.fault
	case !h.loaded:
		return errors.New("the keys of receipts are not loaded yet")
	}
	return nil
}

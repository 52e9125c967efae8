// Copyright The Countersign Authors.
// SPDX-License-Identifier: Apache-2.0

package receipt

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// Payload types of the receipts of an emergency.
const (
	BreakGlassPayloadType = "application/vnd.countersign.break-glass.v1+json"
	ReviewPayloadType     = "application/vnd.countersign.review.v1+json"
)

// Claim is what the statements of an emergency have in common: who said it, of
// which content of which Release, and when.
type Claim struct {
	// Cluster is the id of the cluster; Namespace, Name and UID are the Release's.
	Cluster   string `json:"cluster"`
	Namespace string `json:"namespace"`
	Name      string `json:"name"`
	UID       string `json:"uid"`
	// Slot of the statement: the part of the annotation's key after the slash.
	Slot string `json:"slot"`
	// Digest of the content.
	Digest string `json:"digest"`
	// User who said it, as the API server authenticated them.
	User string `json:"user"`
	// Groups of the user that the policies named at that time.
	Groups []string `json:"groups,omitempty"`
	// At is when the request was admitted, in UTC, in whole seconds.
	At time.Time `json:"at"`
	// Nonce is the uid of the admission request.
	Nonce string `json:"nonce"`
	// DryRun is true when the request changed nothing: it never counts.
	DryRun bool `json:"dryRun,omitempty"`
}

// BreakGlass says that a user let a content through in an emergency.
type BreakGlass struct {
	Claim
	// Ticket of the emergency and the reason that the user gave.
	Ticket string `json:"ticket"`
	Reason string `json:"reason"`
}

// Review says that a user has looked at a use of break-glass.
type Review struct {
	Claim
	// Permitted are the IDs of the rules under which RBAC let the user approve at
	// that time. If there are any, Groups are all groups of the user.
	Permitted []string `json:"permitted,omitempty"`
}

func (c Claim) canonical() Claim {
	c.At, c.Groups = seconds(c.At), sorted(c.Groups)
	return c
}

func (b BreakGlass) canonical() BreakGlass {
	b.Claim = b.Claim.canonical()
	return b
}

func (r Review) canonical() Review {
	r.Claim, r.Permitted = r.Claim.canonical(), sorted(r.Permitted)
	return r
}

func (c Claim) check() error {
	if err := complete(map[string]string{"cluster": c.Cluster, "namespace": c.Namespace, "name": c.Name,
		"uid": c.UID, "slot": c.Slot, "digest": c.Digest, "nonce": c.Nonce}); err != nil {
		return err
	}
	if !SafeUser(c.User) {
		return errors.New("user is missing or has characters that cannot be put on record")
	}
	return nil
}

func (b BreakGlass) check() error {
	if err := complete(map[string]string{"ticket": b.Ticket, "reason": b.Reason}); err != nil {
		return err
	}
	return b.Claim.check()
}

// SignBreakGlass is the envelope that proves b.
func (s *Signer) SignBreakGlass(ctx context.Context, b BreakGlass) (string, error) {
	b = b.canonical()
	if err := b.check(); err != nil {
		return "", fmt.Errorf("sign break-glass: %w", err)
	}
	return s.sign(ctx, BreakGlassPayloadType, b)
}

// SignReview is the envelope that proves r.
func (s *Signer) SignReview(ctx context.Context, r Review) (string, error) {
	r = r.canonical()
	if err := r.check(); err != nil {
		return "", fmt.Errorf("sign review: %w", err)
	}
	return s.sign(ctx, ReviewPayloadType, r)
}

// BreakGlass is what the envelope of a break-glass proves.
func (v *Verifier) BreakGlass(envelope string) (BreakGlass, error) {
	payload, err := v.open(BreakGlassPayloadType, envelope)
	if err != nil {
		return BreakGlass{}, err
	}
	var b BreakGlass
	if err := decode(payload, &b); err != nil {
		return BreakGlass{}, err
	}
	if err := same(payload, b.canonical()); err != nil {
		return BreakGlass{}, err
	}
	return b, b.check()
}

// Review is what the envelope of a review proves.
func (v *Verifier) Review(envelope string) (Review, error) {
	payload, err := v.open(ReviewPayloadType, envelope)
	if err != nil {
		return Review{}, err
	}
	var r Review
	if err := decode(payload, &r); err != nil {
		return Review{}, err
	}
	if err := same(payload, r.canonical()); err != nil {
		return Review{}, err
	}
	return r, r.check()
}

// Copyright The Countersign Authors.
// SPDX-License-Identifier: Apache-2.0

package receipt

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/countersign/countersign/api/v1alpha1"
	"github.com/countersign/countersign/controllers/approval"
)

// MaxEmergencySlots is how many slots a Release can have for break-glass, and
// how many for reviews.
const MaxEmergencySlots = 8

// Glasses are the uses of break-glass that a Release holds, sorted by slot. One
// that its receipt does not prove says so in Invalid and names nobody.
func Glasses(rel *v1alpha1.Release, cluster string, v *Verifier) (glasses []approval.Glass) {
	for _, slot := range emergencySlots(rel, v1alpha1.GlassPrefix) {
		g := approval.Glass{Slot: slot}
		said, err := approval.ParseGlass(rel.Annotations[v1alpha1.GlassPrefix+slot])
		if err == nil {
			g.Digest, g.Ticket, g.Reason = said.Digest, said.Ticket, said.Reason
			var got Claim
			if got, err = provenGlass(rel, cluster, g, v); err == nil {
				g.User, g.Groups, g.At = got.User, got.Groups, got.At
			}
		}
		if err != nil {
			g.Invalid = err.Error()
		}
		glasses = append(glasses, g)
	}
	return glasses
}

// Reviews are the reviews that a Release holds, sorted by slot. One that its
// receipt does not prove says so in Invalid and names nobody.
func Reviews(rel *v1alpha1.Release, cluster string, v *Verifier) (reviews []approval.Review) {
	for _, slot := range emergencySlots(rel, v1alpha1.ReviewPrefix) {
		r := approval.Review{Slot: slot, Digest: rel.Annotations[v1alpha1.ReviewPrefix+slot]}
		got, err := provenReview(rel, cluster, r, v)
		if err != nil {
			r.Invalid = err.Error()
		} else {
			r.User, r.Groups, r.At, r.Permitted = got.User, got.Groups, got.At, got.Permitted
		}
		reviews = append(reviews, r)
	}
	return reviews
}

// emergencySlots are no more than there can be: whatever is beyond was written
// past admission.
func emergencySlots(rel *v1alpha1.Release, prefix string) (slots []string) {
	for _, key := range slices.Sorted(maps.Keys(rel.Annotations)) {
		if slot, ok := strings.CutPrefix(key, prefix); ok && len(slots) < MaxEmergencySlots {
			slots = append(slots, slot)
		}
	}
	return slots
}

func provenGlass(rel *v1alpha1.Release, cluster string, g approval.Glass, v *Verifier) (Claim, error) {
	user, envelope, err := envelopeOf(rel, v1alpha1.GlassReceiptPrefix+g.Slot, g.Digest)
	if err != nil {
		return Claim{}, err
	}
	got, err := v.BreakGlass(envelope)
	switch {
	case err != nil:
		return Claim{}, fmt.Errorf("the receipt is not valid: %w", err)
	case got.Ticket != g.Ticket:
		return Claim{}, errors.New("the receipt is of another ticket")
	case got.Reason != g.Reason:
		return Claim{}, errors.New("the receipt is of another reason")
	}
	return got.Claim, got.of(rel, cluster, g.Slot, g.Digest, user)
}

func provenReview(rel *v1alpha1.Release, cluster string, r approval.Review, v *Verifier) (Review, error) {
	user, envelope, err := envelopeOf(rel, v1alpha1.ReviewReceiptPrefix+r.Slot, r.Digest)
	if err != nil {
		return Review{}, err
	}
	got, err := v.Review(envelope)
	if err != nil {
		return Review{}, fmt.Errorf("the receipt is not valid: %w", err)
	}
	return got, got.of(rel, cluster, r.Slot, r.Digest, user)
}

// envelopeOf reads the annotation that holds a receipt, and the user whom it
// names in a form that the admission policies can read.
func envelopeOf(rel *v1alpha1.Release, key, digest string) (user, envelope string, err error) {
	text, ok := rel.Annotations[key]
	if !ok {
		return "", "", errors.New("it has no receipt, so it did not come through admission")
	}
	annotation, err := ParseVoteAnnotation(text)
	if err != nil {
		return "", "", err
	}
	if annotation.Value != digest {
		return "", "", errors.New("the receipt is of another digest")
	}
	return annotation.User, annotation.Envelope, nil
}

// of tells whether a claim is about just this.
func (c Claim) of(rel *v1alpha1.Release, cluster, slot, digest, user string) error {
	object := identity{cluster, rel.Namespace, rel.Name, string(rel.UID)}
	was := identity{c.Cluster, c.Namespace, c.Name, c.UID}
	switch {
	case object != was:
		return fmt.Errorf("the receipt is of another Release: %s", object.difference(was))
	case c.Slot != slot:
		return fmt.Errorf("the receipt is of slot %s", c.Slot)
	case c.Digest != digest:
		return errors.New("the receipt is of another digest")
	case c.User != user:
		return errors.New("the receipt names another user than its envelope")
	case c.DryRun:
		return errors.New("the receipt is of a dry run")
	}
	return nil
}

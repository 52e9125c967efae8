// Copyright The Countersign Authors.
// SPDX-License-Identifier: Apache-2.0

package admission

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/countersign/countersign/api/v1alpha1"
	"github.com/countersign/countersign/controllers/approval"
	"github.com/countersign/countersign/controllers/receipt"
)

// emergency is one of the two kinds of statement about an emergency: that
// somebody breaks the glass, and that somebody else has looked at it.
type emergency struct {
	// prefix of its annotations, and of their receipts.
	prefix, receipts string
	// does is what whoever makes it does, for people.
	does string
	// usage is what to write after the slot.
	usage func(*review) string
	// sign judges a value and signs it. digest is the content that it is about.
	sign func(ctx context.Context, r *review, slot, value string) (digest, envelope string, err error)
}

func (w *Webhook) emergencies() []emergency {
	return []emergency{
		{v1alpha1.GlassPrefix, v1alpha1.GlassReceiptPrefix, "break the glass", (*review).glassUsage, w.signGlass},
		{v1alpha1.ReviewPrefix, v1alpha1.ReviewReceiptPrefix, "review a break-glass", (*review).reviewUsage, w.signReview},
	}
}

// stampEmergencies signs the one statement that a request may make or take back,
// and puts back what it has no business to take away. It comes after stampVote.
func (w *Webhook) stampEmergencies(ctx context.Context, r *review) error {
	for _, e := range w.emergencies() {
		if r.creating() {
			if len(r.changed(e.prefix))+len(r.changed(e.receipts)) > 0 {
				return refuse("AtCreation", "a Release cannot be created with annotations %s* or %s* in it; take them out of the manifest", e.prefix, e.receipts)
			}
			continue
		}
		swept := func(slot string) bool { return w.swept(r, e.prefix, e.receipts, slot, approval.Emergencies) }
		made, taken := r.statements(e, swept)
		stated := append(slices.Clone(made), taken...)
		if err := r.keepEmergencyReceipts(e, func(slot string) bool { return slices.Contains(stated, slot) || swept(slot) }); err != nil {
			return err
		}
		if r.stated += len(made) + len(taken); len(made)+len(taken) > 0 && r.stated > 1 {
			return refuse("OneVote", "one request can vote, break the glass or review a break-glass once, and this one does so %d times; send each with a kubectl annotate of its own", r.stated)
		}
		for _, slot := range taken {
			delete(r.annotations, e.receipts+slot)
		}
		for _, slot := range made {
			if err := w.state(ctx, r, e, slot); err != nil {
				return err
			}
		}
	}
	return nil
}

// statements sorts the slots that change. What is left out counts as taken back
// only when its owner leaves it out and nothing else, as with a vote, or when
// nobody owns it.
func (r *review) statements(e emergency, swept func(string) bool) (made, taken []string) {
	for _, slot := range r.changed(e.prefix) {
		key := e.prefix + slot
		owner := r.ownerIn(e.receipts, slot)
		switch {
		case !r.dropped(key):
			made = append(made, slot)
		case owner == "" || swept(slot):
		case owner == r.user && !r.specChanged && r.isPerson():
			taken = append(taken, slot)
		default:
			r.restore(key)
			r.warn("annotation %s was kept: only %s can take it away, with %s", key, owner, r.annotate(key+"-"))
		}
	}
	return made, taken
}

// keepEmergencyReceipts is keepReceipts for the other kinds.
func (r *review) keepEmergencyReceipts(e emergency, mayChange func(slot string) bool) error {
	for _, slot := range r.changed(e.receipts) {
		key := e.receipts + slot
		switch {
		case mayChange(slot):
		case r.dropped(key):
			r.restore(key)
			r.warn("receipt %s is written by admission only and was kept", key)
		default:
			return refuse("Receipt", "receipts are written by admission only; leave %s as it is, and %s with %s",
				key, e.does, r.annotate(e.prefix+r.slotForIn(e.receipts)+"="+e.usage(r)))
		}
	}
	return nil
}

// state makes one statement.
func (w *Webhook) state(ctx context.Context, r *review, e emergency, slot string) error {
	command := r.annotate(e.prefix + r.slotForIn(e.receipts) + "=" + e.usage(r))
	if r.specChanged {
		return refuse("WithChange", "nobody can %s together with a change of the spec; apply the change first, then: %s", e.does, command)
	}
	if err := r.checkPersonTo(e.does, command); err != nil {
		return err
	}
	if owner := r.ownerIn(e.receipts, slot); owner != "" && owner != r.user {
		return refuse("Slot", "slot %s belongs to %s; use your own: %s", slot, owner, command)
	}
	taken := 0
	for key := range r.was.Annotations {
		if other, ok := strings.CutPrefix(key, e.receipts); ok && other != slot {
			taken++
		}
	}
	if taken >= receipt.MaxEmergencySlots {
		return refuse("TooManySlots", "all %d slots to %s are taken; somebody who has one has to use it or take it away: kubectl get release %s -n %s -o yaml",
			receipt.MaxEmergencySlots, e.does, r.now.Name, r.now.Namespace)
	}
	digest, envelope, err := e.sign(ctx, r, slot, r.now.Annotations[e.prefix+slot])
	if err != nil {
		return err
	}
	r.annotations[e.receipts+slot] = receipt.FormatVote(r.user, digest, envelope)
	return nil
}

// claim is what every statement says.
func (w *Webhook) claim(r *review, slot, digest string, groups []string) receipt.Claim {
	return receipt.Claim{
		Cluster: w.Cluster, Namespace: r.was.Namespace, Name: r.was.Name, UID: string(r.was.UID), Slot: slot, Digest: digest,
		User: r.user, Groups: groups, At: w.Now(), Nonce: string(r.req.UID), DryRun: r.dryRun(),
	}
}

func (r *review) glassUsage() string {
	return fmt.Sprintf("%q", orPlaceholder(r.candidate())+";TICKET;REASON")
}

func (r *review) reviewUsage() string {
	if r.was == nil || len(r.was.Status.Reviews) == 0 {
		return "DIGEST"
	}
	return r.was.Status.Reviews[0].Digest
}

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

// stampVote signs the one vote that a request may cast or withdraw, and puts
// back what it has no business to take away.
func (w *Webhook) stampVote(ctx context.Context, r *review) error {
	if r.creating() {
		return r.refuseVotesAtCreation()
	}
	r.swept = slices.DeleteFunc(r.changed(v1alpha1.ReceiptPrefix), func(slot string) bool {
		return !w.swept(r, v1alpha1.VotePrefix, v1alpha1.ReceiptPrefix, slot, approval.Contents)
	})
	cast, withdrawn := r.votes()
	r.stated = len(cast) + len(withdrawn)
	if err := r.keepReceipts(append(slices.Clone(cast), withdrawn...)); err != nil {
		return err
	}
	switch {
	case len(cast)+len(withdrawn) == 0:
		return nil
	case len(cast)+len(withdrawn) > 1:
		return refuse("OneVote", "one request can cast or withdraw one vote, and this one has %d (%s); send each with a kubectl annotate of its own",
			len(cast)+len(withdrawn), strings.Join(append(cast, withdrawn...), ", "))
	case len(withdrawn) == 1:
		return w.withdraw(ctx, r, withdrawn[0])
	}
	return w.cast(ctx, r, cast[0])
}

func (r *review) refuseVotesAtCreation() error {
	for _, prefix := range []string{v1alpha1.VotePrefix, v1alpha1.ReceiptPrefix} {
		if len(r.changed(prefix)) > 0 {
			return refuse("AtCreation", "a Release cannot be created with votes or receipts in it; take the annotations %s* out of the manifest, apply it, and vote on what the operator then shows", prefix)
		}
	}
	return nil
}

// votes sorts the slots whose vote changes. A vote that is left out counts as
// withdrawn only when its owner leaves it out and nothing else: a sync from Git
// that does not know the annotation must neither fail nor lose it. One that has no
// receipt counts for nothing: whoever leaves it out takes it away.
func (r *review) votes() (cast, withdrawn []string) {
	for _, slot := range r.changed(v1alpha1.VotePrefix) {
		key := v1alpha1.VotePrefix + slot
		owner := r.owner(slot)
		switch {
		case !r.dropped(key):
			cast = append(cast, slot)
		case owner == "" || slices.Contains(r.swept, slot):
		case !r.specChanged && owner == r.user:
			withdrawn = append(withdrawn, slot)
		default:
			r.restore(key)
			r.warn("the vote in slot %s was kept: %s", slot, r.whoWithdraws(slot, owner))
		}
	}
	return cast, withdrawn
}

func (r *review) whoWithdraws(slot, owner string) string {
	command := r.annotate(v1alpha1.VotePrefix + slot + "-")
	switch owner {
	case nobody:
		return "its receipt names nobody, so nobody can withdraw it, and it counts for nothing"
	case r.user:
		return "it cannot be withdrawn together with a change of the spec, only with " + command
	}
	return fmt.Sprintf("only %s can withdraw it, with %s", owner, command)
}

// keepReceipts puts receipts back that were left out and refuses those that
// were made up. The receipts of the slots that are voted in are ours to write.
func (r *review) keepReceipts(voted []string) error {
	for _, slot := range r.changed(v1alpha1.ReceiptPrefix) {
		key := v1alpha1.ReceiptPrefix + slot
		switch {
		case slices.Contains(voted, slot) || slices.Contains(r.swept, slot):
		case r.dropped(key):
			r.restore(key)
			r.warn("receipt %s is written by admission only and was kept", key)
		default:
			return refuse("Receipt", "receipts are written by admission only; leave %s as it is, and vote with %s",
				key, r.annotate(v1alpha1.VotePrefix+r.slotFor()+"="+orPlaceholder(r.candidate())))
		}
	}
	return nil
}

func (w *Webhook) withdraw(ctx context.Context, r *review, slot string) error {
	if err := r.checkPerson(); err != nil {
		return err
	}
	return w.sign(ctx, r, slot, receipt.Withdrawn, receipt.Vote{Decision: receipt.Withdrawn})
}

func (w *Webhook) cast(ctx context.Context, r *review, slot string) error {
	if r.specChanged {
		return refuse("WithChange", "a vote cannot be cast together with a change of the spec; apply the change first, then vote on the digest that this shows: kubectl get release %s -n %s -o wide",
			r.now.Name, r.now.Namespace)
	}
	value := r.now.Annotations[v1alpha1.VotePrefix+slot]
	if err := r.checkPerson(); err != nil {
		return err
	}
	if err := r.checkSlot(slot, value); err != nil {
		return err
	}
	decision, digest, err := r.checkDigest(slot, value)
	if err != nil {
		return err
	}
	policies, err := w.policies(ctx, r)
	if err != nil {
		return err
	}
	vote := approval.Vote{
		Slot: slot, Decision: decision, Digest: digest, User: r.user, At: w.Now(),
		Groups: intersection(r.req.UserInfo.Groups, approval.GroupsNamed(policies)),
	}
	permitted, groups, err := w.permitted(ctx, r, policies)
	if err != nil {
		return err
	}
	if vote.Permitted = permitted; len(permitted) > 0 {
		vote.Groups = groups
	}
	if err := w.checkEligible(r, policies, vote); err != nil {
		return err
	}
	return w.sign(ctx, r, slot, value, receipt.Vote{Digest: digest, Decision: string(decision), Groups: vote.Groups, Permitted: vote.Permitted})
}

// sign completes a statement and stamps it.
func (w *Webhook) sign(ctx context.Context, r *review, slot, value string, v receipt.Vote) error {
	v.Cluster, v.Namespace, v.Name, v.UID = w.Cluster, r.was.Namespace, r.was.Name, string(r.was.UID)
	v.Slot, v.User, v.At = slot, r.user, w.Now()
	v.Nonce, v.DryRun = string(r.req.UID), r.dryRun()
	envelope, err := w.Signer.SignVote(ctx, v)
	if err != nil {
		return fmt.Errorf("slot %s: %w", slot, err)
	}
	r.annotations[v1alpha1.ReceiptPrefix+slot] = receipt.FormatVote(r.user, value, envelope)
	return nil
}

func intersection(a, b []string) (both []string) {
	for _, s := range a {
		if slices.Contains(b, s) {
			both = append(both, s)
		}
	}
	return both
}

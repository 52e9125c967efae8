// Copyright The Countersign Authors.
// SPDX-License-Identifier: Apache-2.0

package admission

import (
	"cmp"
	"context"
	"regexp"
	"slices"

	"github.com/countersign/countersign/api/v1alpha1"
	"github.com/countersign/countersign/controllers/receipt"
)

// unprintable is what a comment must not hold: it is shown in terminals and
// logs, where these characters can hide or forge text.
var unprintable = regexp.MustCompile(`[\p{Cc}\p{Zl}\p{Zp}\x{202A}-\x{202E}\x{2066}-\x{2069}]`)

// keepComments lets only the owner of a slot write the comment in it. It comes
// after stampVote, so that a vote and its comment can come in one request. Like
// the vote, a comment comes from a person with credentials of their own.
func (w *Webhook) keepComments(_ context.Context, r *review) error {
	for _, slot := range r.changed(v1alpha1.CommentPrefix) {
		key := v1alpha1.CommentPrefix + slot
		text, has := r.annotations[v1alpha1.ReceiptPrefix+slot]
		owner := ownerOf(text, has)
		comment := r.now.Annotations[key]
		switch {
		case r.creating():
			return refuse("AtCreation", "a Release cannot be created with comments in it; take the annotations %s* out of the manifest", v1alpha1.CommentPrefix)
		case r.dropped(key) && slices.Contains(r.swept, slot):
		case r.dropped(key) && (owner != r.user || r.checkPerson() != nil):
			r.restore(key)
			r.warn("the comment in slot %s was kept: only %s can remove it, with credentials of their own", slot, cmp.Or(owner, nobody))
		case r.dropped(key):
		case owner == "":
			return refuse("Comment", "comment %s is beside no vote; comment in the slot that you voted in", key)
		case owner != r.user:
			return refuse("Comment", "slot %s belongs to %s; comment in the slot that you voted in: %s",
				slot, owner, r.annotate(v1alpha1.CommentPrefix+r.slotFor()+"=\"...\""))
		case r.checkPerson() != nil:
			return r.checkPerson()
		case len(comment) > receipt.MaxComment:
			return refuse("Comment", "the comment has %d bytes and can have %d; write it shorter", len(comment), receipt.MaxComment)
		case unprintable.MatchString(comment):
			return refuse("Comment", "the comment holds control characters or line breaks; write it in one line")
		}
	}
	return nil
}

// Copyright The Countersign Authors.
// SPDX-License-Identifier: Apache-2.0

package admission

import (
	"slices"
	"strings"

	"github.com/countersign/countersign/api/v1alpha1"
	"github.com/countersign/countersign/controllers/approval"
	"github.com/countersign/countersign/controllers/receipt"
	authenticationv1 "k8s.io/api/authentication/v1"
)

// credentialID names the credential that a request was authenticated by. The
// API server leaves it out for a user who is impersonated.
const credentialID = "authentication.kubernetes.io/credential-id"

func isBot(user string) bool { return strings.HasPrefix(user, "system:") }

// checkPerson refuses whoever cannot be a person with credentials of their own.
func (r *review) checkPerson() error {
	return r.checkPersonTo("vote", r.annotate(v1alpha1.VotePrefix+"my-name="+orPlaceholder(r.candidate())))
}

func (r *review) isPerson() bool { return r.checkPerson() == nil }

func (r *review) checkPersonTo(do, command string) error {
	switch {
	case isBot(r.user):
		return refuse("Bot", "user %s is not a person and cannot %s; a person that the policy names has to run: %s", r.user, do, command)
	case !ownToken(r.req.UserInfo):
		return refuse("Credential", "user %s did not show a token of their own; %s with your own credentials: kubectl --as and client certificates cannot %s", r.user, do, do)
	case !receipt.SafeUser(r.user):
		return refuse("Username", "username %q has characters that cannot be put on record (letters, digits and @._:/#+=- can); ask the platform team for an account whose name has no others", r.user)
	}
	return nil
}

func ownToken(user authenticationv1.UserInfo) bool {
	return slices.ContainsFunc(user.Extra[credentialID], func(id string) bool { return strings.HasPrefix(id, "JTI=") })
}

// checkSlot refuses a slot that is somebody else's, a second one, and one too many.
func (r *review) checkSlot(slot, value string) error {
	if _, _, err := approval.ParseVote(value); err != nil {
		value = orPlaceholder(r.candidate())
	}
	if owner := r.owner(slot); owner != "" && owner != r.user {
		return refuse("Slot", "slot %s belongs to %s; use your own: %s",
			slot, owner, r.annotate(v1alpha1.VotePrefix+r.slotFor()+"="+value))
	}
	if other, owns := r.slotOf(r.user, slot); owns {
		return refuse("SecondSlot", "you have slot %s on this Release, and each person has one; vote in it: %s",
			other, r.annotate(v1alpha1.VotePrefix+other+"="+value))
	}
	taken := 0
	for key := range r.was.Annotations {
		if other, ok := strings.CutPrefix(key, v1alpha1.ReceiptPrefix); ok && other != slot {
			taken++
		}
	}
	if taken >= receipt.MaxSlots {
		return refuse("TooManySlots", "all %d slots for votes are taken; somebody who has a slot has to vote", receipt.MaxSlots)
	}
	return nil
}

// slotFor suggests a slot to the user: the one they have, or one named after them.
func (r *review) slotFor() string { return r.slotForIn(v1alpha1.ReceiptPrefix) }

func (r *review) slotForIn(receipts string) string {
	if slot, owns := r.slotOfIn(receipts, r.user, ""); owns {
		return slot
	}
	return approval.Slot(r.user, func(slot string) bool { return r.ownerIn(receipts, slot) != "" })
}

// candidate is the digest that can be voted on; empty when there is none.
func (r *review) candidate() string {
	if r.was == nil || r.was.Status.Candidate == nil {
		return ""
	}
	c := r.was.Status.Candidate
	if c.ObservedGeneration != r.was.Generation {
		return ""
	}
	return c.Digest
}

func orPlaceholder(digest string) string {
	if digest == "" {
		return "DIGEST"
	}
	return digest
}

// checkDigest refuses a vote on anything but the content that is on offer now.
func (r *review) checkDigest(slot, value string) (approval.Decision, string, error) {
	current := r.candidate()
	if current == "" && r.was != nil && r.was.Status.Candidate != nil && r.was.Status.Candidate.Digest != "" {
		return "", "", refuse("NoCandidate", "the spec of Release %s was changed, and the operator has not looked at that yet; look again in a moment, and vote on the digest that this shows then: kubectl get release %s -n %s -o wide",
			r.now.Name, r.now.Name, r.now.Namespace)
	}
	if current == "" {
		return "", "", refuse("NoCandidate", "Release %s has no candidate to vote on yet; wait until this shows its digest: kubectl get release %s -n %s -o wide",
			r.now.Name, r.now.Name, r.now.Namespace)
	}
	approve := r.annotate(v1alpha1.VotePrefix + slot + "=" + current)
	decision, digest, err := approval.ParseVote(value)
	if err != nil {
		return "", "", refuse("Malformed", "%v; the current candidate is %s: %s", err, current, approve)
	}
	if digest != current {
		if decision == approval.Reject {
			approve = r.annotate(v1alpha1.VotePrefix + slot + "=" + v1alpha1.RejectPrefix + current)
		}
		return "", "", refuse("Digest", "%s is not the current candidate, which is %s; look at it, then: %s", digest, current, approve)
	}
	return decision, digest, nil
}

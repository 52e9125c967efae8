// Copyright The Countersign Authors.
// SPDX-License-Identifier: Apache-2.0

package admission

import (
	"context"
	"fmt"

	"github.com/countersign/countersign/api/v1alpha1"
	"github.com/countersign/countersign/controllers/approval"
	"github.com/countersign/countersign/controllers/receipt"
)

// signGlass signs that the user breaks the glass, if every policy lets them. Where
// something else keeps the candidate back, it warns: this will not help.
func (w *Webhook) signGlass(ctx context.Context, r *review, slot, value string) (digest, envelope string, err error) {
	command := r.annotate(v1alpha1.GlassPrefix + slot + "=" + r.glassUsage())
	current := r.candidate()
	said, err := approval.ParseGlass(value)
	switch {
	case current == "":
		return "", "", refuse("NoCandidate", "Release %s has no candidate to break the glass for yet; wait until this shows its digest: kubectl get release %s -n %s -o wide",
			r.now.Name, r.now.Name, r.now.Namespace)
	case err != nil:
		return "", "", refuse("Malformed", "%v: %s", err, command)
	case said.Digest != current:
		return "", "", refuse("Digest", "%s is not the current candidate, which is %s; look at it, then: %s", said.Digest, current, command)
	case len(r.was.Status.Reviews) >= approval.ReviewLimit:
		return "", "", refuse("ReviewPending", "%d uses of break-glass wait for a review, and there can be no more; somebody else reviews the first with: %s",
			approval.ReviewLimit, r.annotate(v1alpha1.ReviewPrefix+"my-name="+r.reviewUsage()))
	}
	policies, err := w.policies(ctx, r)
	if err != nil {
		return "", "", err
	}
	subject, doubt := w.subject(r, policies)
	groups := intersection(r.req.UserInfo.Groups, approval.GroupsNamed(policies))
	if ok, why := approval.MayBreakGlass(policies, subject, r.user, groups); !ok {
		if doubt != "" {
			why += " (" + doubt + ")"
		}
		return "", "", refuse("Ineligible", "%s cannot break the glass for Release %s: %s; to get it approved: %s",
			r.user, r.now.Name, why, r.annotate(v1alpha1.VotePrefix+"my-name="+current))
	}
	votes := receipt.Votes(r.was, w.Cluster, w.Verifier)
	if verdict := approval.Evaluate(policies, subject, votes, w.Now()); !verdict.GlassHelps() {
		r.warn("it is on record and does not let the candidate through now: %s", verdict.Message)
	}
	envelope, err = w.Signer.SignBreakGlass(ctx, receipt.BreakGlass{Claim: w.claim(r, slot, said.Digest, groups), Ticket: said.Ticket, Reason: said.Reason})
	if err != nil {
		return "", "", fmt.Errorf("slot %s: %w", slot, err)
	}
	return said.Digest, envelope, nil
}

// signReview signs that the user has looked at a use of break-glass, if they may.
func (w *Webhook) signReview(ctx context.Context, r *review, slot, value string) (digest, envelope string, err error) {
	var pending *v1alpha1.PendingReview
	for i := range r.was.Status.Reviews {
		if r.was.Status.Reviews[i].Digest == value {
			pending = &r.was.Status.Reviews[i]
		}
	}
	switch {
	case len(r.was.Status.Reviews) == 0:
		return "", "", refuse("NoReview", "no break-glass of Release %s waits for a review; nothing has to be done", r.now.Name)
	case pending == nil:
		return "", "", refuse("Digest", "%q is not what waits for a review; look at the Release, then: %s", value, r.annotate(v1alpha1.ReviewPrefix+slot+"="+r.reviewUsage()))
	}
	policies, err := w.policies(ctx, r)
	if err != nil {
		return "", "", err
	}
	groups := intersection(r.req.UserInfo.Groups, approval.GroupsNamed(policies))
	permitted, all, err := w.permitted(ctx, r, policies)
	if err != nil {
		return "", "", err
	}
	if len(permitted) > 0 {
		groups = all
	}
	if ok, why := approval.MayReview(policies, pending.Authors, pending.By, r.user, groups, permitted...); !ok {
		return "", "", refuse("Ineligible", "%s cannot review the break-glass of %s (%s): %s; they run: %s",
			r.user, pending.By, pending.Ticket, why, r.annotate(v1alpha1.ReviewPrefix+"my-name="+value))
	}
	envelope, err = w.Signer.SignReview(ctx, receipt.Review{Claim: w.claim(r, slot, value, groups), Permitted: permitted})
	if err != nil {
		return "", "", fmt.Errorf("slot %s: %w", slot, err)
	}
	return value, envelope, nil
}

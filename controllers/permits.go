// Copyright The Countersign Authors.
// SPDX-License-Identifier: Apache-2.0

package controllers

import (
	"context"
	"slices"
	"time"

	"github.com/countersign/countersign/api/v1alpha1"
	"github.com/countersign/countersign/controllers/access"
	"github.com/countersign/countersign/controllers/rollout"
	"sigs.k8s.io/controller-runtime/pkg/log"
)

// askLater is how long to wait when RBAC could not be asked about a review.
const askLater = 5 * time.Second

// Permitter tells whom RBAC lets approve under a rule.
type Permitter interface {
	Permits(ctx context.Context, who access.Person, namespace, rule string) (bool, error)
}

// promotes tells whether a status records the decision to promote, which the one
// before did not.
func promotes(before, after v1alpha1.ReleaseStatus) bool {
	sw := after.Switch
	if sw == nil || sw.Reason != v1alpha1.SwitchPromote || sw.CancelledAt != nil {
		return false
	}
	had := before.Switch
	return had == nil || had.CancelledAt != nil || had.Reason != sw.Reason || had.To.Digest != sw.To.Digest || !had.IntendedAt.Equal(&sw.IntendedAt)
}

// reviewed tells whether a status has let go a use of break-glass that waited to
// be reviewed in the one before.
func reviewed(before, after v1alpha1.ReleaseStatus) bool {
	return slices.ContainsFunc(before.Reviews, func(had v1alpha1.PendingReview) bool {
		return !slices.ContainsFunc(after.Reviews, func(has v1alpha1.PendingReview) bool {
			return has.Digest == had.Digest && has.By == had.By && has.DueBy.Equal(&had.DueBy)
		})
	})
}

// decide takes the decision, and takes it again without those whom RBAC does not
// let approve any more. While RBAC cannot be asked, nothing is promoted, and nobody
// has reviewed anything by it; a rollback does not wait for an answer.
func (r *Reconciler) decide(ctx context.Context, before v1alpha1.ReleaseStatus, s *rollout.Snapshot) (rollout.Decision, error) {
	decision := rollout.Decide(*s)
	var unasked error
	if reviewed(before, decision.Status) {
		var changed bool
		if changed, unasked = r.askOfReviews(ctx, s); changed {
			decision = rollout.Decide(*s)
		}
	}
	if promotes(before, decision.Status) {
		changed, err := r.askAgain(ctx, s)
		if err != nil {
			return rollout.Decision{}, err
		}
		if changed {
			decision = rollout.Decide(*s)
		}
	}
	if unasked != nil {
		log.FromContext(ctx).Error(unasked, "Could not ask whether who reviewed a break-glass may", "again", askLater.String())
		if at := s.Now.Add(askLater); decision.WakeAt.IsZero() || at.Before(decision.WakeAt) {
			decision.WakeAt = at
		}
	}
	return decision, nil
}

// askAgain asks who of those who voted by RBAC is still let, and takes from the
// votes what is not so any more. changed tells that the decision has to be taken
// again. It is asked when nothing else keeps a candidate from being promoted.
func (r *Reconciler) askAgain(ctx context.Context, s *rollout.Snapshot) (changed bool, err error) {
	for i := range s.Votes {
		v := &s.Votes[i]
		still, err := r.still(ctx, access.Person{User: v.User, Groups: v.Groups}, s.Release.Namespace, v.Permitted)
		if err != nil {
			return false, err
		}
		changed = changed || !slices.Equal(still, v.Permitted)
		v.Permitted = still
	}
	return changed, nil
}

// askOfReviews is askAgain for those who reviewed. Of whom it could not be asked
// it takes all: the error says why, and does not keep the rest from being done.
func (r *Reconciler) askOfReviews(ctx context.Context, s *rollout.Snapshot) (changed bool, unasked error) {
	for i := range s.Reviews {
		v := &s.Reviews[i]
		still, err := r.still(ctx, access.Person{User: v.User, Groups: v.Groups}, s.Release.Namespace, v.Permitted)
		if err != nil {
			still, unasked = nil, err
		}
		if !slices.Equal(still, v.Permitted) {
			v.Permitted, changed = still, true
		}
	}
	return changed, unasked
}

// still are the rules under which RBAC still lets a person approve.
func (r *Reconciler) still(ctx context.Context, who access.Person, namespace string, permitted []string) (still []string, err error) {
	for _, rule := range permitted {
		permits := false
		if r.Access != nil {
			permits, err = r.Access.Permits(ctx, who, namespace, rule)
		}
		if err != nil {
			return nil, err
		}
		if permits {
			still = append(still, rule)
		}
	}
	return still, nil
}

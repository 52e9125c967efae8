// Copyright The Countersign Authors.
// SPDX-License-Identifier: Apache-2.0

package controllers

import (
	"context"
	"slices"

	"github.com/countersign/countersign/api/v1alpha1"
	"github.com/countersign/countersign/controllers/access"
	"github.com/countersign/countersign/controllers/rollout"
)

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

// askAgain asks who of those who voted by RBAC is still let, and takes from the
// votes what is not so any more. changed tells that the decision has to be taken
// again. It is asked when nothing else keeps a candidate from being promoted.
func (r *Reconciler) askAgain(ctx context.Context, s *rollout.Snapshot) (changed bool, err error) {
	for i := range s.Votes {
		v := &s.Votes[i]
		var still []string
		for _, rule := range v.Permitted {
			permits := false
			if r.Access != nil {
				permits, err = r.Access.Permits(ctx, access.Person{User: v.User, Groups: v.Groups}, s.Release.Namespace, rule)
			}
			if err != nil {
				return false, err
			}
			if permits {
				still = append(still, rule)
			}
		}
		changed = changed || !slices.Equal(still, v.Permitted)
		v.Permitted = still
	}
	return changed, nil
}

// Copyright The Countersign Authors.
// SPDX-License-Identifier: Apache-2.0

// Package act carries actions out. Each write carries the resourceVersion that
// it was decided from, so that a decision about a world that has moved on is
// refused by the API server. It decides nothing, but for one thing: a promotion
// is not carried out when the policies, ConfigMaps and Secrets, read live, are
// not those that the approval was judged by and is of, or when its time is over.
package act

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"time"

	"github.com/countersign/countersign/api/v1alpha1"
	"github.com/countersign/countersign/controllers/approval"
	"github.com/countersign/countersign/controllers/rollout"
	"github.com/countersign/countersign/controllers/snapshot"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// ErrPoliciesChanged says that a promotion was held because a policy changed
// after it was decided. The next decision calls it off.
var ErrPoliciesChanged = errors.New("a policy changed after the promotion was decided")

// ErrLapsed says that a promotion was held because it came too late: an approval
// lapsed or a window closed after it was decided. The next decision calls it off.
var ErrLapsed = errors.New("the time for the promotion is over")

// Held tells whether an error says that something was held that the next decision
// calls off or does otherwise.
func Held(err error) bool {
	return errors.Is(err, ErrPoliciesChanged) || errors.Is(err, ErrConfigChanged) || errors.Is(err, ErrLapsed)
}

// Actor writes.
type Actor struct {
	// Client writes; it reads from caches.
	Client client.Client
	// Live reads from the API server.
	Live client.Reader
	// Hasher hashes what ConfigMaps and Secrets hold.
	Hasher snapshot.Hasher
	// Now is the clock.
	Now func() time.Time
}

// Carry carries out the actions in their order and stops at the first error.
// rel is the Release with its status as committed.
func (a *Actor) Carry(ctx context.Context, rel *v1alpha1.Release, actions []rollout.Action) error {
	for _, action := range actions {
		if err := a.one(ctx, rel, action); err != nil {
			return err
		}
	}
	return nil
}

func (a *Actor) one(ctx context.Context, rel *v1alpha1.Release, action rollout.Action) error {
	switch action := action.(type) {
	case rollout.AddFinalizer:
		return a.setFinalizer(ctx, rel, true)
	case rollout.RemoveFinalizer:
		return a.setFinalizer(ctx, rel, false)
	case rollout.Claim:
		return a.claim(ctx, rel, action)
	case rollout.MarkService:
		return a.markService(ctx, rel, action)
	case rollout.MakeService:
		return a.makeService(ctx, rel, action)
	case rollout.Materialise:
		return a.materialise(ctx, rel, action)
	case rollout.CopyConfig:
		return a.copyConfig(ctx, rel, action.ConfigCopy)
	case rollout.MarkConfig:
		return a.markConfig(ctx, rel, action)
	case rollout.DropConfig:
		return a.dropConfig(ctx, rel, action)
	case rollout.SurrenderConfig:
		return a.surrenderConfig(ctx, rel, action)
	case rollout.KeepContent:
		return a.keepContent(ctx, rel, action)
	case rollout.DropKept:
		return a.dropKept(ctx, rel, action)
	case rollout.StartJob:
		return a.startJob(ctx, rel, action)
	case rollout.DropJob:
		return a.dropJob(ctx, rel, action)
	case rollout.Scale:
		return a.scale(ctx, rel, action)
	case rollout.Restart:
		return a.restart(ctx, rel, action)
	case rollout.KeepBudget:
		return a.keepBudget(ctx, rel, action)
	case rollout.DropBudget:
		return a.dropBudget(ctx, rel, action)
	case rollout.SurrenderBudget:
		return a.surrenderBudget(ctx, rel, action)
	case rollout.PointPreview:
		return a.pointPreview(ctx, rel, action)
	case rollout.ShiftTraffic:
		return a.shiftTraffic(ctx, rel, action)
	case rollout.Fence:
		return a.fence(ctx, rel, action)
	case rollout.DrainOrigin:
		return a.drainOrigin(ctx, rel, action)
	case rollout.Sweep:
		return a.sweep(ctx, rel, action)
	case rollout.Surrender:
		return a.surrender(ctx, rel, action)
	case rollout.Remove:
		return a.remove(ctx, rel, action)
	}
	return fmt.Errorf("action %T is not known", action)
}

// policiesStand reads the policies live and compares them with those that a
// promotion was judged by.
func (a *Actor) policiesStand(ctx context.Context, namespace string, judged []approval.Policy, added *v1alpha1.AddedApproval) error {
	var policies v1alpha1.ApprovalPolicyList
	if err := a.Live.List(ctx, &policies); err != nil {
		return fmt.Errorf("read the ApprovalPolicies before the switch: %w", err)
	}
	live := approval.Applicable(policies.Items, namespace, added)
	if len(live) != len(judged) || len(live) > 0 && !reflect.DeepEqual(live, judged) {
		return ErrPoliciesChanged
	}
	return nil
}

// sweep takes annotations off the Release as it was read.
func (a *Actor) sweep(ctx context.Context, rel *v1alpha1.Release, s rollout.Sweep) error {
	next := rel.DeepCopy()
	for _, key := range s.Annotations {
		delete(next.Annotations, key)
	}
	if err := a.Client.Patch(ctx, next, client.MergeFromWithOptions(rel, client.MergeFromWithOptimisticLock{})); err != nil {
		return fmt.Errorf("take spent votes off Release %s/%s: %w", rel.Namespace, rel.Name, err)
	}
	rel.ResourceVersion, rel.Annotations = next.ResourceVersion, next.Annotations
	return nil
}

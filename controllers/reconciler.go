// Copyright The Countersign Authors.
// SPDX-License-Identifier: Apache-2.0

package controllers

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/countersign/countersign/api/v1alpha1"
	"github.com/countersign/countersign/controllers/act"
	"github.com/countersign/countersign/controllers/checks"
	"github.com/countersign/countersign/controllers/observe"
	"github.com/countersign/countersign/controllers/receipt"
	"github.com/countersign/countersign/controllers/rollout"
	"github.com/countersign/countersign/controllers/snapshot"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"
)

// againSoon is how long to wait after a conflict: the watch that brings the
// other writer's change usually comes first.
const againSoon = 20 * time.Millisecond

// whileTerminating is how long to wait in a namespace that is being deleted,
// where nothing can be created: the deletion of the Release usually comes first.
const whileTerminating = time.Second

// Teller tells people about decisions that were committed.
type Teller interface {
	// Tell is called once for each committed decision.
	Tell(rel *v1alpha1.Release, before v1alpha1.ReleaseStatus, notices []rollout.Notice)
	// Conflict counts a write that was refused because the world moved on.
	Conflict()
	// Gone is called when a Release does not exist any more.
	Gone(release types.NamespacedName)
}

// Gate knows whether the guards of a vote hold.
type Gate interface {
	// State is what the last self-test found.
	State() rollout.Gate
	// Try tests now. An error says that the gate is frozen, and State does too.
	Try(ctx context.Context) error
}

// errFrozen is of a promotion that was recorded and not carried out.
var errFrozen = errors.New("the gate is frozen")

// Reconciler brings Releases along: it observes, decides, commits the decision,
// acts and tells. All judgement is in rollout.Decide.
type Reconciler struct {
	// Client reads from caches and writes.
	Client client.Client
	// Live reads from the API server.
	Live client.Reader
	// Checks runs the checks.
	Checks checks.Runner
	// Verifier knows the keys of receipts.
	Verifier *receipt.Verifier
	// Gate lets promotions through. Without one there are none.
	Gate Gate
	// Unreleased is a namespace whose Releases are there for something else: the
	// self-test attacks them.
	Unreleased string
	// Hasher hashes what ConfigMaps and Secrets hold, and Memory knows what did
	// not change.
	Hasher snapshot.Hasher
	Memory *observe.Memory
	// Cluster is the id of the cluster.
	Cluster string
	// Now is the clock.
	Now func() time.Time
	// Access tells whom RBAC lets approve. Without it, votes by RBAC do not count.
	Access Permitter
	// Teller may be nil.
	Teller Teller
}

// Reconcile handles one Release.
func (r *Reconciler) Reconcile(ctx context.Context, req reconcile.Request) (reconcile.Result, error) {
	if req.Namespace == r.Unreleased {
		return reconcile.Result{}, nil
	}
	rel := &v1alpha1.Release{}
	if err := r.Client.Get(ctx, req.NamespacedName, rel); err != nil {
		if apierrors.IsNotFound(err) {
			r.Checks.Forget(req.NamespacedName)
			if r.Teller != nil {
				r.Teller.Gone(req.NamespacedName)
			}
			return reconcile.Result{}, nil
		}
		return reconcile.Result{}, fmt.Errorf("get Release %s: %w", req, err)
	}
	observer := observe.Observer{Client: r.Client, Live: r.Live, Verifier: r.Verifier, Hasher: r.Hasher, Memory: r.Memory, Cluster: r.Cluster}
	snapshot, err := observer.Snapshot(ctx, rel, r.Checks.Results(req.NamespacedName), r.Now())
	if err != nil {
		return reconcile.Result{}, err
	}
	if r.Gate != nil {
		snapshot.Gate = r.Gate.State()
	}
	decision, err := r.decide(ctx, rel.Status, &snapshot)
	if err != nil {
		return reconcile.Result{}, err
	}
	before := rel.Status
	frozen := r.tryGate(ctx, decision)
	if err := r.commit(ctx, rel, decision); err != nil {
		return r.refused(err)
	}
	if err := frozen(); err != nil {
		return r.refused(err)
	}
	r.Checks.Sync(req.NamespacedName, decision.Checks)
	actor := act.Actor{Client: r.Client, Live: r.Live, Hasher: r.Hasher, Now: r.Now}
	err = actor.Carry(ctx, rel, decision.Actions)
	if r.Teller != nil {
		notices := decision.Notices
		if forGood(err) {
			notices = append(slices.Clone(notices), rollout.WriteRefused(err.Error()))
		}
		r.Teller.Tell(rel, before, notices)
	}
	if err != nil {
		return r.refused(err)
	}
	return r.wake(decision), nil
}

// tryGate tests the gate when a promotion is to be carried out, while the
// decision is written. What it returns waits for the result: when the gate does
// not hold, nothing that was decided is done, and the promotion that is recorded
// is called off by the next decision.
func (r *Reconciler) tryGate(ctx context.Context, d rollout.Decision) (frozen func() error) {
	if !d.Promotes() {
		return func() error { return nil }
	}
	if r.Gate == nil {
		return func() error { return errFrozen }
	}
	result := make(chan error, 1)
	go func() { result <- r.Gate.Try(ctx) }()
	return func() error {
		if err := <-result; err != nil {
			return fmt.Errorf("%w: %w", errFrozen, err)
		}
		return nil
	}
}

// commit writes the status, with the resourceVersion that was decided from. It
// is done before any action, also when the status is the same: then it writes
// nothing, but a decision from a stale reading is refused before it can act.
func (r *Reconciler) commit(ctx context.Context, rel *v1alpha1.Release, d rollout.Decision) error {
	if len(d.Actions) == 0 && equality.Semantic.DeepEqual(rel.Status, d.Status) {
		return nil
	}
	base := rel.DeepCopy()
	d.Status.DeepCopyInto(&rel.Status)
	patch := client.MergeFromWithOptions(base, client.MergeFromWithOptimisticLock{})
	if err := r.Client.Status().Patch(ctx, rel, patch); err != nil {
		return fmt.Errorf("write the status of Release %s/%s: %w", base.Namespace, base.Name, err)
	}
	return nil
}

// forGood tells whether a write is refused for what it is, so that only people can
// mend it.
func forGood(err error) bool {
	return (apierrors.IsForbidden(err) || apierrors.IsInvalid(err) || apierrors.IsBadRequest(err) || apierrors.IsRequestEntityTooLargeError(err)) &&
		!apierrors.HasStatusCause(err, corev1.NamespaceTerminatingCause)
}

// refused sorts errors: a world that moved on is looked at again, quietly.
func (r *Reconciler) refused(err error) (reconcile.Result, error) {
	if apierrors.HasStatusCause(err, corev1.NamespaceTerminatingCause) {
		return reconcile.Result{RequeueAfter: whileTerminating}, nil
	}
	if apierrors.IsConflict(err) || apierrors.IsAlreadyExists(err) || apierrors.IsNotFound(err) || act.Held(err) || errors.Is(err, errFrozen) {
		if r.Teller != nil {
			r.Teller.Conflict()
		}
		return reconcile.Result{RequeueAfter: againSoon}, nil
	}
	return reconcile.Result{}, err
}

// wake asks to be called when the passing of time alone changes the decision.
func (r *Reconciler) wake(d rollout.Decision) reconcile.Result {
	if d.WakeAt.IsZero() {
		return reconcile.Result{}
	}
	return reconcile.Result{RequeueAfter: max(d.WakeAt.Sub(r.Now()), time.Millisecond)}
}

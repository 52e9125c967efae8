// Copyright The Countersign Authors.
// SPDX-License-Identifier: Apache-2.0

// Package observe reads the world into a rollout.Snapshot. It is the only
// reader of the reconciler, and it decides nothing.
package observe

import (
	"context"
	"fmt"
	"time"

	"github.com/countersign/countersign/api/v1alpha1"
	"github.com/countersign/countersign/controllers/approval"
	"github.com/countersign/countersign/controllers/checks"
	"github.com/countersign/countersign/controllers/digest"
	"github.com/countersign/countersign/controllers/receipt"
	"github.com/countersign/countersign/controllers/rollout"
	"github.com/countersign/countersign/controllers/snapshot"
	"github.com/countersign/countersign/controllers/speccheck"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// Observer reads.
type Observer struct {
	// Client reads from caches.
	Client client.Reader
	// Live reads from the API server.
	Live client.Reader
	// Verifier knows the keys that receipts may be signed with.
	Verifier *receipt.Verifier
	// Hasher hashes what ConfigMaps and Secrets hold.
	Hasher snapshot.Hasher
	// Memory of what they hold. May be nil.
	Memory *Memory
	// Cluster is the id of the cluster.
	Cluster string
}

// Snapshot reads all that matters to a Release. A transient failure to read is
// an error; things that are missing are part of the snapshot.
func (o *Observer) Snapshot(ctx context.Context, rel *v1alpha1.Release, results []checks.Result, now time.Time) (rollout.Snapshot, error) {
	s := rollout.Snapshot{Now: now.UTC(), Release: *rel, Cluster: o.Cluster, Results: results}
	var err error
	if s.SpecRevision, err = digest.Revision(rel.Spec); err != nil {
		return s, fmt.Errorf("revision of Release %s/%s: %w", rel.Namespace, rel.Name, err)
	}
	s.Problems = speccheck.Problems(rel.Spec)
	var policies v1alpha1.ApprovalPolicyList
	if err := o.Client.List(ctx, &policies); err != nil {
		return s, fmt.Errorf("list ApprovalPolicies: %w", err)
	}
	s.Policies = approval.Applicable(policies.Items, rel.Namespace, rel.Spec.Approval)
	s.Votes = receipt.Votes(rel, o.Cluster, o.Verifier)
	s.Glasses = receipt.Glasses(rel, o.Cluster, o.Verifier)
	s.Reviews = receipt.Reviews(rel, o.Cluster, o.Verifier)
	s.Authors = rollout.Authors(receipt.KnownAuthors(rel, s.SpecRevision, o.Cluster, o.Verifier))
	if err := o.kept(ctx, &s); err != nil {
		return s, err
	}
	if err := o.config(ctx, &s); err != nil {
		return s, err
	}
	if err := o.workloads(ctx, &s); err != nil {
		return s, err
	}
	if err := o.budgets(ctx, &s); err != nil {
		return s, err
	}
	return s, o.services(ctx, &s)
}

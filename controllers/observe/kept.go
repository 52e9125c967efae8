// Copyright The Countersign Authors.
// SPDX-License-Identifier: Apache-2.0

package observe

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"slices"

	"github.com/countersign/countersign/api/v1alpha1"
	"github.com/countersign/countersign/controllers/digest"
	"github.com/countersign/countersign/controllers/rollout"
	appsv1 "k8s.io/api/apps/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// kept reads the records of contents that were let through. What each holds is hashed
// here: whoever wrote it, only what the status says it holds is gone back to.
func (o *Observer) kept(ctx context.Context, s *rollout.Snapshot) error {
	rel := &s.Release
	var records appsv1.ControllerRevisionList
	if err := o.Client.List(ctx, &records, client.InNamespace(rel.Namespace), client.MatchingLabels{v1alpha1.ReleaseLabel: rel.Name}); err != nil {
		return fmt.Errorf("list ControllerRevisions of Release %s/%s: %w", rel.Namespace, rel.Name, err)
	}
	for i := range records.Items {
		r := &records.Items[i]
		if r.DeletionTimestamp != nil {
			continue
		}
		k := rollout.Kept{Name: r.Name, UID: string(r.UID)}
		if json.Unmarshal(r.Data.Raw, &k.KeptRecord) == nil {
			if hash, err := digest.Kept(k.Content, k.Template); err == nil {
				k.Hash = hash
			}
		}
		s.Kept = append(s.Kept, k)
	}
	slices.SortFunc(s.Kept, func(a, b rollout.Kept) int { return cmp.Compare(a.Name, b.Name) })
	return nil
}

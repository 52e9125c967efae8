// Copyright The Countersign Authors.
// SPDX-License-Identifier: Apache-2.0

package rollout

import (
	"maps"
	"slices"
	"strings"

	"github.com/countersign/countersign/api/v1alpha1"
	"github.com/countersign/countersign/controllers/approval"
)

// How many slots of a kind can be taken before those that have no effect any more
// are freed: with three of four taken there is still room while that is done.
const (
	voteSlots      = 24
	emergencySlots = 6
)

// sweep frees slots when few are left. Up to then, votes that are withdrawn or
// about earlier content stay as they are, as a record.
func (p *plan) sweep() {
	if p.moving() != nil {
		return
	}
	keys := p.spentSlots(v1alpha1.ReceiptPrefix, voteSlots, approval.Contents(&p.st), v1alpha1.VotePrefix, v1alpha1.CommentPrefix)
	emergencies := approval.Emergencies(&p.st)
	keys = append(keys, p.spentSlots(v1alpha1.GlassReceiptPrefix, emergencySlots, emergencies, v1alpha1.GlassPrefix)...)
	keys = append(keys, p.spentSlots(v1alpha1.ReviewReceiptPrefix, emergencySlots, emergencies, v1alpha1.ReviewPrefix)...)
	if len(keys) > 0 {
		p.do(Sweep{Annotations: keys})
	}
}

// spentSlots are the annotations of the slots of a kind that have no effect any more,
// if so many slots are taken.
func (p *plan) spentSlots(receipts string, limit int, contents []string, beside ...string) (keys []string) {
	annotations := p.snap.Release.Annotations
	taken := 0
	for _, key := range slices.Sorted(maps.Keys(annotations)) {
		slot, is := strings.CutPrefix(key, receipts)
		if !is {
			continue
		}
		taken++
		if !approval.Spent(annotations[key], contents...) {
			continue
		}
		keys = append(keys, key)
		for _, prefix := range beside {
			if _, has := annotations[prefix+slot]; has {
				keys = append(keys, prefix+slot)
			}
		}
	}
	if taken < limit {
		return nil
	}
	return keys
}

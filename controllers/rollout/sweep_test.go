// Copyright The Countersign Authors.
// SPDX-License-Identifier: Apache-2.0

package rollout_test

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/countersign/countersign/api/v1alpha1"
)

// crowd fills slots of votes with receipts of a value.
func (w *world) crowd(receipts, prefix string, n int, value string) {
	if w.rel.Annotations == nil {
		w.rel.Annotations = map[string]string{"team": "shop"}
	}
	first := len(w.rel.Annotations)
	for i := range n {
		slot := fmt.Sprintf("s%d", first+2*i)
		w.rel.Annotations[receipts+slot] = "v1 u " + value + " x"
		w.rel.Annotations[prefix+slot] = value
	}
}

// slots are those of a kind that are left.
func (w *world) slots(receipts string) (n int) {
	for key := range w.rel.Annotations {
		if strings.HasPrefix(key, receipts) {
			n++
		}
	}
	return n
}

const earlier = "sha256:eeee"

func TestSweep(t *testing.T) {
	scenarios(t, map[string]func(*testing.T){
		"sec/29 what has no effect makes room when few slots are left": func(t *testing.T) {
			w := serving(t)
			w.edit("v2")
			w.run()
			candidate, active := w.rel.Status.Candidate.Digest, w.rel.Status.Active.Digest
			w.crowd(v1alpha1.ReceiptPrefix, v1alpha1.VotePrefix, 10, earlier)
			w.crowd(v1alpha1.ReceiptPrefix, v1alpha1.VotePrefix, 5, "withdrawn")
			w.crowd(v1alpha1.ReceiptPrefix, v1alpha1.VotePrefix, 4, candidate)
			w.crowd(v1alpha1.ReceiptPrefix, v1alpha1.VotePrefix, 3, "reject:"+candidate)
			w.crowd(v1alpha1.ReceiptPrefix, v1alpha1.VotePrefix, 1, active)
			w.rel.Annotations[v1alpha1.ReceiptPrefix+"odd"] = "?"
			w.rel.Annotations[v1alpha1.CommentPrefix+"s1"] = "CHG-1"
			w.run()
			if n := w.slots(v1alpha1.ReceiptPrefix); n != 8 {
				t.Errorf("%d slots are left: %v", n, slices.Sorted(maps.Keys(w.rel.Annotations)))
			}
			if _, stays := w.rel.Annotations[v1alpha1.CommentPrefix+"s1"]; stays || w.rel.Annotations["team"] != "shop" {
				t.Errorf("left are %v", w.rel.Annotations)
			}
		},
		"up to then it stays as a record": func(t *testing.T) {
			w := serving(t)
			w.crowd(v1alpha1.ReceiptPrefix, v1alpha1.VotePrefix, 23, earlier)
			w.crowd(v1alpha1.GlassReceiptPrefix, v1alpha1.GlassPrefix, 5, earlier)
			w.run()
			if n := w.slots(v1alpha1.ReceiptPrefix); n != 23 || w.slots(v1alpha1.GlassReceiptPrefix) != 5 {
				t.Errorf("%d slots are left", n)
			}
		},
		"what counts is never swept": func(t *testing.T) {
			w := serving(t)
			w.edit("v2")
			w.run()
			w.crowd(v1alpha1.ReceiptPrefix, v1alpha1.VotePrefix, 32, w.rel.Status.Candidate.Digest)
			w.run()
			if n := w.slots(v1alpha1.ReceiptPrefix); n != 32 {
				t.Errorf("%d slots are left", n)
			}
		},
		"break-glass and reviews that are over": func(t *testing.T) {
			w := broken(t)
			waits := w.rel.Status.Reviews[0].Digest
			w.crowd(v1alpha1.GlassReceiptPrefix, v1alpha1.GlassPrefix, 6, earlier)
			w.crowd(v1alpha1.ReviewReceiptPrefix, v1alpha1.ReviewPrefix, 6, earlier)
			w.crowd(v1alpha1.ReviewReceiptPrefix, v1alpha1.ReviewPrefix, 1, waits)
			w.run()
			if a, b := w.slots(v1alpha1.GlassReceiptPrefix), w.slots(v1alpha1.ReviewReceiptPrefix); a != 0 || b != 1 {
				t.Errorf("%d and %d slots are left", a, b)
			}
		},
	})
}

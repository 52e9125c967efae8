// Copyright The Countersign Authors.
// SPDX-License-Identifier: Apache-2.0

package rollout_test

import (
	"fmt"

	"github.com/countersign/countersign/controllers/rollout"
)

// budget is a colour's PodDisruptionBudget.
type budget struct {
	exists, spoilt bool
	version        int
	// max is its maxUnavailable.
	max string
	// other is one of somebody else's.
	other string
}

func (b *budget) read() rollout.Budget {
	if !b.exists {
		return rollout.Budget{Other: b.other}
	}
	return rollout.Budget{Exists: true, ResourceVersion: fmt.Sprint(b.version), MaxUnavailable: b.max, Intact: !b.spoilt, Other: b.other}
}

// writeBudget does what package act does.
func (w *world) writeBudget(a rollout.Action) bool {
	switch a := a.(type) {
	case rollout.KeepBudget:
		w.budgeted = append(w.budgeted, fmt.Sprintf("Keep %s %s", a.Colour, a.MaxUnavailable.String()))
		b := w.budgets[a.Colour]
		if b.exists != (a.ResourceVersion != "") || b.exists && !w.fresh(b.version, a.ResourceVersion) {
			return false
		}
		w.touch(&b.version, func() { b.exists, b.spoilt, b.max = true, false, a.MaxUnavailable.String() })
	case rollout.DropBudget:
		w.budgeted = append(w.budgeted, "Drop "+string(a.Colour))
		if !w.fresh(w.budgets[a.Colour].version, a.ResourceVersion) {
			return false
		}
		w.budgets[a.Colour].exists = false
	case rollout.SurrenderBudget:
		w.budgeted = append(w.budgeted, "Surrender "+string(a.Colour))
		b := w.budgets[a.Colour]
		b.exists, b.other = false, "shop-"+string(a.Colour)
	}
	return true
}

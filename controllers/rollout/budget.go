// Copyright The Countersign Authors.
// SPDX-License-Identifier: Apache-2.0

package rollout

import (
	"fmt"
	"slices"

	"github.com/countersign/countersign/api/v1alpha1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
)

// defaultMaxUnavailable is what a Deployment lets go at once by default, too. It is
// rounded up: of one Pod to four it is one, so that a node can always be drained.
const defaultMaxUnavailable = "25%"

// keepBudgets lets each colour that has Pods have a PodDisruptionBudget of its own,
// from its first Pod to the last: what happens to one colour takes nothing from
// what may be evicted of the other.
func (p *plan) keepBudgets() {
	for _, c := range []v1alpha1.Colour{v1alpha1.Blue, v1alpha1.Green} {
		p.keepBudget(c)
	}
}

func (p *plan) keepBudget(c v1alpha1.Colour) {
	b, known := p.snap.Workload(c).Budget, p.budget(c)
	want := p.maxUnavailable()
	switch {
	case !p.hasPods(c):
		p.dropBudget(c)
		known.MaxUnavailable, known.Other = "", ""
	case b.Other != "":
		p.dropBudget(c)
		if known.Other != b.Other {
			p.note(false, NoticeBudgetLeftToOthers, fmt.Sprintf(
				"PodDisruptionBudget %s covers the Pods of %s or has the name of theirs, and no Pod can be evicted that two of them cover; the operator makes none", b.Other, c))
		}
		known.MaxUnavailable, known.Other = "", clip(b.Other, 253)
	case b.Exists && b.Intact && b.MaxUnavailable == want.String():
		known.MaxUnavailable, known.Other = b.MaxUnavailable, ""
	default:
		known.Other = ""
		p.putBudget(c, want, &known)
	}
	p.setBudget(known)
}

// putBudget writes a budget that is not as it should be. If it was seen to be just
// that, somebody else has changed it. Who goes on changing it is left alone for a
// while, and named.
func (p *plan) putBudget(c v1alpha1.Colour, want intstr.IntOrString, known *v1alpha1.BudgetStatus) {
	w := p.snap.Workload(c)
	if known.MaxUnavailable == want.String() {
		if last := len(known.RepairedAt) - 1; last+1 == repairLimit && p.snap.Now.Before(known.RepairedAt[last].Add(repairWindow)) {
			p.wake(known.RepairedAt[last].Add(repairWindow))
			p.alarm(v1alpha1.ReasonBudgetConflict, fmt.Sprintf(
				"somebody keeps changing or deleting PodDisruptionBudget %s; write what it should say into spec.disruptionBudget, or make one of another name that covers the Pods", w.Name))
			return
		}
		known.RepairedAt = append([]metav1.Time{p.now()}, known.RepairedAt[:min(len(known.RepairedAt), repairLimit-1)]...)
		p.note(true, NoticeBudgetRestored, fmt.Sprintf("PodDisruptionBudget %s was changed or deleted by someone else and is put back", w.Name))
	}
	known.MaxUnavailable = "" // until it is seen
	p.do(KeepBudget{Colour: c, ResourceVersion: w.Budget.ResourceVersion, MaxUnavailable: want})
}

// hasPods tells whether a colour of ours has Pods, or is about to.
func (p *plan) hasPods(c v1alpha1.Colour) bool {
	w := p.snap.Workload(c)
	return w.Exists && !w.Foreign && (w.Replicas > 0 || w.Total > 0)
}

func (p *plan) maxUnavailable() intstr.IntOrString {
	if b := p.spec().DisruptionBudget; b != nil && b.MaxUnavailable != nil {
		return *b.MaxUnavailable
	}
	return intstr.FromString(defaultMaxUnavailable)
}

// budget is what is on record about that of a colour.
func (p *plan) budget(c v1alpha1.Colour) v1alpha1.BudgetStatus {
	if i := p.budgetIndex(c); i >= 0 {
		return *p.st.Budgets[i].DeepCopy()
	}
	return v1alpha1.BudgetStatus{Colour: c}
}

func (p *plan) budgetIndex(c v1alpha1.Colour) int {
	return slices.IndexFunc(p.st.Budgets, func(b v1alpha1.BudgetStatus) bool { return b.Colour == c })
}

func (p *plan) setBudget(known v1alpha1.BudgetStatus) {
	i := p.budgetIndex(known.Colour)
	empty := known.MaxUnavailable == "" && known.Other == "" && len(known.RepairedAt) == 0
	switch {
	case empty && i >= 0:
		p.st.Budgets = slices.Delete(p.st.Budgets, i, i+1)
	case empty:
	case i >= 0:
		p.st.Budgets[i] = known
	default:
		p.st.Budgets = append(p.st.Budgets, known)
	}
}

func (p *plan) dropBudget(c v1alpha1.Colour) {
	if b := p.snap.Workload(c).Budget; b.Exists {
		p.do(DropBudget{Colour: c, ResourceVersion: b.ResourceVersion})
	}
}

// surrenderBudget leaves what serves with its budget.
func (p *plan) surrenderBudget(c v1alpha1.Colour) {
	if b := p.snap.Workload(c).Budget; b.Exists {
		p.do(SurrenderBudget{Colour: c, ResourceVersion: b.ResourceVersion})
	}
}

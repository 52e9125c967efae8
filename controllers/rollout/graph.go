// Copyright The Countersign Authors.
// SPDX-License-Identifier: Apache-2.0

package rollout

import "github.com/countersign/countersign/api/v1alpha1"

// PhaseGraph has, for each phase, those that may follow it; the empty one is
// before the first. A phase is derived from facts and decides nothing, so what
// happens between two looks is skipped, and a repair is a switch from anywhere.
// The simulation holds every step that it sees against this.
func PhaseGraph() map[v1alpha1.Phase][]v1alpha1.Phase {
	const (
		preparing = v1alpha1.PhasePreparing
		testing   = v1alpha1.PhaseTesting
		awaiting  = v1alpha1.PhaseAwaitingApproval
		switching = v1alpha1.PhaseSwitching
		observing = v1alpha1.PhaseObserving
		stable    = v1alpha1.PhaseStable
		back      = v1alpha1.PhaseRollingBack
		halted    = v1alpha1.PhaseHalted
		paused    = v1alpha1.PhasePaused
		deleting  = v1alpha1.PhaseDeleting
	)
	return map[v1alpha1.Phase][]v1alpha1.Phase{
		"":        {preparing, paused, deleting},
		preparing: {testing, awaiting, switching, stable, back, halted, paused, deleting},
		testing:   {preparing, awaiting, switching, stable, back, halted, paused, deleting},
		awaiting:  {preparing, testing, switching, stable, back, halted, paused, deleting},
		switching: {observing, preparing, testing, awaiting, stable, back, halted, paused, deleting},
		observing: {stable, back, preparing, testing, awaiting, switching, halted, paused, deleting},
		stable:    {preparing, switching, back, paused, deleting},
		back:      {halted, preparing, testing, awaiting, switching, observing, stable, paused, deleting},
		halted:    {preparing, testing, awaiting, switching, stable, back, paused, deleting},
		paused:    {preparing, testing, awaiting, switching, stable, back, halted, deleting},
		deleting:  {},
	}
}

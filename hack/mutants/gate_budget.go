// Copyright The Countersign Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import "slices"

// budgetGuards hold PodDisruptionBudgets to the Pods of a colour, and to peace with
// whoever else writes them.
func budgetGuards() []guard {
	return slices.Concat(
		out("I2", "controllers/act/workloads.go", of("./controllers/act"),
			instead("act: as decided", `	if o.GetResourceVersion() == version {`, `	if o.GetResourceVersion() != "" {`),
		),
		out("I12", "controllers/rollout/budget.go", deciding,
			instead("budget: to the last Pod", `(w.Replicas > 0 || w.Total > 0)`, `w.Replicas > 0`),
			never("budget: somebody else's", `known.Other != b.Other`),
			instead("budget: two of one Pod", `	case b.Other != "":`, `	case false:`),
			instead("budget: as it is written", `case b.Exists && b.Intact && b`, `case b.Exists && b`),
			never("budget: changed by others", `known.MaxUnavailable == want.String()`),
			never("budget: who insists", `last+1 == repairLimit && p.snap.Now.Before(known.RepairedAt[last].Add(repairWindow))`),
			instead("budget: of ours", `w.Exists && !w.Foreign && (`, `w.Exists && (`),
		),
		out("I17", deleting, deciding,
			instead("budget: given back", "			p.surrenderBudget(c)\n", ""),
		),
		out("I2", "controllers/act/budget.go", of("./controllers/act"),
			instead("budget: deleted as read", `, client.Preconditions{ResourceVersion: &d.ResourceVersion}`, ``),
			instead("budget: Pods that never get ready", "			UnhealthyPodEvictionPolicy: &always,\n", "			UnhealthyPodEvictionPolicy: map[bool]*policyv1.UnhealthyPodEvictionPolicyType{true: &always}[false],\n"),
		),
		out("I12", "controllers/observe/budgets.go", of("./controllers/observe"),
			instead("budget: covers", `covers(b, w.Template.Labels)`, `false`),
			instead("budget: with our labels", ` && b.Labels[v1alpha1.ReleaseLabel] == release`, ``),
		),
	)
}

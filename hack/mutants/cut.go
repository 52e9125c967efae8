// Copyright The Countersign Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"regexp"
	"slices"
)

// failed is how go test says which test noticed.
var failed = regexp.MustCompile(`(?m)^--- FAIL: (\S+)`)

// lengthy are the tests of a package that take long; most guards are held by
// others.
var lengthy = map[string]string{
	"./controllers/approval": "Windows|Freeze|Everybody|ComeTo|Evaluate|Held|Every|Never|UntilIs|TurnedAway|Depend",
	"./controllers/rollout":  "Life|Total|Coverage|Model|Graph",
}

// cut takes one guard out of a file.
type cut struct{ name, text, by string }

// never makes a condition that refuses one that is never met.
func never(name, condition string) cut { return cut{name, condition, "false && (" + condition + ")"} }

// always makes a condition that is demanded one that is always met.
func always(name, condition string) cut { return cut{name, condition, "true || (" + condition + ")"} }

// instead replaces a text.
func instead(name, text, by string) cut { return cut{name, text, by} }

// out are the guards that cuts take out of one file. test is the arguments of the
// go test that has to fail.
func out(invariant, file string, test []string, cuts ...cut) []guard {
	var quick []string
	if slow := lengthy[test[1]]; slow != "" {
		quick = append(slices.Clone(test), "-skip", slow)
	}
	guards := make([]guard, 0, len(cuts))
	for _, c := range cuts {
		guards = append(guards, guard{
			name: c.name, invariant: invariant, edits: []edit{{file, c.text, c.by}}, test: test, quick: quick, notices: failed,
		})
	}
	return guards
}

// of is the tests of a package, up to the first that fails.
func of(path string, args ...string) []string {
	return append([]string{"-failfast", path}, args...)
}

// properly is the same of a package with properties. What they find is the same
// each time, and is neither made small nor kept: nobody has to understand it.
func properly(path string, args ...string) []string {
	return of(path, append([]string{"-rapid.seed=1", "-rapid.nofailfile", "-rapid.shrinktime=1ms"}, args...)...)
}

// gateGuards are those between a vote and the traffic.
func gateGuards() []guard {
	return slices.Concat(voteGuards(), peopleGuards(), policyGuards(), tightenGuards(), emergencyGuards(),
		receiptGuards(), keyGuards(), contentGuards(), voterGuards(), requestGuards(), restartGuards(), holdbackGuards(), growthGuards(), commitGuards(), configGuards(), checkGuards(), budgetGuards(), keptGuards(), serviceGuards(), metricsGuards(), notifyGuards(), pluginGuards())
}

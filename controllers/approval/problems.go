// Copyright The Countersign Authors.
// SPDX-License-Identifier: Apache-2.0

package approval

import (
	"fmt"
	"time"
)

// Problems lists what is wrong with a policy by itself, beyond what the schema can
// say, each a sentence that names the field and what to write. Under a policy
// with problems nothing is let through; admission refuses it, so that its owners
// hear of them first.
//
// now is from when on its windows have to open at some time.
func Problems(p Policy, now time.Time) (problems []string) {
	if !p.seatless() {
		for _, at := range placesOf(0, normal(p)) {
			switch {
			case at.broken != "" && at.rule.Name == "":
				problems = append(problems, at.broken+"; add rules, windows or a hold")
			case at.broken != "":
				problems = append(problems, fmt.Sprintf("rule %s can never be met, because %s", at.rule.Name, at.broken))
			}
		}
	}
	if !p.Windows.restrict() {
		return problems
	}
	c, problem := p.Windows.calendar()
	if problem != "" {
		return append(problems, problem)
	}
	if _, known := c.opens(now, manyJumps); !known {
		problems = append(problems, "windows never open: what is allowed is no day of any calendar, or all of it is excluded; allow a time that is not excluded")
	}
	return problems
}

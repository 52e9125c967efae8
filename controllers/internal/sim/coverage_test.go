// Copyright The Countersign Authors.
// SPDX-License-Identifier: Apache-2.0

package sim

import (
	"maps"
	"slices"
	"testing"
)

// reached is what the seeds have to reach for their silence to mean anything.
var reached = []string{
	"promotions", "rollbacks", "rollbacks in the calm", "repairs", "cancellations", "crashes", "conflicts", "timeouts", "errors",
	"takeovers", "writes of deposed leaders", "votes", "withdrawals", "rejections", "vetoes", "expiries", "deletions",
	"intrusions", "promotions by break-glass", "reviews", "selectors moved by others", "candidates given up", "releases made anew", "refused by a guard", "holds", "windows", "votes kept as demands were added",
	"configurations changed", "copies spoilt", "rollbacks by hand", "releases taken down", "candidates aborted", "candidates retried", "requests refused", "budgets spoilt",
	"services let go", "far ways back", "far ways back in the calm", "records spoilt", "restarts", "restarts cancelled",
	"candidates that grew", "promotions whose Pods were counted",
	"services made", "services made again", "deletions insisted on", "ports that differ", "selectors from Git", "selectors insisted on", "syncs", "syncs that undo",
	"scaled while Preparing", "scaled while Testing", "scaled while AwaitingApproval", "scaled while Switching", "scaled while Observing", "scaled while Stable",
	"scaled while RollingBack", "scaled while Halted", "scaled while Paused", "scaled while Deleting",
	"inconclusive BeforeSwitch", "inconclusive AfterSwitch", "candidates halted while checks were inconclusive",
	"superseded when halted", "superseded while tested", "superseded while waiting", "superseded with votes",
}

func (c *coverage) check(t *testing.T) {
	t.Helper()
	for _, event := range reached {
		if c.events[event] == 0 {
			t.Errorf("no seed reached %s", event)
		}
	}
	for _, event := range slices.Sorted(maps.Keys(c.events)) {
		t.Logf("%5d seeds reached %s", c.events[event], event)
	}
	c.checkGraph(t)
}

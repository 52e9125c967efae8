// Copyright The Countersign Authors.
// SPDX-License-Identifier: Apache-2.0

package rollout_test

import (
	"strings"
	"testing"
	"time"

	"github.com/countersign/countersign/api/v1alpha1"
)

// irreversible marks all content.
func irreversible(w *world) { w.rel.Spec.Irreversible = true }

func TestIrreversible(t *testing.T) {
	scenarios(t, map[string]func(*testing.T){
		"it is shown before anybody votes": func(t *testing.T) {
			w := serving(t)
			w.respec(func(s *v1alpha1.ReleaseSpec) { s.Irreversible = true })
			w.run()
			w.wantsWaiting("(irreversible)")
			if m := w.condition(v1alpha1.ConditionApproved).Message; !strings.Contains(m, "it is marked irreversible: once it serves, nothing goes back by itself; ") {
				t.Errorf("the message is %q", m)
			}
		},
		"it is part of what is approved": func(t *testing.T) {
			w := awaiting(t)
			w.approve("bob")
			w.respec(func(s *v1alpha1.ReleaseSpec) { s.Irreversible = true })
			w.run()
			w.wantsTraffic(blue)
			w.respec(func(s *v1alpha1.ReleaseSpec) { s.Irreversible = false })
			w.run()
			w.wantsTraffic(blue) // also there and back
			if n := w.rel.Status.Sequence; n != 4 {
				t.Errorf("the sequence is %d, want 4", n)
			}
		},
		"no ready Pod": func(t *testing.T) {
			w := secondObserved(t, irreversible)
			w.colours[green].missing = 3
			w.run()
			w.wantsTraffic(green)
			w.wantsStalled(v1alpha1.ReasonIrreversible, "apply mended content, or go back: kubectl annotate release shop -n prod --overwrite countersign.dev/rollback=irreversible:"+w.rel.Status.Active.Digest)
			w.pass(2 * time.Hour)
			w.wantsTraffic(green)
			w.wants(v1alpha1.PhaseObserving)
			w.colours[green].missing = 0
			w.run()
			w.wants(v1alpha1.PhaseStable)
		},
		"a check that fails": func(t *testing.T) {
			w := secondObserved(t, irreversible, withChecks)
			w.outcomes["live"] = v1alpha1.CheckFailed
			w.run()
			w.wantsTraffic(green)
			w.wantsStalled(v1alpha1.ReasonIrreversible, "check live failed")
		},
		"people go back": func(t *testing.T) {
			w := secondObserved(t, irreversible)
			w.colours[green].missing = 3
			w.run()
			w.ask(v1alpha1.RollbackAnnotation, "irreversible:"+w.rel.Status.Active.Digest, "olga")
			w.run()
			w.wantsTraffic(blue)
			w.wantsStalled(v1alpha1.ReasonRolledBack, "olga asked to go back")
		},
		"people go back without saying that they know": func(t *testing.T) {
			w := finished(t, irreversible)
			w.askBack("olga")
			w.run()
			w.wantsTraffic(green)
		},
		"people go on": func(t *testing.T) {
			w := secondObserved(t, irreversible)
			w.colours[green].missing = 3
			w.run()
			w.now = w.now.Add(time.Minute)
			w.edit("v3")
			w.run()
			w.wants(v1alpha1.PhaseAwaitingApproval)
			w.approve("bob")
			w.run()
			w.wantsTraffic(blue)
		},
		"what was sent before is no decision": func(t *testing.T) {
			w := secondObserved(t, irreversible)
			w.edit("v3")
			w.run()
			w.pass(time.Minute)
			w.colours[green].missing = 3
			w.run()
			w.pass(2 * time.Hour)
			w.wants(v1alpha1.PhaseObserving)
			w.ask(v1alpha1.RollbackAnnotation, "irreversible:"+w.rel.Status.Active.Digest, "olga")
			w.run()
			w.wantsTraffic(blue)
		},
		"what was sent before goes on when it mends": func(t *testing.T) {
			w := secondObserved(t, irreversible)
			w.edit("v3")
			w.run()
			w.colours[green].missing = 3
			w.run()
			w.colours[green].missing = 0
			w.run()
			if since := w.rel.Status.Active.FailingSince; since != nil {
				t.Errorf("it fails since %s", since)
			}
			w.pass(600 * time.Second)
			w.wants(v1alpha1.PhaseAwaitingApproval)
		},
		"the Deployment is deleted": func(t *testing.T) {
			w := finished(t, irreversible, unrecorded)
			w.respec(func(s *v1alpha1.ReleaseSpec) { s.Paused = true })
			w.edit("v3")
			w.run()
			w.colours[green] = &colour{}
			w.run()
			w.wantsTraffic(green)
			w.wantsStalled(v1alpha1.ReasonIrreversible, "the Deployment that serves was deleted")
		},
		"nothing to go back to": func(t *testing.T) {
			w := observing(t, irreversible)
			w.colours[blue].missing = 3
			w.run()
			w.wantsStalled(v1alpha1.ReasonIrreversible, "nothing is kept to go back to; apply mended content")
		},
		"half switched, it is gone back from": func(t *testing.T) {
			w := decided(t, withTwoServices, irreversible)
			w.services["admin"].selector, w.services["admin"].epoch = ours("green"), 2
			w.touch(&w.services["admin"].version, func() {})
			w.colours[green].missing = 3
			w.run()
			w.wantsTraffic(blue)
		},
		"content of before is gone back to as ever": func(t *testing.T) {
			w := serving(t, irreversible)
			w.respec(func(s *v1alpha1.ReleaseSpec) { s.Irreversible = false })
			w.release("v2")
			w.colours[green].missing = 3
			w.run()
			w.wantsTraffic(blue)
		},
	})
}

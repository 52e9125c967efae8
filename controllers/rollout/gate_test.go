// Copyright The Countersign Authors.
// SPDX-License-Identifier: Apache-2.0

package rollout_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/countersign/countersign/api/v1alpha1"
	"github.com/countersign/countersign/controllers/approval"
	"github.com/countersign/countersign/controllers/rollout"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

func vote(user, digest string, at time.Time) approval.Vote {
	return approval.Vote{Slot: user, User: user, Decision: approval.Approve, Digest: digest, At: at}
}

// Each row takes away one thing that a promotion needs, with the vote there.
func TestHoldback(t *testing.T) {
	rows := map[string]struct {
		before  func(*world) // the candidate is brought up
		after   func(*world) // it is approved
		waiting string
	}{
		"D02 its Pods are not available": {after: func(w *world) { w.colours[green].missing = 1 }, waiting: "the Pods of green"},
		"its Pods are not available, and the endpoints lag": {after: func(w *world) {
			w.lag, w.colours[green].missing = true, 1
		}, waiting: "the Pods of green"},
		"its checks run":                    {before: func(w *world) { w.outcomes["smoke"] = v1alpha1.CheckRunning }, waiting: "the checks before the switch"},
		"nobody approved":                   {after: func(w *world) { w.votes = map[string]approval.Vote{} }, waiting: "1 of qa"},
		"D19 the vote is for other content": {after: func(w *world) { w.votes["bob"] = vote("bob", "sha256:other", w.now) }, waiting: "1 of qa"},
		"the vote proves nothing": {after: func(w *world) {
			v := w.votes["bob"]
			v.Invalid = "the receipt is not valid"
			w.votes["bob"] = v
		}, waiting: "1 of qa"},
		"its author approved": {after: func(w *world) {
			w.authors.Names = []string{"bob"}
		}, waiting: "1 of qa"},
		"D08 the endpoints of the preview lag": {before: func(w *world) { w.lag = true }, waiting: "preview"},
		"D08 the preview leads to others, too": {after: func(w *world) { w.services["shop-preview"].others = 1 }, waiting: "preview"},
		"no policy":                            {after: func(w *world) { w.policies = nil }, waiting: "NoPolicy"},
		"authors not known": {after: func(w *world) {
			w.authors = rollout.Authors{Why: "nobody is recorded as the author of the content"}
		}, waiting: "AuthorsUnknown"},
		"it is paused":                {before: func(w *world) {}, after: func(w *world) { w.respec(func(s *v1alpha1.ReleaseSpec) { s.Paused = true }) }, waiting: "spec.paused"},
		"the gate is frozen":          {after: func(w *world) { w.frozen = "a guard is gone" }, waiting: "GateFrozen"},
		"the spec contradicts itself": {after: func(w *world) { w.problems = []string{"spec.x is wrong; mend it"} }, waiting: "InvalidSpec"},
	}
	for name, row := range rows {
		t.Run(name, func(t *testing.T) {
			w := serving(t, withChecks)
			w.edit("v2")
			if row.before != nil {
				row.before(w)
			}
			w.run()
			w.approve("bob")
			if row.after != nil {
				row.after(w)
			}
			w.run()
			w.wantsTraffic(blue)
			w.wantsWaiting(row.waiting)
			if w.rel.Status.Epoch != 1 {
				t.Errorf("a switch was decided: %+v", w.rel.Status.Switch)
			}
			w.pass(300 * time.Second)
			w.wantsTraffic(blue)
		})
	}
}

func TestVotes(t *testing.T) {
	scenarios(t, map[string]func(*testing.T){
		"a veto halts and its withdrawal goes on": func(t *testing.T) {
			w := serving(t)
			w.edit("v2")
			w.run()
			w.reject("carol")
			w.approve("bob")
			w.run()
			w.wants(v1alpha1.PhaseHalted)
			w.wantsStalled(v1alpha1.ReasonRejected, "carol")
			w.wantsWaiting("the veto of carol")
			w.wantsNotice("ReleaseRejected")
			w.wantsTraffic(blue)
			w.withdraw("carol")
			w.run()
			w.wantsTraffic(green)
		},
		"sec/37 I07 a withdrawal before the commit never counts": func(t *testing.T) {
			w := serving(t, withChecks)
			w.outcomes["smoke"] = v1alpha1.CheckRunning
			w.edit("v2")
			w.run()
			w.approve("bob")
			w.run()
			w.wantsCondition(v1alpha1.ConditionApproved, metav1.ConditionTrue, v1alpha1.ReasonQuorumMet)
			w.withdraw("bob")
			w.outcomes["smoke"] = v1alpha1.CheckPassed
			w.run()
			w.wantsTraffic(blue)
			w.wants(v1alpha1.PhaseAwaitingApproval)
		},
		"D30 an approval expires while it waits for something else": func(t *testing.T) {
			w := serving(t, func(w *world) { w.policies[0].ValidFor = time.Minute })
			w.edit("v2")
			w.lag = true
			w.run()
			w.approve("bob")
			w.run()
			w.wantsCondition(v1alpha1.ConditionApproved, metav1.ConditionTrue, v1alpha1.ReasonQuorumMet)
			if at := w.last.WakeAt; !at.Equal(w.now.Add(time.Minute)) {
				t.Errorf("it wakes at %s, want when the approval expires", at)
			}
			w.pass(time.Minute)
			w.wantsCondition(v1alpha1.ConditionApproved, metav1.ConditionFalse, v1alpha1.ReasonAwaitingApproval)
			w.lag = false
			w.run()
			w.wantsTraffic(blue)
		},
		"a policy that changes has the checks run again": func(t *testing.T) {
			w := serving(t, withChecks)
			w.edit("v2")
			w.run()
			w.policies[0].ValidFor *= 2
			w.outcomes["smoke"] = v1alpha1.CheckRunning
			w.run()
			w.wants(v1alpha1.PhaseTesting)
			w.approve("bob")
			w.run()
			w.wantsTraffic(blue)
		},
		"sec/09 ports that change while votes are open make them void": func(t *testing.T) {
			w := serving(t)
			w.edit("v2")
			w.run()
			before := w.rel.Status.Candidate.Digest
			w.touch(&w.services["shop"].version, func() { w.services["shop"].ports = []corev1.ServicePort{{Name: "http", Port: 81}} })
			w.run()
			w.wantsActions("Materialise green 3", "PointPreview shop-preview green", "PointPreview shop-preview green")
			w.votes["bob"] = vote("bob", before, w.now)
			w.run()
			w.wantsTraffic(blue)
		},
		"an approval of a clock that is ahead counts when it could be the operator's": func(t *testing.T) {
			w := serving(t)
			w.edit("v2")
			w.run()
			w.votes["bob"] = vote("bob", w.rel.Status.Candidate.Digest, w.now.Add(2*time.Minute))
			w.step()
			w.wantsTraffic(blue)
			if at := w.last.WakeAt; !at.Equal(w.now.Add(2*time.Minute - approval.ClockSkew)) {
				t.Errorf("it wakes at %s", at)
			}
			w.now = w.last.WakeAt
			w.run()
			w.wantsTraffic(green)
		},
		"nothing is decided before the Services are claimed": func(t *testing.T) {
			w := newWorld(t)
			w.run()
			w.services["shop"].owner = ""
			w.approve("bob")
			w.step()
			if sw := w.rel.Status.Switch; sw != nil {
				t.Errorf("a switch was decided: %+v", sw)
			}
			w.run()
			w.wantsTraffic(blue)
		},
		"I16 every vote is explained, also without a candidate": func(t *testing.T) {
			w := serving(t)
			for i := range 40 {
				user := fmt.Sprintf("u%02d", i)
				w.votes[user] = vote(user, "sha256:x", w.now)
			}
			w.run()
			w.wantsNoNotice("ApprovalIgnored")
			if n := len(w.rel.Status.Votes); n != 32 {
				t.Errorf("%d votes are explained, want as many as fit", n)
			}
		},
		"more authors than the status holds are not known": func(t *testing.T) {
			w := serving(t)
			w.authors.Names = nil
			for i := range 64 {
				w.authors.Names = append(w.authors.Names, fmt.Sprintf("dev%02d", i))
			}
			w.edit("v2")
			w.run()
			w.authors.Names = []string{"bob", "zoe"}
			w.edit("v3")
			w.run()
			w.authors.Names = []string{"zoe"}
			w.run()
			w.approve("bob")
			w.run()
			w.wantsStalled(v1alpha1.ReasonAuthorsUnknown, "apply the active content")
			w.wantsTraffic(blue)
		},
	})
}

// The barrier before and after a switch: endpoints of what the colour holds now,
// enough of them, and nothing else.
func TestEndpointsOnly(t *testing.T) {
	for name, tc := range map[string]struct {
		e    rollout.Endpoints
		only bool
	}{
		"enough":                {rollout.Endpoints{Green: 2}, true},
		"more":                  {rollout.Endpoints{Green: 3}, true},
		"too few":               {rollout.Endpoints{Green: 1}, false},
		"some of the other":     {rollout.Endpoints{Green: 2, Blue: 1}, false},
		"some of others":        {rollout.Endpoints{Green: 2, Other: 1}, false},
		"of the content before": {rollout.Endpoints{Green: 3, Outdated: 1}, false},
	} {
		if got := tc.e.Only(green, 2); got != tc.only {
			t.Errorf("%s: got %t", name, got)
		}
	}
}

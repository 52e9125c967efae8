// Copyright The Countersign Authors.
// SPDX-License-Identifier: Apache-2.0

package rollout_test

import (
	"strings"
	"testing"
	"time"

	"github.com/countersign/countersign/api/v1alpha1"
	"github.com/countersign/countersign/controllers/approval"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// onCall lets members of sre break the glass.
func onCall(w *world) {
	w.policies[0].BreakGlass = &approval.BreakGlass{Groups: []string{"sre"}, ReviewWithin: 48 * time.Hour}
}

// breakGlass is what erin, on call, does about the candidate.
func (w *world) breakGlass(changes ...func(*approval.Glass)) {
	w.t.Helper()
	g := approval.Glass{
		Slot: "erin", Digest: w.rel.Status.Candidate.Digest, Ticket: "INC-1", Reason: "checkout is down",
		User: "erin", Groups: []string{"sre"}, At: w.now,
	}
	for _, change := range changes {
		change(&g)
	}
	w.glasses = append(w.glasses, g)
}

// lookAt is a review of the first use of break-glass that waits for one.
func (w *world) lookAt(user string) {
	w.t.Helper()
	if len(w.rel.Status.Reviews) == 0 {
		w.t.Fatalf("nothing has to be reviewed")
	}
	w.reviews = append(w.reviews, approval.Review{Slot: user, Digest: w.rel.Status.Reviews[0].Digest, User: user, At: w.now})
}

// broken is a world where blue is kept and green was let through by break-glass.
func broken(t tester, changes ...func(*world)) *world {
	t.Helper()
	w := serving(t, append([]func(*world){withChecks, onCall}, changes...)...)
	w.edit("v2")
	w.run()
	w.breakGlass()
	w.run()
	w.wantsTraffic(green)
	return w
}

func TestBreakGlass(t *testing.T) {
	w := broken(t)
	w.wants(v1alpha1.PhaseObserving)
	w.wantsNotice("BreakGlassUsed")
	w.wantsNoNotice("ReleaseApproved")
	sw := w.rel.Status.Switch
	want := v1alpha1.BrokenGlass{By: "erin", Ticket: "INC-1", Reason: "checkout is down"}
	if sw.Reason != v1alpha1.SwitchBreakGlass || sw.BreakGlass == nil || *sw.BreakGlass != want || len(sw.Approvers) != 0 {
		t.Errorf("the record is %+v", sw)
	}
	if h := w.rel.Status.History[0]; h.Reason != v1alpha1.SwitchBreakGlass || h.BreakGlass == nil || *h.BreakGlass != want {
		t.Errorf("the history has %+v", h)
	}
	r := w.rel.Status.Reviews
	if len(r) != 1 || r[0].Epoch != 2 || r[0].Digest != sw.To.Digest || r[0].By != "erin" || !r[0].DueBy.Equal(&metav1.Time{Time: sw.IntendedAt.Add(48 * time.Hour)}) ||
		len(r[0].Authors) != 1 || r[0].Authors[0] != "dev" {
		t.Errorf("to be reviewed are %+v", r)
	}
	w.wantsCondition(v1alpha1.ConditionReviewPending, metav1.ConditionTrue, v1alpha1.ReasonReviewPending)
	if m := w.condition(v1alpha1.ConditionReviewPending).Message; !strings.Contains(m, "kubectl annotate release shop -n prod --overwrite reviews.countersign.dev/<you>="+sw.To.Digest) {
		t.Errorf("the message is %q", m)
	}
}

// Each row takes away one thing that break-glass needs, or adds one that it is no
// match for.
func TestBreakGlassHeldBack(t *testing.T) {
	for name, row := range map[string]struct {
		before func(*world)
		glass  func(*approval.Glass)
		after  func(*world)
		// condition Approved, or what it waits for.
		reason, waiting, says string
	}{
		"no policy lets anybody": {before: func(w *world) { w.policies[0].BreakGlass = nil }, reason: "AwaitingApproval", says: "policy prod has no breakGlass"},
		"a second policy does not": {before: func(w *world) {
			w.policies = append(w.policies, approval.Policy{Name: "two", ValidFor: time.Hour, Rules: w.policies[0].Rules})
		}, reason: "AwaitingApproval", says: "policy two has no breakGlass"},
		"not on call":    {glass: func(g *approval.Glass) { g.Groups = nil }, reason: "AwaitingApproval", says: "lets only members of sre"},
		"the author":     {glass: func(g *approval.Glass) { g.User = "dev" }, reason: "AwaitingApproval", says: "dev changed the content and cannot break the glass"},
		"unsigned":       {glass: func(g *approval.Glass) { g.Invalid = "it has no receipt" }, reason: "AwaitingApproval", says: "it has no receipt"},
		"another digest": {glass: func(g *approval.Glass) { g.Digest = "sha256:other" }, reason: "AwaitingApproval"},
		"expired":        {glass: func(g *approval.Glass) { g.At = g.At.Add(-time.Hour) }, reason: "AwaitingApproval", says: "it has expired"},
		"taken back":     {after: func(w *world) { w.glasses = nil }, reason: "AwaitingApproval"},
		"a veto":         {after: func(w *world) { w.reject("carol") }, reason: "Rejected", waiting: "the veto of carol"},
		"a freeze that does not let anybody": {before: func(w *world) {
			w.policies = append(w.policies, approval.Policy{Name: "freeze", ValidFor: time.Hour, Windows: approval.Windows{Exclude: []approval.Window{{Schedule: "0 0 * * *", Duration: 24 * time.Hour}}}})
		}, reason: "AwaitingApproval", says: "policy freeze has no breakGlass"},
		"an author's veto":          {after: func(w *world) { w.reject("dev") }, reason: "Rejected"},
		"failed checks":             {before: func(w *world) { w.outcomes["smoke"] = v1alpha1.CheckFailed }, waiting: "CheckFailed"},
		"checks that run":           {before: func(w *world) { w.outcomes["smoke"] = v1alpha1.CheckRunning }, reason: "BreakGlass", waiting: "the checks before the switch"},
		"Pods that are missing":     {after: func(w *world) { w.colours[green].missing = 1 }, reason: "BreakGlass", waiting: "the Pods of green"},
		"endpoints that lag":        {before: func(w *world) { w.lag = true }, reason: "BreakGlass", waiting: "preview"},
		"no policy":                 {after: func(w *world) { w.policies = nil }, reason: "NoPolicy"},
		"authors that nobody knows": {after: func(w *world) { w.authors.Known = false }, reason: "AuthorsUnknown"},
		"a pause":                   {after: func(w *world) { w.respec(func(s *v1alpha1.ReleaseSpec) { s.Paused = true }) }, reason: "BreakGlass", waiting: "spec.paused"},
		"a gate that does not hold": {after: func(w *world) { w.frozen = "the policy release-votes is not enforced" }, reason: "GateFrozen", waiting: "the gate to be mended"},
		"a hold":                    {after: func(w *world) { w.policies[0].Hold = "an audit" }, reason: "StopTheLine", says: "an audit"},
		"a hold of another policy": {before: func(w *world) {
			w.policies = append(w.policies, approval.Policy{Name: "stop", Hold: "an audit", BreakGlass: w.policies[0].BreakGlass, ValidFor: time.Hour})
		}, reason: "StopTheLine", says: "kubectl delete approvalpolicy stop"},
		"an image that is not pinned": {before: func(w *world) { w.policies[0].RequireImageDigests = true }},
		"other content":               {after: func(w *world) { w.edit("v3") }},
	} {
		t.Run("sec/61 "+name, func(t *testing.T) {
			w := serving(t, withChecks, onCall)
			w.edit("v2")
			if row.before != nil {
				row.before(w)
			}
			w.run()
			w.breakGlass(func(g *approval.Glass) {
				if row.glass != nil {
					row.glass(g)
				}
			})
			if row.after != nil {
				row.after(w)
			}
			w.run()
			w.wantsTraffic(blue)
			w.wantsWaiting(row.waiting)
			if c := w.condition(v1alpha1.ConditionApproved); row.reason != "" && c.Reason != row.reason || !strings.Contains(c.Message, row.says) {
				t.Errorf("Approved is %s (%s), want %s and %q", c.Reason, c.Message, row.reason, row.says)
			}
			if w.rel.Status.Epoch != 1 || len(w.rel.Status.Reviews) != 0 {
				t.Errorf("a switch was decided: %+v", w.rel.Status.Switch)
			}
		})
	}
}

func TestReview(t *testing.T) {
	scenarios(t, map[string]func(*testing.T){
		"sec/61 approvals wait for it": func(t *testing.T) {
			w := broken(t)
			w.pass(600 * time.Second)
			w.edit("v3")
			w.run()
			w.approve("bob")
			w.run()
			w.wantsTraffic(green)
			w.wants(v1alpha1.PhaseAwaitingApproval)
			w.wantsWaiting("a review of the break-glass of erin (INC-1)")
			w.wantsCondition(v1alpha1.ConditionApproved, metav1.ConditionFalse, v1alpha1.ReasonReviewPending)
			w.lookAt("carol")
			w.run()
			w.wantsTraffic(blue)
			w.wantsNotice("BreakGlassReviewed")
			w.wantsCondition(v1alpha1.ConditionReviewPending, "", "")
			if h := w.rel.Status.History[1]; h.BreakGlass == nil || h.BreakGlass.ReviewedBy != "carol" || h.BreakGlass.ReviewedAt == nil {
				t.Errorf("the history has %+v", h.BreakGlass)
			}
		},
		"it is on record beside the last switch": func(t *testing.T) {
			w := broken(t)
			w.lookAt("bob")
			w.run()
			if g := w.rel.Status.Switch.BreakGlass; g.ReviewedBy != "bob" || len(w.rel.Status.Reviews) != 0 {
				t.Errorf("the record is %+v, to be reviewed %+v", g, w.rel.Status.Reviews)
			}
		},
		"sec/61 not by who broke the glass, wrote it, or has no say": func(t *testing.T) {
			w := broken(t, func(w *world) {
				w.policies[0].Rules[0].Users = append(w.policies[0].Rules[0].Users, "erin", "dev")
			})
			for _, user := range []string{"erin", "dev", "zoe", ""} {
				w.lookAt(user)
			}
			w.lookAt("bob")
			w.reviews[4].Digest = "sha256:other"
			w.lookAt("carol")
			w.reviews[5].Invalid = "it has no receipt"
			w.run()
			if len(w.rel.Status.Reviews) != 1 {
				t.Errorf("it counts as reviewed: %+v", w.rel.Status.Switch.BreakGlass)
			}
		},
		"sec/61 its deadline is told": func(t *testing.T) {
			w := broken(t)
			w.pass(48*time.Hour - time.Second)
			w.wantsNoNotice("ReviewOverdue")
			w.pass(time.Second)
			w.wantsNotice("ReviewOverdue")
			w.wantsCondition(v1alpha1.ConditionReviewPending, metav1.ConditionTrue, v1alpha1.ReasonReviewOverdue)
			w.lookAt("bob")
			w.run()
			w.wantsCondition(v1alpha1.ConditionReviewPending, "", "")
		},
		"sec/61 a rollback does not wait for it": func(t *testing.T) {
			w := broken(t)
			w.outcomes["live"] = v1alpha1.CheckFailed
			w.run()
			w.wantsTraffic(blue)
			if len(w.rel.Status.Reviews) != 1 {
				t.Errorf("to be reviewed are %+v", w.rel.Status.Reviews)
			}
		},
		"another emergency does not wait, up to a limit": func(t *testing.T) {
			w := broken(t)
			for i, image := range []string{"v3", "v4", "v5", "v6"} {
				w.pass(600 * time.Second)
				w.edit(image)
				w.run()
				w.glasses = nil
				w.breakGlass()
				w.run()
				if n := len(w.rel.Status.Reviews); n != min(i+2, 4) {
					t.Errorf("%d have to be reviewed", n)
				}
			}
			w.wants(v1alpha1.PhaseAwaitingApproval)
			w.wantsWaiting("a review of the break-glass")
			w.lookAt("bob")
			w.run()
			w.wants(v1alpha1.PhaseObserving)
		},
		"it stands in for a window that is closed, with all approvals there": func(t *testing.T) {
			w := serving(t, onCall)
			w.policies[0].Windows = approval.Windows{Exclude: []approval.Window{{Schedule: "0 0 * * *", Duration: 24 * time.Hour}}}
			w.edit("v2")
			w.run()
			w.approve("bob")
			w.run()
			w.wantsTraffic(blue)
			w.wantsCondition(v1alpha1.ConditionApproved, metav1.ConditionFalse, v1alpha1.ReasonOutsideWindow)
			w.breakGlass()
			w.run()
			w.wantsTraffic(green)
			if sw := w.rel.Status.Switch; sw.Reason != v1alpha1.SwitchBreakGlass || len(sw.Approvers) != 1 {
				t.Errorf("the record is %+v", sw)
			}
		},
		"it stands in for a person more whom an unknown author demands": func(t *testing.T) {
			w := serving(t, onCall)
			w.authors.Names = []string{"system:serviceaccount:argocd:app"}
			w.edit("v2")
			w.run()
			w.breakGlass()
			w.run()
			w.wantsTraffic(green)
		},
		"with every approval there it is an ordinary promotion": func(t *testing.T) {
			w := serving(t, onCall)
			w.edit("v2")
			w.run()
			w.approve("bob")
			w.breakGlass()
			w.run()
			w.wantsTraffic(green)
			if sw := w.rel.Status.Switch; sw.Reason != v1alpha1.SwitchPromote || sw.BreakGlass != nil || len(w.rel.Status.Reviews) != 0 {
				t.Errorf("the record is %+v", sw)
			}
		},
		"the first that stands is taken, and those before it are explained": func(t *testing.T) {
			w := serving(t, onCall)
			w.edit("v2")
			w.run()
			w.breakGlass(func(g *approval.Glass) { g.Slot, g.User = "a", "dev" })
			w.breakGlass()
			w.run()
			w.wantsTraffic(green)
			if w.rel.Status.Switch.BreakGlass.By != "erin" {
				t.Errorf("the record is %+v", w.rel.Status.Switch.BreakGlass)
			}
		},
		"one of a clock that is ahead counts by that time": func(t *testing.T) {
			w := serving(t, onCall)
			w.edit("v2")
			w.run()
			w.breakGlass(func(g *approval.Glass) { g.At = w.now.Add(2 * time.Minute) })
			w.step()
			w.wantsTraffic(blue)
			if at := w.last.WakeAt; !at.Equal(w.now.Add(2 * time.Minute)) {
				t.Errorf("it wakes at %s", at)
			}
			w.now = w.last.WakeAt
			w.run()
			w.wantsTraffic(green)
		},
	})
}

// A program that said for whom it wrote is no unknown author, as long as every
// policy trusts it and it never was silent.
func TestDelegatesOfCandidates(t *testing.T) {
	const argo = "system:serviceaccount:argocd:app"
	promotes := func(w *world) bool {
		w.edit("v2")
		w.run()
		w.approve("bob")
		w.run()
		return w.rel.Status.Active.Colour == green
	}
	for name, row := range map[string]struct {
		trusted, said bool
		want          bool
	}{"trusted": {true, true, true}, "silent": {true, false, false}, "not trusted": {false, true, false}} {
		t.Run("sec/51 "+name, func(t *testing.T) {
			w := serving(t)
			w.authors.Names = []string{"alice", argo}
			if row.trusted {
				w.policies[0].TrustedDelegates = []string{argo}
			}
			if row.said {
				w.authors.Delegates = []string{argo}
			}
			if promotes(w) != row.want {
				t.Errorf("one approval of two: %s", w.rel.Status.WaitingFor)
			}
		})
	}
	t.Run("sec/51 silent once, in content that was rolled back", func(t *testing.T) {
		w := serving(t, withChecks, func(w *world) { w.policies[0].TrustedDelegates = []string{argo} })
		w.authors.Names = []string{argo}
		w.edit("v2")
		w.run()
		w.approve("bob")
		w.approve("carol")
		w.run()
		w.wantsTraffic(green)
		w.outcomes["live"] = v1alpha1.CheckFailed
		w.run()
		w.wantsTraffic(blue)
		w.outcomes["live"] = v1alpha1.CheckPassed
		w.authors.Names, w.authors.Delegates = []string{"alice", argo}, []string{argo}
		w.edit("v3")
		w.run()
		w.approve("bob")
		w.run()
		w.wantsTraffic(blue)
		if c := w.rel.Status.Candidate; len(c.Delegates) != 0 {
			t.Errorf("the candidate is %+v", c)
		}
	})
}

// Between the decision and the Services, it can be taken back.
func TestBreakGlassCalledOff(t *testing.T) {
	for name, change := range map[string]func(*world){
		"taken back": func(w *world) { w.glasses = nil },
		"another's":  func(w *world) { w.glasses[0].User = "sam" },
		"expired":    func(w *world) { w.now = w.now.Add(time.Hour) },
		"a veto":     func(w *world) { w.reject("carol") },
		"the policy": func(w *world) { w.policies[0].BreakGlass = nil },
	} {
		t.Run("sec/61 "+name, func(t *testing.T) {
			w := serving(t, onCall)
			w.edit("v2")
			w.run()
			w.breakGlass()
			w.writes = 0
			w.step()
			if sw := w.rel.Status.Switch; sw.Reason != v1alpha1.SwitchBreakGlass || len(w.rel.Status.Reviews) != 1 {
				t.Fatalf("the record is %+v", sw)
			}
			w.writes = 1 << 30
			change(w)
			w.step()
			w.wantsTraffic(blue)
			if sw := w.rel.Status.Switch; sw.CancelledAt == nil || len(w.rel.Status.Reviews) != 0 {
				t.Errorf("the record is %+v, to be reviewed %+v", sw, w.rel.Status.Reviews)
			}
		})
	}
}

// A switch that gets another epoch keeps what has to be reviewed.
func TestBreakGlassRenumbered(t *testing.T) {
	w := serving(t, onCall)
	w.edit("v2")
	w.run()
	w.breakGlass()
	w.writes = 0
	w.step()
	w.writes = 1 << 30
	w.touch(&w.services["shop"].version, func() { w.services["shop"].epoch = 7 })
	w.run()
	w.wantsTraffic(green)
	if r, sw := w.rel.Status.Reviews, w.rel.Status.Switch; len(r) != 1 || r[0].Epoch != sw.Epoch || sw.Epoch != 8 {
		t.Errorf("to be reviewed are %+v, the switch is %+v", r, sw)
	}
}

// Copyright The Countersign Authors.
// SPDX-License-Identifier: Apache-2.0

package rollout_test

import (
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/countersign/countersign/api/v1alpha1"
	"github.com/countersign/countersign/controllers/rollout"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

func TestCallingOff(t *testing.T) {
	// Each change comes after the decision was recorded and before any write.
	for name, tc := range map[string]struct {
		change func(*world)
		why    string
	}{
		"a policy changed":           {func(w *world) { w.policies[0].ValidFor *= 2 }, "a policy or a Service changed"},
		"all policies went":          {func(w *world) { w.policies = nil }, "a policy or a Service changed"},
		"the ports changed":          {func(w *world) { w.services["shop"].ports[0].Port = 81 }, "a policy or a Service changed"},
		"the spec changed":           {func(w *world) { w.edit("v3") }, "the content of the Release changed"},
		"it was paused":              {func(w *world) { w.respec(func(s *v1alpha1.ReleaseSpec) { s.Paused = true }) }, "paused"},
		"the gate is frozen":         {func(w *world) { w.frozen = "a guard is gone" }, "the gate is frozen: a guard is gone"},
		"somebody vetoed":            {func(w *world) { w.reject("carol") }, "carol"},
		"the approval was taken":     {func(w *world) { w.withdraw("bob") }, "needs 1 more approval"},
		"the approval expired":       {func(w *world) { w.now = w.now.Add(25 * time.Hour) }, "needs 1 more approval"},
		"the candidate lost Pods":    {func(w *world) { w.colours[green].missing = 3 }, "no ready Pod"},
		"the candidate was deleted":  {func(w *world) { w.colours[green] = &colour{} }, "no longer what was approved"},
		"the candidate was changed":  {func(w *world) { w.colours[green].template = template("evil") }, "no longer what was approved"},
		"the candidate is not known": {func(w *world) { w.rel.Status.Candidate = nil }, "no longer what was approved"},
		"other content is approved": {func(w *world) {
			w.rel.Status.Candidate.Digest = "sha256:other"
			w.approve("bob")
		}, "no longer what was approved"},
	} {
		t.Run(name, func(t *testing.T) {
			w := decided(t)
			tc.change(w)
			w.step()
			w.wantsTraffic(blue)
			w.wantsNotice("SwitchCancelled")
			if why := w.rel.Status.Switch.Message; !strings.Contains(why, tc.why) {
				t.Errorf("it says %q, want %q", why, tc.why)
			}
			if e := w.services["shop"].epoch; e != 2 {
				t.Errorf("the epoch of the Service is %d: the switch could still happen late", e)
			}
			w.run()
		})
	}
	scenarios(t, map[string]func(*testing.T){
		"what was called off can be decided again": func(t *testing.T) {
			w := decided(t)
			w.colours[green].missing = 3
			w.run()
			w.colours[green].missing = 0
			w.run()
			w.wantsTraffic(green)
			w.wantsActions("Fence epoch 2", "Shift green epoch 3")
		},
		"nothing is decided before the fence stands": func(t *testing.T) {
			w := decided(t, withTwoServices)
			w.colours[green].missing = 3
			w.writes = 1
			w.step()
			w.policies[0].ValidFor *= 2
			w.colours[green].missing = 0
			w.writes = 0
			w.step()
			if w.rel.Status.Epoch != 2 {
				t.Errorf("a switch was decided: %+v", w.rel.Status.Switch)
			}
			w.writes = 9
			w.run()
			w.wants(v1alpha1.PhaseAwaitingApproval)
			if c := w.rel.Status.Candidate; c.Sequence != 3 {
				t.Errorf("the digest changed without a sequence of its own: %+v", c)
			}
		},
		"the first release": func(t *testing.T) {
			w := newWorld(t, withTwoServices)
			w.run()
			w.approve("bob")
			w.writes = 0
			w.step()
			w.edit("v2")
			w.writes = 1
			w.step() // one Service is fenced; somebody leads the other to blue
			for _, svc := range w.services {
				if svc.epoch == 0 && !svc.preview {
					w.touch(&svc.version, func() { svc.selector = ours("blue") })
				}
			}
			w.writes = 9
			w.run()
			w.wantsTraffic("")
			w.wants(v1alpha1.PhasePreparing) // until the endpoints can be known to be gone
			w.pass(30 * time.Second)
			w.wants(v1alpha1.PhaseAwaitingApproval)
		},
		"I5 a repair that is undone as what it leads to fails takes one number": func(t *testing.T) {
			w := secondObserved(t, withTwoServices)
			w.touch(&w.services["admin"].version, func() { w.services["admin"].selector = map[string]string{"app": "shop"} })
			w.step() // the repair is on record, and written
			before := w.rel.Status.Epoch
			w.touch(&w.services["shop"].version, func() { w.services["shop"].selector = map[string]string{"app": "shop"} })
			w.colours[green].missing = 3
			w.step()
			w.wants(v1alpha1.PhaseRollingBack)
			if got := w.rel.Status.Epoch; got != before+1 {
				t.Errorf("the epoch goes from %d to %d in one decision", before, got)
			}
			w.run()
			w.wantsTraffic(blue)
		},
		"a Service that is led away in between is written under a new epoch": func(t *testing.T) {
			w := halfSwitched(t)
			w.touch(&w.services["admin"].version, func() { w.services["admin"].selector = ours("blue") })
			w.run()
			w.wantsActions("Shift green epoch 3")
			w.wantsTraffic(green)
		},
		"without any Service nothing has arrived": func(t *testing.T) {
			w := decided(t)
			delete(w.services, "shop")
			w.step()
			if a := w.rel.Status.Active; a.Colour != blue || w.rel.Status.Switch.PatchedAt != nil {
				t.Errorf("active is %+v", a)
			}
			w.addService("shop")
			w.run()
			w.wantsTraffic(green)
		},
		"once a Service is led there, it is brought to its end": func(t *testing.T) {
			w := halfSwitched(t)
			w.policies[0].ValidFor *= 2
			w.withdraw("bob")
			w.run()
			w.wantsTraffic(green)
			w.wantsNoNotice("SwitchCancelled")
		},
	})
}

func TestRepair(t *testing.T) {
	scenarios(t, map[string]func(*testing.T){
		"D05 a key of the selector is removed": func(t *testing.T) {
			w := serving(t)
			w.touch(&w.services["shop"].version, func() { w.services["shop"].selector = map[string]string{v1alpha1.ReleaseLabel: "shop"} })
			w.run()
			w.wantsTraffic(blue)
			w.wantsActions("Shift blue epoch 2")
			w.wantsNotice("SelectorRepaired")
			w.wants(v1alpha1.PhaseStable)
		},
		"D05 a selector led to the candidate is no approval": func(t *testing.T) {
			w := serving(t)
			w.edit("v2")
			w.run()
			w.touch(&w.services["shop"].version, func() { w.services["shop"].selector = ours("green") })
			w.run()
			w.wantsTraffic(blue)
			w.wants(v1alpha1.PhaseAwaitingApproval)
		},
		"D13 a Service that is made anew with the selector of its manifest": func(t *testing.T) {
			w := serving(t)
			w.edit("v2")
			w.run()
			w.addService("shop").selector = map[string]string{"app": "shop"}
			w.run()
			w.wantsTraffic(blue)
			if e := w.services["shop"].endpoints; e.Green != 0 || e.Blue != 3 {
				t.Errorf("its endpoints are %+v", e)
			}
		},
		"D13 a Service that is deleted and made anew": func(t *testing.T) {
			w := serving(t)
			delete(w.services, "shop")
			w.run()
			w.wantsStalled(v1alpha1.ReasonServiceMissing, "create it")
			w.addService("shop")
			w.run()
			w.wantsTraffic(blue)
			w.wantsCondition(v1alpha1.ConditionStalled, "", "")
			if e := w.services["shop"].epoch; e != 2 {
				t.Errorf("its epoch is %d, want 2", e)
			}
		},
		"a Service deleted while endpoints follow settles nothing": func(t *testing.T) {
			w := serving(t)
			w.edit("v2")
			w.run()
			w.approve("bob")
			w.lag = true
			w.run()
			delete(w.services, "shop")
			w.lag = false
			w.run()
			if w.rel.Status.Switch.SettledAt != nil {
				t.Errorf("it is settled without a Service: %+v", w.rel.Status.Switch)
			}
			w.addService("shop")
			w.run()
			w.wantsTraffic(green)
			w.wants(v1alpha1.PhaseObserving)
		},
		"an epoch that was taken off": func(t *testing.T) {
			w := serving(t)
			w.touch(&w.services["shop"].version, func() { w.services["shop"].epoch = 0 })
			w.run()
			if e := w.services["shop"].epoch; e != 2 {
				t.Errorf("the epoch is %d, want 2", e)
			}
		},
		"an epoch that is larger than any of ours": func(t *testing.T) {
			w := serving(t)
			w.touch(&w.services["shop"].version, func() { w.services["shop"].epoch, w.services["shop"].selector = 57, nil })
			w.run()
			w.wantsTraffic(blue)
			if e := w.services["shop"].epoch; e != 58 {
				t.Errorf("the epoch is %d, want 58", e)
			}
		},
		"sec/49 D23 somebody who keeps changing it is named, and the release is frozen": func(t *testing.T) {
			w := serving(t)
			revert := func() {
				w.touch(&w.services["shop"].version, func() { w.services["shop"].selector = map[string]string{"app": "shop"} })
				w.run()
			}
			for range 3 {
				revert()
				w.wantsTraffic(blue)
			}
			w.did = nil
			revert()
			w.wantsActions()
			w.wantsStalled(v1alpha1.ReasonSelectorConflict, "take the selector out of the manifests")
			w.wantsCondition(v1alpha1.ConditionTrafficSettled, metav1.ConditionFalse, v1alpha1.ReasonSelectorConflict)
			w.edit("v2")
			w.run()
			w.wantsActions()
			w.pass(10 * time.Minute)
			w.wantsTraffic(blue)
			w.approve("bob")
			w.run()
			w.wantsTraffic(green)
		},
		"a Service that was only added to the spec is not led along": func(t *testing.T) {
			w := serving(t)
			withTwoServices(w)
			w.rel.Generation++
			w.run()
			w.wants(v1alpha1.PhaseAwaitingApproval)
			w.touch(&w.services["shop"].version, func() { w.services["shop"].selector = nil })
			w.run()
			if c, parked := leadsTo(w.services["admin"].selector); c != "" || !parked {
				t.Errorf("it leads to %q", c)
			}
			w.approve("bob")
			w.run()
			w.wantsTraffic(green)
		},
		"a label that was taken off": func(t *testing.T) {
			w := serving(t)
			w.touch(&w.services["shop"].version, func() { w.services["shop"].owner = "" })
			w.run()
			w.wantsActions("Shift blue epoch 2")
			if o := w.services["shop"].owner; o != "shop" {
				t.Errorf("it belongs to %q", o)
			}
		},
		"a paused Release repairs": func(t *testing.T) {
			w := serving(t)
			w.respec(func(s *v1alpha1.ReleaseSpec) { s.Paused = true })
			w.services["shop"].selector = nil
			w.run()
			w.wantsTraffic(blue)
		},
		"the history is bounded": func(t *testing.T) {
			w := serving(t)
			for range 12 {
				w.services["shop"].selector = nil
				w.run()
				w.pass(time.Hour)
			}
			if h := w.rel.Status.History; len(h) != 10 || h[0].Epoch != 13 {
				t.Errorf("the history is %+v", h)
			}
		},
	})
}

// An operator that was started anew carries out what is on record once it has tested
// the gate: neither before, nor never.
func TestResumedUntested(t *testing.T) {
	intended := func(t *testing.T, changes ...func(*world)) *world {
		w := newWorld(t, changes...)
		w.run()
		w.approve("bob")
		w.writes = 0
		w.step()
		if sw := w.rel.Status.Switch; sw == nil || sw.PatchedAt != nil {
			t.Fatalf("the switch is %+v", sw)
		}
		w.untested, w.writes, w.did = true, 9, nil
		return w
	}
	scenarios(t, map[string]func(*testing.T){
		"the gate is intact": func(t *testing.T) {
			w := intended(t)
			w.run()
			w.wantsActions()
			w.wantsTraffic("")
			w.untested = false
			w.run()
			w.wantsActions("Shift blue epoch 1")
			w.wantsTraffic(blue)
			w.wantsNoNotice("SwitchCancelled")
		},
		"the gate is frozen": func(t *testing.T) {
			w := intended(t)
			w.run()
			w.untested, w.frozen = false, "a guard is gone"
			w.run()
			w.wantsTraffic("")
			w.wantsNotice("SwitchCancelled")
		},
		"the vote is withdrawn meanwhile": func(t *testing.T) {
			w := intended(t)
			w.withdraw("bob")
			w.run()
			w.wantsTraffic("")
			w.wantsNotice("SwitchCancelled")
		},
		"some Services are there already": func(t *testing.T) {
			w := intended(t, withTwoServices)
			w.untested, w.writes = false, 1
			w.step()
			w.untested, w.writes = true, 9
			w.run()
			w.wantsTraffic(blue)
		},
		"nothing new is promoted": func(t *testing.T) {
			w := newWorld(t)
			w.untested = true
			w.run()
			w.approve("bob")
			w.run()
			w.wantsTraffic("")
			w.untested = false
			w.run()
			w.wantsTraffic(blue)
		},
	})
}

// A Service taken out of the spec follows until it is deleted, and then the
// Release goes on without it.
func TestServiceTakenOut(t *testing.T) {
	w := serving(t, withTwoServices)
	w.respec(func(s *v1alpha1.ReleaseSpec) { s.Services = s.Services[:1] })
	w.run()
	w.wantsDeletable() // nobody has agreed to that yet
	w.approve("bob")
	w.run()
	w.wantsTraffic(green)
	w.pass(time.Hour)
	w.wantsDeletable("admin")
	delete(w.services, "admin")
	w.release("v3")
	w.wantsTraffic(blue)
	if s := w.rel.Status.Active.Services; len(s) != 1 {
		t.Errorf("these follow: %v", s)
	}
	w.wantsCondition(v1alpha1.ConditionStalled, "", "")
}

// Only what the approved spec does not name is let go, and only while that serves.
func TestServiceLetGo(t *testing.T) {
	without := func(s *v1alpha1.ReleaseSpec) { s.Services = s.Services[:1] }
	scenarios(t, map[string]func(*testing.T){
		"it is named again": func(t *testing.T) {
			w := serving(t, withTwoServices)
			spec := *w.rel.Spec.DeepCopy()
			w.respec(without)
			w.run()
			w.approve("bob")
			w.run()
			w.wantsDeletable("admin")
			w.respec(func(s *v1alpha1.ReleaseSpec) { *s = spec })
			w.run()
			w.wantsDeletable()
		},
		"what named it serves again": func(t *testing.T) {
			w := serving(t, withTwoServices)
			w.respec(without)
			w.run()
			w.approve("bob")
			w.run()
			w.wantsDeletable("admin")
			w.askBack("olga")
			w.run()
			w.wantsTraffic(blue)
			w.wantsDeletable()
		},
		"somebody marked it before it was claimed": func(t *testing.T) {
			w := serving(t, func(w *world) { w.services["shop"].deletable = true })
			w.wantsDeletable()
		},
		"nobody's": func(t *testing.T) {
			w := serving(t)
			w.services["shop"].owner = "other"
			w.services["shop"].deletable = true
			w.run()
			w.wantsDeletable("shop")
		},
	})
}

func (w *world) wantsDeletable(want ...string) {
	w.t.Helper()
	var got []string
	for _, name := range slices.Sorted(maps.Keys(w.services)) {
		if w.services[name].deletable {
			got = append(got, name)
		}
	}
	if !slices.Equal(got, want) {
		w.t.Errorf("to be deleted are %q, want %q", got, want)
	}
}

// Before anything is active, such a Service is parked, and the colour that it led
// to is left alone until its endpoints can be known to be gone.
func TestFirstSwitchThatCameThrough(t *testing.T) {
	w := newWorld(t)
	w.run()
	w.approve("bob")
	d := rollout.Decide(w.snapshot())
	late := d.Actions[len(d.Actions)-1].(rollout.ShiftTraffic)
	w.rel.Status = d.Status
	w.edit("v2")
	w.rel.Status = rollout.Decide(w.snapshot()).Status
	if sw := w.rel.Status.Switch; sw.CancelledAt == nil || !w.carry(late) {
		t.Fatalf("the switch %+v is not called off, or was not carried out", sw)
	}
	w.did = nil
	w.run()
	w.wantsTraffic("")
	w.wantsActions("Park shop")
	w.pass(29 * time.Second)
	w.wantsActions()
	w.pass(time.Second)
	w.wantsActions("Materialise blue 3")
}

// A preview that the spec calls by another name, or whose Service it names no
// more, does not stay behind.
func TestStrayPreview(t *testing.T) {
	scenarios(t, map[string]func(*testing.T){
		"another name": func(t *testing.T) {
			w := serving(t)
			w.respec(func(s *v1alpha1.ReleaseSpec) { s.Services[0].Preview = "next" })
			w.run()
			if w.services["shop-preview"] != nil || w.services["next"] == nil {
				t.Errorf("the Services are %v", slices.Sorted(maps.Keys(w.services)))
			}
		},
		"the Service was deleted": func(t *testing.T) {
			w := serving(t, withTwoServices)
			w.respec(func(s *v1alpha1.ReleaseSpec) { s.Services = s.Services[:1] })
			delete(w.services, "admin")
			w.run()
			w.approve("bob")
			w.run()
			if w.services["admin-preview"] != nil || w.services["shop-preview"] == nil {
				t.Errorf("the Services are %v", slices.Sorted(maps.Keys(w.services)))
			}
		},
		"somebody else's": func(t *testing.T) {
			w := serving(t)
			s := w.snapshot()
			s.Strays = []rollout.Preview{{Name: "x", Exists: true, Foreign: true}}
			if d := rollout.Decide(s); len(d.Actions) > 0 {
				t.Errorf("it does %+v", d.Actions)
			}
		},
		"with the Release": func(t *testing.T) {
			w := serving(t)
			w.addService("next").preview = true
			now := metav1.NewTime(w.now)
			w.rel.DeletionTimestamp = &now
			w.run()
			if w.services["next"] != nil {
				t.Errorf("it stays")
			}
		},
	})
}

// Two leaders: what the deposed one decided cannot be carried out late.
func TestFenceIsWrittenBeforeAnythingElse(t *testing.T) {
	w := decided(t)
	late := w.last.Actions[len(w.last.Actions)-1].(rollout.ShiftTraffic)
	w.edit("v3")
	w.run()
	if w.carry(late) {
		t.Errorf("the deposed leader switched")
	}
	w.wantsTraffic(blue)
}

// A switch that was under way when it was called off, before that was fenced, is
// taken back and nobody else is blamed.
func TestSwitchThatCameThrough(t *testing.T) {
	w := decided(t)
	late := w.last.Actions[len(w.last.Actions)-1].(rollout.ShiftTraffic)
	w.edit("v3")
	w.rel.Status = rollout.Decide(w.snapshot()).Status
	if sw := w.rel.Status.Switch; sw.CancelledAt == nil || !w.carry(late) {
		t.Fatalf("the switch %+v is not called off, or was not carried out", sw)
	}
	w.run()
	w.wantsTraffic(blue)
	if sw := w.rel.Status.Switch; sw.Reason != v1alpha1.SwitchRepair || !strings.Contains(sw.Message, "the switch of epoch 2, which had been called off,") {
		t.Errorf("it is %+v", sw)
	}
}

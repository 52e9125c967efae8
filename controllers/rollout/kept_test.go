// Copyright The Countersign Authors.
// SPDX-License-Identifier: Apache-2.0

package rollout_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/countersign/countersign/api/v1alpha1"
	"github.com/countersign/countersign/controllers/digest"
	"github.com/countersign/countersign/controllers/rollout"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// writeKept does what package act does with records, and notes it apart: few
// scenarios are about them.
func (w *world) writeKept(a rollout.Action) bool {
	switch a := a.(type) {
	case rollout.KeepContent:
		w.recorded = append(w.recorded, "Keep "+a.Content.Digest)
		hash, err := digest.Kept(a.Content, a.Template)
		if err != nil {
			w.t.Fatalf("hash of kept content: %v", err)
		}
		if w.records[a.Name] == nil {
			w.version++
			w.records[a.Name] = &rollout.Kept{Name: a.Name, UID: fmt.Sprint(w.version), Hash: hash, KeptRecord: a.KeptRecord}
		}
	case rollout.DropKept:
		w.recorded = append(w.recorded, "Drop "+w.records[a.Name].Content.Digest)
		delete(w.records, a.Name)
	}
	return true
}

// third is a world whose third content serves and is finished: the first is held by
// no colour any more.
func third(t *testing.T, changes ...func(*world)) (w *world, first, second string) {
	t.Helper()
	w = serving(t, changes...)
	first = w.rel.Status.Active.Digest
	w.release("v2")
	w.pass(600 * time.Second)
	second = w.rel.Status.Active.Digest
	w.release("v3")
	w.pass(600 * time.Second)
	w.wants(v1alpha1.PhaseStable)
	w.wantsTraffic(blue)
	w.did, w.told, w.recorded = nil, nil, nil
	return w, first, second
}

// askFar asks to go back from what is active to kept content.
func (w *world) askFar(to, by string) {
	w.t.Helper()
	i := slices.IndexFunc(w.rel.Status.Kept, func(k v1alpha1.KeptContent) bool { return k.Digest == to })
	if i < 0 {
		w.t.Fatalf("%s is not kept: %+v", to, w.rel.Status.Kept)
	}
	w.ask(v1alpha1.RollbackAnnotation, w.rel.Status.KeptRequest(w.rel.Status.Kept[i]), by)
}

// unrecorded keeps no records.
func unrecorded(w *world) { w.rel.Spec.RevisionHistoryLimit = ptr(int32(0)) }

func (w *world) keptDigests() (digests []string) {
	for _, k := range w.rel.Status.Kept {
		digests = append(digests, k.Digest)
	}
	return digests
}

func (w *world) wantsKept(digests ...string) {
	w.t.Helper()
	if got := w.keptDigests(); !slices.Equal(got, digests) {
		w.t.Errorf("kept is %v, want %v", got, digests)
	}
	if len(w.records) != len(digests) {
		w.t.Errorf("there are %d records, want %d", len(w.records), len(digests))
	}
}

func (w *world) image(c v1alpha1.Colour) string {
	return w.colours[c].template.Spec.Containers[0].Image
}

func TestGoBackToKeptContent(t *testing.T) {
	scenarios(t, map[string]func(*testing.T){
		"that no colour holds": func(t *testing.T) {
			w, first, _ := third(t)
			w.askFar(first, "olga")
			w.run()
			w.wantsTraffic(green)
			w.wantsActions("Materialise green 3", "PointPreview shop-preview green", "Shift green epoch 4")
			if got := w.image(green); got != "v1" {
				t.Errorf("traffic is led to %s, want v1", got)
			}
			if a := w.rel.Status.Active; a.Digest != first || a.FinishedAt == nil {
				t.Errorf("active is %+v, want %s, and finished", a, first)
			}
			if h := w.rel.Status.History[0]; h.AskedBy != "olga" || h.Reason != v1alpha1.SwitchRollback || h.Digest != first {
				t.Errorf("on record is %+v", h)
			}
			w.wants(v1alpha1.PhaseHalted)
			w.wantsStalled(v1alpha1.ReasonRolledBack, "olga asked to go back")
		},
		"nothing moves before its Pods are available": func(t *testing.T) {
			w, first, _ := third(t)
			w.colours[green].slow = true
			w.askFar(first, "olga")
			w.run()
			w.wantsTraffic(blue)
			w.wants(v1alpha1.PhasePreparing)
			w.wantsWaiting("the Pods of green, to go back to " + first[:19])
			w.pass(24 * time.Hour)
			w.wantsTraffic(blue)
			w.wantsReplicas(green, 3) // it is not retired meanwhile
			w.colours[green].slow = false
			w.run()
			w.wantsTraffic(green)
		},
		"with fewer Pods than serve, it waits": func(t *testing.T) {
			w, first, _ := third(t)
			w.colours[green].missing = 1
			w.askFar(first, "olga")
			w.step()
			w.colours[green].missing = 1
			w.run()
			w.wantsTraffic(blue)
		},
		"before the endpoints of its previews are complete, it waits": func(t *testing.T) {
			w, first, _ := third(t)
			w.askFar(first, "olga")
			w.lag = true
			w.run()
			w.wantsTraffic(blue)
			w.lag = false
			w.run()
			w.wantsTraffic(green)
		},
		"nobody votes, and nothing of the gate is asked": func(t *testing.T) {
			w, first, _ := third(t)
			w.policies, w.votes, w.frozen = nil, nil, "a policy is gone"
			w.authors.Known = false
			w.problems = []string{"spec.x is wrong; mend it"}
			w.respec(func(s *v1alpha1.ReleaseSpec) { s.Paused = true })
			w.askFar(first, "olga")
			w.run()
			w.wantsTraffic(green)
		},
		"the request is taken back in time": func(t *testing.T) {
			w, first, _ := third(t)
			w.colours[green].slow = true
			w.askFar(first, "olga")
			w.run()
			w.ask(v1alpha1.RollbackAnnotation, "", "")
			w.colours[green].slow = false
			w.run()
			w.wantsTraffic(blue)
			w.wants(v1alpha1.PhaseStable)
		},
		"the one before goes back at once": func(t *testing.T) {
			w, _, second := third(t)
			w.askFar(second, "olga")
			w.run()
			w.wantsTraffic(green)
			w.wantsActions("Shift green epoch 4")
		},
		"the one before, while the active content is observed": func(t *testing.T) {
			w := secondObserved(t)
			w.askFar(w.rel.Status.Former.Digest, "olga")
			w.run()
			w.wantsTraffic(blue)
			w.wantsActions("Shift blue epoch 3")
		},
		"the one before, after its colour was scaled to zero": func(t *testing.T) {
			w, _, second := third(t)
			w.pass(3601 * time.Second)
			w.wantsReplicas(green, 0)
			w.did = nil
			w.askFar(second, "olga")
			w.run()
			w.wantsTraffic(green)
			w.wantsActions("Scale green 3", "PointPreview shop-preview green", "Shift green epoch 4")
		},
		"not while the active content is observed": func(t *testing.T) {
			w := serving(t)
			first := w.rel.Status.Active.Digest
			w.release("v2")
			w.pass(600 * time.Second)
			w.release("v3")
			w.wants(v1alpha1.PhaseObserving)
			w.did = nil
			w.askFar(first, "olga")
			w.run()
			w.wantsActions()
			w.wantsStalled(v1alpha1.ReasonRollbackImpossible, "go back to that first: kubectl annotate release shop -n prod --overwrite countersign.dev/rollback="+w.rel.Status.Active.Digest)
			w.pass(600 * time.Second)
			w.wantsTraffic(green) // the request stands
		},
		"I2 what traffic was led away from just now is not replaced": func(t *testing.T) {
			w, first, second := third(t)
			w.askFar(first, "olga")
			w.run()
			w.wantsTraffic(green)
			w.did = nil
			w.askFar(second, "olga")
			w.run()
			w.wantsActions()
			w.pass(3 * time.Second)
			w.wantsTraffic(blue)
		},
		"a candidate waits and comes after it": func(t *testing.T) {
			w, first, _ := third(t)
			w.edit("v4")
			w.run()
			w.wants(v1alpha1.PhaseAwaitingApproval)
			w.askFar(first, "olga")
			w.run()
			w.wantsTraffic(green)
			w.pass(3 * time.Second)
			w.wants(v1alpha1.PhaseAwaitingApproval)
			if got := w.image(blue); got != "v4" {
				t.Errorf("the candidate stands as %s, want v4", got)
			}
			w.approve("bob")
			w.run()
			w.wantsTraffic(blue)
		},
		"what is approved meanwhile waits": func(t *testing.T) {
			w, first, _ := third(t)
			w.edit("v4")
			w.run()
			w.colours[green].slow = true
			w.askFar(first, "olga")
			w.step()
			w.colours[green].slow = true
			w.approve("bob")
			w.run()
			w.wantsTraffic(blue)
			if got := w.image(green); got != "v1" {
				t.Errorf("green holds %s, want v1", got)
			}
		},
		"a record that was changed": func(t *testing.T) {
			w, first, _ := third(t)
			for _, r := range w.records {
				if r.Content.Digest == first {
					r.Template.Spec.Containers[0].Image = "evil"
					r.Hash, _ = digest.Kept(r.Content, r.Template)
				}
			}
			w.askFar(first, "olga")
			w.run()
			w.wantsTraffic(blue)
			w.wantsActions()
			w.wantsStalled(v1alpha1.ReasonRollbackImpossible, "is gone or was changed by someone else; to take the request back: kubectl annotate release shop -n prod --overwrite countersign.dev/rollback-")
		},
		"a record that cannot be read": func(t *testing.T) {
			w, first, _ := third(t)
			for _, r := range w.records {
				if r.Content.Digest == first {
					r.Hash = ""
				}
			}
			w.rel.Status.Kept[2].Hash = ""
			w.askFar(first, "olga")
			w.run()
			w.wantsTraffic(blue)
			w.wantsStalled(v1alpha1.ReasonRollbackImpossible, "is gone or was changed")
		},
		"a Deployment of others stands there": func(t *testing.T) {
			w, first, _ := third(t)
			w.colours[green].foreign = true
			w.askFar(first, "olga")
			w.run()
			w.wantsTraffic(blue)
			w.wantsActions()
			w.wantsStalled(v1alpha1.ReasonWorkloadForeign, "green")
		},
		"endpoints that are of earlier Pods count for nothing": func(t *testing.T) {
			w, first, _ := third(t)
			w.services["shop-preview"].selector = ours("green")
			w.follow()
			w.lag = true
			w.askFar(first, "olga")
			w.step()
			w.colours[green].slow = true
			w.run()
			w.wantsTraffic(blue)
		},
		"what stands in the colour was changed": func(t *testing.T) {
			w, _, second := third(t)
			w.colours[green].template.Spec.Containers[0].Image = "evil"
			w.askFar(second, "olga")
			w.run()
			w.wantsTraffic(green)
			if got := w.image(green); got != "v2" {
				t.Errorf("traffic is led to %s, want v2", got)
			}
		},
		"somebody insists on leading a Service to the colour": func(t *testing.T) {
			w, first, _ := third(t)
			for range 4 {
				w.services["shop"].selector = ours("green")
				w.run()
			}
			w.did = nil
			w.askFar(first, "olga")
			w.run()
			w.wantsActions()
			w.wantsStalled(v1alpha1.ReasonSelectorConflict, "keeps changing")
		},
		"a copy is gone, and the original is another": func(t *testing.T) {
			w, first, _ := third(t, withConfig)
			w.edit("v4")
			w.rel.Spec.Template = configured("v4")
			w.config[settings] = "sha256:s2"
			w.run()
			clear(w.copies)
			w.did = nil
			w.askFar(first, "olga")
			w.run()
			w.wantsTraffic(blue)
			w.wantsStalled(v1alpha1.ReasonRollbackImpossible, "a copy of its ConfigMaps and Secrets is gone, and the original is not what it was")
			w.config[settings] = "sha256:s1"
			w.run()
			w.wantsTraffic(green)
		},
		"what was irreversible is in between": func(t *testing.T) {
			w := serving(t)
			first := w.rel.Status.Active.Digest
			w.respec(func(s *v1alpha1.ReleaseSpec) { s.Irreversible = true })
			w.release("v2")
			w.pass(600 * time.Second)
			w.respec(func(s *v1alpha1.ReleaseSpec) { s.Irreversible = false })
			w.release("v3")
			w.pass(600 * time.Second)
			active := w.rel.Status.Active.Digest
			w.ask(v1alpha1.RollbackAnnotation, active+"/"+first, "olga")
			w.run()
			w.wantsTraffic(blue)
			w.ask(v1alpha1.RollbackAnnotation, v1alpha1.IrreversiblePrefix+active+"/"+first, "olga")
			w.run()
			w.wantsTraffic(green)
		},
		"a Service that the Release does not name any more is left alone": func(t *testing.T) {
			w := serving(t, withTwoServices)
			first := w.rel.Status.Active.Digest
			w.release("v2")
			w.pass(600 * time.Second)
			delete(w.services, "admin")
			w.respec(func(s *v1alpha1.ReleaseSpec) { s.Services = s.Services[:1] })
			w.release("v3")
			w.pass(600 * time.Second)
			w.addService("admin").selector = map[string]string{"app": "somebody-elses"}
			w.askFar(first, "olga")
			w.run()
			if got := w.services["admin"].selector["app"]; got != "somebody-elses" {
				t.Errorf("Service admin is led to %v", w.services["admin"].selector)
			}
			if got, _ := leadsTo(w.services["shop"].selector); got != green {
				t.Errorf("Service shop leads to %s, want green", got)
			}
		},
		"the operator dies between every two writes": func(t *testing.T) {
			w, first, _ := third(t, withTwoServices)
			w.askFar(first, "olga")
			for range 12 {
				w.writes = 1
				w.step()
			}
			w.writes = 1 << 30
			w.run()
			w.wantsTraffic(green)
		},
	})
}

func TestKeptContents(t *testing.T) {
	scenarios(t, map[string]func(*testing.T){
		"the active one and those before it": func(t *testing.T) {
			w, first, second := third(t)
			w.wantsKept(w.rel.Status.Active.Digest, second, first)
		},
		"no more than there should be": func(t *testing.T) {
			w, _, second := third(t, func(w *world) { w.rel.Spec.RevisionHistoryLimit = ptr(int32(1)) })
			w.wantsKept(w.rel.Status.Active.Digest, second)
		},
		"none": func(t *testing.T) {
			w, _, _ := third(t, unrecorded)
			w.wantsKept()
		},
		"fewer from now on, and more again": func(t *testing.T) {
			w, _, second := third(t)
			w.respec(func(s *v1alpha1.ReleaseSpec) { s.RevisionHistoryLimit = ptr(int32(1)) })
			w.run()
			w.wantsKept(w.rel.Status.Active.Digest, second)
			w.respec(func(s *v1alpha1.ReleaseSpec) { s.RevisionHistoryLimit = nil })
			w.run()
			w.wantsKept(w.rel.Status.Active.Digest, second)
		},
		"not what was gone back from": func(t *testing.T) {
			w := secondObserved(t)
			first := w.rel.Status.Former.Digest
			w.colours[green].missing = 3
			w.run()
			w.wantsTraffic(blue)
			w.wantsKept(first)
		},
		"not what was given up without going back": func(t *testing.T) {
			w := observing(t)
			w.colours[blue].missing = 3
			w.edit("v2")
			w.run()
			w.wantsKept()
		},
		"a record that somebody deleted is made again while its colour holds it": func(t *testing.T) {
			w := serving(t)
			clear(w.records)
			w.run()
			w.wantsKept(w.rel.Status.Active.Digest)
		},
		"not from a template that somebody changed": func(t *testing.T) {
			w := serving(t)
			clear(w.records)
			w.colours[blue].template.Spec.Containers[0].Image = "evil"
			w.run()
			if len(w.records) != 0 {
				t.Errorf("records are %v, want none", w.records)
			}
		},
		"they go with the Release": func(t *testing.T) {
			w, _, _ := third(t)
			now := metav1.NewTime(w.now)
			w.rel.DeletionTimestamp = &now
			w.run()
			if len(w.records) != 0 {
				t.Errorf("%d records are left", len(w.records))
			}
		},
		"what serves is made again from its record when it is deleted": func(t *testing.T) {
			w := serving(t)
			w.edit("v2")
			w.respec(func(s *v1alpha1.ReleaseSpec) { s.Paused = true })
			w.run()
			*w.colours[blue] = colour{}
			w.run()
			if got := w.image(blue); got != "v1" || w.colours[blue].ready() != 3 {
				t.Errorf("blue runs %s, want v1", got)
			}
			w.wantsTraffic(blue)
		},
		"also when it is irreversible, and before anything is gone back to": func(t *testing.T) {
			w := finished(t, irreversible)
			w.respec(func(s *v1alpha1.ReleaseSpec) { s.Paused = true })
			w.edit("v3")
			w.run()
			*w.colours[green] = colour{}
			w.run()
			w.wantsTraffic(green)
			if got := w.image(green); got != "v2" || w.colours[green].ready() != 3 {
				t.Errorf("green runs %s, want v2", got)
			}
		},
		"the copies of a record stay": func(t *testing.T) {
			w, first, _ := third(t, withConfig)
			for _, c := range w.copies {
				if c.Unused {
					t.Errorf("%s is marked as unused", c.Name)
				}
			}
			w.askFar(first, "olga")
			w.run()
			w.wantsTraffic(green)
		},
	})
}

func TestKeptName(t *testing.T) {
	name := rollout.KeptName(strings.Repeat("a", 40), "sha256:"+strings.Repeat("b", 64))
	if len(name) != 57 {
		t.Errorf("the name is %q", name)
	}
}

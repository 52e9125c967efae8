// Copyright The Countersign Authors.
// SPDX-License-Identifier: Apache-2.0

package rollout_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/countersign/countersign/api/v1alpha1"
	"github.com/countersign/countersign/controllers/rollout"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// askAnew asks to make the Pods of what is active anew.
func (w *world) askAnew(number any, by string) {
	w.ask(v1alpha1.RestartAnnotation, fmt.Sprintf("%s/%v", w.rel.Status.Active.Digest, number), by)
}

// restarts is the number in the template of a colour.
func (w *world) restarts(c v1alpha1.Colour) string {
	return w.colours[c].template.Annotations[v1alpha1.RestartsAnnotation]
}

// wantsRestart on record for what is active.
func (w *world) wantsRestart(number int64, finished bool) {
	w.t.Helper()
	r := w.rel.Status.Active.Restart
	if r.Last() != number || r != nil && (r.FinishedAt != nil) != finished {
		w.t.Errorf("on record is %+v, want number %d, finished %t", r, number, finished)
	}
}

// wantsNothingToDo about the Pods, whatever is asked.
func (w *world) wantsNothingToDo(number any) {
	w.t.Helper()
	w.askAnew(number, "olga")
	w.run()
	w.wantsActions()
	w.wantsRestart(0, false)
}

func TestRestart(t *testing.T) {
	scenarios(t, map[string]func(*testing.T){
		"of what serves": func(t *testing.T) {
			w := serving(t)
			digest, hash := w.rel.Status.Active.Digest, w.rel.Status.Active.TemplateHash
			w.askAnew(1, "olga")
			w.step()
			if r := w.rel.Status.Active.Restart; r == nil || r.AskedBy != "olga" || !r.At.Time.Equal(w.now) || r.FinishedAt != nil {
				t.Errorf("on record is %+v, want that olga asked now", r)
			}
			w.run()
			w.wantsActions("Restart blue 1")
			w.wantsNotice("RestartStarted")
			w.wantsNotice("Restarted")
			w.wantsRestart(1, true)
			w.wants(v1alpha1.PhaseStable)
			w.wantsReady(metav1.ConditionTrue, v1alpha1.ReasonServing)
			if a := w.rel.Status.Active; a.Digest != digest || a.TemplateHash != hash || w.snapshot().Blue.TemplateHash != hash {
				t.Errorf("it serves %s (%s), want the content that was let through", a.Digest, w.snapshot().Blue.TemplateHash)
			}
		},
		"by the time, and by a larger one": func(t *testing.T) {
			w := serving(t)
			for _, number := range []int64{1796000000, 1796000001} {
				w.askAnew(number, "olga")
				w.run()
				w.wantsActions(fmt.Sprintf("Restart blue %d", number))
				w.wantsRestart(number, true)
			}
		},
		"a request is carried out once": func(t *testing.T) {
			w := serving(t)
			w.askAnew(5, "olga")
			w.run()
			w.did = nil
			for _, number := range []int64{5, 4} {
				w.askAnew(number, "mallory")
				w.run()
				w.pass(time.Hour)
				w.wantsActions()
			}
			if r := w.rel.Status.Active.Restart; r.AskedBy != "olga" || r.Number != 5 {
				t.Errorf("on record is %+v, want number 5 of olga", r)
			}
		},
		"of what has no number":        func(t *testing.T) { serving(t).wantsNothingToDo("") },
		"by no number":                 func(t *testing.T) { serving(t).wantsNothingToDo("now") },
		"by nothing":                   func(t *testing.T) { serving(t).wantsNothingToDo(0) },
		"by less than nothing":         func(t *testing.T) { serving(t).wantsNothingToDo(-1) },
		"by a number that is padded":   func(t *testing.T) { serving(t).wantsNothingToDo("07") },
		"by a number that is too long": func(t *testing.T) { serving(t).wantsNothingToDo("1000000000000000000") },
		"of other content": func(t *testing.T) {
			w := finished(t)
			w.ask(v1alpha1.RestartAnnotation, w.rel.Status.Former.Digest+"/1", "olga")
			w.run()
			w.wantsActions()
		},
		"of a record without a digest": func(t *testing.T) {
			w := serving(t)
			w.rel.Status.Active.Digest = ""
			w.wantsNothingToDo(1)
		},
		"before anything was let through": func(t *testing.T) {
			w := newWorld(t)
			w.run()
			w.did = nil
			w.ask(v1alpha1.RestartAnnotation, w.rel.Status.Candidate.Digest+"/1", "olga")
			w.run()
			w.wantsActions()
		},
		"nobody is on record": func(t *testing.T) {
			w := serving(t)
			w.askAnew(1, "")
			w.run()
			if by := w.rel.Status.Active.Restart.AskedBy; by != "somebody who is not on record" {
				t.Errorf("asked has %q", by)
			}
		},
		"while it is observed": func(t *testing.T) {
			w := secondObserved(t, withChecks)
			w.askAnew(1, "olga")
			w.run()
			w.wantsActions("Restart green 1")
			w.wants(v1alpha1.PhaseObserving)
			w.pass(600 * time.Second)
			w.wants(v1alpha1.PhaseStable)
			w.wantsTraffic(green)
		},
		"while a candidate waits": func(t *testing.T) {
			w := serving(t)
			w.edit("v2")
			w.run()
			w.did = nil
			c := w.rel.Status.Candidate.DeepCopy()
			w.askAnew(1, "olga")
			w.run()
			w.wantsActions("Restart blue 1")
			w.wants(v1alpha1.PhaseAwaitingApproval)
			if now := w.rel.Status.Candidate; now.Digest != c.Digest || now.Sequence != c.Sequence {
				t.Errorf("the candidate is %+v, want it untouched", now)
			}
		},
		"it waits for nobody and for no candidate": func(t *testing.T) {
			w := serving(t)
			w.policies, w.votes, w.frozen = nil, nil, "a policy is gone"
			w.problems = []string{"spec.x is wrong; mend it"}
			w.respec(func(s *v1alpha1.ReleaseSpec) { s.Paused = true })
			w.askAnew(1, "olga")
			w.run()
			w.wantsActions("Restart blue 1")
		},
		"at a size of its own": func(t *testing.T) {
			w := serving(t)
			w.scale(5)
			w.askAnew(1, "olga")
			w.run()
			w.wantsActions("Scale blue 5", "Restart blue 1")
		},
		"the operator dies before the Deployment is written": func(t *testing.T) {
			w := serving(t)
			w.askAnew(1, "olga")
			w.rel.Status = rollout.Decide(w.snapshot()).Status
			w.ask(v1alpha1.RestartAnnotation, "", "")
			w.run()
			w.wantsActions("Restart blue 1")
			w.wantsRestart(1, true)
		},
		"the Deployment has another number already": func(t *testing.T) {
			w := serving(t)
			w.colours[blue].numbered(7)
			w.askAnew(7, "olga")
			w.run()
			w.wantsRestart(7, true)
		},
		"what was changed is not made anew": func(t *testing.T) {
			w := serving(t)
			w.colours[blue].template = template("evil")
			w.askAnew(1, "olga")
			w.run()
			w.wantsActions()
			w.wantsRestart(0, false)
			w.wantsStalled(v1alpha1.ReasonDrifted, "was changed by someone else")
		},
		"what is changed meanwhile is not made anew": func(t *testing.T) {
			w := serving(t)
			w.askAnew(1, "olga")
			w.rel.Status = rollout.Decide(w.snapshot()).Status
			w.colours[blue].template = template("evil")
			w.run()
			w.wantsActions()
			w.wantsRestart(1, false)
		},
		"no number but a word is drift": func(t *testing.T) {
			w := serving(t)
			w.colours[blue].template.Annotations = map[string]string{v1alpha1.RestartsAnnotation: "evil"}
			w.run()
			w.wantsStalled(v1alpha1.ReasonDrifted, "was changed by someone else")
		},
		"the Deployment is deleted": func(t *testing.T) {
			w := serving(t)
			w.askAnew(5, "olga")
			w.run()
			w.colours[blue] = &colour{}
			w.did = nil
			w.run()
			w.wantsActions("Materialise blue 3")
			if n := w.restarts(blue); n != "5" {
				t.Errorf("it is made again with number %q, want 5", n)
			}
		},
		"of a Deployment that is gone": func(t *testing.T) {
			w := serving(t)
			w.colours[blue] = &colour{}
			w.askAnew(5, "olga")
			w.run()
			w.wantsActions("Materialise blue 3")
			w.wantsRestart(5, true)
		},
		"of a Release that is being deleted": func(t *testing.T) {
			w := serving(t)
			w.askAnew(1, "olga")
			w.rel.DeletionTimestamp = &metav1.Time{Time: w.now}
			w.run()
			if n := w.restarts(blue); n != "" {
				t.Errorf("it was made anew with number %s", n)
			}
		},
	})
}

func TestRestartThatIsStuck(t *testing.T) {
	stuck := func(t *testing.T, stage func(tester, ...func(*world)) *world, c v1alpha1.Colour) *world {
		w := stage(t)
		w.colours[c].stubborn = true
		w.askAnew(1, "olga")
		w.run()
		w.wantsActions(fmt.Sprintf("Restart %s 1", c))
		return w
	}
	scenarios(t, map[string]func(*testing.T){
		"the Pods from before serve on, and people are told": func(t *testing.T) {
			w := stuck(t, serving, blue)
			w.wantsWaiting("the Pods of blue to be made anew")
			w.wantsReady(metav1.ConditionTrue, v1alpha1.ReasonServing)
			w.pass(600 * time.Second)
			w.wantsStalled(v1alpha1.ReasonRestartStuck, "those from before serve until they are; look at them: kubectl get pods -n prod -l ")
			w.wantsNoNotice("Restarted")
			w.wantsActions()
			w.colours[blue].older = 0
			w.run()
			w.wantsReady(metav1.ConditionTrue, v1alpha1.ReasonServing)
			w.wantsRestart(1, true)
		},
		"without a deadline nobody is told": func(t *testing.T) {
			w := serving(t, func(w *world) { w.rel.Spec.ProgressDeadlineSeconds = 0 })
			w.colours[blue].stubborn = true
			w.askAnew(1, "olga")
			w.run()
			w.pass(24 * time.Hour)
			w.wantsReady(metav1.ConditionTrue, v1alpha1.ReasonServing)
		},
		"it is asked again": func(t *testing.T) {
			w := stuck(t, serving, blue)
			w.colours[blue].stubborn = false
			w.askAnew(2, "olga")
			w.run()
			w.wantsActions("Restart blue 2")
			w.wantsRestart(2, true)
		},
		"it is no failure of what is observed": func(t *testing.T) {
			w := stuck(t, secondObserved, green)
			w.pass(599 * time.Second)
			w.wantsTraffic(green)
			w.wantsNoNotice("RollbackStarted")
		},
		"what is observed goes back when it loses its Pods": func(t *testing.T) {
			w := stuck(t, secondObserved, green)
			w.colours[green].missing = 3
			w.run()
			w.wantsTraffic(blue)
		},
		"what is observed goes back when some Pods stay away": func(t *testing.T) {
			w := stuck(t, secondObserved, green)
			w.colours[green].missing = 1
			w.run()
			w.pass(16 * time.Second)
			w.wantsTraffic(blue)
		},
		"other content is let through all the same": func(t *testing.T) {
			w := stuck(t, serving, blue)
			w.pass(600 * time.Second)
			w.release("v2")
			w.wantsTraffic(green)
			w.wantsNotice("RestartCancelled")
			if r := w.rel.Status.Former.Restart; r == nil || r.CancelledAt == nil || r.FinishedAt != nil {
				t.Errorf("on record is %+v, want it given up", r)
			}
		},
	})
}

// What is gone back to serves with the Pods that it has.
func TestRestartAndSwitches(t *testing.T) {
	fails := func(w *world) {
		w.colours[w.rel.Status.Active.Colour].missing = 3
		w.did = nil
		w.run()
	}
	scenarios(t, map[string]func(*testing.T){
		"other content begins without a number": func(t *testing.T) {
			w := serving(t)
			w.askAnew(5, "olga")
			w.run()
			w.release("v2")
			w.wantsTraffic(green)
			w.wantsRestart(0, false)
			if n := w.restarts(green); n != "" {
				t.Errorf("it has number %s, want none", n)
			}
		},
		"what is gone back to keeps its number and its Pods": func(t *testing.T) {
			w := serving(t)
			w.askAnew(5, "olga")
			w.run()
			w.release("v2")
			fails(w)
			w.wantsTraffic(blue)
			w.wantsActions("Shift blue epoch 3")
			w.wantsRestart(5, true)
			w.askAnew(6, "olga")
			w.run()
			w.wantsActions("Restart blue 6")
		},
		"the former content is asked for behind its back": func(t *testing.T) {
			w := secondObserved(t)
			w.ask(v1alpha1.RestartAnnotation, w.rel.Status.Former.Digest+"/1", "olga")
			fails(w)
			w.wantsTraffic(blue)
			w.wantsActions("Shift blue epoch 3")
			w.wantsNotice("RestartCancelled")
			w.wantsRestart(1, false)
			w.pass(time.Hour)
			w.wantsActions("Scale green 0")
		},
		"asked while traffic moves away": func(t *testing.T) {
			w := serving(t)
			w.edit("v2")
			w.run()
			w.approve("bob")
			w.askAnew(1, "olga")
			w.did = nil
			w.run()
			w.wantsTraffic(green)
			w.wantsActions("Shift green epoch 2")
			w.wantsNotice("RestartCancelled")
			fails(w)
			w.wantsTraffic(blue)
			w.wantsActions("Shift blue epoch 3")
		},
		"on record and not begun when traffic moves away": func(t *testing.T) {
			w := serving(t)
			w.askAnew(1, "olga")
			w.rel.Status = rollout.Decide(w.snapshot()).Status
			w.colours[blue].template.Annotations = map[string]string{"x": "evil"}
			w.edit("v2")
			w.run()
			w.colours[blue].template.Annotations = nil
			w.ask(v1alpha1.RestartAnnotation, "", "")
			w.approve("bob")
			w.lag = true
			for w.rel.Status.Former == nil && w.step() {
				w.did = nil
			}
			w.lag = false
			fails(w)
			w.wantsTraffic(blue)
			for _, did := range w.did {
				if did == "Restart blue 1" {
					t.Errorf("it did %q, and going back makes no Pods anew", w.did)
				}
			}
		},
		"asked as soon as the Services lead to it": func(t *testing.T) {
			w := serving(t)
			w.edit("v2")
			w.run()
			w.approve("bob")
			w.lag = true
			w.run()
			w.askAnew(1, "olga")
			w.did = nil
			w.run()
			w.wantsActions()
			w.wantsRestart(0, false)
			w.lag = false
			w.run()
			w.wantsActions("Restart green 1")
		},
		"asked in the moment in which it is gone back from": func(t *testing.T) {
			w := secondObserved(t)
			w.askAnew(1, "olga")
			fails(w)
			w.wantsActions("Shift blue epoch 3")
			w.wantsTraffic(blue)
		},
		"a half-done promotion is led back": func(t *testing.T) {
			w := serving(t, withTwoServices)
			w.edit("v2")
			w.run()
			w.approve("bob")
			w.writes = 1
			w.step()
			w.writes = 1 << 30
			w.askAnew(1, "olga")
			w.colours[green].missing = 3
			w.did = nil
			w.run()
			w.wantsTraffic(blue)
			w.wantsNotice("RestartCancelled")
			w.wantsRestart(1, false)
			for _, did := range w.did {
				if did == "Restart blue 1" {
					t.Errorf("it did %q, and going back makes no Pods anew", w.did)
				}
			}
		},
		"content that is gone back to far begins without a number": func(t *testing.T) {
			w := serving(t)
			first := w.rel.Status.Active.Digest
			w.askAnew(5, "olga")
			w.run()
			clear(w.records)
			w.run()
			for _, r := range w.records {
				if r.Content.Restart != nil || len(r.Template.Annotations) > 0 {
					t.Errorf("the record has %+v and %v, which are no content", r.Content.Restart, r.Template.Annotations)
				}
			}
			for _, image := range []string{"v2", "v3"} {
				w.release(image)
				w.pass(600 * time.Second)
			}
			w.did = nil
			w.askFar(first, "olga")
			w.rel.Annotations[v1alpha1.RestartAnnotation] = first + "/5"
			w.run()
			w.pass(time.Hour)
			w.wantsTraffic(green)
			w.wantsActions("Materialise green 3", "PointPreview shop-preview green", "Shift green epoch 4", "Scale blue 0")
			if n := w.restarts(green); n != "" {
				t.Errorf("it has number %s, want none", n)
			}
		},
		"kept content in the colour that holds it begins without a number": func(t *testing.T) {
			w := serving(t)
			first := w.rel.Status.Active.Digest
			w.askAnew(5, "olga")
			w.run()
			w.release("v2")
			w.pass(2 * time.Hour)
			w.did = nil
			w.askFar(first, "olga")
			w.run()
			w.wantsTraffic(blue)
			w.did = nil
			w.askAnew(5, "olga")
			w.run()
			w.wantsActions("Restart blue 5")
		},
		"what serves is made again from its record with its number": func(t *testing.T) {
			w := serving(t)
			w.askAnew(5, "olga")
			w.run()
			w.edit("v2")
			w.respec(func(s *v1alpha1.ReleaseSpec) { s.Paused = true })
			w.run()
			*w.colours[blue] = colour{}
			w.did = nil
			w.run()
			w.wantsActions("Materialise blue 3")
			if n := w.restarts(blue); n != "5" {
				t.Errorf("it is made again with number %q, want 5", n)
			}
		},
		"content that is sent again begins without a number": func(t *testing.T) {
			w := serving(t)
			w.askAnew(5, "olga")
			w.run()
			w.release("v2")
			w.pass(600 * time.Second)
			w.release("v1")
			w.wantsTraffic(blue)
			w.wantsRestart(0, false)
			if n := w.restarts(blue); n != "" {
				t.Errorf("it has number %s, want none", n)
			}
			w.did = nil
			w.askAnew(5, "olga")
			w.run()
			w.wantsActions("Restart blue 5")
		},
	})
}

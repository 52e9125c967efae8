// Copyright The Countersign Authors.
// SPDX-License-Identifier: Apache-2.0

package rollout_test

import (
	"strings"
	"testing"
	"time"

	"github.com/countersign/countersign/api/v1alpha1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// ask is an annotation as admission lets it in; an empty value takes it back.
func (w *world) ask(key, value, by string) {
	w.rel.Annotations = map[string]string{key: value, key + "-by": by}
	if value == "" {
		w.rel.Annotations = nil
	}
}

// askBack asks to go back from what is active.
func (w *world) askBack(by string) {
	w.ask(v1alpha1.RollbackAnnotation, w.rel.Status.Active.Digest, by)
}

// finished is a world whose second content serves and is finished; the first is
// kept.
func finished(t tester, changes ...func(*world)) *world {
	w := secondObserved(t, changes...)
	w.pass(600 * time.Second)
	w.wants(v1alpha1.PhaseStable)
	w.did, w.told = nil, nil
	return w
}

func TestRollbackByHand(t *testing.T) {
	scenarios(t, map[string]func(*testing.T){
		"while it is observed": func(t *testing.T) {
			w := secondObserved(t)
			w.askBack("olga")
			w.run()
			w.wantsTraffic(blue)
			w.wantsActions("Shift blue epoch 3")
			w.wantsNotice("RollbackStarted")
			w.wantsStalled(v1alpha1.ReasonRolledBack, "olga asked to go back; to try again, apply a mended template")
		},
		"after the observation": func(t *testing.T) {
			w := finished(t)
			w.askBack("olga")
			w.lag = true
			w.step()
			w.wants(v1alpha1.PhaseRollingBack)
			w.wantsReady(metav1.ConditionFalse, v1alpha1.ReasonRollingBack)
			w.wantsTraffic(blue)
			w.lag = false
			w.run()
			w.wants(v1alpha1.PhaseHalted)
			if h := w.rel.Status.History[0]; h.AskedBy != "olga" || h.Reason != v1alpha1.SwitchRollback {
				t.Errorf("on record is %+v, want a rollback that olga asked for", h)
			}
		},
		"it asks nobody and waits for nothing": func(t *testing.T) {
			w := finished(t)
			w.policies, w.votes, w.frozen = nil, nil, "a policy is gone"
			w.authors.Known = false
			w.problems = []string{"spec.x is wrong; mend it"}
			w.respec(func(s *v1alpha1.ReleaseSpec) { s.Paused = true })
			w.askBack("olga")
			w.run()
			w.wantsTraffic(blue)
		},
		"nobody is on record": func(t *testing.T) {
			w := finished(t)
			w.askBack("")
			w.run()
			w.wantsTraffic(blue)
			w.wantsStalled(v1alpha1.ReasonRolledBack, "somebody who is not on record asked")
		},
		"of other content": func(t *testing.T) {
			w := finished(t)
			w.ask(v1alpha1.RollbackAnnotation, w.rel.Status.Former.Digest, "olga")
			w.run()
			w.wantsTraffic(green)
			w.wantsActions()
		},
		"of nothing": func(t *testing.T) {
			w := finished(t)
			w.ask(v1alpha1.RollbackAnnotation, "", "olga")
			w.run()
			w.wantsTraffic(green)
		},
		"of a record without a digest": func(t *testing.T) {
			w := finished(t)
			w.rel.Status.Active.Digest = ""
			w.step()
			w.wantsTraffic(green)
			w.wantsActions()
		},
		"I11 a request is carried out once": func(t *testing.T) {
			w := finished(t)
			w.askBack("olga")
			w.run()
			w.pass(2 * time.Hour)
			w.respec(func(s *v1alpha1.ReleaseSpec) { s.Template.Annotations = map[string]string{"try": "2"} })
			w.run()
			w.approve("bob")
			w.run()
			w.wantsTraffic(green)
			w.pass(2 * time.Hour)
			w.wantsTraffic(green)
			if e := w.rel.Status.Epoch; e != 4 {
				t.Errorf("the epoch is %d, want 4", e)
			}
		},
		"of content that keeps nothing": func(t *testing.T) {
			w := finished(t)
			w.pass(3601 * time.Second)
			w.askBack("olga")
			w.run()
			w.wantsTraffic(green)
			w.wantsReady(metav1.ConditionTrue, v1alpha1.ReasonServing)
		},
		"the content before has no ready Pod": func(t *testing.T) {
			w := finished(t)
			w.colours[blue].missing = 3
			w.askBack("olga")
			w.run()
			w.wantsTraffic(green)
			w.wantsStalled(v1alpha1.ReasonRollbackImpossible, "olga asked to go back, and blue, which served before, has no ready Pod")
			w.colours[blue].missing = 2
			w.run()
			w.wantsTraffic(blue)
		},
		"the content before was changed": func(t *testing.T) {
			w := finished(t)
			w.colours[blue].template = template("evil")
			w.askBack("olga")
			w.run()
			w.wantsTraffic(green)
			w.wantsStalled(v1alpha1.ReasonRollbackImpossible, "does not hold what served before any more")
			w.ask(v1alpha1.RollbackAnnotation, "", "")
			w.run()
			w.wantsReady(metav1.ConditionTrue, v1alpha1.ReasonServing)
		},
		"before the endpoints have followed": func(t *testing.T) {
			w := serving(t)
			w.edit("v2")
			w.run()
			w.approve("bob")
			w.lag = true
			w.run()
			w.askBack("olga")
			w.run()
			w.wantsTraffic(blue)
		},
		"in the moment in which its place is to be taken": func(t *testing.T) {
			w := finished(t)
			w.edit("v3")
			w.askBack("olga")
			w.step()
			w.wantsTraffic(blue)
		},
		"the authors of what was gone back from are authors of what follows": func(t *testing.T) {
			w := finished(t)
			w.authors.Names = []string{"carol"}
			w.edit("v3")
			w.askBack("olga")
			w.run()
			if a := strings.Join(w.rel.Status.Candidate.Authors, " "); a != "carol dev" {
				t.Errorf("the authors are %q, want carol and dev", a)
			}
		},
		"of a Release that is being deleted": func(t *testing.T) {
			w := finished(t)
			w.askBack("olga")
			w.rel.DeletionTimestamp = &metav1.Time{Time: w.now}
			w.run()
			w.wantsTraffic(green)
		},
	})
}

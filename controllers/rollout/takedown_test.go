// Copyright The Countersign Authors.
// SPDX-License-Identifier: Apache-2.0

package rollout_test

import (
	"strings"
	"testing"

	"github.com/countersign/countersign/api/v1alpha1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// mortal content goes with its Release.
func mortal(w *world) { w.rel.Spec.DeletionPolicy = v1alpha1.DeleteOnDeletion }

func TestTakenDown(t *testing.T) {
	gone := func(w *world) {
		w.t.Helper()
		w.did, w.rel.DeletionTimestamp = nil, &metav1.Time{Time: w.now}
		w.run()
		if len(w.rel.Finalizers) > 0 {
			w.t.Errorf("it does not let go")
		}
	}
	scenarios(t, map[string]func(*testing.T){
		"all Deployments go, and the Services are given back": func(t *testing.T) {
			w := finished(t, mortal)
			gone(w)
			w.wantsActions("Remove shop-preview", "Surrender shop", "Remove blue", "Remove green", "RemoveFinalizer")
			w.wantsWaiting("what serves is taken down (spec.deletionPolicy)")
			if m := w.condition(v1alpha1.ConditionReconciling).Message; !strings.Contains(m, "what serves is taken down") {
				t.Errorf("the message is %q", m)
			}
		},
		"before anything was let through": func(t *testing.T) {
			w := newWorld(t, mortal)
			w.run()
			gone(w)
			w.wantsActions("Remove shop-preview", "Surrender shop", "Remove blue", "RemoveFinalizer")
		},
		"what was let through was to stay": func(t *testing.T) {
			w := serving(t)
			w.respec(func(s *v1alpha1.ReleaseSpec) { s.DeletionPolicy = v1alpha1.DeleteOnDeletion })
			w.run()
			w.wants(v1alpha1.PhaseAwaitingApproval) // it is content
			gone(w)
			w.wantsReplicas(blue, 3)
			w.wantsWaiting("what serves goes on serving")
		},
		"it is to stay by now": func(t *testing.T) {
			w := serving(t, mortal)
			w.respec(func(s *v1alpha1.ReleaseSpec) { s.DeletionPolicy = v1alpha1.RetainOnDeletion })
			gone(w)
			w.wantsReplicas(blue, 3)
			w.wantsTraffic(blue)
		},
		"half switched to what is to stay": func(t *testing.T) {
			w := halfSwitched(t)
			w.rel.Status.Active.DeletionPolicy = v1alpha1.DeleteOnDeletion
			w.respec(func(s *v1alpha1.ReleaseSpec) { s.DeletionPolicy = v1alpha1.DeleteOnDeletion })
			gone(w)
			w.wantsReplicas(blue, 3)
			w.wantsReplicas(green, 3)
		},
		"what is another's stays": func(t *testing.T) {
			w := serving(t, mortal)
			w.colours[green] = &colour{exists: true, foreign: true, version: 9}
			w.services["shop"].owner = "other"
			gone(w)
			w.wantsActions("Remove shop-preview", "Remove blue", "RemoveFinalizer")
		},
	})
}

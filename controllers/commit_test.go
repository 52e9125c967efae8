// Copyright The Countersign Authors.
// SPDX-License-Identifier: Apache-2.0

package controllers

import (
	"errors"
	"testing"
	"time"

	"github.com/countersign/countersign/api/v1alpha1"
	"github.com/countersign/countersign/controllers/approval"
	"github.com/countersign/countersign/controllers/rollout"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// approvedByRBAC is a Release whose first content stands complete in blue and
// lacks nothing: user approved it, whom RBAC let approve then.
func approvedByRBAC(t *testing.T, user string) *rollout.Snapshot {
	t.Helper()
	template := corev1.PodTemplateSpec{Spec: corev1.PodSpec{Containers: []corev1.Container{{Name: "app", Image: "v1"}}}}
	ready := rollout.Endpoints{Blue: 1}
	s := &rollout.Snapshot{
		Now: time.Unix(1e9, 0), Cluster: "c1", Revision: "r1", SpecRevision: "r1", Gate: rollout.Gate{Intact: true},
		Release: v1alpha1.Release{
			ObjectMeta: metav1.ObjectMeta{Namespace: "prod", Name: "shop", UID: "u1", Generation: 1, Finalizers: []string{v1alpha1.Finalizer}},
			Spec:       v1alpha1.ReleaseSpec{Template: template, Services: []v1alpha1.ServiceRef{{Name: "shop"}}, ProgressDeadlineSeconds: 600},
		},
		Policies: []approval.Policy{{Name: "p", ValidFor: time.Hour, MinDistinctPersons: 1, Rules: []approval.Rule{{Name: "owner", Count: 1, RBAC: true}}}},
		Authors:  rollout.Authors{Names: []string{"dev"}, Known: true},
		Blue: rollout.Workload{
			Exists: true, Name: "shop-blue", ResourceVersion: "1", Revision: "r1", Template: template, TemplateHash: "h1",
			Replicas: 1, Settled: true, Total: 1, Updated: 1, Ready: 1, Available: 1,
			Pods: []rollout.Pod{{Name: "shop-blue-0", Revision: "r1", Ready: true, Images: map[string]string{"app": "v1"}}},
		},
		Services: []rollout.Service{{
			Name: "shop", Exists: true, Owner: "shop", ResourceVersion: "1", Parked: true,
			Selector: map[string]string{v1alpha1.ReleaseLabel: "shop", v1alpha1.ColourLabel: v1alpha1.ColourNone},
			Preview: rollout.Preview{
				Name: "shop-preview", Exists: true, ResourceVersion: "1", Colour: v1alpha1.Blue, Endpoints: ready,
				Selector: map[string]string{v1alpha1.ReleaseLabel: "shop", v1alpha1.ColourLabel: string(v1alpha1.Blue)},
			},
		}},
	}
	for range 2 { // it is the candidate, and then it has a digest
		s.Release.Status = rollout.Decide(*s).Status
	}
	c := s.Release.Status.Candidate
	if c == nil || c.Digest == "" || c.TestedAt == nil {
		t.Fatalf("the candidate is %+v", c)
	}
	s.Votes = []approval.Vote{{
		Slot: "bob", User: user, Groups: []string{"team"}, Decision: approval.Approve, Digest: c.Digest, At: s.Now, Permitted: []string{"p.owner"},
	}}
	return s
}

// TestCommitAsksAgain: RBAC is asked again before a promotion is recorded. Who lost
// the right since they voted has approved nothing, and without an answer nothing is
// decided at all.
func TestCommitAsksAgain(t *testing.T) {
	for name, tc := range map[string]struct {
		user     string
		access   Permitter
		promotes bool
		unasked  bool
	}{
		"sec/33 who is still let":          {user: "bob", access: rbac{"bob prod p.owner": true}, promotes: true},
		"sec/33 who lost the right":        {user: "bob", access: rbac{}},
		"sec/33 who has it elsewhere":      {user: "bob", access: rbac{"bob test p.owner": true}},
		"sec/33 nobody who could be asked": {user: "bob"},
		"sec/33 no answer":                 {user: "nobody knows", access: rbac{}, unasked: true},
	} {
		t.Run(name, func(t *testing.T) {
			s := approvedByRBAC(t, tc.user)
			before := s.Release.Status
			if !promotes(before, rollout.Decide(*s).Status) {
				t.Fatal("it lacks something else than an answer")
			}
			decision, err := (&Reconciler{Access: tc.access}).decide(t.Context(), before, s)
			if (err != nil) != tc.unasked {
				t.Fatalf("got %v", err)
			}
			if decision.Promotes() != tc.promotes || promotes(before, decision.Status) != tc.promotes {
				t.Errorf("it promotes: %v, and records that: %+v", decision.Promotes(), decision.Status.Switch)
			}
			if c := decision.Status.Candidate; !tc.promotes && !tc.unasked && (c == nil || decision.Status.Votes[0].Counted) {
				t.Errorf("the vote is %+v, on %+v", decision.Status.Votes, c)
			}
		})
	}
}

// TestNoGate: without a gate that could be tried, no promotion is carried out,
// whatever was decided.
func TestNoGate(t *testing.T) {
	shift := rollout.ShiftTraffic{Epoch: 1, To: v1alpha1.Blue, Policies: []approval.Policy{}}
	begun, back := shift, shift
	begun.Begun, back.Policies = true, nil
	for name, tc := range map[string]struct {
		action rollout.Action
		frozen bool
	}{"promotion": {shift, true}, "promotion that has begun": {begun, false}, "rollback": {back, false}} {
		frozen := (&Reconciler{}).tryGate(t.Context(), rollout.Decision{Actions: []rollout.Action{tc.action}})
		if err := frozen(); errors.Is(err, errFrozen) != tc.frozen {
			t.Errorf("%s: got %v", name, err)
		}
	}
}

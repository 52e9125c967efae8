// Copyright The Countersign Authors.
// SPDX-License-Identifier: Apache-2.0

package controllers

import (
	"context"
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/countersign/countersign/api/v1alpha1"
	"github.com/countersign/countersign/controllers/access"
	"github.com/countersign/countersign/controllers/approval"
	"github.com/countersign/countersign/controllers/rollout"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// rbac is whom it lets, by user and rule.
type rbac map[string]bool

func (r rbac) Permits(_ context.Context, who access.Person, namespace, rule string) (bool, error) {
	if who.User == "nobody knows" {
		return false, errors.New("no answer")
	}
	return r[who.User+" "+namespace+" "+rule] && slices.Contains(who.Groups, "team"), nil
}

func TestAskAgain(t *testing.T) {
	snapshot := func() *rollout.Snapshot {
		return &rollout.Snapshot{
			Release: v1alpha1.Release{ObjectMeta: metav1.ObjectMeta{Namespace: "prod", Name: "shop"}},
			Votes: []approval.Vote{
				{User: "bob", Groups: []string{"team"}, Permitted: []string{"p.a", "p.b"}},
				{User: "carol"},
			},
		}
	}
	for name, tc := range map[string]struct {
		access  Permitter
		left    []string
		changed bool
	}{
		"sec/33 who is still let":          {rbac{"bob prod p.a": true, "bob prod p.b": true}, []string{"p.a", "p.b"}, false},
		"sec/33 who lost one rule":         {rbac{"bob prod p.b": true}, []string{"p.b"}, true},
		"sec/33 who lost all":              {rbac{}, nil, true},
		"sec/33 another namespace":         {rbac{"bob test p.a": true}, nil, true},
		"sec/33 nobody who could be asked": {nil, nil, true},
	} {
		t.Run(name, func(t *testing.T) {
			s := snapshot()
			r := &Reconciler{Access: tc.access}
			changed, err := r.askAgain(t.Context(), s)
			if err != nil || changed != tc.changed || !slices.Equal(s.Votes[0].Permitted, tc.left) {
				t.Errorf("got %v, changed %v, %v", s.Votes[0].Permitted, changed, err)
			}
		})
	}
	s := snapshot()
	s.Votes[0].User = "nobody knows"
	if _, err := (&Reconciler{Access: rbac{}}).askAgain(t.Context(), s); err == nil {
		t.Error("no answer is taken for one")
	}
}

func TestPromotes(t *testing.T) {
	at := func(sw v1alpha1.SwitchStatus, ago time.Duration) v1alpha1.ReleaseStatus {
		sw.IntendedAt = metav1.NewMicroTime(time.Unix(1e9, 0).Add(-ago))
		return v1alpha1.ReleaseStatus{Switch: &sw}
	}
	promote := v1alpha1.SwitchStatus{Reason: v1alpha1.SwitchPromote, Epoch: 2, To: v1alpha1.Content{Digest: "d"}}
	renumbered, back, other, off := promote, promote, promote, promote
	renumbered.Epoch, back.Reason, other.To.Digest = 3, v1alpha1.SwitchRollback, "e"
	off.CancelledAt = &metav1.MicroTime{}
	for name, tc := range map[string]struct {
		before, after v1alpha1.ReleaseStatus
		want          bool
	}{
		"First":      {v1alpha1.ReleaseStatus{}, at(promote, 0), true},
		"Next":       {at(other, time.Hour), at(promote, 0), true},
		"Same":       {at(promote, 0), at(promote, 0), false},
		"Renumbered": {at(promote, 0), at(renumbered, 0), false},
		"Again":      {at(off, 0), at(promote, 0), true},
		"Later":      {at(promote, time.Hour), at(promote, 0), true},
		"AfterBack":  {at(back, 0), at(promote, 0), true},
		"Back":       {at(promote, time.Hour), at(back, 0), false},
		"CalledOff":  {at(promote, 0), at(off, 0), false},
		"None":       {at(promote, 0), v1alpha1.ReleaseStatus{}, false},
	} {
		t.Run(name, func(t *testing.T) {
			if got := promotes(tc.before, tc.after); got != tc.want {
				t.Errorf("got %v", got)
			}
		})
	}
}

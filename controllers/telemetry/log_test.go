// Copyright The Countersign Authors.
// SPDX-License-Identifier: Apache-2.0

package telemetry

import (
	"slices"
	"testing"
	"time"

	"github.com/countersign/countersign/api/v1alpha1"
	"github.com/countersign/countersign/controllers/rollout"
	"github.com/go-logr/logr"
	"github.com/go-logr/logr/funcr"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/tools/events"
)

// A line about a Release says which, its content and its phase.
func TestLog(t *testing.T) {
	active := &v1alpha1.ActiveStatus{Content: v1alpha1.Content{Digest: "sha256:a"}}
	candidate := &v1alpha1.CandidateStatus{Digest: "sha256:c"}
	for name, row := range map[string]struct {
		status v1alpha1.ReleaseStatus
		want   string
	}{
		"Candidate": {v1alpha1.ReleaseStatus{Phase: v1alpha1.PhaseTesting, Active: active, Candidate: candidate}, `"digest"="sha256:c" "phase"="Testing"`},
		"Active":    {v1alpha1.ReleaseStatus{Phase: v1alpha1.PhaseStable, Active: active}, `"digest"="sha256:a" "phase"="Stable"`},
		"Neither":   {v1alpha1.ReleaseStatus{}, `"digest"="" "phase"=""`},
	} {
		t.Run(name, func(t *testing.T) {
			var lines []string
			teller := Teller{Recorder: events.NewFakeRecorder(9), Now: time.Now, Log: funcr.New(func(_, args string) { lines = append(lines, args) }, funcr.Options{})}
			teller.Tell(&v1alpha1.Release{ObjectMeta: metav1.ObjectMeta{Namespace: "prod", Name: "shop"}, Status: row.status}, row.status,
				[]rollout.Notice{{Reason: "Restarted", Message: "they were"}})
			want := `"level"=0 "msg"="they were" "namespace"="prod" "release"="shop" ` + row.want + ` "reason"="Restarted"`
			if len(lines) != 1 || lines[0] != want {
				t.Errorf("it logs\n%q, want\n%q", lines, want)
			}
		})
	}
}

// heard are the notices that were sent elsewhere.
type heard []string

func (h *heard) Notify(rel *v1alpha1.Release, n rollout.Notice) {
	*h = append(*h, rel.Name+" "+n.Reason)
}

// Every notice is sent elsewhere, too.
func TestNotifier(t *testing.T) {
	var elsewhere heard
	teller := Teller{Recorder: events.NewFakeRecorder(9), Now: time.Now, Log: logr.Discard(), Notifier: &elsewhere}
	teller.Tell(&v1alpha1.Release{ObjectMeta: metav1.ObjectMeta{Name: "shop"}}, v1alpha1.ReleaseStatus{}, []rollout.Notice{{Reason: "Restarted"}, {Reason: "RolledBack"}})
	if want := (heard{"shop Restarted", "shop RolledBack"}); !slices.Equal(elsewhere, want) {
		t.Errorf("sent are %q, want %q", elsewhere, want)
	}
}

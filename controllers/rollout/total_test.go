// Copyright The Countersign Authors.
// SPDX-License-Identifier: Apache-2.0

package rollout_test

import (
	"reflect"
	"testing"
	"time"

	"github.com/countersign/countersign/api/v1alpha1"
	"github.com/countersign/countersign/controllers/approval"
	"github.com/countersign/countersign/controllers/rollout"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"pgregory.net/rapid"
)

// Whatever the snapshot, however little it makes sense, there is a decision, it
// is always the same, and it promotes nothing that has no votes.
func TestDecideIsTotal(t *testing.T) { rapid.Check(t, totality) }

func FuzzDecide(f *testing.F) { f.Fuzz(rapid.MakeFuzz(totality)) }

func totality(t *rapid.T) {
	s := anySnapshot(t)
	d := rollout.Decide(s)
	if again := rollout.Decide(s); !reflect.DeepEqual(again, d) {
		t.Fatalf("got %+v, then %+v", d, again)
	}
	for _, a := range d.Actions {
		shift, is := a.(rollout.ShiftTraffic)
		if !is {
			continue
		}
		if shift.Policies != nil && s.Release.Status.Switch == nil {
			t.Fatalf("I8: %s without votes and without a record", spell(shift))
		}
		if sw := d.Status.Switch; sw == nil || sw.Epoch != shift.Epoch {
			t.Fatalf("I9: %s, and the record is %+v", spell(shift), sw)
		}
	}
}

// Records that contradict each other, which random ones seldom hit.
func TestSenselessRecords(t *testing.T) {
	w := decided(t)
	for _, reason := range []v1alpha1.SwitchReason{v1alpha1.SwitchPromote, v1alpha1.SwitchRollback, v1alpha1.SwitchRepair, "x"} {
		for _, strip := range []func(*v1alpha1.ReleaseStatus){
			func(st *v1alpha1.ReleaseStatus) { st.Active = nil },
			func(st *v1alpha1.ReleaseStatus) { st.Candidate = nil },
			func(st *v1alpha1.ReleaseStatus) { st.Active, st.Candidate, st.Former = nil, nil, nil },
		} {
			for _, leads := range []v1alpha1.Colour{blue, green, ""} {
				s := w.snapshot()
				strip(&s.Release.Status)
				s.Release.Status.Switch.Reason, s.Release.Status.Switch.Message = reason, "as told"
				s.Services[0].Colour, s.Services[0].Epoch = leads, 2
				lint(t, rollout.Decide(s))
			}
		}
	}
}

func maybe[T any](t *rapid.T, what string, v func(*rapid.T) T) *T {
	if rapid.Bool().Draw(t, "has "+what) {
		return ptr(v(t))
	}
	return nil
}

func anyOf[T any](t *rapid.T, what string, values ...T) T {
	return rapid.SampledFrom(values).Draw(t, what)
}

var start = time.Date(2026, 11, 24, 12, 0, 0, 0, time.UTC)

func anyTime(t *rapid.T) metav1.Time {
	return metav1.NewTime(start.Add(time.Duration(anyOf(t, "time", -3600, -1, 0, 1, 1e6)) * time.Second))
}

func anyMicroTime(t *rapid.T) metav1.MicroTime { return metav1.NewMicroTime(anyTime(t).Time) }

func anyColour(t *rapid.T) v1alpha1.Colour { return anyOf(t, "colour", blue, green, "") }

func anyInt(t *rapid.T) int64 { return anyOf(t, "number", int64(-1), 0, 1, 2, 1<<62, 1<<63-1) }

func anyText(t *rapid.T) string { return anyOf(t, "text", "", "x", "y") }

func anyRefs(t *rapid.T) []v1alpha1.ServiceRef {
	return anyOf(t, "refs", nil, []v1alpha1.ServiceRef{{Name: "shop"}}, []v1alpha1.ServiceRef{{Name: "shop", Ports: []v1alpha1.ServicePort{{Port: 80}}}, {Name: "admin", Preview: "x"}})
}

func anyContent(t *rapid.T) v1alpha1.Content {
	return v1alpha1.Content{
		Colour: anyColour(t), Digest: anyText(t), Revision: anyText(t), TemplateHash: anyText(t), Sequence: anyInt(t),
		Services: anyRefs(t), ObserveSeconds: int32(anyInt(t)), KeepIdleSeconds: int32(anyInt(t)), ReadinessGraceSeconds: int32(anyInt(t)),
		AfterSwitch: anyOf(t, "checks", nil, []v1alpha1.Check{check("live")}),
	}
}

func anyStatus(t *rapid.T) v1alpha1.ReleaseStatus {
	return v1alpha1.ReleaseStatus{
		Sequence: anyInt(t), Epoch: anyInt(t), Phase: v1alpha1.Phase(anyText(t)),
		Active: maybe(t, "active", func(t *rapid.T) v1alpha1.ActiveStatus {
			return v1alpha1.ActiveStatus{
				Content: anyContent(t), Epoch: anyInt(t), Since: anyTime(t), FinishedAt: maybe(t, "finished", anyTime),
				UnreadySince: maybe(t, "unready", anyTime), Failed: anyText(t), ReadyPeak: int32(anyInt(t)),
			}
		}),
		Former: maybe(t, "former", func(t *rapid.T) v1alpha1.FormerStatus {
			return v1alpha1.FormerStatus{Content: anyContent(t), KeepUntil: maybe(t, "kept", anyTime)}
		}),
		Candidate: maybe(t, "candidate", anyCandidate),
		Switch:    maybe(t, "switch", anySwitch),
		Reviews:   anyOf(t, "pending", nil, []v1alpha1.PendingReview{{Epoch: 1, Digest: "x", By: "erin", DueBy: metav1.NewTime(start)}}),
		Checks: anyOf(t, "results", nil, []v1alpha1.CheckStatus{
			{Stage: v1alpha1.StageAfterSwitch, Name: "live", Digest: "x", State: v1alpha1.CheckFailed},
			{Stage: v1alpha1.StageBeforeSwitch, Name: "smoke", Digest: "x", State: v1alpha1.CheckPassed},
			{Stage: v1alpha1.StageBeforeSwitch, Name: "e2e", Digest: "x", State: v1alpha1.CheckRunning, Job: &v1alpha1.CheckJob{
				Name: "j", UID: anyText(t), Run: int32(anyInt(t)), Trouble: anyText(t),
			}},
		}),
	}
}

func anyCandidate(t *rapid.T) v1alpha1.CandidateStatus {
	return v1alpha1.CandidateStatus{
		Colour: anyColour(t), Digest: anyText(t), Revision: anyText(t), TemplateHash: anyText(t), Sequence: anyInt(t),
		ObservedGeneration: anyInt(t), Since: anyTime(t), ReadyAt: maybe(t, "ready", anyTime), TestedAt: maybe(t, "tested", anyTime),
		ProgressSince: maybe(t, "progress", anyTime), Size: anyOf(t, "size", "", v1alpha1.PreviewSize, v1alpha1.FullSize, "x"),
		Round: int32(anyOf(t, "round", 0, 1)), TestedReplicas: int32(anyInt(t)),
		Halted: maybe(t, "halted", func(t *rapid.T) v1alpha1.HaltedStatus {
			return v1alpha1.HaltedStatus{Reason: "x", Message: "y", At: anyTime(t)}
		}),
	}
}

func anySwitch(t *rapid.T) v1alpha1.SwitchStatus {
	return v1alpha1.SwitchStatus{
		Epoch: anyInt(t), To: anyContent(t), Message: anyText(t), IntendedAt: anyMicroTime(t),
		Reason:    anyOf(t, "reason", v1alpha1.SwitchPromote, v1alpha1.SwitchBreakGlass, v1alpha1.SwitchRollback, v1alpha1.SwitchRepair, "x"),
		PatchedAt: maybe(t, "patched", anyMicroTime), SettledAt: maybe(t, "settled", anyMicroTime), CancelledAt: maybe(t, "cancelled", anyMicroTime),
	}
}

func anyWorkload(t *rapid.T) rollout.Workload {
	return rollout.Workload{
		Exists: rapid.Bool().Draw(t, "exists"), Foreign: rapid.Bool().Draw(t, "foreign"), Name: "w", ResourceVersion: anyText(t),
		Revision: anyText(t), TemplateHash: anyText(t), Template: template("v1"), Replicas: int32(anyInt(t)),
		Settled: rapid.Bool().Draw(t, "settled"), Total: int32(anyInt(t)), Updated: int32(anyInt(t)), Ready: int32(anyInt(t)), Available: int32(anyInt(t)),
		Pods: anyOf(t, "pods", nil, []rollout.Pod{{Name: "p", IP: "10.0.0.1", Revision: "x", Ready: true}}),
	}
}

func anyService(t *rapid.T, name string) rollout.Service {
	return rollout.Service{
		Name: name, Exists: rapid.Bool().Draw(t, "exists"), Owner: anyOf(t, "owner", "", "shop", "other"), Unsupported: anyOf(t, "unsupported", "", "", "x"),
		ResourceVersion: anyText(t), Selector: anyOf(t, "selector", nil, ours("blue"), map[string]string{"app": "shop"}),
		Colour: anyColour(t), Parked: rapid.Bool().Draw(t, "parked"), Epoch: anyInt(t),
		Endpoints: rollout.Endpoints{Blue: anyOf(t, "n", 0, 1), Green: anyOf(t, "n", 0, 1), Other: anyOf(t, "n", 0, 1)},
		Preview:   rollout.Preview{Name: name + "-preview", Exists: rapid.Bool().Draw(t, "exists"), Foreign: rapid.Bool().Draw(t, "foreign"), Colour: anyColour(t)},
	}
}

func anySnapshot(t *rapid.T) rollout.Snapshot {
	w := newWorld(t, withChecks, onCall)
	rel := w.rel
	rel.Status, rel.Spec.Services = anyStatus(t), anyRefs(t)
	rel.Generation, rel.Spec.Paused = anyInt(t), rapid.Bool().Draw(t, "paused")
	rel.Finalizers = anyOf(t, "finalizers", nil, []string{v1alpha1.Finalizer})
	rel.DeletionTimestamp = maybe(t, "deletion", anyTime)
	rel.Spec.Replicas = maybe(t, "replicas", func(t *rapid.T) int32 { return int32(anyInt(t)) })
	rel.Spec.PreviewReplicas = maybe(t, "preview", func(t *rapid.T) int32 { return int32(anyInt(t)) })
	if rapid.Bool().Draw(t, "no checks") {
		rel.Spec.Checks = nil
	}
	if rapid.Bool().Draw(t, "a job") && rel.Spec.Checks != nil {
		withJob(w)
		rel.Spec.Checks = w.rel.Spec.Checks
	}
	return rollout.Snapshot{
		Jobs: anyOf(t, "jobs", nil, []rollout.Job{{
			Name: "j", UID: anyText(t), Check: anyOf(t, "check", "e2e", "x"), Digest: anyText(t), Targets: anyOf(t, "targets", "", "p=10.0.0.1", "=,"),
			Foreign: rapid.Bool().Draw(t, "foreign"), Leaving: rapid.Bool().Draw(t, "leaving"), Done: rapid.Bool().Draw(t, "done"), Succeeded: rapid.Bool().Draw(t, "succeeded"),
		}}),
		Now: start, Release: rel, Revision: anyText(t), Cluster: anyOf(t, "cluster", "", "c1"),
		Problems: anyOf(t, "problems", nil, nil, []string{"x"}), Policies: anyOf(t, "policies", nil, []approval.Policy{{}}, w.policies),
		Glasses: anyOf(t, "glasses", nil, []approval.Glass{{Slot: "s", Digest: anyText(t), Ticket: "t", Reason: "r", User: "erin", Groups: []string{"sre"}, At: start}}),
		Reviews: anyOf(t, "reviews", nil, []approval.Review{{Slot: "s", Digest: anyText(t), User: "bob"}}),
		Votes:   anyOf(t, "votes", nil, []approval.Vote{{Slot: "s"}}),
		Authors: rollout.Authors{Names: anyOf(t, "authors", nil, []string{"dev"}), Known: rapid.Bool().Draw(t, "known")},
		Blue:    anyWorkload(t), Green: anyWorkload(t), Gate: rollout.Gate{Intact: rapid.Bool().Draw(t, "intact"), Why: anyText(t)},
		Strays:   anyOf(t, "strays", nil, []rollout.Preview{{Name: "x", Exists: true}}, []rollout.Preview{{Name: "x", Foreign: true}}),
		Services: anyOf(t, "services", nil, []rollout.Service{anyService(t, "shop")}, []rollout.Service{anyService(t, "shop"), anyService(t, "admin")}),
	}
}

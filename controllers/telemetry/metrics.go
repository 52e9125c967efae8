// Copyright The Countersign Authors.
// SPDX-License-Identifier: Apache-2.0

package telemetry

import (
	"fmt"

	"github.com/countersign/countersign/api/v1alpha1"
	"github.com/prometheus/client_golang/prometheus"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/types"
)

// Who asked for a rollback.
const (
	triggerFailure = "failure"
	triggerRequest = "request"
)

// long are the buckets of what takes minutes to days.
var long = []float64{1, 5, 15, 60, 300, 900, 3600, 4 * 3600, 24 * 3600, 7 * 24 * 3600}

// What a metric says, and then what whoever reads it does about it.
var (
	phase = prometheus.NewGaugeVec(prometheus.GaugeOpts{
		Name: "countersign_release_phase",
		Help: "1 for the phase that a Release is in; of other phases it has no series. For what it waits for, run: kubectl get release NAME -n NAMESPACE",
	}, []string{"namespace", "name", "phase"})
	stalled = prometheus.NewGaugeVec(prometheus.GaugeOpts{
		Name: "countersign_release_stalled",
		Help: "1 while a Release cannot go on until somebody acts, with the reason of its condition Stalled. The message of that condition says what to do: kubectl describe release NAME -n NAMESPACE",
	}, []string{"namespace", "name", "reason"})
	waiting = prometheus.NewGaugeVec(prometheus.GaugeOpts{
		Name: "countersign_approval_waiting_since_timestamp_seconds",
		Help: "Since when a tested candidate waits to be let through. Remind those who may vote: kubectl get release NAME -n NAMESPACE says who is missing.",
	}, []string{"namespace", "name"})
	overdue = prometheus.NewGaugeVec(prometheus.GaugeOpts{
		Name: "countersign_review_overdue",
		Help: "Uses of break-glass of a Release that nobody has reviewed in time. status.reviews of the Release says which, and who may review it.",
	}, []string{"namespace", "name"})
	transitions = prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "countersign_phase_transitions_total",
		Help: "Changes of phase of all Releases. Many to Halted mean that candidates do not pass their checks: look at their templates.",
	}, []string{"from", "to"})
	durations = prometheus.NewHistogramVec(prometheus.HistogramOpts{
		Name:    "countersign_phase_duration_seconds",
		Help:    "How long contents were in a phase, by the times in the status. Where Preparing or Testing take long, look at images, probes and checks.",
		Buckets: long,
	}, []string{"phase"})
	waits = prometheus.NewHistogramVec(prometheus.HistogramOpts{
		Name:    "countersign_approval_wait_seconds",
		Help:    "How long tested candidates waited for people, by what ended it. Where it takes long, let more people approve or open more windows in the ApprovalPolicy.",
		Buckets: long,
	}, []string{"outcome"})
	switches = prometheus.NewHistogramVec(prometheus.HistogramOpts{
		Name:    "countersign_switch_duration_seconds",
		Help:    "Time from the recorded decision until all Services selected the target (patch) and until their endpoints were the target's only (settle). Where it takes long, look at the load of the API server and its controllers.",
		Buckets: []float64{.005, .01, .02, .04, .08, .16, .32, .64, 1.3, 2.5, 5, 10, 30},
	}, []string{"reason", "step"})
	rollbacks = prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "countersign_rollbacks_total",
		Help: "Rollbacks that were carried out, because content failed (failure) or somebody asked (request). Look at the Release's event RolledBack for the cause.",
	}, []string{"trigger"})
	breakGlass = prometheus.NewCounter(prometheus.CounterOpts{
		Name: "countersign_break_glass_total",
		Help: "Candidates that somebody on call let through without all approvals. Look at the Release's event BreakGlassUsed for who and why, and review it.",
	})
	votes = prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "countersign_votes_total",
		Help: "Votes by whether they count. Where many do not, status.votes of the Release says why.",
	}, []string{"counted"})
	conflicts = prometheus.NewCounter(prometheus.CounterOpts{
		Name: "countersign_conflicts_total",
		Help: "Writes that the API server refused because the object had changed; they are judged again. Where they are many, look for who else writes the same objects: kubectl get release NAME -n NAMESPACE -o yaml --show-managed-fields",
	})
)

// Collectors are the metrics of the operator's decisions.
func Collectors() []prometheus.Collector {
	for _, trigger := range []string{triggerFailure, triggerRequest} {
		rollbacks.WithLabelValues(trigger) // so that the first one is an increase
	}
	return []prometheus.Collector{
		phase, stalled, waiting, overdue, transitions, durations, waits, switches, rollbacks, breakGlass, votes, conflicts,
	}
}

// shown are the series that a Release has. They go with it.
type shown struct {
	phase   v1alpha1.Phase
	stalled string
}

// measure derives the metrics from what a commit changed.
func (t *Teller) measure(rel *v1alpha1.Release, before v1alpha1.ReleaseStatus, stages []stage) {
	now := rel.Status
	if now.Phase != before.Phase {
		transitions.WithLabelValues(string(before.Phase), string(now.Phase)).Inc()
	}
	for _, v := range now.Votes {
		if !hadVote(before.Votes, v) {
			votes.WithLabelValues(fmt.Sprint(v.Counted)).Inc()
		}
	}
	for _, s := range stages {
		durations.WithLabelValues(string(s.phase)).Observe(s.seconds())
		if s.phase == v1alpha1.PhaseAwaitingApproval {
			waits.WithLabelValues(s.outcome).Observe(s.seconds())
		}
	}
	t.show(rel)
	measureSwitch(before.Switch, now.Switch)
}

func measureSwitch(had, sw *v1alpha1.SwitchStatus) {
	if sw == nil {
		return
	}
	patched := had != nil && had.Epoch == sw.Epoch && had.PatchedAt != nil
	settled := had != nil && had.Epoch == sw.Epoch && had.SettledAt != nil
	if sw.PatchedAt != nil && !patched {
		switches.WithLabelValues(string(sw.Reason), "patch").Observe(sw.PatchedAt.Sub(sw.IntendedAt.Time).Seconds())
		switch {
		case sw.Reason == v1alpha1.SwitchRollback && sw.AskedBy != "":
			rollbacks.WithLabelValues(triggerRequest).Inc()
		case sw.Reason == v1alpha1.SwitchRollback:
			rollbacks.WithLabelValues(triggerFailure).Inc()
		case sw.Reason == v1alpha1.SwitchBreakGlass:
			breakGlass.Inc()
		}
	}
	if sw.SettledAt != nil && !settled {
		switches.WithLabelValues(string(sw.Reason), "settle").Observe(sw.SettledAt.Sub(sw.IntendedAt.Time).Seconds())
	}
}

// show gives a Release the series that it has now, also after a restart.
func (t *Teller) show(rel *v1alpha1.Release) {
	t.mu.Lock()
	defer t.mu.Unlock()
	name, now := types.NamespacedName{Namespace: rel.Namespace, Name: rel.Name}, shown{phase: rel.Status.Phase}
	if c := meta.FindStatusCondition(rel.Status.Conditions, v1alpha1.ConditionStalled); c != nil {
		now.stalled = c.Reason
	}
	if was, had := t.shown[name]; had && was != now {
		hide(name, was)
	}
	if t.shown == nil {
		t.shown = map[types.NamespacedName]shown{}
	}
	t.shown[name] = now
	phase.WithLabelValues(name.Namespace, name.Name, string(now.phase)).Set(1)
	if now.stalled != "" {
		stalled.WithLabelValues(name.Namespace, name.Name, now.stalled).Set(1)
	}
	since := 0.0
	if at := waitingSince(&rel.Status); at != nil {
		since = float64(at.Unix())
	}
	showIf(waiting, name, since)
	showIf(overdue, name, overdueReviews(rel))
}

// showIf sets a series, or removes it when there is nothing to show.
func showIf(of *prometheus.GaugeVec, name types.NamespacedName, value float64) {
	if value == 0 {
		of.DeleteLabelValues(name.Namespace, name.Name)
		return
	}
	of.WithLabelValues(name.Namespace, name.Name).Set(value)
}

func hide(name types.NamespacedName, was shown) {
	phase.DeleteLabelValues(name.Namespace, name.Name, string(was.phase))
	stalled.DeleteLabelValues(name.Namespace, name.Name, was.stalled)
}

// forget removes the series of a Release that is gone.
func (t *Teller) forget(name types.NamespacedName) {
	t.mu.Lock()
	defer t.mu.Unlock()
	hide(name, t.shown[name])
	delete(t.shown, name)
	showIf(waiting, name, 0)
	showIf(overdue, name, 0)
}

func overdueReviews(rel *v1alpha1.Release) float64 {
	n := 0
	for i := range rel.Status.Reviews {
		if rel.Status.Reviews[i].Overdue {
			n++
		}
	}
	if rel.DeletionTimestamp != nil {
		return 0
	}
	return float64(n)
}

func hadVote(votes []v1alpha1.VoteStatus, v v1alpha1.VoteStatus) bool {
	for _, h := range votes {
		if h.Slot == v.Slot && h.User == v.User && h.Decision == v.Decision && h.Counted == v.Counted {
			return true
		}
	}
	return false
}

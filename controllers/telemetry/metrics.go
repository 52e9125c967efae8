// Copyright The Countersign Authors.
// SPDX-License-Identifier: Apache-2.0

package telemetry

import (
	"fmt"

	"github.com/countersign/countersign/api/v1alpha1"
	"github.com/prometheus/client_golang/prometheus"
	"sigs.k8s.io/controller-runtime/pkg/metrics"
)

var (
	transitions = prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "countersign_phase_transitions_total",
		Help: "Changes of phase of all Releases.",
	}, []string{"from", "to"})
	switches = prometheus.NewHistogramVec(prometheus.HistogramOpts{
		Name:    "countersign_switch_duration_seconds",
		Help:    "Time from the recorded decision until all Services selected the target (patch) and until their endpoints were the target's only (settle).",
		Buckets: []float64{.005, .01, .02, .04, .08, .16, .32, .64, 1.3, 2.5, 5, 10, 30},
	}, []string{"reason", "step"})
	rollbacks = prometheus.NewCounter(prometheus.CounterOpts{
		Name: "countersign_rollbacks_total",
		Help: "Rollbacks that were carried out. Look at the Release's event RolledBack for the cause.",
	})
	breakGlass = prometheus.NewCounter(prometheus.CounterOpts{
		Name: "countersign_break_glass_total",
		Help: "Candidates that somebody on call let through without all approvals. Look at the Release's event BreakGlassUsed for who and why.",
	})
	overdue = prometheus.NewGaugeVec(prometheus.GaugeOpts{
		Name: "countersign_review_overdue",
		Help: "Uses of break-glass of a Release that nobody has reviewed in time. status.reviews of the Release says which.",
	}, []string{"namespace", "name"})
	votes = prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "countersign_votes_total",
		Help: "Votes by whether they count. status.votes of the Release says why.",
	}, []string{"counted"})
	conflicts = prometheus.NewCounter(prometheus.CounterOpts{
		Name: "countersign_conflicts_total",
		Help: "Writes that the API server refused because the object had changed. They are judged again.",
	})
)

// Register makes the metrics known to the registry that the manager serves.
func Register() error {
	for _, c := range []prometheus.Collector{transitions, switches, rollbacks, breakGlass, overdue, votes, conflicts} {
		if err := metrics.Registry.Register(c); err != nil {
			return fmt.Errorf("register metrics: %w", err)
		}
	}
	return nil
}

// measure derives the metrics from what a commit changed.
func measure(rel *v1alpha1.Release, before v1alpha1.ReleaseStatus) {
	now := rel.Status
	if now.Phase != before.Phase {
		transitions.WithLabelValues(string(before.Phase), string(now.Phase)).Inc()
	}
	for _, v := range now.Votes {
		if !hadVote(before.Votes, v) {
			votes.WithLabelValues(fmt.Sprint(v.Counted)).Inc()
		}
	}
	measureReviews(rel)
	sw, had := now.Switch, before.Switch
	if sw == nil {
		return
	}
	patched := had != nil && had.Epoch == sw.Epoch && had.PatchedAt != nil
	settled := had != nil && had.Epoch == sw.Epoch && had.SettledAt != nil
	if sw.PatchedAt != nil && !patched {
		switches.WithLabelValues(string(sw.Reason), "patch").Observe(sw.PatchedAt.Sub(sw.IntendedAt.Time).Seconds())
		switch sw.Reason {
		case v1alpha1.SwitchRollback:
			rollbacks.Inc()
		case v1alpha1.SwitchBreakGlass:
			breakGlass.Inc()
		}
	}
	if sw.SettledAt != nil && !settled {
		switches.WithLabelValues(string(sw.Reason), "settle").Observe(sw.SettledAt.Sub(sw.IntendedAt.Time).Seconds())
	}
}

// measureReviews counts what is overdue, also after a restart: only Releases that
// have some are there.
func measureReviews(rel *v1alpha1.Release) {
	n := 0
	for i := range rel.Status.Reviews {
		if rel.Status.Reviews[i].Overdue {
			n++
		}
	}
	if n == 0 || rel.DeletionTimestamp != nil {
		overdue.DeleteLabelValues(rel.Namespace, rel.Name)
		return
	}
	overdue.WithLabelValues(rel.Namespace, rel.Name).Set(float64(n))
}

func hadVote(votes []v1alpha1.VoteStatus, v v1alpha1.VoteStatus) bool {
	for _, h := range votes {
		if h.Slot == v.Slot && h.User == v.User && h.Decision == v.Decision && h.Counted == v.Counted {
			return true
		}
	}
	return false
}

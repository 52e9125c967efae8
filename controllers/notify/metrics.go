// Copyright The Countersign Authors.
// SPDX-License-Identifier: Apache-2.0

package notify

import "github.com/prometheus/client_golang/prometheus"

// Why a notification was dropped.
const (
	dropFull    = "full"
	dropExpired = "expired"
	dropRefused = "refused"
	dropGone    = "gone"
	dropStopped = "stopped"
)

var (
	sent = prometheus.NewCounter(prometheus.CounterOpts{
		Name: "countersign_notifications_sent_total",
		Help: "Notifications that the endpoint of --notify-url has taken. Where it stays at 0, look whether anything was dropped.",
	})
	failed = prometheus.NewCounter(prometheus.CounterOpts{
		Name: "countersign_notification_failures_total",
		Help: "Attempts to send a notification that failed. They are tried again; where they grow, look at the endpoint.",
	})
	dropped = prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "countersign_notifications_dropped_total",
		Help: "Notifications that were not sent: too many waited (full), it took too long (expired), the endpoint does not want them (refused, gone), or the operator ended (stopped). The log of the operator says which; kubectl get events has what they were about.",
	}, []string{"reason"})
	waiting = prometheus.NewGauge(prometheus.GaugeOpts{
		Name: "countersign_notifications_waiting",
		Help: "Notifications that wait to be sent. Where it grows, look at the endpoint of --notify-url.",
	})
)

// Collectors are the metrics of the notifications.
func Collectors() []prometheus.Collector {
	for _, reason := range []string{dropFull, dropExpired, dropRefused, dropGone, dropStopped} {
		dropped.WithLabelValues(reason) // so that the first one is an increase
	}
	return []prometheus.Collector{sent, failed, dropped, waiting}
}

// Copyright The Countersign Authors.
// SPDX-License-Identifier: Apache-2.0

package admission

import (
	"fmt"

	"github.com/prometheus/client_golang/prometheus"
	admissionv1 "k8s.io/api/admission/v1"
	"sigs.k8s.io/controller-runtime/pkg/webhook/admission"
)

var decisions = prometheus.NewCounterVec(prometheus.CounterOpts{
	Name: "countersign_admission_decisions_total",
	Help: "Writes to Releases and ApprovalPolicies that the webhook reviewed, and in a word why it refused. The reason Error is a failure of its own: look at the log of countersign-webhook. Every other was told to whom it refused, with what to do instead.",
}, []string{"handler", "operation", "allowed", "reason"})

// The webhooks that decide.
const (
	ofReleases = "release"
	ofPolicies = "policy"
)

// Collectors are the metrics of the webhook.
func Collectors() []prometheus.Collector { return []prometheus.Collector{decisions} }

// count a decision. Whoever reaches the webhook may write anything into a request,
// so that only operations that there are become values of a label.
func count(handler string, req admission.Request, response admission.Response, reason string) {
	operation := "other"
	switch req.Operation {
	case admissionv1.Create, admissionv1.Update, admissionv1.Delete, admissionv1.Connect:
		operation = string(req.Operation)
	}
	decisions.WithLabelValues(handler, operation, fmt.Sprint(response.Allowed), reason).Inc()
}

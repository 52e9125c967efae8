// Copyright The Countersign Authors.
// SPDX-License-Identifier: Apache-2.0

package admission

import (
	"testing"

	dto "github.com/prometheus/client_model/go"
	admissionv1 "k8s.io/api/admission/v1"
	"sigs.k8s.io/controller-runtime/pkg/webhook/admission"
)

func decided(t *testing.T, labels ...string) float64 {
	t.Helper()
	var m dto.Metric
	if err := decisions.WithLabelValues(labels...).Write(&m); err != nil {
		t.Fatal(err)
	}
	return m.GetCounter().GetValue()
}

// Each decision is counted. An operation that there is not makes no series of its
// own: whoever reaches the webhook could make as many as they like.
func TestDecisionsAreCounted(t *testing.T) {
	odd := admission.Request{AdmissionRequest: admissionv1.AdmissionRequest{Operation: "NONSENSE"}}
	nameless := manifest()
	nameless.Name, nameless.GenerateName = "", "shop-"
	policies := &PolicyWebhook{}
	for _, row := range []struct {
		labels []string
		decide func()
	}{
		{[]string{"release", "CREATE", "true", ""}, func() { webhook(t, prod()).Handle(t.Context(), creating(t, person(dev), manifest())) }},
		{[]string{"release", "CREATE", "false", "Name"}, func() { webhook(t, prod()).Handle(t.Context(), creating(t, person(dev), nameless)) }},
		{[]string{"release", "other", "true", ""}, func() { webhook(t, prod()).Handle(t.Context(), odd) }},
		{[]string{"policy", "other", "false", "Malformed"}, func() { policies.Handle(t.Context(), odd) }},
	} {
		before := decided(t, row.labels...)
		row.decide()
		if got := decided(t, row.labels...) - before; got != 1 {
			t.Errorf("%q: %v are counted", row.labels, got)
		}
	}
}

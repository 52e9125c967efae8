// Copyright The Countersign Authors.
// SPDX-License-Identifier: Apache-2.0

package admission

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/countersign/countersign/api/v1alpha1"
	"github.com/countersign/countersign/controllers/approval"
	"k8s.io/apimachinery/pkg/util/json"
	"sigs.k8s.io/controller-runtime/pkg/log"
	"sigs.k8s.io/controller-runtime/pkg/webhook/admission"
)

// PolicyPath is where ApprovalPolicies are reviewed.
const PolicyPath = "/validate-countersign-dev-v1alpha1-approvalpolicy"

// PolicyWebhook tells the owners of an ApprovalPolicy what is wrong with it before
// anybody waits for it. It changes nothing, and nothing relies on it: a policy that
// gets past it lets nothing through.
type PolicyWebhook struct {
	// Now is the clock.
	Now func() time.Time
}

// Handle reviews one request.
func (w *PolicyWebhook) Handle(ctx context.Context, req admission.Request) admission.Response {
	response, reason := w.handle(ctx, req)
	count(ofPolicies, req, response, reason)
	return response
}

func (w *PolicyWebhook) handle(ctx context.Context, req admission.Request) (admission.Response, string) {
	var was, now v1alpha1.ApprovalPolicy
	if err := json.Unmarshal(req.Object.Raw, &now); err != nil {
		return admission.Errored(http.StatusBadRequest, fmt.Errorf("decode the ApprovalPolicy: %w", err)), "Malformed"
	}
	var had []string
	if len(req.OldObject.Raw) > 0 {
		if err := json.Unmarshal(req.OldObject.Raw, &was); err != nil {
			return admission.Errored(http.StatusBadRequest, fmt.Errorf("decode the ApprovalPolicy as it was: %w", err)), "Malformed"
		}
		had = approval.Problems(approval.FromSpec(was.Name, was.Spec), w.Now())
	}
	policy := approval.FromSpec(now.Name, now.Spec)
	var mend, warnings []string
	for _, problem := range approval.Problems(policy, w.Now()) {
		// One that was there before must not keep anybody from stopping the line.
		if slices.Contains(had, problem) {
			warnings = append(warnings, "nothing is let through under this policy: "+problem)
		} else {
			mend = append(mend, problem)
		}
	}
	if len(mend) > 0 {
		log.FromContext(ctx).Info("Refused a policy", "policy", now.Name, "user", req.UserInfo.Username)
		return admission.Denied(fmt.Sprintf("nothing could ever be let through under ApprovalPolicy %s: %s", now.Name, strings.Join(mend, "; "))), "Unsatisfiable"
	}
	warnings = append(warnings, approval.Unsatisfiable([]approval.Policy{policy}, approval.Subject{})...)
	if held := approval.Held([]approval.Policy{policy}); held != "" {
		warnings = append(warnings, held)
	}
	return admission.Allowed("").WithWarnings(warnings...), ""
}

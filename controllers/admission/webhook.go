// Copyright The Countersign Authors.
// SPDX-License-Identifier: Apache-2.0

// Package admission serves the mutating webhook of Releases. It stamps who
// changed the content, signs votes, and refuses what cannot count, with a
// message that says what to do instead. It stores nothing and decides nothing:
// a vote that it admits is judged again, with its receipt, at the switch.
//
// The admission policies in config/policy hold the same line inside the API
// server, so that neither of the two has to be trusted alone.
package admission

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/countersign/countersign/api/v1alpha1"
	"github.com/countersign/countersign/controllers/access"
	"github.com/countersign/countersign/controllers/approval"
	"github.com/countersign/countersign/controllers/receipt"
	"github.com/countersign/countersign/controllers/telemetry"
	admissionv1 "k8s.io/api/admission/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/log"
	"sigs.k8s.io/controller-runtime/pkg/manager"
	"sigs.k8s.io/controller-runtime/pkg/webhook/admission"
)

// Path is where the webhook is served.
const Path = "/mutate-countersign-dev-v1alpha1-release"

// Webhook stamps and signs what is written to Releases.
type Webhook struct {
	// Reader finds the ApprovalPolicies.
	Reader client.Reader
	// Signer makes the receipts.
	Signer *receipt.Signer
	// Verifier knows the keys of receipts, those of before a rotation as well.
	Verifier *receipt.Verifier
	// Cluster is the id of the cluster, part of each receipt.
	Cluster string
	// Now is the clock.
	Now func() time.Time
	// OperatorUser is the operator's own username. It writes neither content
	// nor votes, whatever token it is that asks.
	OperatorUser string
	// ProbeUser asks, as dry-run, for what the admission policies have to
	// refuse: here it is let through, so that they are what is tried.
	// ProbeNamespace is where it does, and where the operator may write content.
	ProbeUser, ProbeNamespace string
	// Access tells whom RBAC lets approve. Without it, rules by RBAC let nobody.
	Access Permitter
}

// Register serves the webhook at Path, and that of policies at PolicyPath, on the manager's webhook server.
func Register(mgr manager.Manager, w Webhook) error {
	if w.Access == nil {
		reviewer, err := access.NewReviewer(mgr)
		if err != nil {
			return err
		}
		w.Access = reviewer
	}
	mgr.GetWebhookServer().Register(Path, &admission.Webhook{Handler: &w})
	mgr.GetWebhookServer().Register(PolicyPath, &admission.Webhook{Handler: &PolicyWebhook{Now: w.Now}})
	return nil
}

// Handle reviews one request.
func (w *Webhook) Handle(ctx context.Context, req admission.Request) admission.Response {
	response, reason := w.handle(ctx, req)
	count(ofReleases, req, response, reason)
	if !response.Allowed {
		logRefusal(ctx, req, reason)
	}
	return response
}

// logRefusal logs it with what is known of the Release: how it was.
func logRefusal(ctx context.Context, req admission.Request, reason string) {
	var rel v1alpha1.Release
	if json.Unmarshal(req.OldObject.Raw, &rel) != nil {
		rel = v1alpha1.Release{} // it is being created
	}
	rel.Namespace, rel.Name = req.Namespace, req.Name
	log.FromContext(ctx).WithValues(telemetry.LogValues(&rel)...).Info("Refused a write", "user", req.UserInfo.Username, "reason", reason)
}

func (w *Webhook) handle(ctx context.Context, req admission.Request) (admission.Response, string) {
	if req.Operation != admissionv1.Create && req.Operation != admissionv1.Update || req.SubResource != "" {
		return admission.Allowed(""), ""
	}
	r, err := newReview(req)
	if err != nil {
		return admission.Errored(http.StatusBadRequest, err), "Malformed"
	}
	if w.isProbe(r) {
		return admission.Allowed(""), "Probe"
	}
	steps := []func(context.Context, *review) error{w.checkContent, w.stampVote, w.stampEmergencies, w.keepComments, w.stampRequests, w.stampAuthors, w.checkDemands}
	for _, step := range steps {
		if err := step(ctx, r); err != nil {
			var no *refusal
			if errors.As(err, &no) {
				return admission.Denied(no.message), no.reason
			}
			return admission.Errored(http.StatusInternalServerError, err), "Error"
		}
	}
	operations := append(r.patch(), w.keepFinalizer(r)...)
	return admission.Patched("", operations...).WithWarnings(r.warnings...), ""
}

// isProbe tells a request that changes nothing and is stamped by nobody.
func (w *Webhook) isProbe(r *review) bool {
	return w.ProbeUser != "" && r.user == w.ProbeUser && r.now.Namespace == w.ProbeNamespace && r.dryRun()
}

// policies are those that the Release has to satisfy.
func (w *Webhook) policies(ctx context.Context, r *review) ([]approval.Policy, error) {
	var list v1alpha1.ApprovalPolicyList
	if err := w.Reader.List(ctx, &list); err != nil {
		return nil, fmt.Errorf("list ApprovalPolicies: %w", err)
	}
	return approval.Applicable(list.Items, r.now.Namespace, r.now.Spec.Approval), nil
}

// refusal is an error whose message is for the person who asked.
type refusal struct {
	// reason in one word, for the log and the metric.
	reason  string
	message string
}

func (r *refusal) Error() string { return r.message }

func refuse(reason, format string, args ...any) error {
	return &refusal{reason: reason, message: fmt.Sprintf(format, args...)}
}

// Copyright The Countersign Authors.
// SPDX-License-Identifier: Apache-2.0

package selftest

import (
	"context"
	"fmt"
	"regexp"
	"slices"

	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// partsOfKubernetes is what the variables of a policy may say that name
// controllers: these have other names on some clusters, and none of them is a
// name that a person or a tenant's ServiceAccount can have.
var partsOfKubernetes = regexp.MustCompile(
	`^\['system:(serviceaccount:kube-system:[a-z0-9-]+|kube-controller-manager)'(, *\s*'system:(serviceaccount:kube-system:[a-z0-9-]+|kube-controller-manager)')*\]$`)

// adjustable variables are those.
var adjustable = []string{"controllers", "makers", "testers", "cleaners"}

// compare tells the first difference between what stands in the API server and
// the manifests. A probe shows that a policy refuses one thing; this shows that
// it would refuse all the others, and that an error refuses too.
func (m *Manifests) compare(ctx context.Context, c client.Reader) error {
	for i := range m.Policies {
		if err := comparePolicy(ctx, c, &m.Policies[i]); err != nil {
			return err
		}
	}
	for i := range m.Bindings {
		if err := compareBinding(ctx, c, &m.Bindings[i]); err != nil {
			return err
		}
	}
	return m.compareWebhook(ctx, c)
}

func get(ctx context.Context, c client.Reader, kind, directory string, o client.Object) error {
	err := c.Get(ctx, client.ObjectKeyFromObject(o), o)
	switch {
	case apierrors.IsNotFound(err):
		return fmt.Errorf("%s %s is missing; %s", kind, o.GetName(), restore(directory))
	case err != nil:
		return fmt.Errorf("read %s %s: %w", kind, o.GetName(), err)
	case o.GetDeletionTimestamp() != nil:
		return fmt.Errorf("%s %s is being deleted; %s", kind, o.GetName(), restore(directory))
	}
	return nil
}

func differs(kind, directory string, o client.Object, where string) error {
	return fmt.Errorf("%s %s was changed: %s is not what this version ships; %s", kind, o.GetName(), where, restore(directory))
}

// restore is what to do about it.
func restore(directory string) string {
	return "put it back: kubectl apply --server-side --force-conflicts -k config/" + directory
}

func comparePolicy(ctx context.Context, c client.Reader, want *admissionregistrationv1.ValidatingAdmissionPolicy) error {
	const kind = "ValidatingAdmissionPolicy"
	var have admissionregistrationv1.ValidatingAdmissionPolicy
	have.Name = want.Name
	if err := get(ctx, c, kind, "policy", &have); err != nil {
		return err
	}
	a, b := have.Spec.DeepCopy(), want.Spec.DeepCopy()
	for i := range a.Variables {
		if v := &a.Variables[i]; i < len(b.Variables) && b.Variables[i].Name == v.Name &&
			slices.Contains(adjustable, v.Name) && partsOfKubernetes.MatchString(v.Expression) {
			b.Variables[i].Expression = v.Expression
		}
	}
	for _, spec := range []*admissionregistrationv1.ValidatingAdmissionPolicySpec{a, b} {
		spec.MatchConstraints = normalMatch(spec.MatchConstraints)
		spec.FailurePolicy = orValue(spec.FailurePolicy, admissionregistrationv1.Fail)
	}
	for _, part := range []struct {
		where      string
		have, want any
	}{
		{"spec.failurePolicy", a.FailurePolicy, b.FailurePolicy},
		{"spec.paramKind", a.ParamKind, b.ParamKind},
		{"spec.matchConstraints", a.MatchConstraints, b.MatchConstraints},
		{"spec.matchConditions", a.MatchConditions, b.MatchConditions},
		{"spec.variables", a.Variables, b.Variables},
		{"spec.validations", a.Validations, b.Validations},
	} {
		if !equality.Semantic.DeepEqual(part.have, part.want) {
			return differs(kind, "policy", &have, part.where)
		}
	}
	return nil
}

func compareBinding(ctx context.Context, c client.Reader, want *admissionregistrationv1.ValidatingAdmissionPolicyBinding) error {
	const kind = "ValidatingAdmissionPolicyBinding"
	var have admissionregistrationv1.ValidatingAdmissionPolicyBinding
	have.Name = want.Name
	if err := get(ctx, c, kind, "policy", &have); err != nil {
		return err
	}
	a, b := have.Spec.DeepCopy(), want.Spec.DeepCopy()
	a.MatchResources, b.MatchResources = normalMatch(a.MatchResources), normalMatch(b.MatchResources)
	if !slices.Contains(a.ValidationActions, admissionregistrationv1.Deny) {
		return differs(kind, "policy", &have, "spec.validationActions")
	}
	a.ValidationActions = b.ValidationActions // others beside Deny take nothing away
	if !equality.Semantic.DeepEqual(a, b) {
		return differs(kind, "policy", &have, "spec")
	}
	return nil
}

// compareWebhook leaves out how the webhook is reached: what it signs shows
// that it is ours.
func (m *Manifests) compareWebhook(ctx context.Context, c client.Reader) error {
	const kind = "MutatingWebhookConfiguration"
	var have admissionregistrationv1.MutatingWebhookConfiguration
	have.Name = m.Webhook.Name
	if err := get(ctx, c, kind, "webhook", &have); err != nil {
		return err
	}
	if !equality.Semantic.DeepEqual(normalWebhooks(have.Webhooks), normalWebhooks(m.Webhook.Webhooks)) {
		return differs(kind, "webhook", &have, "webhooks")
	}
	return nil
}

// The API server fills in what a manifest leaves out.

func normalMatch(m *admissionregistrationv1.MatchResources) *admissionregistrationv1.MatchResources {
	if m == nil {
		m = &admissionregistrationv1.MatchResources{}
	}
	m = m.DeepCopy()
	m.MatchPolicy = orValue(m.MatchPolicy, admissionregistrationv1.Equivalent)
	m.NamespaceSelector = orValue(m.NamespaceSelector, metav1.LabelSelector{})
	m.ObjectSelector = orValue(m.ObjectSelector, metav1.LabelSelector{})
	for _, rules := range [][]admissionregistrationv1.NamedRuleWithOperations{m.ResourceRules, m.ExcludeResourceRules} {
		for i := range rules {
			rules[i].Scope = orValue(rules[i].Scope, admissionregistrationv1.AllScopes)
		}
	}
	return m
}

func normalWebhooks(webhooks []admissionregistrationv1.MutatingWebhook) []admissionregistrationv1.MutatingWebhook {
	normal := make([]admissionregistrationv1.MutatingWebhook, len(webhooks))
	for i := range webhooks {
		w := webhooks[i].DeepCopy()
		w.ClientConfig = admissionregistrationv1.WebhookClientConfig{}
		w.FailurePolicy = orValue(w.FailurePolicy, admissionregistrationv1.Fail)
		w.MatchPolicy = orValue(w.MatchPolicy, admissionregistrationv1.Equivalent)
		w.NamespaceSelector = orValue(w.NamespaceSelector, metav1.LabelSelector{})
		w.ObjectSelector = orValue(w.ObjectSelector, metav1.LabelSelector{})
		w.ReinvocationPolicy = orValue(w.ReinvocationPolicy, admissionregistrationv1.NeverReinvocationPolicy)
		w.TimeoutSeconds = orValue(w.TimeoutSeconds, 10)
		for j := range w.Rules {
			w.Rules[j].Scope = orValue(w.Rules[j].Scope, admissionregistrationv1.AllScopes)
		}
		normal[i] = *w
	}
	return normal
}

func orValue[T any](p *T, value T) *T {
	if p == nil {
		return &value
	}
	return p
}

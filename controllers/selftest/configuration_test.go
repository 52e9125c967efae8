// Copyright The Countersign Authors.
// SPDX-License-Identifier: Apache-2.0

package selftest

import (
	"strings"
	"testing"

	"github.com/countersign/countersign/config/policy"
	"github.com/countersign/countersign/config/webhook"
	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes/scheme"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"
)

func shipped(t *testing.T, operator string) *Manifests {
	t.Helper()
	m, err := ReadManifests(policy.Files, webhook.Configuration, operator)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// stored is what the API server would hold of the manifests: with its defaults.
type stored struct {
	policies map[string]*admissionregistrationv1.ValidatingAdmissionPolicy
	bindings map[string]*admissionregistrationv1.ValidatingAdmissionPolicyBinding
	webhook  *admissionregistrationv1.MutatingWebhookConfiguration
}

func store(t *testing.T, m *Manifests) stored {
	t.Helper()
	s := stored{
		map[string]*admissionregistrationv1.ValidatingAdmissionPolicy{},
		map[string]*admissionregistrationv1.ValidatingAdmissionPolicyBinding{}, m.Webhook.DeepCopy(),
	}
	for i := range m.Policies {
		p := m.Policies[i].DeepCopy()
		p.Spec.MatchConstraints = normalMatch(p.Spec.MatchConstraints)
		s.policies[p.Name] = p
	}
	for i := range m.Bindings {
		s.bindings[m.Bindings[i].Name] = m.Bindings[i].DeepCopy()
	}
	s.webhook.Webhooks[0].ClientConfig.CABundle = []byte("x")
	s.webhook.Webhooks[0].NamespaceSelector = &metav1.LabelSelector{}
	return s
}

func (s stored) client() client.Reader {
	var objects []client.Object
	for _, p := range s.policies {
		objects = append(objects, p)
	}
	for _, b := range s.bindings {
		objects = append(objects, b)
	}
	if s.webhook != nil {
		objects = append(objects, s.webhook)
	}
	return fake.NewClientBuilder().WithScheme(scheme.Scheme).WithObjects(objects...).Build()
}

// TestConfiguration: whatever of the gate's configuration is changed so that it
// could let more through is found, and named with what to do.
func TestConfiguration(t *testing.T) {
	const votes, pods = "release-votes.countersign.dev", "pod-guard.countersign.dev"
	nothing := &admissionregistrationv1.MatchResources{NamespaceSelector: &metav1.LabelSelector{MatchLabels: map[string]string{"a": "b"}}}
	never := []admissionregistrationv1.MatchCondition{{Name: "never", Expression: "false"}}
	for name, tc := range map[string]struct {
		change func(stored)
		says   string
	}{
		"nothing":         {func(stored) {}, ""},
		"policy deleted":  {func(s stored) { delete(s.policies, votes) }, votes + " is missing; put it back"},
		"binding deleted": {func(s stored) { delete(s.bindings, votes) }, "Binding " + votes + " is missing"},
		"binding warns": {func(s stored) {
			s.bindings[votes].Spec.ValidationActions = []admissionregistrationv1.ValidationAction{"Warn", "Audit"}
		}, "spec.validationActions"},
		"binding warns as well": {func(s stored) {
			s.bindings[votes].Spec.ValidationActions = append(s.bindings[votes].Spec.ValidationActions, "Audit")
		}, ""},
		"binding narrowed":   {func(s stored) { s.bindings[votes].Spec.MatchResources = nothing }, "Binding " + votes + " was changed"},
		"binding of another": {func(s stored) { s.bindings[votes].Spec.PolicyName = pods }, "Binding " + votes + " was changed"},
		"fewer parameters": {func(s stored) {
			s.bindings["release-authors.countersign.dev"].Spec.ParamRef.Selector = nothing.NamespaceSelector
		}, "release-authors"},
		"other parameters": {func(s stored) {
			s.policies["release-breakglass-people.countersign.dev"].Spec.ParamKind.Kind = "Release"
		}, "spec.paramKind"},
		"errors pass":     {func(s stored) { s.policies[votes].Spec.FailurePolicy = new(admissionregistrationv1.Ignore) }, "spec.failurePolicy"},
		"never matches":   {func(s stored) { s.policies[votes].Spec.MatchConditions = never }, "spec.matchConditions"},
		"fewer resources": {func(s stored) { s.policies[pods].Spec.MatchConstraints.ResourceRules[0].Resources = []string{"pods"} }, "spec.matchConstraints"},
		"excluded": {func(s stored) {
			s.policies[pods].Spec.MatchConstraints.ExcludeResourceRules = s.policies[pods].Spec.MatchConstraints.ResourceRules
		}, "spec.matchConstraints"},
		"selected objects":    {func(s stored) { s.policies[pods].Spec.MatchConstraints.ObjectSelector = nothing.NamespaceSelector }, "spec.matchConstraints"},
		"validation true":     {func(s stored) { s.policies[votes].Spec.Validations[3].Expression = "true" }, "spec.validations"},
		"validation left out": {func(s stored) { s.policies[votes].Spec.Validations = s.policies[votes].Spec.Validations[:5] }, "spec.validations"},
		"another operator": {func(s stored) {
			s.set("workload-guard.countersign.dev", "operator", "'system:serviceaccount:shop:bot'")
		}, "spec.variables"},
		"other controllers": {func(s stored) {
			s.set("workload-guard.countersign.dev", "controllers", "['system:kube-controller-manager']")
		}, ""},
		"a person as one": {func(s stored) { s.set("workload-guard.countersign.dev", "controllers", "['mallory@example.com']") }, "spec.variables"},
		"a tenant as one": {func(s stored) {
			s.set("workload-guard.countersign.dev", "controllers", "['system:serviceaccount:shop:bot']")
		}, "spec.variables"},
		"everybody as one": {func(s stored) {
			s.set("workload-guard.countersign.dev", "controllers", "['system:kube-controller-manager'] + [request.userInfo.username]")
		}, "spec.variables"},
		"webhook deleted":       {func(s stored) { s.webhook.Name = "other" }, "MutatingWebhookConfiguration countersign is missing"},
		"webhook may fail":      {func(s stored) { s.webhook.Webhooks[0].FailurePolicy = new(admissionregistrationv1.Ignore) }, "webhooks is not"},
		"webhook never matches": {func(s stored) { s.webhook.Webhooks[0].MatchConditions = never }, "webhooks is not"},
		"webhook narrowed":      {func(s stored) { s.webhook.Webhooks[0].NamespaceSelector = nothing.NamespaceSelector }, "webhooks is not"},
		"webhook elsewhere":     {func(s stored) { s.webhook.Webhooks[0].ClientConfig.URL = new("https://127.0.0.1:1") }, ""},
	} {
		t.Run("sec/53 "+name, func(t *testing.T) {
			m := shipped(t, shippedUser)
			s := store(t, m)
			tc.change(s)
			err := m.compare(t.Context(), s.client())
			if (err == nil) != (tc.says == "") || err != nil && !strings.Contains(err.Error(), tc.says) {
				t.Errorf("got %v, want %q", err, tc.says)
			}
			if err != nil && !strings.Contains(err.Error(), "kubectl apply --server-side --force-conflicts -k config/") {
				t.Errorf("%v says not what to do", err)
			}
		})
	}
}

func (s stored) set(policy, variable, expression string) {
	for i, v := range s.policies[policy].Spec.Variables {
		if v.Name == variable {
			s.policies[policy].Spec.Variables[i].Expression = expression
			return
		}
	}
	panic("no variable " + variable)
}

// TestOperatorOfAnotherNamespace: an install elsewhere patches its name into the
// policies, and has to have done so.
func TestOperatorOfAnotherNamespace(t *testing.T) {
	const elsewhere = "system:serviceaccount:release-tools:countersign-operator"
	m := shipped(t, elsewhere)
	if err := m.compare(t.Context(), store(t, m).client()); err != nil {
		t.Error(err)
	}
	if err := m.compare(t.Context(), store(t, shipped(t, shippedUser)).client()); err == nil {
		t.Error("policies that trust an operator elsewhere are taken for ours")
	}
}

// TestEveryPolicyIsTried: a policy without a probe says why.
func TestEveryPolicyIsTried(t *testing.T) {
	without := map[string]string{
		"release-authors.countersign.dev":           "refuses persons alone, and the probe is none",
		"release-breakglass-people.countersign.dev": "is asked when there is a policy, and there may be none",
		"probe-guard.countersign.dev":               "to try it would be to write, if it were gone",
	}
	tried := map[string]bool{}
	for _, p := range probes() {
		tried[p.policy] = true
	}
	for _, p := range shipped(t, shippedUser).Policies {
		if tried[p.Name] == (without[p.Name] != "") {
			t.Errorf("policy %s: tried %t, excused %q", p.Name, tried[p.Name], without[p.Name])
		}
		delete(tried, p.Name)
	}
	for name := range tried {
		t.Errorf("%s is tried, and there is no such policy", name)
	}
}

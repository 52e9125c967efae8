// Copyright The Countersign Authors.
// SPDX-License-Identifier: Apache-2.0

package apiserver

import (
	"testing"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

// gateRules keep policies, webhooks and schemas from all but installers.
func gateRules() []rule {
	const votes, binding = "validatingadmissionpolicies/release-votes.countersign.dev", "validatingadmissionpolicybindings/release-votes.countersign.dev"
	const webhook, schema = "mutatingwebhookconfigurations/countersign", "customresourcedefinitions/releases.countersign.dev"
	never := set("spec.matchConditions", []any{map[string]any{"name": "never", "expression": "false"}})
	ca := webhookField("clientConfig.caBundle", "LS0tLS1CRUdJTiBDRVJUSUZJQ0FURS0tLS0tCk1JSQotLS0tLUVORCBDRVJUSUZJQ0FURS0tLS0tCg==")
	conversion := set("spec.conversion", map[string]any{"strategy": "Webhook", "webhook": map[string]any{
		"conversionReviewVersions": []any{"v1"}, "clientConfig": map[string]any{"url": "https://127.0.0.1:9443/convert"}}})
	return []rule{{
		policy: gatePolicy, row: "sec/53",
		says: ", which is part of the gate",
		refused: []attempt{
			{what: "a policy fails open", who: "admin", on: votes, change: set("spec.failurePolicy", "Ignore")},
			{what: "a policy never matches", who: "admin", on: votes, change: never},
			{what: "a policy that says yes", who: "admin", on: votes, change: set("spec.validations", []any{map[string]any{"expression": "true"}})},
			{what: "a policy deleted", who: "admin", on: votes},
			{what: "a policy collected as garbage", who: "garbage collector", on: votes},
			{what: "a policy deleted by the operator", who: "operator", on: votes},
			{what: "a binding warns only", who: "admin", on: binding, change: set("spec.validationActions", []any{"Warn"}), not: []string{"server-side apply"}}, // which adds to the list
			{what: "a binding looks at no namespace", who: "admin", on: binding, change: set("spec.matchResources", map[string]any{"namespaceSelector": map[string]any{"matchLabels": map[string]any{"x": "y"}}, "objectSelector": map[string]any{}, "matchPolicy": "Equivalent"})},
			{what: "a binding deleted", who: "somebody with a token", on: binding},
			{what: "the webhook fails open", who: "admin", on: webhook, change: webhookField("failurePolicy", "Ignore")},
			{what: "the webhook is called elsewhere", who: "admin", on: webhook, change: webhookField("clientConfig.service.name", "other")},
			{what: "the webhook looks at nothing", who: "admin", on: webhook, change: set("webhooks", []any{})},
			{what: "the webhook deleted", who: "admin", on: webhook},
			{what: "by who calls himself an installer", who: "impersonating installer", on: webhook},
			{what: "the operator changes more than the certificate", who: "operator", on: webhook, change: all(ca, webhookField("failurePolicy", "Ignore"))},
			{what: "the operator takes a rule away", who: "operator", on: webhook, change: webhookField("rules", []any{map[string]any{
				"apiGroups": []any{"countersign.dev"}, "apiVersions": []any{"*"}, "operations": []any{"CREATE"}, "resources": []any{"releases"}, "scope": "Namespaced"}})},
			{what: "the webhook's account renews", who: "webhook", on: webhook, change: ca},
			{row: "sec/59", what: "a schema deleted", who: "admin", on: schema},
			{row: "sec/59", what: "a schema collected as garbage", who: "garbage collector", on: schema},
			{row: "sec/46", what: "a conversion webhook", who: "admin", on: schema, change: conversion},
		},
		admitted: []attempt{
			{what: "the operator renews the certificate", who: "operator", on: webhook, change: ca},
			{what: "an installer changes a policy", who: "installer", on: votes, change: set("spec.failurePolicy", "Ignore")},
			{what: "an installer takes the webhook away", who: "installer", on: webhook},
			{what: "somebody else's policy", who: "admin", on: "validatingadmissionpolicies/canary-1", change: set("spec.failurePolicy", "Ignore")},
			{what: "somebody else's policy deleted", who: "admin", on: "validatingadmissionpolicies/canary-1"},
		},
	}}
}

// ownerRules keep policies of approval from all but their owners.
func ownerRules() []rule {
	policy := "apiVersion: countersign.dev/v1alpha1\nkind: ApprovalPolicy\nmetadata: {name: made}\n" +
		"spec: {namespaces: [test], rules: [{name: any, count: 1, users: [mallory]}]}"
	binding := func(role string) string {
		return "apiVersion: rbac.authorization.k8s.io/v1\nkind: ClusterRoleBinding\nmetadata: {name: made}\n" +
			"roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: " + role + "}\n" +
			"subjects: [{apiGroup: rbac.authorization.k8s.io, kind: User, name: mallory}]"
	}
	return []rule{{
		policy: ownersPolicy, row: "sec/54",
		says: ", which decides who has to agree",
		refused: []attempt{
			{what: "a policy of approval", who: "admin", create: policy},
			{what: "by who calls himself an owner", who: "impersonating owner", create: policy},
			{what: "by somebody with all rights and a token", who: "somebody with a token", create: policy},
			{what: "made an owner", who: "admin", create: binding("policy-owner")},
			{what: "made the operator", who: "admin", create: binding("countersign-operator")},
			{what: "a role of the operator", who: "admin", on: "clusterroles/countersign-operator"},
		},
		admitted: []attempt{
			{what: "by an owner", who: "owner", create: policy},
			{what: "another role bound", who: "admin", create: binding("view")},
		},
	}}
}

// systemRules keep what holds the keys from all but installers.
func systemRules() []rule {
	secret := "apiVersion: v1\nkind: Secret\nmetadata: {name: made}\nstringData: {key: x}"
	return []rule{{
		policy: systemPolicy, row: "sec/56",
		says: "where the keys of the gate are",
		refused: []attempt{
			{what: "another image of the operator", who: "admin", on: "deployments/operator", change: image("evil")},
			{what: "other arguments", who: "somebody with a token", on: "deployments/operator", change: func(o *unstructured.Unstructured) {
				set("spec.template.spec.containers", []any{map[string]any{"name": "app", "image": "registry/app:v1", "args": []any{"--evil"}}})(o)
			}},
			{what: "by who calls himself an installer", who: "impersonating installer", on: "deployments/operator", change: image("evil")},
			{what: "no operator", who: "admin", on: "deployments/operator/scale", change: set("spec.replicas", int64(0))},
			{what: "the operator deleted", who: "admin", on: "deployments/operator"},
			{what: "a Pod of one's own beside the keys", who: "admin", create: podText("made", "{app: made}", "")},
			{what: "a StatefulSet", who: "admin", create: workloadText("StatefulSet", "made", "{app: made}", "{app: made}")},
			{what: "another image of a Pod", who: "admin", on: "pods/operator-1", change: podImage("evil")},
			{what: "a container in the operator's Pod", who: "admin", on: "pods/operator-1/ephemeralcontainers", change: debug, not: []string{"server-side apply"}},
			{what: "another key", who: "admin", on: "secrets/countersign-key", change: set("data", map[string]any{"key": "eQ=="})},
			{what: "a key deleted", who: "webhook", on: "secrets/countersign-key"},
			{what: "a Secret made", who: "admin", create: secret},
		},
		admitted: []attempt{
			{what: "an installer's upgrade", who: "installer", on: "deployments/operator", change: image("v2")},
			{what: "its Pod made", who: "controller", create: podText("made", "{app: made}", "ReplicaSet")},
			{what: "another key by the operator", who: "operator", on: "secrets/countersign-key", change: set("data", map[string]any{"key": "eQ=="})},
			{what: "a Pod evicted", who: "admin", on: "pods/operator-1"},
		},
	}}
}

// namespaceRules keep the place of the keys.
func namespaceRules() []rule {
	return []rule{{
		policy: systemPolicy, row: "sec/56",
		says: "cannot delete namespaces in namespace countersign-system",
		refused: []attempt{
			{what: "the whole namespace", who: "admin", on: "namespaces/" + systemNamespace, not: []string{"delete collection"}},
		},
		admitted: []attempt{
			{what: "another", who: "admin", on: "namespaces/default", change: label("team", "shop")},
		},
	}}
}

// setSystem puts things like the operator's there: only their place matters.
func (s *stage) setSystem(t *testing.T) {
	t.Helper()
	s.install(t, []*unstructured.Unstructured{object(t, "apiVersion: v1\nkind: Namespace\nmetadata: {name: "+systemNamespace+
		", labels: {pod-security.kubernetes.io/enforce: privileged}}")})
	s.put(t, "installer", object(t, workloadText("Deployment", "operator", "{app: operator}", "{app: operator}")))
	s.put(t, "installer", object(t, "apiVersion: v1\nkind: ServiceAccount\nmetadata: {name: default}"))
	s.put(t, "controller", object(t, podText("operator-1", "{app: operator}", "ReplicaSet")))
	s.put(t, "operator", object(t, "apiVersion: v1\nkind: Secret\nmetadata: {name: countersign-key}\nstringData: {key: x}"))
}

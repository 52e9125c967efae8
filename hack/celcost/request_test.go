// Copyright The Countersign Authors.
// SPDX-License-Identifier: Apache-2.0

package celcost

import (
	"context"
	"fmt"
	"strings"

	admissionv1 "k8s.io/api/admission/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apiserver/pkg/admission"
	"k8s.io/apiserver/pkg/admission/plugin/cel"
	"k8s.io/apiserver/pkg/authentication/user"
	"k8s.io/apiserver/pkg/authorization/authorizer"
)

// request is a write to a Release.
type request struct {
	what      string
	operation admission.Operation
	by        string
	old, now  map[string]any
	// params is the ApprovalPolicy that policies with parameters are asked with.
	params map[string]any
}

const (
	slots       = 32
	authors     = 64
	annotations = 256 << 10 // that Kubernetes admits of one object
)

var digest = "sha256:" + strings.Repeat("a", 64)

// person is a username of the greatest length.
func person(i int) string {
	name := fmt.Sprintf("person-%02d@", i)
	return name + strings.Repeat("x", 253-len(name))
}

// requests are a vote, its withdrawal, a change of content and one of nothing
// much, on the fullest Release that there can be.
func requests() []request {
	vote := func(value string) func(map[string]any) {
		return func(a map[string]any) {
			a["approvals.countersign.dev/slot-31"] = value
			a["receipts.approvals.countersign.dev/slot-31"] = receipt(31, value)
			a["comments.approvals.countersign.dev/slot-31"] = strings.Repeat("y", 512)
		}
	}
	return []request{
		update("a vote", 31, vote("reject:"+digest), 1),
		update("an approval by somebody else", 33, vote(digest), 1),
		update("a withdrawal", 31, func(a map[string]any) {
			delete(a, "approvals.countersign.dev/slot-31")
			a["receipts.approvals.countersign.dev/slot-31"] = receipt(31, "withdrawn")
		}, 1),
		update("a change of content", 0, func(map[string]any) {}, 2),
		update("a label", 33, func(map[string]any) {}, 1),
		{what: "created", operation: admission.Create, by: person(0), now: release(map[string]any{
			"countersign.dev/authors": `["` + person(0) + `"]`, "receipts.countersign.dev/authors": "v1 E",
		}, 1), params: policyOfAll()},
	}
}

func update(what string, by int, change func(map[string]any), version int) request {
	a := full()
	change(a)
	return request{what: what, operation: admission.Update, by: person(by), old: release(full(), 1), now: release(a, version), params: policyOfAll()}
}

func receipt(i int, value string) string {
	return "v1 " + person(i) + " " + value + " " + strings.Repeat("E", annotations/slots-1600)
}

// full are annotations of all slots and authors, as many bytes as there can be.
func full() map[string]any {
	a := map[string]any{}
	for i := range slots {
		a[fmt.Sprintf("approvals.countersign.dev/slot-%02d", i)] = digest
		a[fmt.Sprintf("receipts.approvals.countersign.dev/slot-%02d", i)] = receipt(i, digest)
		a[fmt.Sprintf("comments.approvals.countersign.dev/slot-%02d", i)] = strings.Repeat("x", 512)
	}
	var names []string
	for i := range authors {
		names = append(names, person(i))
	}
	a["countersign.dev/authors"] = `["` + strings.Join(names, `","`) + `"]`
	a["receipts.countersign.dev/authors"] = "v1 " + strings.Repeat("E", 1000)
	return a
}

func release(annotations map[string]any, version int) map[string]any {
	var containers []any
	for i := range 20 {
		var env []any
		for j := range 100 {
			env = append(env, map[string]any{"name": fmt.Sprintf("VARIABLE_%d", j), "value": strings.Repeat("v", 50)})
		}
		containers = append(containers, map[string]any{"name": fmt.Sprintf("c%d", i), "image": fmt.Sprintf("registry/app:v%d", version), "env": env})
	}
	return map[string]any{
		"apiVersion": "countersign.dev/v1alpha1", "kind": "Release",
		"metadata": map[string]any{"name": "shop", "namespace": "prod", "generation": int64(7), "annotations": annotations},
		"spec": map[string]any{"services": []any{map[string]any{"name": "shop"}},
			"template": map[string]any{"spec": map[string]any{"containers": containers}}},
		"status": map[string]any{"observedGeneration": int64(7), "candidate": map[string]any{"digest": digest, "observedGeneration": int64(7), "authors": people()}},
	}
}

func people() (all []any) {
	for i := range authors {
		all = append(all, person(i))
	}
	return all
}

// policyOfAll knows two accounts of each author.
func policyOfAll() map[string]any {
	var persons, namespaces []any
	for i := range authors {
		persons = append(persons, map[string]any{"name": fmt.Sprintf("p%d", i), "users": []any{person(i), person(i + 100)}})
		namespaces = append(namespaces, fmt.Sprintf("*-%d-*", i))
	}
	namespaces[0] = "prod"
	return map[string]any{"apiVersion": "countersign.dev/v1alpha1", "kind": "ApprovalPolicy", "metadata": map[string]any{"name": "all"},
		"spec": map[string]any{"namespaces": namespaces, "persons": persons}}
}

var (
	kind     = schema.GroupVersionKind{Group: "countersign.dev", Version: "v1alpha1", Kind: "Release"}
	resource = kind.GroupVersion().WithResource("releases")
)

func (r request) attributes() *admission.VersionedAttributes {
	now := &unstructured.Unstructured{Object: r.now}
	who := &user.DefaultInfo{Name: r.by, Groups: []string{"system:authenticated"},
		Extra: map[string][]string{"authentication.kubernetes.io/credential-id": {"JTI=1"}}}
	attributes := &admission.VersionedAttributes{VersionedKind: kind, VersionedObject: admission.NewLazyObject(now)}
	if r.old != nil {
		old := &unstructured.Unstructured{Object: r.old}
		attributes.VersionedOldObject = admission.NewLazyObject(old)
		attributes.Attributes = admission.NewAttributesRecord(now, old, kind, "prod", "shop", resource, "", r.operation, &metav1.UpdateOptions{}, false, who)
		return attributes
	}
	attributes.Attributes = admission.NewAttributesRecord(now, nil, kind, "prod", "shop", resource, "", r.operation, &metav1.CreateOptions{}, false, who)
	return attributes
}

func (r request) admission() *admissionv1.AdmissionRequest {
	return cel.CreateAdmissionRequest(r.attributes().Attributes, metav1.GroupVersionResource(resource), metav1.GroupVersionKind(kind))
}

// nobody has no rights; asking costs the same whoever answers.
var nobody = authorizer.AuthorizerFunc(func(context.Context, authorizer.Attributes) (authorizer.Decision, string, error) {
	return authorizer.DecisionNoOpinion, "", nil
})

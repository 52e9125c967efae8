// Copyright The Countersign Authors.
// SPDX-License-Identifier: Apache-2.0

package apiserver

import (
	"fmt"
	"strings"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

// TestNoGuardLooksAway reads the policies and webhooks for what would let
// somebody choose whether they are asked.
func TestNoGuardLooksAway(t *testing.T) {
	for _, part := range []string{"policy", "webhook", "exec"} {
		for _, o := range manifests(t, part) {
			what := o.GetKind() + " " + o.GetName()
			for _, matching := range matchings(t, o) {
				t.Run("sec/45 "+what, func(t *testing.T) {
					for _, field := range []string{"namespaceSelector", "objectSelector", "excludeResourceRules"} {
						if v, has := matching[field]; has {
							t.Errorf("%s is %v: whoever may label escapes it", field, v)
						}
					}
				})
				t.Run("sec/46 "+what, func(t *testing.T) { everyVersion(t, matching) })
			}
		}
	}
}

// matchings are where an object says what it is asked about. Of a binding it is
// empty but for what narrows its policy.
func matchings(t *testing.T, o *unstructured.Unstructured) []map[string]any {
	t.Helper()
	switch o.GetKind() {
	case "ValidatingAdmissionPolicy":
		m, _, err := unstructured.NestedMap(o.Object, "spec", "matchConstraints")
		if err != nil || m == nil {
			t.Fatalf("%s: %v, %v", o.GetName(), m, err)
		}
		return []map[string]any{m}
	case "ValidatingAdmissionPolicyBinding":
		if m, found, err := unstructured.NestedMap(o.Object, "spec", "matchResources"); found || err != nil {
			t.Errorf("binding %s narrows its policy: %v, %v", o.GetName(), m, err)
		}
	case "MutatingWebhookConfiguration", "ValidatingWebhookConfiguration":
		list, _, err := unstructured.NestedSlice(o.Object, "webhooks")
		if err != nil || len(list) == 0 {
			t.Fatalf("%s: %v, %v", o.GetName(), list, err)
		}
		var all []map[string]any
		for _, w := range list {
			all = append(all, w.(map[string]any))
		}
		return all
	}
	return nil
}

func everyVersion(t *testing.T, matching map[string]any) {
	t.Helper()
	if matching["matchPolicy"] != "Equivalent" {
		t.Errorf("matchPolicy is %v, want Equivalent", matching["matchPolicy"])
	}
	rules, ok := matching["resourceRules"].([]any)
	if !ok {
		rules, _ = matching["rules"].([]any)
	}
	if len(rules) == 0 {
		t.Error("no rules")
	}
	for _, r := range rules {
		if got := fmt.Sprint(r.(map[string]any)["apiVersions"]); got != "[*]" {
			t.Errorf("apiVersions are %s, want all", got)
		}
	}
}

func TestOneVersionIsServed(t *testing.T) {
	for _, o := range manifests(t, "crd") {
		t.Run("sec/46 "+o.GetName(), func(t *testing.T) {
			versions, _, err := unstructured.NestedSlice(o.Object, "spec", "versions")
			if err != nil || len(versions) != 1 {
				t.Errorf("it has %d versions, %v; want one", len(versions), err)
			}
		})
	}
}

// TestRelabelledNamespace: no label of a namespace switches a guard off.
func TestRelabelledNamespace(t *testing.T) {
	s := statusStage(t)
	for _, labels := range []string{"{}", "{control-plane: 'true', countersign.dev/ignore: 'true', admission: disabled, gated: 'false'}"} {
		s.install(t, []*unstructured.Unstructured{object(t, "apiVersion: v1\nkind: Namespace\nmetadata: {name: "+s.namespace+", labels: "+labels+"}")})
		for _, a := range statusRules()[0].refused {
			t.Run("sec/45 "+labels+" "+a.what, func(t *testing.T) {
				s.each(t, a, func(t *testing.T, err error) { refusedBy(t, statusRules()[0], a, err) })
			})
		}
	}
}

// TestAnotherVersion serves Releases in a second version as well, as a later
// install or somebody with rights could, and writes by that.
func TestAnotherVersion(t *testing.T) {
	s := statusStage(t)
	const other = "v1alpha2"
	crds := s.admin.resource("customresourcedefinitions", "")
	stored, err := crds.Get(within(t), "releases.countersign.dev", metav1.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	versions, _, _ := unstructured.NestedSlice(stored.Object, "spec", "versions")
	second := stored.DeepCopy().Object["spec"].(map[string]any)["versions"].([]any)[0].(map[string]any)
	second["name"], second["storage"] = other, false
	with := stored.DeepCopy()
	set("spec.versions", append(versions, second))(with)
	if _, err := crds.Update(within(t), with, metav1.UpdateOptions{}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.oneVersion(t, versions) })
	client := s.actors["dana"].client.Resource(schema.GroupVersionResource{Group: "countersign.dev", Version: other, Resource: "releases"}).Namespace(s.namespace)
	var o *unstructured.Unstructured
	eventually(t, "the other version is served", func() string {
		o, err = client.Get(within(t), shopName, metav1.GetOptions{})
		return text(err)
	})
	for _, tc := range []struct {
		what, sub, says string
		change          func(*unstructured.Unstructured)
	}{
		{"its status", "status", "cannot write the status of Release", set("status.sequence", int64(7))},
		{"its content", "", "is not recorded as its author", image("v2")},
		{"a vote", "", "has no receipt of their own", vote("dana", digestOne)},
	} {
		for _, verb := range changeVerbs {
			t.Run("sec/46 "+tc.what+" by "+verb, func(t *testing.T) {
				want := o.DeepCopy()
				tc.change(want)
				if _, exists, err := (change{verb: verb, subresource: tc.sub, have: o, want: want}).send(within(t), client); exists {
					refused(t, tc.what, err, tc.says)
				}
			})
		}
	}
}

// oneVersion puts the schema back and waits until it is served so.
func (s *stage) oneVersion(t *testing.T, versions []any) {
	t.Helper()
	crds := s.admin.resource("customresourcedefinitions", "")
	eventually(t, "the schema is as it was", func() string {
		o, err := crds.Get(within(t), "releases.countersign.dev", metav1.GetOptions{})
		if err != nil {
			return err.Error()
		}
		set("spec.versions", versions)(o)
		_, err = crds.Update(within(t), o, metav1.UpdateOptions{})
		return text(err)
	})
	s.awaitServed(t)
}

// TestChangedOnTheWay: what another mutator makes of a request is what the
// policies look at.
func TestChangedOnTheWay(t *testing.T) {
	s := votesStage(t)
	for _, o := range meddler(s.namespace) {
		s.install(t, []*unstructured.Unstructured{o})
		t.Cleanup(func() { s.delete(t, o) })
	}
	cast := attempt{what: "a vote that comes to change content", who: "bob", on: "releases/shop", change: cast("bob", email("bob"), digestOne)}
	says := "a vote cannot be cast or withdrawn together with a change of the spec"
	s.saysSoon(t, cast, says)
	t.Run("sec/64 "+cast.what, func(t *testing.T) {
		s.each(t, cast, func(t *testing.T, err error) { refusedBy(t, rule{policy: votesPolicy, says: says}, cast, err) })
	})
	alone := attempt{what: "content that the requester did not change", who: "bob", on: "releases/shop", change: annotate("example.com/team", "till")}
	t.Run("sec/64 "+alone.what, func(t *testing.T) {
		s.each(t, alone, func(t *testing.T, err error) {
			refusedBy(t, rule{policy: votesPolicy, says: "is not recorded as its author"}, alone, err)
		})
	})
}

// meddler changes the content of every Release of a namespace that is written.
func meddler(namespace string) []*unstructured.Unstructured {
	name := "meddler-" + namespace
	patch := `[JSONPatch{op: "replace", path: "/spec/template/spec/containers/0/image", value: "registry/app:evil"}]`
	return []*unstructured.Unstructured{{Object: map[string]any{
		"apiVersion": "admissionregistration.k8s.io/v1", "kind": "MutatingAdmissionPolicy", "metadata": map[string]any{"name": name},
		"spec": map[string]any{
			"matchConstraints": map[string]any{"resourceRules": []any{map[string]any{
				"apiGroups": []any{"countersign.dev"}, "apiVersions": []any{"*"}, "operations": []any{"UPDATE"}, "resources": []any{"releases"}}}},
			"matchConditions":    []any{map[string]any{"name": "here", "expression": "request.namespace == '" + namespace + "'"}},
			"reinvocationPolicy": "Never",
			"mutations":          []any{map[string]any{"patchType": "JSONPatch", "jsonPatch": map[string]any{"expression": strings.TrimSpace(patch)}}},
		},
	}}, {Object: map[string]any{
		"apiVersion": "admissionregistration.k8s.io/v1", "kind": "MutatingAdmissionPolicyBinding", "metadata": map[string]any{"name": name},
		"spec": map[string]any{"policyName": name},
	}}}
}

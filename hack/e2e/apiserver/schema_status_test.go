// Copyright The Countersign Authors.
// SPDX-License-Identifier: Apache-2.0

package apiserver

import (
	"strings"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

// content is what the status keeps of content that was let through.
func content(more map[string]any) map[string]any {
	c := map[string]any{
		"colour": "blue", "digest": digestOne, "revision": "0123456789abcdef", "templateHash": digestOne, "sequence": int64(1),
		"services":       []any{service("shop", "shop-next")},
		"afterSwitch":    []any{check(map[string]any{"periodSeconds": int64(2), "timeoutSeconds": int64(2)})},
		"observeSeconds": int64(1), "keepIdleSeconds": int64(1), "readinessGraceSeconds": int64(1),
	}
	for k, v := range more {
		c[k] = v
	}
	return c
}

// fullStatus has every part that rules are about.
func fullStatus(o *unstructured.Unstructured) {
	active := content(map[string]any{"epoch": int64(1), "since": "2026-01-01T00:00:00Z"})
	set("status", map[string]any{
		"phase": "Observing", "active": active, "former": content(map[string]any{"colour": "green"}),
		"switch": map[string]any{"epoch": int64(1), "reason": "Promote", "to": content(nil), "intendedAt": "2026-01-01T00:00:00.000000Z"},
		"votes":  []any{map[string]any{"slot": "alice", "counted": true, "why": "it fills shop/qa"}},
	})(o)
}

func statusCases() []schemaCase {
	cases := []schemaCase{
		{"an unknown phase", set("status.phase", "Promoted"), "status.phase: Unsupported value"},
		{"an unknown colour", set("status.active.colour", "red"), "status.active.colour: Unsupported value"},
		{"an unknown reason", set("status.switch.reason", "Because"), "status.switch.reason: Unsupported value"},
		{"a slot twice", set("status.votes", []any{
			map[string]any{"slot": "alice", "counted": true, "why": "x"}, map[string]any{"slot": "alice", "counted": true, "why": "y"}}), "Duplicate value"},
		{"too long an explanation", first("status.votes", "why", strings.Repeat("x", 513)), "status.votes[0].why"},
		{"an unknown field", set("status.approved", true), `unknown field "status.approved"`},
	}
	for _, path := range []string{"status.active", "status.former", "status.switch.to"} {
		cases = append(cases, schemaCase{path + " with a preview that is the Service", first(path+".services", "preview", "shop"), path + ".services[0]: Invalid value"})
		cases = append(cases, keptCheckCases(path)...)
		cases = append(cases, keptPortCases(path)...)
	}
	return cases
}

// tryStatus writes statuses as the operator and returns the refusals.
func tryStatus(t *testing.T, w *world, o *unstructured.Unstructured) (refusals []string) {
	client := w.asAccount(t, systemNamespace, operatorAccount).of(o)
	stored, err := w.admin.of(o).Create(within(t), o, metav1.CreateOptions{})
	if err != nil {
		t.Fatal(err)
	}
	write := func(change func(*unstructured.Unstructured)) error {
		wanted := stored.DeepCopy()
		change(wanted)
		_, err := client.Update(within(t), wanted, metav1.UpdateOptions{DryRun: dryRun, FieldValidation: metav1.FieldValidationStrict}, "status")
		return err
	}
	if err := write(fullStatus); err != nil {
		t.Errorf("a full status: %v; want it admitted", err)
	}
	for _, c := range statusCases() {
		t.Run("refused: "+c.what, func(t *testing.T) {
			err := write(all(fullStatus, c.change))
			if err == nil || !strings.Contains(err.Error(), c.says) {
				t.Errorf("%s: %v; want it refused, saying %q", c.what, err, c.says)
			}
			refusals = append(refusals, text(err))
		})
	}
	return refusals
}

// tryCases creates what an object becomes by each change and returns the refusals.
func tryCases(t *testing.T, w *world, o *unstructured.Unstructured, refused []schemaCase, admitted map[string]func(*unstructured.Unstructured)) (refusals []string) {
	create := func(change func(*unstructured.Unstructured)) error {
		wanted := o.DeepCopy()
		change(wanted)
		// Strict is what kubectl asks for.
		_, err := w.admin.of(wanted).Create(within(t), wanted, metav1.CreateOptions{DryRun: dryRun, FieldValidation: metav1.FieldValidationStrict})
		return err
	}
	for what, change := range admitted {
		t.Run("admitted: "+what, func(t *testing.T) {
			if err := create(change); err != nil {
				t.Errorf("%s: %v; want it admitted", what, err)
			}
		})
	}
	for _, c := range refused {
		t.Run("refused: "+c.what, func(t *testing.T) {
			err := create(c.change)
			if err == nil || !strings.Contains(err.Error(), c.says) {
				t.Errorf("%s: %v; want it refused, saying %q", c.what, err, c.says)
			}
			refusals = append(refusals, text(err))
		})
	}
	return refusals
}

// celRule is one x-kubernetes-validations of a schema.
type celRule struct{ path, message string }

// everyRuleSpoke finds rules of a schema that refused nothing, each where it
// stands: the same rule in another part of the schema has a case of its own.
func everyRuleSpoke(t *testing.T, plural string, refusals []string) {
	t.Helper()
	rules := celRules(t, plural)
	if len(rules) == 0 {
		t.Fatalf("no rules found in the schema of %s", plural)
	}
	for _, r := range rules {
		spoke := false
		for _, refusal := range refusals {
			spoke = spoke || strings.Contains(refusal, r.message) && strings.Contains(refusal, r.path)
		}
		if !spoke {
			t.Errorf("no case for the rule at %s: %s", r.path, r.message)
		}
	}
}

func celRules(t *testing.T, plural string) (rules []celRule) {
	for _, o := range manifests(t, "crd") {
		if !strings.HasPrefix(o.GetName(), plural+".") {
			continue
		}
		versions, _, err := unstructured.NestedSlice(o.Object, "spec", "versions")
		if err != nil {
			t.Fatal(err)
		}
		for _, v := range versions {
			schema, _, err := unstructured.NestedMap(v.(map[string]any), "schema", "openAPIV3Schema")
			if err != nil {
				t.Fatal(err)
			}
			collectRules(schema, "", &rules)
		}
	}
	return rules
}

func collectRules(schema map[string]any, path string, rules *[]celRule) {
	validations, _ := schema["x-kubernetes-validations"].([]any)
	for _, v := range validations {
		*rules = append(*rules, celRule{path: path, message: v.(map[string]any)["message"].(string)})
	}
	properties, _ := schema["properties"].(map[string]any)
	for name, p := range properties {
		collectRules(p.(map[string]any), strings.TrimPrefix(path+"."+name, "."), rules)
	}
	if items, ok := schema["items"].(map[string]any); ok {
		collectRules(items, path+"[0]", rules)
	}
}

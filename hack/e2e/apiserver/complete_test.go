// Copyright The Countersign Authors.
// SPDX-License-Identifier: Apache-2.0

package apiserver

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

// stages are all stages with the rules that are tried there.
var stages = []struct {
	name  string
	set   func(*testing.T) *stage
	rules func() []rule
}{
	{"votes", votesStage, votesRules},
	{"authors", authorsStage, authorsRules},
	{"break-glass", glassStage, glassRules},
	{"requests", requestsStage, requestsRules},
	{"status", statusStage, statusRules},
	{"finalizer", finalizerStage, finalizerRules},
	{"services", serviceStage, serviceRules},
	{"workloads", workloadStage, workloadRules},
	{"endpoints", endpointsStage, endpointsRules},
	{"keys", keysStage, keysRules},
	{"config", configStage, configRules},
	{"jobs", jobStage, jobRules},
}

// expression is one validation of a policy in config/policy.
type expression struct {
	policy *unstructured.Unstructured
	index  int
	// says is its message, or the expression that makes it.
	says string
}

func expressions(t *testing.T) (all []expression) {
	t.Helper()
	for _, o := range manifests(t, "policy") {
		if o.GetKind() != "ValidatingAdmissionPolicy" {
			continue
		}
		validations, _, err := unstructured.NestedSlice(o.Object, "spec", "validations")
		if err != nil {
			t.Fatal(err)
		}
		for i, v := range validations {
			says := fmt.Sprint(v.(map[string]any)["message"], v.(map[string]any)["messageExpression"])
			all = append(all, expression{policy: o, index: i, says: says})
		}
	}
	return all
}

func (r rule) of(e expression) bool {
	return r.policy == e.policy.GetName() && strings.Contains(e.says, r.says)
}

// TestEveryExpressionHasCases finds an expression without a request that it
// refuses and one that it admits.
func TestEveryExpressionHasCases(t *testing.T) {
	var rules []rule
	for _, s := range stages {
		rules = append(rules, s.rules()...)
	}
	found := expressions(t)
	for _, e := range found {
		if e.policy.GetName() == probePolicy {
			continue // it tells dry-run from the rest, and all cases are dry-run: TestProbeChangesNothing
		}
		if !slices.ContainsFunc(rules, func(r rule) bool { return r.of(e) && len(r.refused) > 0 && len(r.admitted) > 0 }) {
			t.Errorf("no case for validation %d of %s: %s", e.index, e.policy.GetName(), e.says)
		}
	}
	for _, r := range rules {
		n := 0
		for _, e := range found {
			if r.of(e) {
				n++
			}
		}
		if n != 1 {
			t.Errorf("%q is of %d expressions of %s, want one", r.says, n, r.policy)
		}
	}
}

// TestEveryExpressionIsNeeded takes each away in turn and wants a request that
// it refused to pass: so the case proves it, and no other expression does its
// work. For the few that others double it wants the opposite.
func TestEveryExpressionIsNeeded(t *testing.T) {
	policies.start(t)
	found := expressions(t)
	defer policies.awaitPolicies(t)
	for _, on := range stages {
		t.Run(on.name, func(t *testing.T) {
			s := on.set(t)
			rules := on.rules()
			for _, e := range found {
				mine := slices.DeleteFunc(slices.Clone(rules), func(r rule) bool { return !r.of(e) })
				if len(mine) > 0 {
					t.Run(mine[0].says, func(t *testing.T) { s.without(t, e, mine) })
				}
			}
		})
	}
}

func (s *stage) without(t *testing.T, e expression, rules []rule) {
	weak := e.policy.DeepCopy()
	validations, _, err := unstructured.NestedSlice(weak.Object, "spec", "validations")
	if err != nil {
		t.Fatal(err)
	}
	validations[e.index] = map[string]any{"expression": "true"}
	set("spec.validations", validations)(weak)
	s.install(t, []*unstructured.Unstructured{weak})
	defer func() {
		s.install(t, []*unstructured.Unstructured{e.policy})
	}()
	s.awaitPolicies(t)
	var refusals []string
	for _, r := range rules {
		for _, a := range r.refused {
			for _, verb := range a.verbs() {
				if slices.Contains(a.not, verb) {
					continue
				}
				err, exists := s.try(t, s.actors[a.who], a, verb)
				if exists && err == nil {
					if rules[0].doubled {
						t.Errorf("%s passes by %s, so nothing doubles the expression", a.what, verb)
					}
					return
				}
				if exists {
					refusals = append(refusals, fmt.Sprintf("%s by %s: %v", a.what, verb, err))
				}
			}
		}
	}
	if rules[0].doubled {
		t.Log("others refuse the same") // hack/mutants counts these apart
		return
	}
	t.Errorf("without it, all is refused still:\n%s", strings.Join(refusals, "\n"))
}

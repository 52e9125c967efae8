// Copyright The Countersign Authors.
// SPDX-License-Identifier: Apache-2.0

package celcost

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	v1 "k8s.io/api/admissionregistration/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apiserver/pkg/admission/plugin/cel"
	"k8s.io/apiserver/pkg/admission/plugin/policy/validating"
	"k8s.io/apiserver/pkg/admission/plugin/webhook/matchconditions"
	celconfig "k8s.io/apiserver/pkg/apis/cel"
	"k8s.io/apiserver/pkg/cel/environment"
	"sigs.k8s.io/yaml"
)

// policy is one ValidatingAdmissionPolicy of config/policy, compiled as the API
// server does.
type policy struct {
	object *v1.ValidatingAdmissionPolicy
}

func policies(t *testing.T) (all []policy) {
	t.Helper()
	files, err := filepath.Glob("../../config/policy/release-*.yaml")
	if err != nil || len(files) == 0 {
		t.Fatalf("no policies: %v", err)
	}
	for _, file := range files {
		raw, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for _, document := range bytes.Split(raw, []byte("\n---\n")) {
			object := &v1.ValidatingAdmissionPolicy{}
			if err := yaml.Unmarshal(document, object); err != nil {
				t.Fatalf("%s: %v", file, err)
			}
			if object.Kind == "ValidatingAdmissionPolicy" {
				all = append(all, policy{object: object})
			}
		}
	}
	return all
}

// asks tells whether the policy is asked about the request. Conditions of a match
// are left out: a policy that would not be asked costs less.
func (p policy) asks(r request) bool {
	return slices.ContainsFunc(p.object.Spec.MatchConstraints.ResourceRules, func(rule v1.NamedRuleWithOperations) bool {
		return slices.Contains(rule.Operations, v1.OperationType(r.operation)) && slices.Contains(rule.Resources, "releases")
	})
}

// compiled are expressions with the variables of their policy.
func (p policy) compiled(t *testing.T, expressions []cel.ExpressionAccessor) cel.ConditionEvaluator {
	t.Helper()
	compiler, err := cel.NewCompositedCompiler(environment.MustBaseEnvSet(environment.DefaultCompatibilityVersion()))
	if err != nil {
		t.Fatal(err)
	}
	optional := cel.OptionalVariableDeclarations{HasParams: p.object.Spec.ParamKind != nil, HasAuthorizer: true}
	var variables []cel.NamedExpressionAccessor
	for _, v := range p.object.Spec.Variables {
		variables = append(variables, &validating.Variable{Name: v.Name, Expression: v.Expression})
	}
	compiler.CompileAndStoreVariables(variables, optional, environment.StoredExpressions)
	return compiler.CompileCondition(expressions, optional, environment.StoredExpressions)
}

// check is the price of asking the authorizer, whatever the Release holds. The API
// server's limit for an expression leaves room for two.
const check = 350_000

// cost is that of all that the policy evaluates, and of its dearest expression,
// which is a variable, a condition or a validation, without what it asks the
// authorizer: that does not grow.
func (p policy) cost(t *testing.T, r request) (total, dearest int64) {
	t.Helper()
	var all, read []cel.ExpressionAccessor
	for _, c := range p.object.Spec.MatchConditions {
		condition := matchconditions.MatchCondition(c)
		all = append(all, &condition)
	}
	for _, v := range p.object.Spec.Validations {
		all = append(all, &validating.ValidationCondition{Expression: v.Expression})
	}
	before := int64(0)
	for _, v := range p.object.Spec.Variables {
		read = append(read, &validating.ValidationCondition{Expression: "[variables." + v.Name + "].size() == 1"})
		now := p.evaluate(t, r, read)
		dearest, before = max(dearest, now-before), now
	}
	for _, e := range all {
		cost := p.evaluate(t, r, append(slices.Clone(read), e)) - before
		if cost >= check {
			cost -= int64(strings.Count(e.GetExpression(), ".check(")) * check
		}
		dearest = max(dearest, cost)
	}
	for _, v := range p.object.Spec.Validations {
		if v.MessageExpression != "" {
			all = append(all, &validating.MessageExpressionCondition{MessageExpression: v.MessageExpression})
		}
	}
	return p.evaluate(t, r, all), dearest
}

func (p policy) evaluate(t *testing.T, r request, expressions []cel.ExpressionAccessor) int64 {
	t.Helper()
	bindings := cel.OptionalVariableBindings{Authorizer: nobody}
	if p.object.Spec.ParamKind != nil {
		bindings.VersionedParams = &unstructured.Unstructured{Object: r.params}
	}
	const budget = 100 * celconfig.RuntimeCELCostBudget // to measure what is too much as well
	results, left, err := p.compiled(t, expressions).ForInput(context.Background(), r.attributes(), r.admission(), bindings, &corev1.Namespace{}, budget)
	if err != nil {
		t.Fatal(err)
	}
	for i, result := range results {
		if _, message := expressions[i].(*validating.MessageExpressionCondition); result.Error != nil && !message {
			t.Errorf("%s: %v", expressions[i].GetExpression(), result.Error)
		}
	}
	return budget - left
}

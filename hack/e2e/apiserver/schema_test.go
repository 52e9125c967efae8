// Copyright The Countersign Authors.
// SPDX-License-Identifier: Apache-2.0

package apiserver

import (
	"fmt"
	"maps"
	"strings"
	"testing"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

// schemaCase is what a schema refuses: a change of an object that it admits.
type schemaCase struct {
	what   string
	change func(*unstructured.Unstructured)
	// says is a piece of the refusal.
	says string
}

const policyText = `
apiVersion: countersign.dev/v1alpha1
kind: ApprovalPolicy
metadata: {name: checked}
spec:
  namespaces: ["nowhere-*"]
  rules: [{name: qa, count: 1, groups: [qa]}]
`

func names(n int) []any {
	list := make([]any, n)
	for i := range list {
		list[i] = fmt.Sprintf("n%d", i)
	}
	return list
}

func delegates(n int) []any {
	list := make([]any, n)
	for i := range list {
		list[i] = map[string]any{"serviceAccount": fmt.Sprintf("a/b%d", i)}
	}
	return list
}

// objects makes n entries of a list-map that differ in their name.
func objects(n int, more map[string]any) []any {
	list := make([]any, n)
	for i := range list {
		o := map[string]any{"name": fmt.Sprintf("n%d", i)}
		for k, v := range more {
			o[k] = v
		}
		list[i] = o
	}
	return list
}

// first changes a field of the first entry of a list.
func first(path, field string, value any) func(*unstructured.Unstructured) {
	return func(o *unstructured.Unstructured) {
		list, _, err := unstructured.NestedSlice(o.Object, fields(path)...)
		if err != nil || len(list) == 0 {
			panic(fmt.Sprintf("%s has no entries: %v", path, err))
		}
		entry := list[0].(map[string]any)
		if value == nil {
			delete(entry, field)
		} else {
			entry[field] = value
		}
		set(path, list)(o)
	}
}

func TestApprovalPolicySchema(t *testing.T) {
	w := policies.start(t)
	refusals := tryCases(t, w, object(t, policyText), policyCases(), map[string]func(*unstructured.Unstructured){
		"as it is":                     func(*unstructured.Unstructured) {},
		"validFor as short as can be":  set("spec.validFor", "1m"),
		"validFor as long as can be":   set("spec.validFor", "720h"),
		"users instead of groups":      all(first("spec.rules", "groups", nil), first("spec.rules", "users", []any{"carol@corp"})),
		"a star in the middle":         set("spec.namespaces", []any{"a*z", "*"}),
		"as many rules as can be":      set("spec.rules", objects(16, map[string]any{"count": int64(1), "groups": []any{"qa"}})),
		"as many namespaces as can be": set("spec.namespaces", names(64)),
		"a trusted delegate":           set("spec.trustedDelegates", []any{map[string]any{"serviceAccount": "argocd/argocd-application-controller"}}),
		"break-glass":                  set("spec.breakGlass", map[string]any{"groups": []any{"sre"}}),
		"reviewWithin at its bounds":   set("spec.breakGlass", map[string]any{"groups": []any{"sre"}, "reviewWithin": "720h"}),
		"a rule by RBAC":               all(first("spec.rules", "groups", nil), first("spec.rules", "rbac", true)),
		"a hold alone":                 all(drop("spec.rules"), set("spec.hold", "INC-1: the database is being moved")),
		"windows alone":                all(drop("spec.rules"), windows("allow", window("0 9 * * 1-5", "8h"))),
		"windows at their bounds":      all(windows("allow", window("0 9 * * *", "1m"), window("0 9 * * *", "744h")), set("spec.windows.timeZone", "America/Argentina/Buenos_Aires")),
		"exclusions of both kinds":     windows("exclude", window("0 9 * * *", "1m"), window("0 9 * * *", "744h"), map[string]any{"from": "2026-12-21T00:00:00+01:00", "to": "2027-01-04T00:00:00Z"}),
		"as many windows as can be":    all(windows("allow", many(16, window("0 9 * * *", "8h"))...), set("spec.windows.exclude", many(32, window("0 9 * * *", "8h")))),
		"an unknown author refused":    set("spec.unknownAuthor", "Refuse"),
		"images by digest":             set("spec.requireImageDigests", true),
		"a person with two accounts":   set("spec.persons", []any{map[string]any{"name": "alice", "users": []any{"a", "b"}}}),
	})
	everyRuleSpoke(t, "approvalpolicies", refusals)
}

const (
	admits  = "a rule names who may approve: add users or groups, or set rbac"
	demands = "a policy demands something: add rules, windows or a hold"
	either  = "an exclusion has either schedule and duration, or from and to"
)

func window(schedule, duration string) map[string]any {
	return map[string]any{"schedule": schedule, "duration": duration}
}

func windows(kind string, list ...any) func(*unstructured.Unstructured) {
	return set("spec.windows", map[string]any{kind: list})
}

func many(n int, one map[string]any) []any {
	list := make([]any, n)
	for i := range list {
		list[i] = one
	}
	return list
}

func policyCases() []schemaCase {
	long := strings.Repeat("x", 254)
	rule := func(field string, value any) func(*unstructured.Unstructured) {
		return first("spec.rules", field, value)
	}
	return []schemaCase{
		{"no spec", drop("spec"), "spec: Required value"},
		{"no rules", set("spec.rules", []any{}), demands},
		{"rules left out", drop("spec.rules"), demands},
		{"no rules and an empty hold", all(drop("spec.rules"), set("spec.hold", "")), "spec.hold"},
		{"a hold with a line break", set("spec.hold", "a\nb"), "spec.hold"},
		{"a hold with a control character", set("spec.hold", "a\x1b[2J"), "spec.hold"},
		{"too long a hold", set("spec.hold", strings.Repeat("x", 257)), "spec.hold"},
		{"windows that say nothing", set("spec.windows", map[string]any{"timeZone": "UTC"}), "windows say when: add allow or exclude"},
		{"windows with empty lists", set("spec.windows", map[string]any{"allow": []any{}, "exclude": []any{}}), "windows say when: add allow or exclude"},
		{"too many windows", windows("allow", many(17, window("0 9 * * *", "8h"))...), "must have at most 16 items"},
		{"too many exclusions", windows("exclude", many(33, window("0 9 * * *", "8h"))...), "must have at most 32 items"},
		{"a window that is too short", windows("allow", window("0 9 * * *", "59s")), "the duration of a window is from 1m to 744h, for example 8h"},
		{"a window that is too long", windows("allow", window("0 9 * * *", "745h")), "the duration of a window is from 1m to 744h, for example 8h"},
		{"a window without a schedule", windows("allow", map[string]any{"duration": "8h"}), "schedule: Required value"},
		{"a window without a duration", windows("allow", map[string]any{"schedule": "0 9 * * *"}), "duration: Required value"},
		{"a schedule that is too short", windows("allow", window("* * * *", "8h")), "spec.windows.allow[0].schedule"},
		{"an exclusion that says nothing", windows("exclude", map[string]any{}), either},
		{"an exclusion without a duration", windows("exclude", map[string]any{"schedule": "0 9 * * *"}), either},
		{"an exclusion without an end", windows("exclude", map[string]any{"from": "2026-12-21T00:00:00Z"}), either},
		{"an exclusion of both kinds", windows("exclude", map[string]any{"schedule": "0 9 * * *", "duration": "1h", "from": "2026-12-21T00:00:00Z", "to": "2026-12-22T00:00:00Z"}), either},
		{"an exclusion that is too short", windows("exclude", window("0 9 * * *", "59s")), "the duration of an exclusion is from 1m to 744h, for example 48h"},
		{"an exclusion that is too long", windows("exclude", window("0 9 * * *", "745h")), "the duration of an exclusion is from 1m to 744h, for example 48h"},
		{"an exclusion that ends before it begins", windows("exclude", map[string]any{"from": "2026-12-21T00:00:00Z", "to": "2026-12-21T00:00:00Z"}), "an exclusion ends after it begins: write to later than from"},
		{"a time zone that is a path", all(windows("allow", window("0 9 * * *", "8h")), set("spec.windows.timeZone", "../UTC")), "spec.windows.timeZone"},
		{"an unknown author otherwise", set("spec.unknownAuthor", "Ignore"), "spec.unknownAuthor"},
		{"no namespaces", set("spec.namespaces", []any{}), "spec.namespaces: Invalid value"},
		{"namespaces left out", drop("spec.namespaces"), "spec.namespaces: Required value"},
		{"a namespace that is an expression", set("spec.namespaces", []any{"prod.*"}), "should match '^[a-z0-9*]"},
		{"an empty namespace", set("spec.namespaces", []any{""}), "spec.namespaces[0]"},
		{"too many namespaces", set("spec.namespaces", names(65)), "must have at most 64 items"},
		{"a namespace twice", set("spec.namespaces", []any{"a", "a"}), "Duplicate value"},
		{"too many rules", set("spec.rules", objects(17, map[string]any{"count": int64(1), "groups": []any{"qa"}})), "must have at most 16 items"},
		{"a rule twice", set("spec.rules", []any{
			map[string]any{"name": "qa", "count": int64(1), "groups": []any{"qa"}},
			map[string]any{"name": "qa", "count": int64(1), "groups": []any{"qa"}}}), "Duplicate value"},
		{"a rule that admits nobody", rule("groups", nil), admits},
		{"a rule with empty groups", rule("groups", []any{}), admits},
		{"a rule with empty users", all(rule("groups", nil), rule("users", []any{})), admits},
		{"a rule not by RBAC", all(rule("groups", nil), rule("rbac", false)), admits},
		{"a rule without a name", rule("name", nil), "name: Required value"},
		{"a rule's name with a space", rule("name", "the qa"), "spec.rules[0].name"},
		{"a rule of zero seats", rule("count", int64(0)), "spec.rules[0].count"},
		{"a rule without a count", rule("count", nil), "count: Required value"},
		{"a rule of too many seats", rule("count", int64(17)), "spec.rules[0].count"},
		{"an empty group", rule("groups", []any{""}), "spec.rules[0].groups[0]"},
		{"too long a group", rule("groups", []any{long}), "spec.rules[0].groups[0]"},
		{"too many groups", rule("groups", names(65)), "must have at most 64 items"},
		{"too many users", rule("users", names(65)), "must have at most 64 items"},
		{"no distinct person", set("spec.minDistinctPersons", int64(-1)), "spec.minDistinctPersons"},
		{"too many distinct persons", set("spec.minDistinctPersons", int64(65)), "spec.minDistinctPersons"},
		{"validFor too short", set("spec.validFor", "59s"), "validFor is from 1m to 720h, for example 24h"},
		{"validFor too long", set("spec.validFor", "721h"), "validFor is from 1m to 720h, for example 24h"},
		{"validFor negative", set("spec.validFor", "-24h"), "validFor is from 1m to 720h, for example 24h"},
		{"a person without accounts", set("spec.persons", []any{map[string]any{"name": "alice", "users": []any{}}}), "spec.persons[0].users"},
		{"break-glass for nobody", set("spec.breakGlass", map[string]any{"groups": []any{}}), "spec.breakGlass.groups"},
		{"break-glass without groups", set("spec.breakGlass", map[string]any{"reviewWithin": "1h"}), "groups: Required value"},
		{"break-glass for too many groups", set("spec.breakGlass", map[string]any{"groups": names(17)}), "must have at most 16 items"},
		{"break-glass for an empty group", set("spec.breakGlass", map[string]any{"groups": []any{""}}), "spec.breakGlass.groups[0]"},
		{"reviewWithin too short", set("spec.breakGlass", map[string]any{"groups": []any{"sre"}, "reviewWithin": "59s"}), "breakGlass.reviewWithin is from 1m to 720h, for example 48h"},
		{"reviewWithin too long", set("spec.breakGlass", map[string]any{"groups": []any{"sre"}, "reviewWithin": "721h"}), "breakGlass.reviewWithin is from 1m to 720h, for example 48h"},
		{"a delegate that is no account", set("spec.trustedDelegates", []any{map[string]any{"serviceAccount": "argocd"}}), "spec.trustedDelegates[0].serviceAccount"},
		{"a delegate that is a person", set("spec.trustedDelegates", []any{map[string]any{"serviceAccount": "alice@corp"}}), "spec.trustedDelegates[0].serviceAccount"},
		{"a delegate twice", set("spec.trustedDelegates", []any{map[string]any{"serviceAccount": "a/b"}, map[string]any{"serviceAccount": "a/b"}}), "Duplicate value"},
		{"too many delegates", set("spec.trustedDelegates", delegates(17)), "must have at most 16 items"},
		{"an unknown field", set("spec.minDistinctPerson", int64(2)), `unknown field "spec.minDistinctPerson"`},
		{"an unknown field of a rule", rule("veto", true), `unknown field "spec.rules[0].veto"`},
	}
}

// check is a check of a Release.
func check(more map[string]any) map[string]any {
	c := map[string]any{"name": "smoke", "http": map[string]any{"port": int64(80)}}
	for k, v := range more {
		c[k] = v
	}
	return c
}

func checks(stage string, list ...any) func(*unstructured.Unstructured) {
	return set("spec.checks", map[string]any{stage: list})
}

func service(name, preview string) map[string]any {
	s := map[string]any{"name": name}
	if preview != "" {
		s["preview"] = preview
	}
	return s
}

func servicesAre(list ...any) func(*unstructured.Unstructured) { return set("spec.services", list) }

func added(rules ...any) func(*unstructured.Unstructured) {
	return set("spec.approval", map[string]any{"rules": rules})
}

func TestReleaseSchema(t *testing.T) {
	w := policies.start(t)
	o := object(t, releaseText("checked"))
	stamp(email("admin"))(o)
	o.SetNamespace(w.namespace(t))
	admitted := goodChecks()
	for _, sample := range manifests(t, "samples/checks") {
		admitted["the checks of the sample "+sample.GetName()] = set("spec.checks", sample.Object["spec"].(map[string]any)["checks"])
	}
	maps.Copy(admitted, goodPorts())
	maps.Copy(admitted, map[string]func(*unstructured.Unstructured){
		"as it is":                    func(*unstructured.Unstructured) {},
		"the longest name":            set("metadata.name", strings.Repeat("n", 40)),
		"a preview with another name": servicesAre(service("a", "a-next"), service("a-preview", "b-next")),
		"timeout as long as period":   checks("beforeSwitch", check(map[string]any{"periodSeconds": int64(3), "timeoutSeconds": int64(3)})),
		"afterSwitch likewise":        checks("afterSwitch", check(map[string]any{"periodSeconds": int64(3), "timeoutSeconds": int64(3)})),
		"a named port":                checks("beforeSwitch", check(map[string]any{"http": map[string]any{"port": "http", "path": "/a?b=c"}})),
		"added approval":              added(map[string]any{"name": "boss", "count": int64(1), "users": []any{"boss@corp"}}),
		"replicas at their bounds":    set("spec.replicas", int64(10000)),
		"one Pod to decide about":     set("spec.previewReplicas", int64(1)),
		"more previews than replicas": set("spec.previewReplicas", int64(10000)),
		"nothing kept":                set("spec.keepIdleSeconds", int64(0)),
		"as many Services as can be":  servicesAre(objects(8, nil)...),
		"a Deployment to take over":   set("spec.workloadRef", map[string]any{"name": "legacy.shop"}),
		"no grace at all":             set("spec.readinessGraceSeconds", int64(0)),
		"one Pod evicted at once":     set("spec.disruptionBudget", map[string]any{"maxUnavailable": int64(1)}),
		"all evicted at once":         set("spec.disruptionBudget", map[string]any{"maxUnavailable": "100%"}),
		"the budget that is usual":    set("spec.disruptionBudget", map[string]any{}),
	})
	refusals := tryCases(t, w, o, append(releaseCases(), portCases()...), admitted)
	everyRuleSpoke(t, "releases", append(refusals, tryStatus(t, w, o)...))
}

const drainable = "write disruptionBudget.maxUnavailable as a number from 1 on or as a percentage from 1% to 100%: with 0 no node with such a Pod could ever be drained"

func budget(max any) func(*unstructured.Unstructured) {
	return set("spec.disruptionBudget", map[string]any{"maxUnavailable": max})
}

func releaseCases() []schemaCase {
	oneCheck := func(field string, value any) func(*unstructured.Unstructured) {
		return checks("beforeSwitch", check(map[string]any{field: value}))
	}
	http := func(path string) func(*unstructured.Unstructured) {
		return oneCheck("http", map[string]any{"port": int64(80), "path": path})
	}
	return append(checkCases(), []schemaCase{
		{"too long a name", set("metadata.name", strings.Repeat("n", 41)), "the name of a Release has at most 40 characters, because its Deployments and Services are named after it; choose a shorter name"},
		{"no template", drop("spec.template"), "spec.template: Required value"},
		{"a container without a name", set("spec.template.spec.containers", []any{map[string]any{"image": "x"}}), "name: Required value"},
		{"no Services", set("spec.services", []any{}), "spec.services: Invalid value"},
		{"Services left out", drop("spec.services"), "spec.services: Required value"},
		{"too many Services", servicesAre(objects(9, nil)...), "must have at most 8 items"},
		{"a Service twice", servicesAre(service("a", ""), service("a", "")), "Duplicate value"},
		{"a Service's name that is none", servicesAre(service("A_b", "")), "spec.services[0].name"},
		{"too long a name of a Service", servicesAre(service(strings.Repeat("s", 56), "")), "spec.services[0].name"},
		{"a preview that is the Service", servicesAre(service("a", "a")), "services[].preview must differ from services[].name"},
		{"a preview that is another Service", servicesAre(service("a", "b"), service("b", "")), "a preview Service must not be one of the active Services: give services[].preview a name of its own, or leave it out to get <name>-preview"},
		{"a preview that would be another Service", servicesAre(service("a", ""), service("a-preview", "x")), "services[].preview defaults to <name>-preview, which is one of the active Services: set services[].preview to another name"},
		{"negative replicas", set("spec.replicas", int64(-1)), "spec.replicas"},
		{"no replicas", set("spec.replicas", int64(0)), "spec.replicas"},
		{"too many replicas", set("spec.replicas", int64(10001)), "spec.replicas"},
		{"no Pods to decide about", set("spec.previewReplicas", int64(0)), "spec.previewReplicas in body should be greater than or equal to 1"},
		{"too many Pods to decide about", set("spec.previewReplicas", int64(10001)), "spec.previewReplicas in body should be less than or equal to 10000"},
		{"no observation", set("spec.observeSeconds", int64(0)), "spec.observeSeconds"},
		{"negative keepIdleSeconds", set("spec.keepIdleSeconds", int64(-1)), "spec.keepIdleSeconds"},
		{"too short a deadline", set("spec.progressDeadlineSeconds", int64(9)), "spec.progressDeadlineSeconds"},
		{"negative minReadySeconds", set("spec.minReadySeconds", int64(-1)), "spec.minReadySeconds"},
		{"nothing to take over", set("spec.workloadRef", map[string]any{}), "spec.workloadRef.name"},
		{"a StatefulSet to take over", set("spec.workloadRef", map[string]any{"kind": "StatefulSet", "name": "shop"}), "spec.workloadRef.kind"},
		{"a name that is none to take over", set("spec.workloadRef", map[string]any{"name": "A_b"}), "spec.workloadRef.name"},
		{"negative grace", set("spec.readinessGraceSeconds", int64(-1)), "spec.readinessGraceSeconds"},
		{"no eviction ever", budget(int64(0)), drainable},
		{"no eviction ever, in per cent", budget("0%"), drainable},
		{"more than all", budget("101%"), drainable},
		{"a budget in words", budget("some"), drainable},
		{"a check without a port", oneCheck("http", map[string]any{"path": "/"}), "port: Required value"},
		{"a check's name with a space", oneCheck("name", "a b"), "spec.checks.beforeSwitch[0].name"},
		{"a path that is relative", http("healthz"), "spec.checks.beforeSwitch[0].http.path"},
		{"a path with a line break", http("/a\nHost: b"), "spec.checks.beforeSwitch[0].http.path"},
		{"no period", oneCheck("periodSeconds", int64(0)), "periodSeconds"},
		{"no failure allowed", oneCheck("failureThreshold", int64(0)), "failureThreshold"},
		{"too many successes", oneCheck("successThreshold", int64(101)), "successThreshold"},
		{"too many checks", checks("beforeSwitch", objects(17, map[string]any{"http": map[string]any{"port": int64(80)}})...), "must have at most 16 items"},
		{"a check twice", checks("afterSwitch", check(nil), check(nil)), "Duplicate value"},
		{"added approval without rules", set("spec.approval", map[string]any{"rules": []any{}}), "spec.approval.rules: Invalid value"},
		{"added approval that admits nobody", added(map[string]any{"name": "x", "count": int64(1)}), admits},
		{"an unknown field", set("spec.observeSecond", int64(5)), `unknown field "spec.observeSecond"`},
		{"an unknown field of the template", set("spec.template.spec.container", "x"), `unknown field "spec.template.spec.container"`},
		{"approval that would weaken", set("spec.approval", map[string]any{"authorsMayApprove": true, "rules": []any{}}), `unknown field "spec.approval.authorsMayApprove"`},
	}...)
}

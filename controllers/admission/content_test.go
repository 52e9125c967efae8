// Copyright The Countersign Authors.
// SPDX-License-Identifier: Apache-2.0

package admission

import (
	"maps"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	"sigs.k8s.io/yaml"
)

// What the admission policies call content is what this package does: every field
// of the spec but the few that may change at any time. A field that is added has to be added there.
func TestPoliciesKnowAllContent(t *testing.T) {
	raw, err := os.ReadFile("../../config/crd/bases/countersign.dev_releases.yaml")
	if err != nil {
		t.Fatal(err)
	}
	var crd apiextensionsv1.CustomResourceDefinition
	if err := yaml.Unmarshal(raw, &crd); err != nil {
		t.Fatal(err)
	}
	var want []string
	for _, field := range slices.Sorted(maps.Keys(crd.Spec.Versions[0].Schema.OpenAPIV3Schema.Properties["spec"].Properties)) {
		if !slices.Contains(notContent[:], field) {
			want = append(want, field)
		}
	}
	policy, err := os.ReadFile("../../config/policy/release-votes.yaml")
	if err != nil {
		t.Fatal(err)
	}
	compared := func(variable string) (got []string) {
		_, list, _ := strings.Cut(string(policy), "- name: "+variable)
		list, _, _ = strings.Cut(list, "- name: ")
		for _, m := range regexp.MustCompile(`\|\| object\.spec\.\?(\w+) != oldObject\.spec\.\?(\w+)`).FindAllStringSubmatch(list, -1) {
			if m[1] != m[2] {
				t.Errorf("%s is compared with %s", m[1], m[2])
			}
			got = append(got, m[1])
		}
		slices.Sort(got)
		return got
	}
	if got := compared("contentChanged"); len(want) < 9 || !slices.Equal(got, want) {
		t.Errorf("config/policy/release-votes.yaml takes %v for content, the spec has %v", got, want)
	}
	// Whoever may only annotate may pause besides.
	others := slices.DeleteFunc(slices.Sorted(slices.Values(notContent[:])), func(field string) bool { return field == "paused" })
	if got := compared("specChanged"); !slices.Equal(got, others) {
		t.Errorf("config/policy/release-votes.yaml takes %v for the spec besides content, it has %v", got, others)
	}
}

// Copyright The Countersign Authors.
// SPDX-License-Identifier: Apache-2.0

package rollout_test

import (
	"encoding/json"
	"fmt"
	"os"
	"slices"
	"sync"

	"k8s.io/apimachinery/pkg/util/yaml"
)

// node is what the schema of the CustomResourceDefinition says of a field, as
// far as the bounds go that Decide has to keep.
type node struct {
	Type       string          `json:"type"`
	Properties map[string]node `json:"properties"`
	Items      *node           `json:"items"`
	Required   []string        `json:"required"`
	Enum       []any           `json:"enum"`
	MinLength  *int            `json:"minLength"`
	MaxLength  *int            `json:"maxLength"`
	MaxItems   *int            `json:"maxItems"`
	ListType   string          `json:"x-kubernetes-list-type"`
	ListKeys   []string        `json:"x-kubernetes-list-map-keys"`
}

// schema is that of status.
var schema = sync.OnceValue(func() node {
	raw, err := os.ReadFile("../../config/crd/bases/countersign.dev_releases.yaml")
	if err != nil {
		panic(err)
	}
	var crd struct {
		Spec struct {
			Versions []struct {
				Schema struct {
					OpenAPIV3Schema node `json:"openAPIV3Schema"`
				} `json:"schema"`
			} `json:"versions"`
		} `json:"spec"`
	}
	if err := yaml.Unmarshal(raw, &crd); err != nil {
		panic(err)
	}
	return crd.Spec.Versions[0].Schema.OpenAPIV3Schema.Properties["status"]
})

// problem is the first field of v that the API server would refuse.
func (n node) problem(v any) string {
	raw, err := json.Marshal(v)
	if err != nil {
		return err.Error()
	}
	var tree any
	if err := json.Unmarshal(raw, &tree); err != nil {
		return err.Error()
	}
	return n.at("status", tree)
}

func (n node) at(path string, v any) string {
	if len(n.Enum) > 0 && !slices.Contains(n.Enum, v) {
		return fmt.Sprintf("%s is %v, not one of %v", path, v, n.Enum)
	}
	switch v := v.(type) {
	case string:
		if n.MaxLength != nil && len(v) > *n.MaxLength || n.MinLength != nil && len(v) < *n.MinLength {
			return fmt.Sprintf("%s has %d characters", path, len(v))
		}
	case []any:
		return n.list(path, v)
	case map[string]any:
		return n.object(path, v)
	}
	return ""
}

func (n node) object(path string, v map[string]any) string {
	for _, name := range n.Required {
		if _, ok := v[name]; !ok {
			return path + "." + name + " is required"
		}
	}
	for name, field := range v {
		of, ok := n.Properties[name]
		if len(n.Properties) > 0 && !ok {
			return path + "." + name + " is not in the schema; run make generate"
		}
		if p := of.at(path+"."+name, field); p != "" {
			return p
		}
	}
	return ""
}

func (n node) list(path string, v []any) string {
	if n.MaxItems != nil && len(v) > *n.MaxItems {
		return fmt.Sprintf("%s has %d items", path, len(v))
	}
	seen := map[string]bool{}
	for i, item := range v {
		key := fmt.Sprint(item)
		if n.ListType == "map" {
			key = ""
			for _, k := range n.ListKeys {
				key += fmt.Sprint(item.(map[string]any)[k], "|")
			}
		}
		if n.ListType != "" && n.ListType != "atomic" && seen[key] {
			return fmt.Sprintf("%s has %s twice", path, key)
		}
		seen[key] = true
		if n.Items == nil {
			continue
		}
		if p := n.Items.at(fmt.Sprintf("%s[%d]", path, i), item); p != "" {
			return p
		}
	}
	return ""
}

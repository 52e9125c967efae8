// Copyright The Countersign Authors.
// SPDX-License-Identifier: Apache-2.0

package show

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// Change is a field that differs. Before is unset if it is added, After if it is
// taken away.
type Change struct {
	Path   string  `json:"path"`
	Before *string `json:"before,omitempty"`
	After  *string `json:"after,omitempty"`
}

// changes between two values, each nil or something with a JSON form, by paths.
func changes(under string, before, after any) (all []Change) {
	was, is := fields(under, before), fields(under, after)
	paths := maps.Clone(was)
	maps.Copy(paths, is)
	for _, path := range slices.Sorted(maps.Keys(paths)) {
		b, had := was[path]
		a, has := is[path]
		if had && has && a == b {
			continue
		}
		c := Change{Path: path}
		if had {
			c.Before = &b
		}
		if has {
			c.After = &a
		}
		all = append(all, c)
	}
	return all
}

// fields are the scalars of a value by their paths.
func fields(under string, v any) map[string]string {
	all := map[string]string{}
	raw, err := json.Marshal(v)
	if err != nil {
		return map[string]string{under: "cannot be written as JSON: " + err.Error()}
	}
	var tree any
	decoder := json.NewDecoder(strings.NewReader(string(raw)))
	decoder.UseNumber()
	if err := decoder.Decode(&tree); err != nil {
		return map[string]string{under: "cannot be read as JSON: " + err.Error()}
	}
	walk(under, tree, all)
	return all
}

func walk(path string, v any, into map[string]string) {
	switch v := v.(type) {
	case nil:
	case map[string]any:
		if len(v) == 0 && path != "" {
			into[path] = "{}"
		}
		for key, value := range v {
			if strings.ContainsAny(key, "./[] ") {
				walk(fmt.Sprintf("%s[%q]", path, key), value, into)
			} else {
				walk(strings.TrimPrefix(path+"."+key, "."), value, into)
			}
		}
	case []any:
		names := namesOf(v)
		for i, value := range v {
			walk(fmt.Sprintf("%s[%s]", path, names[i]), value, into)
		}
	case string:
		into[path] = v
	default:
		into[path] = fmt.Sprint(v)
	}
}

// namesOf are what the members of a list are told apart by: their names if each has
// one of its own, else their places.
func namesOf(list []any) []string {
	names, seen := make([]string, len(list)), map[string]bool{}
	for i, v := range list {
		m, _ := v.(map[string]any)
		name, _ := m["name"].(string)
		if name == "" || seen[name] {
			for k := range list {
				names[k] = fmt.Sprint(k)
			}
			return names
		}
		names[i], seen[name] = name, true
	}
	return names
}

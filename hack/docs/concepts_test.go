// Copyright The Countersign Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/countersign/countersign/api/v1alpha1"
	"github.com/countersign/countersign/controllers/rollout"
)

var arrow = regexp.MustCompile(`(?m)^ +(\S+) --> (\w+|\[\*\])`)

// The picture of docs/concepts.md has every phase and no step that cannot be.
func TestPicture(t *testing.T) {
	page, err := os.ReadFile(filepath.Join(root, "docs", "concepts.md"))
	if err != nil {
		t.Fatal(err)
	}
	_, picture, ok := strings.Cut(string(page), "```mermaid\n")
	if !ok {
		t.Fatal("docs/concepts.md has no picture")
	}
	picture, _, _ = strings.Cut(picture, "```")
	graph, shown := rollout.PhaseGraph(), map[v1alpha1.Phase]bool{}
	const outside = "[*]"
	for _, step := range arrow.FindAllStringSubmatch(picture, -1) {
		from, to := v1alpha1.Phase(step[1]), v1alpha1.Phase(step[2])
		shown[from], shown[to] = true, true
		if from == outside {
			from = ""
		}
		if to == outside {
			if len(graph[from]) > 0 {
				t.Errorf("%s is not the end", from)
			}
			continue
		}
		if !slices.Contains(graph[from], to) {
			t.Errorf("%s leads to %s in the picture, and nowhere else", step[1], to)
		}
	}
	for phase := range graph {
		if phase != "" && !shown[phase] {
			t.Errorf("the picture has no %s", phase)
		}
	}
}

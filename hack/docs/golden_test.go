// Copyright The Countersign Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// reads are the commands of the plugin whose output its golden files have.
var reads = regexp.MustCompile(`^kubectl countersign (status|explain|diff|history|doctor) shop -n shop\b`)

// What docs/plugin.md shows is what the plugin's golden files have, which are of
// what a real operator left.
func TestPluginShowsItsGoldenFiles(t *testing.T) {
	source, err := os.ReadFile(filepath.Join(root, "docs", "plugin.md"))
	if err != nil {
		t.Fatal(err)
	}
	d, err := parse("docs/plugin.md", source)
	if err != nil {
		t.Fatal(err)
	}
	found := 0
	for _, p := range d.parts {
		if !strings.HasPrefix(p.text, prompt) {
			continue
		}
		steps, err := session(p.text, p.line+1)
		if err != nil {
			t.Fatal(err)
		}
		for _, s := range steps {
			read := reads.FindStringSubmatch(s.command)
			if read == nil {
				continue
			}
			found++
			if !inGolden(t, read[1], *s.shown) {
				t.Errorf("docs/plugin.md:%d: no golden file of %s has what is shown", s.line, read[1])
			}
		}
	}
	if found < 6 {
		t.Errorf("found %d outputs, which cannot be all", found)
	}
}

func inGolden(t *testing.T, command, shown string) bool {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(root, "cmd", "kubectl-countersign", "testdata", "*."+command+".txt"))
	if err != nil || len(files) == 0 {
		t.Fatalf("no golden files of %s: %v", command, err)
	}
	for _, file := range files {
		golden, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if string(golden) == shown {
			return true
		}
	}
	return false
}

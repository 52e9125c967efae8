// Copyright The Countersign Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

const root = "../.."

func TestConfigMapIsWhatTheScriptsGive(t *testing.T) {
	want, err := configMap(root)
	if err != nil {
		t.Fatal(err)
	}
	got, err := os.ReadFile(filepath.Join(root, configMapFile))
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		t.Errorf("%s is not what the Lua files beside it give: run make generate", configMapFile)
	}
}

// TestNoActionVotes: Argo CD's account is nobody who votes, breaks the glass or reviews.
func TestNoActionVotes(t *testing.T) {
	text, err := configMap(root)
	if err != nil {
		t.Fatal(err)
	}
	for _, key := range []string{"approvals.countersign.dev", "break-glass.countersign.dev", "reviews.countersign.dev"} {
		if strings.Contains(string(text), key) {
			t.Errorf("a script writes %s", key)
		}
	}
}

func TestReportShowsWhatIsMarked(t *testing.T) {
	var out strings.Builder
	rest := report(strings.NewReader("=== RUN TestEngines\n--- PASS"+reportMark+"one\n"+reportMark+"two\nPASS\n"), &out)
	if out.String() != "one\ntwo\n" || rest != "=== RUN TestEngines\nPASS\n" {
		t.Errorf("%q is shown and %q is not", out.String(), rest)
	}
}

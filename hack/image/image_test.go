// Copyright The Countersign Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/countersign/countersign/hack/cluster/image"
)

// TestBill reads back what is written about this test's own program, which has
// modules in it, and holds it to what CycloneDX requires.
func TestBill(t *testing.T) {
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	program := image.Program{Arch: "amd64", File: self}
	var first, second bytes.Buffer
	if err := writeBill(&first, "v7", program, program); err != nil {
		t.Fatal(err)
	}
	if err := writeBill(&second, "v7", program); err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(first.Bytes(), second.Bytes()) {
		t.Error("the same program gives different bills")
	}
	type component struct {
		Ref        string `json:"bom-ref"`
		Type, Name string
		Version    string
		PURL       string
		Hashes     []struct{ Alg, Content string }
	}
	var bom struct {
		BOMFormat, SpecVersion, SerialNumber string
		Version                              int
		Metadata                             struct {
			Timestamp string
			Component component
		}
		Components   []component
		Dependencies []struct {
			Ref       string
			DependsOn []string
		}
	}
	if err := json.Unmarshal(first.Bytes(), &bom); err != nil {
		t.Fatal(err)
	}
	if bom.BOMFormat != "CycloneDX" || bom.SpecVersion == "" || bom.Version != 1 {
		t.Errorf("it is %s %s version %d", bom.BOMFormat, bom.SpecVersion, bom.Version)
	}
	if bom.SerialNumber != "" || bom.Metadata.Timestamp != "" {
		t.Error("it has a random number or a time")
	}
	if s := bom.Metadata.Component; s.Type != "application" || s.PURL != "pkg:golang/github.com/countersign/countersign@v7" {
		t.Errorf("it is about %+v", s)
	}
	seen := map[string]bool{}
	sum := regexp.MustCompile(`^[0-9a-f]{64}$`)
	for _, c := range bom.Components {
		if c.Ref == "" || seen[c.Ref] || c.Type != "library" || c.Name == "" || c.Version == "" || c.PURL != "pkg:golang/"+c.Name+"@"+c.Version {
			t.Errorf("component %+v", c)
		}
		if c.Name != "std" && (len(c.Hashes) != 1 || c.Hashes[0].Alg != "SHA-256" || !sum.MatchString(c.Hashes[0].Content)) {
			t.Errorf("%s has no sum: %+v", c.Ref, c.Hashes)
		}
		seen[c.Ref] = true
	}
	if len(bom.Dependencies) != 1 || len(bom.Dependencies[0].DependsOn) != len(seen) {
		t.Errorf("dependencies are %+v, want all %d", bom.Dependencies, len(seen))
	}
	if !strings.Contains(first.String(), "pkg:golang/github.com/spf13/cobra@v") {
		t.Error("cobra, which this program has in it, is missing")
	}
}

func TestRevision(t *testing.T) {
	dir := t.TempDir()
	if got := revision(t.Context(), dir); got != "" {
		t.Errorf("outside of a repository it is %q", got)
	}
	git := func(args ...string) {
		t.Helper()
		cmd := exec.CommandContext(t.Context(), "git", append([]string{"-C", dir, "-c", "user.name=a", "-c", "user.email=a@example.com"}, args...)...)
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("git %v: %v\n%s", args, err, out)
		}
	}
	git("init", "-q")
	git("commit", "-q", "--allow-empty", "-m", "first")
	clean := revision(t.Context(), dir)
	if !regexp.MustCompile(`^[0-9a-f]{40}$`).MatchString(clean) {
		t.Errorf("it is %q, want a commit", clean)
	}
	if err := os.WriteFile(filepath.Join(dir, "file"), nil, 0o644); err != nil {
		t.Fatal(err)
	}
	if got := revision(t.Context(), dir); got != clean+"-dirty" {
		t.Errorf("with a change it is %q", got)
	}
}

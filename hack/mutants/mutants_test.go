// Copyright The Countersign Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"go/ast"
	"go/importer"
	"go/parser"
	"go/token"
	"go/types"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// Guards that are moved or renamed are not lost from the lists unseen, and what is
// left without them builds.
func TestGuardsCanBeTakenOut(t *testing.T) {
	t.Chdir("../..")
	fset := token.NewFileSet()
	imports := importer.ForCompiler(fset, "gc", exports(t))
	for _, g := range slices.Concat(simGuards(), gateGuards()) {
		changed, err := g.changed()
		if err != nil {
			t.Errorf("%s: %v", g.name, err)
			continue
		}
		for file := range changed {
			dir := filepath.Dir(file)
			if _, err := (&types.Config{Importer: imports}).Check(dir, fset, parse(t, fset, dir, changed), nil); err != nil {
				t.Errorf("%s: %v", g.name, err)
			}
		}
	}
}

// exports finds what the compiler knows of a package.
func exports(t *testing.T) func(path string) (io.ReadCloser, error) {
	out, err := exec.Command("go", "list", "-export", "-deps", "-f", "{{.ImportPath}} {{.Export}}", ".", "./controllers/...", "./cmd/...").Output()
	if err != nil {
		t.Fatal(err)
	}
	files := map[string]string{}
	for line := range strings.Lines(string(out)) {
		path, file, _ := strings.Cut(strings.TrimSpace(line), " ")
		files[path] = file
	}
	return func(path string) (io.ReadCloser, error) { return os.Open(files[path]) }
}

func parse(t *testing.T, fset *token.FileSet, dir string, changed map[string]string) (files []*ast.File) {
	paths, err := filepath.Glob(filepath.Join(dir, "*.go"))
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range paths {
		if strings.HasSuffix(path, "_test.go") {
			continue
		}
		var source any
		if text, is := changed[path]; is {
			source = text
		}
		file, err := parser.ParseFile(fset, path, source, parser.SkipObjectResolution)
		if err != nil {
			t.Fatal(err)
		}
		files = append(files, file)
	}
	return files
}

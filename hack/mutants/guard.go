// Copyright The Countersign Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
)

// guard is something in the code that keeps an invariant.
type guard struct {
	name string
	// invariant that breaks without it.
	invariant string
	// edits take it out.
	edits []edit
	// test is the arguments of the go test that has to fail. quick is of the same
	// without what takes long, and is tried before; may be empty.
	test, quick []string
	// notices is what the output of that test has to match: a test that fails for
	// another reason notices nothing. The first group is who noticed.
	notices *regexp.Regexp
}

// edit replaces a text that is in a file exactly once.
type edit struct{ file, text, by string }

// try runs the test without the guard. by is what noticed; empty when nothing did.
func (g guard) try() (by, output string, err error) {
	dir, err := os.MkdirTemp("", "mutant-")
	if err != nil {
		return "", "", err
	}
	defer func() { _ = os.RemoveAll(dir) }()
	overlay, err := g.overlay(dir)
	if err != nil {
		return "", "", err
	}
	if len(g.quick) > 0 {
		if by, output, err = g.under(overlay, g.quick); by != "" || err != nil {
			return by, output, err
		}
	}
	return g.under(overlay, g.test)
}

// under runs one test with the files of an overlay.
func (g guard) under(overlay string, test []string) (by, output string, err error) {
	args := append([]string{"test", "-count=1", "-vet=off", "-overlay=" + overlay}, test...)
	out, err := exec.Command("go", args...).CombinedOutput()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		return "", "", err
	}
	if strings.Contains(string(out), "[build failed]") || strings.Contains(string(out), "[setup failed]") {
		return "", "", fmt.Errorf("it does not build:\n%s", out)
	}
	if found := g.notices.FindSubmatch(out); err != nil && found != nil {
		return string(found[1]), string(out), nil
	}
	return "", string(out), nil
}

// changed are the texts of the files without the guard.
func (g guard) changed() (map[string]string, error) {
	changed := map[string]string{}
	for _, e := range g.edits {
		text, done := changed[e.file]
		if !done {
			raw, err := os.ReadFile(e.file)
			if err != nil {
				return nil, err
			}
			text = string(raw)
		}
		if n := strings.Count(text, e.text); n != 1 {
			return nil, fmt.Errorf("%s has %d times, and not once: %s", e.file, n, e.text)
		}
		changed[e.file] = strings.Replace(text, e.text, e.by, 1)
	}
	return changed, nil
}

// overlay writes these files, and the list that tells the compiler of them.
func (g guard) overlay(dir string) (string, error) {
	changed, err := g.changed()
	if err != nil {
		return "", err
	}
	replace := map[string]string{}
	for file, text := range changed {
		path, err := filepath.Abs(file)
		if err != nil {
			return "", err
		}
		replace[path] = filepath.Join(dir, strings.ReplaceAll(file, "/", "_"))
		if err := os.WriteFile(replace[path], []byte(text), 0o600); err != nil {
			return "", err
		}
	}
	raw, err := json.Marshal(map[string]any{"Replace": replace})
	if err != nil {
		return "", err
	}
	list := filepath.Join(dir, "overlay.json")
	return list, os.WriteFile(list, raw, 0o600)
}

// Copyright The Countersign Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bufio"
	"encoding/json"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// marker is how a test names the attack that it tries.
var marker = regexp.MustCompile(`sec/(\d\d)(?:\D|$)`)

func numbersIn(text string) (numbers []int) {
	for _, m := range marker.FindAllStringSubmatch(text, -1) {
		if n, err := strconv.Atoi(m[1]); err == nil && !slices.Contains(numbers, n) {
			numbers = append(numbers, n)
		}
	}
	return numbers
}

// sources are the test files that name each attack, by its number. Paths are
// relative to the root, with slashes.
func sources(root string) (map[int][]string, error) {
	files := map[int][]string{}
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir() && path != root && strings.HasPrefix(d.Name(), "."), filepath.Base(path) == "security" && d.IsDir():
			return filepath.SkipDir
		case d.IsDir() || !strings.HasSuffix(path, "_test.go"):
			return nil
		}
		raw, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		relative, err := filepath.Rel(root, path)
		if err != nil {
			return err
		}
		for _, n := range numbersIn(string(raw)) {
			files[n] = append(files[n], filepath.ToSlash(relative))
		}
		return nil
	})
	return files, err
}

// packages of the files, as go test wants them.
func packages(files map[int][]string) (all []string) {
	for _, list := range files {
		for _, f := range list {
			all = append(all, "./"+filepath.ToSlash(filepath.Dir(f))+"/")
		}
	}
	slices.Sort(all)
	return slices.Compact(all)
}

// evidence is what a run of the tests has shown.
type evidence struct {
	passed map[int]int
	failed map[int][]string
	// others are failures that belong to no attack.
	others []string
}

// event is one line of go test -json.
type event struct{ Action, Package, Test string }

// read takes the output of go test -json. Lines that are something else, such as
// the compiler's, are shown.
func read(r io.Reader, show io.Writer) (evidence, error) {
	found := evidence{passed: map[int]int{}, failed: map[int][]string{}}
	lines := bufio.NewScanner(r)
	lines.Buffer(nil, 16<<20)
	for lines.Scan() {
		var e event
		if json.Unmarshal(lines.Bytes(), &e) != nil {
			if _, err := show.Write(append(slices.Clone(lines.Bytes()), '\n')); err != nil {
				return found, err
			}
			continue
		}
		found.add(e)
	}
	return found, lines.Err()
}

func (found *evidence) add(e event) {
	numbers := numbersIn(e.Test)
	switch e.Action {
	case "pass":
		for _, n := range numbers {
			found.passed[n]++
		}
	case "fail":
		for _, n := range numbers {
			found.failed[n] = append(found.failed[n], e.Package+" "+e.Test)
		}
		if len(numbers) == 0 {
			found.others = append(found.others, strings.TrimSpace(e.Package+" "+e.Test))
		}
	}
}

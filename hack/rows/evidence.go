// Copyright The Countersign Authors.
// SPDX-License-Identifier: Apache-2.0

// Package rows finds the tests that name the rows of a table, runs them, and
// keeps what they have shown about each.
package rows

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

// Naming is how a test names the rows that it is about.
type Naming struct {
	// Marker has the number of the row in its first group.
	Marker *regexp.Regexp
}

// In is the numbers of the rows that a text names.
func (n Naming) In(text string) (numbers []int) {
	for _, m := range n.Marker.FindAllStringSubmatch(text, -1) {
		if n, err := strconv.Atoi(m[1]); err == nil && !slices.Contains(numbers, n) {
			numbers = append(numbers, n)
		}
	}
	return numbers
}

// aside are directories whose tests are about tables and not about rows.
var aside = []string{"hack/security", "hack/defects", "hack/rows"}

// Sources are the test files that name each row, by its number. Paths are
// relative to the root, with slashes.
func (n Naming) Sources(root string) (map[int][]string, error) {
	files := map[int][]string{}
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		relative, err := filepath.Rel(root, path)
		if err != nil {
			return err
		}
		relative = filepath.ToSlash(relative)
		switch {
		case d.IsDir() && (path != root && strings.HasPrefix(d.Name(), ".") || slices.Contains(aside, relative)):
			return filepath.SkipDir
		case d.IsDir() || !strings.HasSuffix(path, "_test.go"):
			return nil
		}
		raw, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		for _, row := range n.In(string(raw)) {
			files[row] = append(files[row], relative)
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

// Evidence is what a run of the tests has shown.
type Evidence struct {
	// Passed counts the tests of each row that passed.
	Passed map[int]int
	// Failed names those that failed.
	Failed map[int][]string
	// Others are failures that belong to no row.
	Others []string
}

// event is one line of go test -json.
type event struct{ Action, Package, Test string }

// Read takes the output of go test -json. Lines that are something else, such as
// the compiler's, are shown.
func (n Naming) Read(r io.Reader, show io.Writer) (Evidence, error) {
	return n.follow(r, show, func(event, []int) error { return nil })
}

// follow is Read with what is told of each event, and the rows that it is about.
func (n Naming) follow(r io.Reader, show io.Writer, tell func(event, []int) error) (Evidence, error) {
	found := Evidence{Passed: map[int]int{}, Failed: map[int][]string{}}
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
		numbers := n.In(e.Test)
		found.add(e, numbers)
		if err := tell(e, numbers); err != nil {
			return found, err
		}
	}
	return found, lines.Err()
}

func (found *Evidence) add(e event, numbers []int) {
	switch e.Action {
	case "pass":
		for _, n := range numbers {
			found.Passed[n]++
		}
	case "fail":
		for _, n := range numbers {
			found.Failed[n] = append(found.Failed[n], e.Package+" "+e.Test)
		}
		if len(numbers) == 0 {
			found.Others = append(found.Others, strings.TrimSpace(e.Package+" "+e.Test))
		}
	}
}

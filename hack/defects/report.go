// Copyright The Countersign Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"io"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/countersign/countersign/hack/rows"
)

// report prints a line for each defect and tells whether all are shown not to be
// here. A row without a test is open: nothing is passed over.
func report(w io.Writer, all []row, found rows.Evidence) (bool, error) {
	passed, failing, open := 0, 0, 0
	var out strings.Builder
	for _, r := range all {
		verdict, says := found.Verdict(r.number, r.here)
		switch verdict {
		case rows.Fail:
			failing++
		case rows.Open:
			open++
		default:
			passed++
		}
		fmt.Fprintf(&out, "D%02d %s %s\n", r.number, verdict, says)
	}
	out.WriteString(found.Besides())
	fmt.Fprintf(&out, "%d rows: %d passed, %d failed, %d open\n", len(all), passed, failing, open)
	_, err := io.WriteString(w, out.String())
	return failing == 0 && open == 0 && len(found.Others) == 0, err
}

const docsHead = `# Defects of other tools, and how they are known not to be here

This page is made from hack/defects and the tests: ` + "`make generate`" + `. Each
defect has a number; a test that plays it carries it in its name, and
` + "`make test-defects`" + ` runs them all. A row without a test is open, and makes
that command fail.

The issues are those of the tools: AR is Argo Rollouts, FL is Flagger, KR is
OpenKruise Rollouts, KA is Kargo, MAG is manual-approval-gate, GL is GitLab.

| # | what the other tool did | whose | here | tests |
|---|---|---|---|---|
`

// document writes docs/defects.md. Files are read for the names of the tests.
func document(w io.Writer, all []row, files map[int][]string, read func(string) ([]byte, error)) error {
	var out strings.Builder
	out.WriteString(docsHead)
	for _, r := range all {
		tests := slices.Sorted(slices.Values(files[r.number]))
		var shown []string
		for _, file := range tests {
			raw, err := read(file)
			if err != nil {
				return err
			}
			shown = append(shown, strings.Join(append([]string{file}, titles(r.number, string(raw))...), "<br>• "))
		}
		if len(shown) == 0 {
			shown = []string{"**open**"}
		}
		fmt.Fprintf(&out, "| D%02d | %s | %s | %s | %s |\n", r.number, r.there, r.whose, r.here, strings.Join(shown, "<br>"))
	}
	_, err := io.WriteString(w, out.String())
	return err
}

// literal is a string of Go that fits on a line.
var literal = regexp.MustCompile(`"(?:[^"\\\n]|\\.)*"`)

// numbering is what a name has in front.
var numbering = regexp.MustCompile(`^(?:(?:D|sec/|I)\d\d(?: |$))+`)

// titles are the names that tests of a row have in a file, without numbers. A
// name that the test puts together is not among them.
func titles(number int, source string) (names []string) {
	for _, quoted := range literal.FindAllString(source, -1) {
		name, err := strconv.Unquote(quoted)
		if err != nil || !slices.Contains(naming.In(name), number) {
			continue
		}
		if name = strings.TrimSpace(numbering.ReplaceAllString(name, "")); name != "" && !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	return names
}

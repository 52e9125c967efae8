// Copyright The Countersign Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/countersign/countersign/hack/rows"
)

// report prints a line for each attack and tells whether all of them are closed.
func report(w io.Writer, all []row, found rows.Evidence) (bool, error) {
	tested, accepted, open := 0, 0, 0
	var out strings.Builder
	for _, r := range all {
		verdict, says := found.Verdict(r.number, r.refused)
		switch {
		case verdict != rows.Fail && r.accepted != "":
			accepted++
			verdict, says = "ACCEPTED", "SECURITY.md, "+r.accepted
		case verdict == rows.Pass:
			tested++
		default:
			open++
		}
		fmt.Fprintf(&out, "sec/%02d %s %s\n", r.number, verdict, says)
	}
	out.WriteString(found.Besides())
	fmt.Fprintf(&out, "%d rows: %d tested, %d accepted risk, %d open\n", len(all), tested, accepted, open)
	_, err := io.WriteString(w, out.String())
	return open == 0 && len(found.Others) == 0, err
}

const docsHead = `# Attacks, and what stands against them

This page is made from hack/security and the tests: ` + "`make generate`" + `. Each
attack has a number; a test that tries it carries it in its name, and
` + "`make test-security`" + ` runs them all. What is accepted is said in
[SECURITY.md](../SECURITY.md).

| # | attacker | attack | how it fails | defence | tests | what is left |
|---|---|---|---|---|---|---|
`

// document writes docs/security.md.
func document(w io.Writer, all []row, files map[int][]string) error {
	var out strings.Builder
	out.WriteString(docsHead)
	for _, r := range all {
		tests := slices.Clone(files[r.number])
		slices.Sort(tests)
		shown := strings.Join(slices.Compact(tests), "<br>")
		if r.accepted != "" {
			shown = strings.TrimPrefix(shown+"<br>accepted: SECURITY.md, "+r.accepted, "<br>")
		}
		residual := r.residual
		if residual == "" {
			residual = "–"
		}
		fmt.Fprintf(&out, "| %d | %s | %s | %s | %s | %s | %s |\n", r.number, r.attacker, r.attack, r.refused, r.defence, shown, residual)
	}
	_, err := io.WriteString(w, out.String())
	return err
}

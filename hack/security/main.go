// Copyright The Countersign Authors.
// SPDX-License-Identifier: Apache-2.0

// Command security runs the tests that try to get round the gate, and says for
// each attack whether it failed.
//
//	go run ./hack/security                          # run them
//	go run ./hack/security -read results.json       # judge an earlier go test -json
//	go run ./hack/security -docs docs/security.md   # write the table
package main

import (
	"cmp"
	"io"
	"regexp"
	"slices"

	"github.com/countersign/countersign/hack/rows"
)

// naming is how a test names the attack that it tries.
var naming = rows.Naming{Marker: regexp.MustCompile(`sec/(\d\d)(?:\D|$)`)}

func main() {
	all := table()
	slices.SortFunc(all, func(a, b row) int { return cmp.Compare(a.number, b.number) })
	rows.Command{
		Naming:   naming,
		Document: func(w io.Writer, files map[int][]string) error { return document(w, all, files) },
		Report:   func(w io.Writer, found rows.Evidence) (bool, error) { return report(w, all, found) },
	}.Main()
}

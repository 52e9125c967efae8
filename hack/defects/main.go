// Copyright The Countersign Authors.
// SPDX-License-Identifier: Apache-2.0

// Command defects runs the tests that play what has gone wrong in other tools
// that release software, and says for each defect how it is known not to be here.
//
//	go run ./hack/defects                         # run them
//	go run ./hack/defects -read results.json      # judge an earlier go test -json
//	go run ./hack/defects -docs docs/defects.md   # write the table
package main

import (
	"io"
	"os"
	"regexp"

	"github.com/countersign/countersign/hack/rows"
)

// naming is how a test names the defect that it plays.
var naming = rows.Naming{Marker: regexp.MustCompile(`D(\d\d)(?:[ _"]|$)`)}

func main() {
	rows.Command{
		Naming: naming,
		Document: func(w io.Writer, files map[int][]string) error {
			return document(w, table(), files, os.ReadFile)
		},
		Report: func(w io.Writer, found rows.Evidence) (bool, error) { return report(w, table(), found) },
	}.Main()
}

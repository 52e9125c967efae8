// Copyright The Countersign Authors.
// SPDX-License-Identifier: Apache-2.0

package rows

import "strings"

// Verdicts on a row.
const (
	Pass = "PASS"
	Fail = "FAIL"
	Open = "OPEN"
)

// Verdict is what the tests have shown about a row, with what to say of it. claim
// is what they should show. A row without a test is open.
func (e Evidence) Verdict(number int, claim string) (verdict, says string) {
	switch failed := e.Failed[number]; {
	case len(failed) > 0:
		return Fail, strings.Join(failed, "; ")
	case e.Passed[number] == 0:
		return Open, "no test has shown that " + claim
	}
	return Pass, claim
}

// Besides has a line for each test that failed and is about no row.
func (e Evidence) Besides() string {
	var out strings.Builder
	for _, name := range e.Others {
		out.WriteString("failed besides: " + name + "\n")
	}
	return out.String()
}

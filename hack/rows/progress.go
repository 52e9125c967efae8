// Copyright The Countersign Authors.
// SPDX-License-Identifier: Apache-2.0

package rows

import (
	"fmt"
	"io"
	"time"
)

// progress tells whoever waits what has come of the tests so far: each that is
// about a row, and each package.
type progress struct {
	out   io.Writer
	began time.Time
}

// about writes a line for what ended.
func (p progress) about(e event, numbers []int) error {
	ended := e.Action == "pass" || e.Action == "fail" || e.Action == "skip"
	if !ended || e.Test != "" && len(numbers) == 0 {
		return nil
	}
	what := "package"
	if e.Test != "" {
		what = e.Test + " of"
	}
	_, err := fmt.Fprintf(p.out, "%4ds %s %s %s\n", int(time.Since(p.began).Seconds()), e.Action, what, e.Package)
	return err
}

// Copyright The Countersign Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import "testing"

func TestAskNobody(t *testing.T) {
	for _, addresses := range []string{"", ","} {
		if err := ask("/healthz", func(string) string { return addresses }); err == nil {
			t.Errorf("of %q, nobody is asked, and that passes", addresses)
		}
	}
}

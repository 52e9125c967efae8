// Copyright The Countersign Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestReasons(t *testing.T) {
	for name, c := range map[string]struct{ comment, wants string }{
		"all of it":     {"// ReasonLate: it is late.\n\t//\n\t// On: Ready=False.\n\t// Next: wait,\n\t//   or go.\n\t// Run: date -u", ""},
		"no next":       {"// ReasonLate: it is late.\n\t//\n\t// On: Ready=False.\n\t// Run: date -u", "wants lines"},
		"no command":    {"// ReasonLate: it is late.\n\t//\n\t// On: Ready=False.\n\t// Next: wait.", "wants lines"},
		"no condition":  {"// ReasonLate: it is late.\n\t//\n\t// Next: wait.\n\t// Run: date -u", "wants lines"},
		"no comment":    {"", "does not begin"},
		"another's one": {"// ReasonEarly: it is early.", "does not begin"},
	} {
		t.Run(name, func(t *testing.T) {
			file := filepath.Join(t.TempDir(), "conditions.go")
			if err := os.WriteFile(file, []byte("package p\n\nconst (\n\t"+c.comment+"\n\tReasonLate = \"Late\"\n)\n"), 0o600); err != nil {
				t.Fatal(err)
			}
			_, reasons, err := read(file)
			if c.wants != "" {
				if err == nil || !strings.Contains(err.Error(), c.wants) {
					t.Errorf("%v, want %q", err, c.wants)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if r := reasons[0]; r.value != "Late" || r.means != "it is late." || r.next != "wait, or go." || r.run != "date -u" || r.on[0] != "Ready=False" {
				t.Errorf("%+v", r)
			}
		})
	}
}

// Copyright The Countersign Authors.
// SPDX-License-Identifier: Apache-2.0

package rollout

import "testing"

// The column says what it waits for; what to do about it is in the condition.
func TestClause(t *testing.T) {
	for message, want := range map[string]string{
		"policy prod stops the line: INC-1; its owners lift it with: kubectl delete approvalpolicy prod": "policy prod stops the line: INC-1",
		"nothing more to say": "nothing more to say",
		"":                    "",
	} {
		if got := clause(message); got != want {
			t.Errorf("clause(%q) is %q, want %q", message, got, want)
		}
	}
}

// Copyright The Countersign Authors.
// SPDX-License-Identifier: Apache-2.0

package approval_test

import (
	"strings"
	"testing"

	"github.com/countersign/countersign/controllers/approval"
)

func TestSlot(t *testing.T) {
	for _, row := range []struct{ user, taken, want string }{
		{"alice@example.com", "", "alice"},
		{"alice@example.com", "alice", "alice-example.com"},
		{"oidc:alice", "", "oidc-alice"},
		{"-.-", "", "my-name"},
		{strings.Repeat("a", 62) + "-b", "", strings.Repeat("a", 62)},
	} {
		if got := approval.Slot(row.user, func(slot string) bool { return slot == row.taken }); got != row.want {
			t.Errorf("slot of %s when %q is taken: %q, want %q", row.user, row.taken, got, row.want)
		}
	}
}

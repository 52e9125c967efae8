// Copyright The Countersign Authors.
// SPDX-License-Identifier: Apache-2.0

package approval

import "strings"

// maxSlot is how long a slot can be: it is the name of an annotation.
const maxSlot = 63

// anySlot is the name of a slot when the user's own makes none.
const anySlot = "my-name"

// Slot suggests a slot to a user who has none: one that is named after them and is
// free. It proves nothing about who votes there.
func Slot(user string, taken func(slot string) bool) string {
	name, _, _ := strings.Cut(user, "@")
	for _, candidate := range []string{name, user} {
		slot := strings.Trim(strings.Map(slotCharacter, candidate), "-_.")
		slot = strings.TrimRight(slot[:min(len(slot), maxSlot)], "-_.")
		if slot != "" && !taken(slot) {
			return slot
		}
	}
	return anySlot
}

func slotCharacter(c rune) rune {
	if c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '.' || c == '_' {
		return c
	}
	return '-'
}

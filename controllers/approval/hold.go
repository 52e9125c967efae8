// Copyright The Countersign Authors.
// SPDX-License-Identifier: Apache-2.0

package approval

import (
	"cmp"
	"fmt"
	"slices"
	"time"
)

// Held says which policy stops the line and what lifts it; empty if none does.
// Nothing stands in for the lifting of a hold.
func Held(policies []Policy) string {
	for _, p := range byName(policies) {
		switch {
		case p.Hold == "":
		case p.seatless() && !p.Windows.restrict():
			return fmt.Sprintf("policy %s stops the line: %s; its owners lift it with: kubectl delete approvalpolicy %s", p.Name, p.Hold, p.Name)
		default:
			return fmt.Sprintf(`policy %s stops the line: %s; its owners lift it with: kubectl patch approvalpolicy %s --type=merge -p '{"spec":{"hold":null}}'`, p.Name, p.Hold, p.Name)
		}
	}
	return ""
}

// Closed says which policy lets no traffic move at a moment; empty if all do.
// opens is when to look again: all of them let it then, or it is not foreseen so
// far ahead; zero if they never do.
func Closed(policies []Policy, now time.Time) (why string, opens time.Time) {
	by := ""
	for _, p := range byName(policies) {
		if !p.Windows.restrict() {
			continue
		}
		c, problem := p.Windows.calendar()
		if problem != "" {
			return fmt.Sprintf("policy %s lets no traffic move, because its %s: ask its owners to mend it", p.Name, problem), time.Time{}
		}
		if by == "" && !c.open(now) {
			by = p.Name
		}
	}
	if by == "" {
		return "", time.Time{}
	}
	opens = opening(policies, now)
	if opens.IsZero() {
		return fmt.Sprintf("policy %s lets no traffic move at this time, nor at any that can be foreseen: ask its owners to mend its windows", by), opens
	}
	return fmt.Sprintf("policy %s lets no traffic move at this time; it goes on by itself when the window opens, as kubectl get approvalpolicy %s -o yaml says", by, by), opens
}

// opening is the first moment from t on at which the windows of all policies are
// open, or where to look on from; zero if there is none.
func opening(policies []Policy, t time.Time) time.Time {
	var calendars []calendar
	for i := range policies {
		c, problem := policies[i].Windows.calendar()
		if problem != "" {
			return time.Time{}
		}
		calendars = append(calendars, c)
	}
	end := t.Add(horizon)
	for range fewJumps / 10 {
		was := t
		for _, c := range calendars {
			known := false
			if t, known = c.opens(t, fewJumps); !known || t.After(end) {
				return t
			}
		}
		if t.Equal(was) {
			return t
		}
	}
	return t
}

// closes is the first moment after now at which the windows of some policy are
// not open, if all are now; zero if there is none.
func closes(policies []Policy, now time.Time) (first time.Time) {
	for i := range policies {
		if c, problem := policies[i].Windows.calendar(); problem == "" {
			first = earliest(first, c.closes(now))
		}
	}
	return first
}

func byName(policies []Policy) []Policy {
	sorted := slices.Clone(policies)
	slices.SortStableFunc(sorted, func(a, b Policy) int { return cmp.Compare(a.Name, b.Name) })
	return sorted
}

// Copyright The Countersign Authors.
// SPDX-License-Identifier: Apache-2.0

package show

import (
	"fmt"
	"strings"

	"github.com/countersign/countersign/api/v1alpha1"
)

// History is what was switched to, and what can be gone back to.
type History struct {
	Name      string                  `json:"name"`
	Namespace string                  `json:"namespace"`
	Switches  []v1alpha1.HistoryEntry `json:"switches"`
	Kept      []Kept                  `json:"kept,omitempty"`
	Notes     []string                `json:"notes,omitempty"`
}

// Kept is content that can be gone back to.
type Kept struct {
	v1alpha1.KeptContent
	// Command that goes back to it; empty for what serves.
	Command string `json:"command,omitempty"`
}

// HistoryOf a Release.
func HistoryOf(w *World) History {
	st := w.status()
	h := History{Name: w.Release.Name, Namespace: w.Release.Namespace, Switches: st.History, Notes: append(older(&w.Release), w.Unread...)}
	for _, k := range st.Kept {
		kept := Kept{KeptContent: k}
		if request := st.KeptRequest(k); request != "" {
			more := []string{"--to", fmt.Sprint(k.Epoch)}
			if strings.HasPrefix(request, v1alpha1.IrreversiblePrefix) {
				more = append(more, "--irreversible")
			}
			kept.Command = Line(&w.Release, "rollback", more...)
		}
		h.Kept = append(h.Kept, kept)
	}
	return h
}

// Text is the history for a person.
func (h History) Text(style Style) string {
	p := &page{Style: style}
	if len(h.Switches) == 0 {
		p.line(cell{fmt.Sprintf("Nothing was let through on Release %s in namespace %s yet.", h.Name, h.Namespace), strong})
	} else {
		p.line(cell{fmt.Sprintf("Switches of Release %s in namespace %s, the latest first", h.Name, h.Namespace), strong})
	}
	rows := [][]cell{{text("EPOCH"), text("AT"), text("WHY"), text("COLOUR"), text("DIGEST"), text("BY")}}
	for _, e := range h.Switches {
		rows = append(rows, []cell{text("%d", e.Epoch), text("%s", clock(e.At.Time)), text("%s", e.Reason), text("%s", e.Colour), text("%s", p.digest(e.Digest)), text("%s", by(e))})
	}
	if len(h.Switches) > 0 {
		p.table(rows)
	}
	if len(h.Kept) > 0 {
		p.section("What is kept")
		rows = nil
		for _, k := range h.Kept {
			command := k.Command
			if command == "" {
				command = "serves"
			}
			rows = append(rows, []cell{text("epoch %d", k.Epoch), text("%s", p.digest(k.Digest)), text("%s", command)})
		}
		p.table(rows)
	}
	p.notes(h.Notes)
	return p.String()
}

func by(e v1alpha1.HistoryEntry) string {
	switch {
	case e.BreakGlass != nil && e.BreakGlass.ReviewedBy != "":
		return fmt.Sprintf("%s by break-glass (%s: %s), reviewed by %s", e.BreakGlass.By, e.BreakGlass.Ticket, e.BreakGlass.Reason, e.BreakGlass.ReviewedBy)
	case e.BreakGlass != nil:
		return fmt.Sprintf("%s by break-glass (%s: %s), not reviewed yet", e.BreakGlass.By, e.BreakGlass.Ticket, e.BreakGlass.Reason)
	case e.AskedBy != "":
		return e.AskedBy + " asked"
	case len(e.Approvers) > 0:
		return strings.Join(e.Approvers, ", ")
	}
	return "the operator"
}

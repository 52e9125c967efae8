// Copyright The Countersign Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"io"

	"github.com/countersign/countersign/controllers/keys"
	"github.com/countersign/countersign/controllers/rollout"
	"github.com/countersign/countersign/controllers/selftest"
)

func eventsPage(w io.Writer) error {
	fmt.Fprint(w, `# Events

Made from the catalogue of the events in the operator, by `+"`make generate`"+`. Each is told once for each decision, after it is on record; a warning is one that somebody should look at. The operator's log has the same, for longer than the API server keeps events. The message says who and what, and the next command where there is one.

<!-- not run: it shows what happens to have happened -->
`+"```"+`
kubectl events -n NAMESPACE --for release/NAME
kubectl get events -A --field-selector reason=RolledBack
`+"```"+`
`)
	for _, part := range []struct {
		title  string
		events []rollout.Explanation
	}{
		{"Of a Release", rollout.Catalogue()},
		{"Of the gate, in namespace `" + selftest.Namespace + "`", selftest.Events()},
		{"Of the keys of receipts, in the namespace of the install", keys.Events()},
	} {
		fmt.Fprintf(w, "\n## %s\n\n| reason | what it means | what to do |\n|---|---|---|\n", part.title)
		for _, e := range part.events {
			fmt.Fprintf(w, "| `%s` | %s | %s |\n", e.Reason, e.Means, e.Next)
		}
	}
	return nil
}

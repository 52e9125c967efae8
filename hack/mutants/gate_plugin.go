// Copyright The Countersign Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import "slices"

// pluginGuards keep people who use the plugin from voting on what they have not
// seen, and from going back further than they know.
func pluginGuards() []guard {
	const directory = "cmd/kubectl-countersign"
	commands, pages := of("./"+directory), of("./"+directory+"/show")
	return slices.Concat(
		out("I6", directory+"/command/vote.go", commands,
			never("plugin: the digest that is named", `digest != "" && digest != current`),
			never("plugin: the digest of what stands there", `d == approve && diff.Digest.Computed != "" && !diff.Digest.Matches`),
			never("plugin: changed meanwhile", `current != digest`),
			never("plugin: nobody to ask", `!p.terminal.Asks`),
			instead("plugin: no is no", `answer != "y" && answer != "yes"`, `answer == "impossible"`),
			instead("plugin: the newest spec", ` || c.ObservedGeneration != rel.Generation`, ``),
			never("plugin: given up", `c.Halted != nil`),
			instead("plugin: one's own slot", `is && named && owner == user`, `is && named && owner != ""`),
		),
		out("I1", directory+"/command/request.go", commands,
			never("plugin: irreversible", `strings.HasPrefix(request, v1alpha1.IrreversiblePrefix) && !irreversible`),
			instead("plugin: enough of a digest", `len(hex) >= shortest && `, ``),
		),
		out("I6", directory+"/show/page.go", pages,
			instead("plugin: what a terminal obeys", `s := printable(c.text)`, `s := c.text`),
		),
		out("I6", directory+"/show/recompute.go", commands,
			instead("plugin: the digest computed", `r.Matches = computed, computed == c.Digest`, `r.Matches = computed, true`),
		),
		out("I6", directory+"/show/recompute.go", pages,
			never("plugin: copies", `snapshot.NewHasher(nil).ConfigMap(m) != copied.Hash`),
		),
		out("I14", directory+"/show/doctor.go", commands,
			never("plugin: a binding that is missing", `b == nil`),
		),
	)
}

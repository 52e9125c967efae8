// Copyright The Countersign Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import "slices"

// serviceGuards hold Services that the operator makes to what was let through, and
// keep it from fighting over them.
func serviceGuards() []guard {
	const services = "controllers/rollout/services.go"
	return slices.Concat(
		out("I1", services, deciding,
			instead("service: ports that were let through", "	if p.leads(name) {\n		refs = p.st.Active.Services\n	}\n", ""),
			never("service: taken out of the spec", `!names(p.spec().Services, name)`),
			instead("service: not while it leaves", ` && svc.ResourceVersion == ""`, ``),
			never("service: not while traffic moves", `p.moving() != nil || len(p.snap.Problems) > 0`),
			instead("service: not of a bad spec", ` || len(p.snap.Problems) > 0`, ``),
			instead("service: ports differ", `len(want) > 0 && !samePorts(`, `len(want) > 1000 && !samePorts(`),
			instead("service: order of ports", `return cmp.Or(cmp.Compare(a.Port, b.Port), `, `return 0 * cmp.Or(cmp.Compare(a.Port, b.Port), `),
		),
		out("I12", services, deciding,
			instead("service: insisting is counted", `		p.remember(sw)
		p.repaired(sw)
`, ``),
			instead("service: insisting ends", `arrived && p.due(`, `false && p.due(`),
			instead("service: others arrive first", `arrived && p.due(`, `p.due(`),
		),
		out("I1", candidate, deciding,
			instead("service: digest of its ports", ` || !p.servicesThere()`, ``),
		),
		out("I12", switching, deciding,
			instead("service: made on the way back", ` || sw.Reason == v1alpha1.SwitchRollback && len(a.Services) == 0`, ``),
			instead("service: made again", "		p.makeWhatServes() // ", "		_ = p.makeWhatServes // "),
			instead("service: gone while endpoints follow", `!all || p.lacks()`, `!all`),
			instead("service: repair is not over without it", `sw.Reason == v1alpha1.SwitchRepair && p.lacks():`, `false:`),
		),
		out("I2", deleting, deciding,
			instead("service: let go once it is approved", ` && a.Revision == p.snap.Revision
		if p.usable(svc)`, `
		if p.usable(svc)`),
			instead("service: let go if it is not named", `!names(p.spec().Services, svc.Name) && a.Revision`, `a.Revision`),
		),
		out("I14", "controllers/rollout/watch.go", deciding,
			instead("service: no rollback waits for it", "case ShiftTraffic, MakeService:", "case ShiftTraffic:"),
		),
		out("I1", "controllers/act/traffic.go", of("./controllers/act"),
			instead("service: leads nowhere", `Selector: selectorOf(rel.Name, v1alpha1.ColourNone), Ports: m.Ports`, `Selector: selectorOf(rel.Name, string(v1alpha1.Blue)), Ports: m.Ports`),
		),
		out("I12", "controllers/observe/services.go", of("./controllers/observe"),
			instead("service: leaving", `active != nil && active.DeletionTimestamp != nil`, `active != nil && active.Name == ""`),
		),
	)
}

// Copyright The Countersign Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import "slices"

// peopleGuards tell who may sit.
func peopleGuards() []guard {
	const people, author, eligibility, delegates = "controllers/approval/people.go", "controllers/approval/author.go",
		"controllers/approval/eligibility.go", "controllers/approval/delegates.go"
	return slices.Concat(
		out("I6", people, judging,
			never("people: program", `strings.HasPrefix(user, "system:")`),
			instead("people: one of several accounts", `p.parent[max(a, b)] = min(a, b)`, `_ = min(a, b)`),
			instead("author: by person", `e.authors[e.persons.of(user)]`, `e.authors[user]`),
			instead("author: with another account", `if key := e.persons.of(author); e.authors[key] == "" {`, `if key := author; e.authors[key] == "" {`),
			instead("authors may: all agree", `e.authorsMayApprove && policies[i].AuthorsMayApprove`, `e.authorsMayApprove || policies[i].AuthorsMayApprove`),
			never("policy without seats", `policies[i].seatless()`),
			instead("rule: count too small", `rule.Count < 1 || rule.Count > maxCount`, `rule.Count > maxCount`),
			instead("rule: count too large", `rule.Count < 1 || rule.Count > maxCount`, `rule.Count < 1`),
			never("rule: names nobody", `len(rule.Users) == 0 && len(rule.Groups) == 0 && !rule.RBAC`),
			never("rule: no validity", `p.ValidFor <= 0`),
			never("policy: no rules", `len(places) == 0`),
			always("rule: user", `slices.Contains(r.Users, user)`),
			always("rule: group", `slices.Contains(r.Groups, g)`),
			instead("rule: by RBAC", `r.RBAC && slices.Contains(permitted, RuleID(r.policy, r.Name))`, `slices.Contains(permitted, RuleID(r.policy, r.Name))`),
			instead("rule: RBAC permits", `r.RBAC && slices.Contains(permitted, RuleID(r.policy, r.Name))`, `r.RBAC`),
			instead("veto: rule that can", `at.rule.CanVeto && (`, `(`),
			instead("veto: other account", ` || slices.ContainsFunc(at.rule.Users, same))`, ` || false && slices.ContainsFunc(at.rule.Users, same))`),
			instead("unknown author", "	e.suspect()\n", ""),
		),
		out("I6", author, judging,
			never("unknown author: refused", `p.RefuseUnknownAuthor`),
			instead("unknown author: a person more", `max(p.MinDistinctPersons, seats) + 1`, `max(p.MinDistinctPersons, seats)`),
			never("unknown author: a seat more", `extra.policy >= 0 && !e.authorsMayApprove`),
			instead("unknown author: named", `isProgram(author) && !slices.Contains(s.Named, author)`, `isProgram(author) && !slices.ContainsFunc(s.Named, isProgram)`),
		),
		out("I6", eligibility, judging,
			instead("eligible: no policy", "	switch {\n	case len(e.policies) == 0:", "	switch {\n	case len(e.policies) < 0:"),
			never("eligible: authors not known", `!subject.authorsKnown()`),
			never("eligible: unknown refused", `e.refuses != ""`),
			instead("eligible: author", `if why := e.excluded(user); why != "" {`, `if why := e.excluded(user); why == "-" {`),
			instead("eligible: named", `where.broken == "" && where.admits(user, groups, permitted)`, `where.broken == ""`),
			instead("eligible: rule not broken", `where.broken == "" && where.admits(user, groups, permitted)`, `where.admits(user, groups, permitted)`),
			never("person: no name", `user == ""`),
			never("person: program", `isProgram(user)`),
			instead("reject: no policy", "	if len(e.policies) == 0 {", "	if len(e.policies) < 0 {"),
			instead("reject: author may", `is || e.persons.several(user)`, `is && false || e.persons.several(user)`),
			instead("reject: several accounts may", `is || e.persons.several(user)`, `is`),
		),
		out("I6", delegates, judging,
			instead("delegate: program", `isProgram(user) && slices`, `slices`),
			instead("delegate: every policy", `all && slices.Contains(`, `slices.Contains(`),
			instead("delegate: any policy", `asked && all`, `(asked || !asked) && all`),
		))
}

// policyGuards are what a policy says besides its rules.
func policyGuards() []guard {
	const hold, calendar, windows, problems, policy = "controllers/approval/hold.go", "controllers/approval/calendar.go",
		"controllers/approval/windows.go", "controllers/approval/problems.go", "controllers/approval/policy.go"
	return slices.Concat(
		out("I1", hold, judging,
			always("hold", `p.Hold == ""`),
			instead("windows: broken", "		if problem != \"\" {\n			return fmt.Sprintf(", "		if problem == \"-\" {\n			return fmt.Sprintf("),
			never("windows: closed", `by == "" && !c.open(now)`),
		),
		out("I1", calendar, judging,
			instead("windows: excluded", `	return is && !not`, `	return is && (!not || not)`),
			instead("windows: allowed", `	return is && !not`, `	return (is || !is) && !not`),
		),
		out("I1", windows, judging,
			instead("windows: zone", `err != nil || w.TimeZone == "Local"`, `false && err != nil || w.TimeZone == "Local"`),
			never("windows: local zone", `w.TimeZone == "Local"`),
			instead("windows: to after from", ` && w.From.Before(w.To)`, ``),
			never("windows: two forms", `!w.From.IsZero() || !w.To.IsZero()`),
			never("windows: letters", `strings.Trim(w.Schedule, scheduleLetters) != ""`),
			never("windows: duration", `w.Duration <= 0`),
			instead("windows: schedule", `	if err != nil {`, `	if false && err != nil {`),
		),
		out("I1", problems, judging,
			instead("problems: rules", "	if !p.seatless() {", "	if false && !p.seatless() {"),
			instead("problems: windows", "	if problem != \"\" {", "	if problem == \"-\" {"),
			instead("problems: never opens", `; !known {`, `; !known && known {`),
		),
		out("I6", policy, judging,
			instead("policy: unknown word", `spec.UnknownAuthor != "" && spec.UnknownAuthor != v1alpha1.RequireOneMore`, `spec.UnknownAuthor == "Refuse" && spec.UnknownAuthor != v1alpha1.RequireOneMore`),
			instead("added: needs a policy", `seats && added != nil`, `added != nil`),
			instead("added: validity", `min(p.ValidFor, others[i].ValidFor)`, `p.ValidFor`),
			instead("added: authors", `p.AuthorsMayApprove && others[i].AuthorsMayApprove`, `p.AuthorsMayApprove`),
			instead("namespace: none", `namespace != "" && pattern == namespace`, `pattern == namespace`),
			always("namespace: end", `strings.HasSuffix(tail, parts[last])`),
			instead("digests: demanded", `if policies[i].RequireImageDigests {`, `if i < 0 && policies[i].RequireImageDigests {`),
		))
}

// Copyright The Countersign Authors.
// SPDX-License-Identifier: Apache-2.0

package main

// tightenGuards keep votes from outliving the policies that they were cast under.
func tightenGuards() []guard {
	return out("I14", "controllers/approval/tighten.go", judging,
		instead("tightens: none before", `len(was) == 0 || `, ``),
		instead("tightens: names before", `!distinctNames(was) || `, ``),
		instead("tightens: names now", ` || !distinctNames(now)`, ``),
		instead("tightens: rule names", `len(set(rules)) != len(rules)`, `len(set(rules)) > len(rules)`),
		never("tightens: unknown author", `unknown && len(now) != len(was)`),
		instead("tightens: policy gone", `if k < 0 || !was[i]`, `if k >= 0 && !was[i]`),
		instead("tightens: policy loosened", `!was[i].tightenedTo(now[k], unknown)`, `false`),
		instead("tightens: persons", `merge(now).include(was)`, `true || merge(now).include(was)`),
		instead("tightens: rule broken", `at.broken != "" || k < 0`, `k < 0`),
		instead("tightens: rule gone", `at.broken != "" || k < 0 || !at.rule.tightenedTo(now.Rules[k])`, `at.broken != "" || k >= 0 && !at.rule.tightenedTo(now.Rules[k])`),
		instead("tightens: rule loosened", ` || !at.rule.tightenedTo(now.Rules[k])`, ``),
		never("tightens: validity", `now.ValidFor > p.ValidFor`),
		never("tightens: authors", `now.AuthorsMayApprove && !p.AuthorsMayApprove`),
		never("tightens: refusal", `p.RefuseUnknownAuthor && !now.RefuseUnknownAuthor`),
		never("tightens: images", `p.RequireImageDigests && !now.RequireImageDigests`),
		never("tightens: delegates", `!subset(now.TrustedDelegates, p.TrustedDelegates)`),
		always("tightens: persons fewer", `now.MinDistinctPersons >= p.MinDistinctPersons || p.MinDistinctPersons <= seats`),
		instead("tightens: rules added", `return !unknown && p.MinDistinctPersons <= seats`, `return !unknown`),
		instead("tightens: rules added, unknown", `return !unknown && p.MinDistinctPersons <= seats`, `return p.MinDistinctPersons <= seats`),
		never("tightens: count", `now.Count < r.Count`),
		never("tightens: users", `!subset(now.Users, r.Users)`),
		never("tightens: groups", `!subset(now.Groups, r.Groups)`),
		never("tightens: RBAC", `now.RBAC && !r.RBAC`),
		instead("tightens: veto", `now.CanVeto && subset(r.Users`, `subset(r.Users`),
		always("tightens: veto of users", `subset(r.Users, now.Users)`),
		instead("tightens: veto of groups", `subset(r.Groups, now.Groups) && now.RBAC`, `now.RBAC`),
		instead("tightens: veto by RBAC", ` && now.RBAC == r.RBAC`, ``),
	)
}

// emergencyGuards judge break-glass and its reviews.
func emergencyGuards() []guard {
	return out("I6", "controllers/approval/breakglass.go", judging,
		never("glass: no receipt", `g.Invalid != ""`),
		never("glass: other digest", `subject.Digest == "" || g.Digest != subject.Digest`),
		instead("glass: no digest", `subject.Digest == "" || g.Digest`, `g.Digest`),
		never("glass: no cause", `g.User == "" || g.Ticket == "" || g.Reason == ""`),
		instead("glass: may", `!ok {`, `!ok && ok {`),
		never("glass: future", `g.At.After(now.Add(ClockSkew))`),
		never("glass: expired", `!now.Before(end)`),
		instead("glass: lasts as an approval", `min(lasts, policies[i].ValidFor)`, `min(lasts, policies[i].ValidFor+GlassLasts)`),
		never("glass: no policy", `!slices.ContainsFunc(policies, func(p Policy) bool { return p.Name != AddedName })`),
		never("glass: authors not known", `!subject.authorsKnown()`),
		instead("glass: person", "	if why := notAPerson(user); why != \"\" {\n		return false, why\n	}\n	e := newElectorate(policies, subject)", "	e := newElectorate(policies, subject)"),
		instead("glass: author", `account, is := e.author(user); is {
		return false, fmt.Sprintf("%s changed the content%s and cannot break`, `account, is := e.author(user); is && user == "" {
		return false, fmt.Sprintf("%s changed the content%s and cannot break`),
		instead("glass: every policy", `p.BreakGlass == nil || len(set(p.BreakGlass.Groups)) == 0:
`, `p.BreakGlass == nil:
			continue
		case len(set(p.BreakGlass.Groups)) == 0:
`),
		never("glass: group", `!slices.ContainsFunc(set(p.BreakGlass.Groups), func(g string) bool { return slices.Contains(groups, g) })`),
		instead("glass: no match for a hold", `	return false
}

// GlassUntil`, `	return len(v.Vetoes) == 0
}

// GlassUntil`),
		instead("glass: no match for a veto", `	case v1alpha1.ReasonAwaitingApproval, v1alpha1.ReasonUnsatisfiable, v1alpha1.ReasonOutsideWindow, v1alpha1.ReasonQuorumMet:
		return len(v.Vetoes) == 0`, `	case v1alpha1.ReasonAwaitingApproval, v1alpha1.ReasonUnsatisfiable, v1alpha1.ReasonOutsideWindow, v1alpha1.ReasonQuorumMet, v1alpha1.ReasonRejected:
		return true`),
		instead("glass: review limit", `min(within, p.BreakGlass.ReviewWithin)`, `p.BreakGlass.ReviewWithin`),
		never("glass: rejects", `decision != Approve`),
		never("glass: blank", `strings.TrimSpace(field.value) == ""`),
		never("glass: too long", `len(field.value) > field.limit`),
		never("glass: not printable", `!printable(field.value)`),
		instead("review: no policy", `	if len(policies) == 0 {`, `	if len(policies) < 0 {`),
		instead("review: person", "	if why := notAPerson(user); why != \"\" {\n		return false, why\n	}\n	e := newElectorate(policies, Subject{Authors: authors})", "	e := newElectorate(policies, Subject{Authors: authors})"),
		never("review: by who broke it", `e.persons.of(user) == e.persons.of(by)`),
		instead("review: author", `account, is := e.author(user); is {
		return false, fmt.Sprintf("%s changed the content%s and cannot review`, `account, is := e.author(user); is && user == "" {
		return false, fmt.Sprintf("%s changed the content%s and cannot review`),
		instead("review: named", `where.broken == "" && where.admits(user, groups, permitted)`, `where.broken == ""`),
		instead("review: permitted", `where.admits(user, groups, permitted)`, `where.admits(user, groups, nil)`),
	)
}

// Copyright The Countersign Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import "slices"

// admitting are the tests of the webhook.
var admitting = of("./controllers/admission")

// contentGuards refuse content, and keep who wrote it.
func contentGuards() []guard {
	const authors, delegates, demands, finalizer, policy, webhook = "controllers/admission/authors.go", "controllers/admission/delegates.go",
		"controllers/admission/demands.go", "controllers/admission/finalizer.go", "controllers/admission/policy.go", "controllers/admission/webhook.go"
	return slices.Concat(
		out("I6", authors, admitting,
			instead("content: operator", `if r.user == w.OperatorUser && (`, `if r.user == "" && (`),
			instead("content: credential", `!isBot(r.user) && len(r.req.UserInfo.Extra[credentialID]) == 0`, `r.user == ""`),
			never("content: name", `r.now.Name == ""`),
			never("content: spec", `len(problems) > 0`),
			never("authors: safe name", `!receipt.SafeUser(r.user)`),
			never("authors: too many", `len(names) > maxAuthors`),
			instead("authors: restored", "			r.restore(key)\n", ""),
			always("authors: former proven", `record.Known`),
			instead("authors: former ones", `r.was == nil || nothingPending(r.was)`, `true || r.was == nil || nothingPending(r.was)`),
			instead("authors: pending", `err == nil && s.Candidate == nil && `, `err == nil && `),
			instead("authors: active only", `active != nil && active.OfSpec(revision)`, `active != nil`),
			instead("authors: observed", ` && s.ObservedGeneration == was.Generation`, ``),
		),
		out("I6", delegates, admitting,
			instead("delegate: trusted", `approval.MayName(policies, r.user) && ownToken`, `(approval.MayName(policies, r.user) || len(policies) >= 0) && ownToken`),
			instead("delegate: token", ` && ownToken(r.req.UserInfo)`, ``),
			never("delegate: names a person", `!receipt.SafeUser(person) || isBot(person)`),
			instead("delegate: silent once", `person != "" && !silent`, `person != "" && (silent || !silent)`),
		),
		out("I6", demands, admitting,
			instead("images: digests", `len(problems) > 0`, `len(problems) > 1000`),
			instead("RBAC: groups in full", `len(user.Groups) > maxGroups || len(strings.Join(user.Groups, "")) > maxGroupsLength`, `false && len(strings.Join(user.Groups, "")) > maxGroupsLength`),
			instead("RBAC: permits", `		if permits {`, `		if permits || !permits {`),
		),
		out("I17", finalizer, admitting,
			always("finalizer", `slices.Contains(r.now.Finalizers, v1alpha1.Finalizer)`),
		),
		out("I1", policy, admitting,
			never("policy: problems", `len(mend) > 0`),
		),
		out("I6", webhook, admitting,
			instead("probe: its namespace", ` && r.now.Namespace == w.ProbeNamespace`, ``),
			instead("probe: dry run", ` && r.dryRun()`, ``),
			instead("probe: its name", `w.ProbeUser != "" && r.user == w.ProbeUser`, `w.ProbeUser != ""`),
		))
}

// voterGuards refuse votes and whatever else is stated.
func voterGuards() []guard {
	const voter, casting, comments, review = "controllers/admission/voter.go", "controllers/admission/votes.go",
		"controllers/admission/comments.go", "controllers/admission/review.go"
	const eligibility, glass, emergency = "controllers/admission/eligibility.go", "controllers/admission/breakglass.go", "controllers/admission/emergency.go"
	return slices.Concat(
		out("I6", voter, admitting,
			never("voter: program", `isBot(r.user)`),
			never("voter: own token", `!ownToken(r.req.UserInfo)`),
			always("voter: token, not certificate", `strings.HasPrefix(id, "JTI=")`),
			never("voter: safe name", `!receipt.SafeUser(r.user)`),
			never("slot: somebody else's", `owner != "" && owner != r.user`),
			instead("slot: second", `r.slotOf(r.user, slot); owns {`, `r.slotOf(r.user, slot); owns && slot == "" {`),
			never("slot: too many", `taken >= receipt.MaxSlots`),
			never("vote: stale candidate", `c.ObservedGeneration != r.was.Generation`),
			instead("vote: no candidate", `	if current == "" {`, `	if current == "-" {`),
			never("vote: other digest", `digest != current`),
		),
		out("I6", casting, admitting,
			instead("vote: one at a time", `len(cast)+len(withdrawn) > 1:`, `len(cast)+len(withdrawn) > 100:`),
			instead("vote: at creation", `len(r.changed(prefix)) > 0`, `len(r.changed(prefix)) > 100`),
			instead("vote: withdrawn by its owner", `!r.specChanged && owner == r.user`, `!r.specChanged`),
			instead("vote: kept by a sync", `!r.specChanged && owner == r.user`, `owner == r.user`),
			instead("receipt: made up", "		default:\n			return refuse(\"Receipt\"", "		case slot == \"\":\n			return refuse(\"Receipt\""),
			instead("receipt: kept", "			r.restore(key)\n			r.warn(\"receipt", "			r.warn(\"receipt"),
			instead("vote: with a change", `	if r.specChanged {`, `	if false && r.specChanged {`),
			instead("vote: by a person", "	value := r.now.Annotations[v1alpha1.VotePrefix+slot]\n	if err := r.checkPerson(); err != nil {\n		return err\n	}\n", "	value := r.now.Annotations[v1alpha1.VotePrefix+slot]\n"),
			instead("withdrawal: by a person", "	if err := r.checkPerson(); err != nil {\n		return err\n	}\n	return w.sign", "	return w.sign"),
			instead("vote: dry run", `v.Nonce, v.DryRun = string(r.req.UID), r.dryRun()`, `v.Nonce = string(r.req.UID)`),
			instead("vote: groups of policies", `intersection(r.req.UserInfo.Groups, approval.GroupsNamed(policies)),`, `approval.GroupsNamed(policies),`),
		),
		out("I6", eligibility, admitting,
			instead("eligible: no policy", `len(approval.Demands(policies)) == 0`, `len(policies) < 0`),
			never("eligible: rejection", `!mayReject && !voted`),
			instead("eligible: approval", `; !ok {`, `; !ok && ok {`),
			instead("eligible: pending authors", `append(slices.Clone(candidate.Authors), record.Names...)`, `record.Names`),
		),
		out("I6", comments, admitting,
			instead("comment: at creation", `case r.creating():`, `case false && r.creating():`),
			never("comment: no vote", `owner == ""`),
			instead("comment: somebody else's", `case owner != r.user:`, `case owner == "-":`),
			instead("comment: by a person", `case r.checkPerson() != nil:`, `case owner == "-":`),
			never("comment: length", `len(comment) > receipt.MaxComment`),
			never("comment: printable", `unprintable.MatchString(comment)`),
			instead("comment: taken away", `owner != r.user || r.checkPerson() != nil`, `r.checkPerson() != nil`),
		),
		out("I6", review, admitting,
			instead("sweep: by the operator", `r.user == w.OperatorUser && r.was != nil`, `r.was != nil`),
			instead("sweep: of what is spent", ` && approval.Spent(text, contents(&r.was.Status)...)`, ` && approval.Spent(text)`),
		),
		out("I6", glass, admitting,
			instead("glass: no candidate", `case current == "":`, `case current == "-":`),
			instead("glass: malformed", `	case err != nil:
		return "", "", refuse("Malformed"`, `	case err != nil && current == "":
		return "", "", refuse("Malformed"`),
			never("glass: other digest", `said.Digest != current`),
			never("glass: reviews wait", `len(r.was.Status.Reviews) >= approval.ReviewLimit`),
			instead("glass: may", `approval.MayBreakGlass(policies, subject, r.user, groups); !ok {`, `approval.MayBreakGlass(policies, subject, r.user, groups); !ok && ok {`),
			never("review: nothing waits", `len(r.was.Status.Reviews) == 0`),
			instead("review: may", `pending.By, r.user, groups, permitted...); !ok {`, `pending.By, r.user, groups, permitted...); !ok && ok {`),
		),
		out("I6", emergency, admitting,
			instead("emergency: at creation", `> 0 {
				return refuse("AtCreation"`, `> 100 {
				return refuse("AtCreation"`),
			instead("emergency: one at a time", `r.stated > 1 {`, `r.stated > 100 {`),
			instead("emergency: taken by its owner", `owner == r.user && !r.specChanged && r.isPerson()`, `!r.specChanged && r.isPerson()`),
			instead("emergency: taken by a person", ` && r.isPerson()`, ``),
			instead("emergency: receipt", "		default:\n			return refuse(\"Receipt\"", "		case slot == \"\":\n			return refuse(\"Receipt\""),
			instead("emergency: with a change", `	if r.specChanged {`, `	if false && r.specChanged {`),
			instead("emergency: by a person", `r.checkPersonTo(e.does, command); err != nil`, `r.checkPersonTo(e.does, command); err != nil && slot == ""`),
			never("emergency: somebody else's", `owner != "" && owner != r.user`),
			never("emergency: slots", `taken >= receipt.MaxEmergencySlots`),
			instead("emergency: dry run", `, DryRun: r.dryRun(),`, `,`),
		))
}

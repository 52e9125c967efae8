// Copyright The Countersign Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import "slices"

// judging are the tests of what lets a candidate through.
var judging = properly("./controllers/approval")

// voteGuards judge votes.
func voteGuards() []guard {
	const evaluate, quorum, explain, vote = "controllers/approval/evaluate.go", "controllers/approval/quorum.go",
		"controllers/approval/explain.go", "controllers/approval/vote.go"
	return slices.Concat(
		out("I6", explain, judging,
			never("vote: no receipt", `v.Invalid != ""`),
			never("vote: no decision", `v.Decision != Approve && v.Decision != Reject`),
			never("vote: other digest", `v.Digest != b.subject.Digest`),
			never("vote: nobody", `v.User == ""`),
			never("vote: program", `isProgram(v.User)`),
			instead("vote: rejects as well", `if slot, ok := b.rejects[b.persons.of(v.User)]; ok {`, `if slot, ok := b.rejects[b.persons.of(v.User)]; ok && v.User == "" {`),
			always("vote: author", `!is || e.authorsMayApprove`),
		),
		out("I6", evaluate, judging,
			never("verdict: no policy", `len(b.policies) == 0`),
			never("verdict: no digest", `b.subject.Digest == ""`),
			never("verdict: authors not known", `!b.subject.authorsKnown()`),
			instead("verdict: authors not proven", `s.AuthorsKnown && len(s.Authors) > 0`, `len(s.Authors) > 0`),
			instead("verdict: no authors", `s.AuthorsKnown && len(s.Authors) > 0`, `s.AuthorsKnown`),
			always("verdict: author without name", `!slices.Contains(s.Authors, "")`),
			never("verdict: unknown refused", `b.refuses != ""`),
			instead("verdict: veto", `case len(v.Vetoes) > 0:`, `case len(v.Vetoes) > 64:`),
			never("verdict: hold", `held != ""`),
			instead("verdict: quorum", `case !v.QuorumMet:`, `case false && !v.QuorumMet:`),
			never("verdict: window", `closed != ""`),
			instead("verdict: quorum is full", `filling.complete() && len(verdict.Vetoes) == 0`, `len(verdict.Vetoes) == 0`),
			instead("verdict: until it closes", `earliest(b.until(now), closes(policies, now))`, `b.until(now)`),
			instead("verdict: veto that counts", `b.votes[i].Counted && b.votes[i].Decision == Reject`, `b.votes[i].Decision == Reject`),
			instead("seat: named by the rule", `where.broken == "" && where.admits(v.User, v.Groups, v.Permitted)`, `where.broken == ""`),
			instead("seat: rule not broken", `where.broken == "" && where.admits(v.User, v.Groups, v.Permitted)`, `where.admits(v.User, v.Groups, v.Permitted)`),
			instead("veto of an author", `if _, is := b.author(v.User); is {`, `if _, is := b.author(v.User); is && v.User == "" {`),
			never("veto of a rule", `b.mayVeto(where, v.User, v.Groups, v.Permitted)`),
			instead("rejection in place", "\t\tb.rejects[key] = v.Slot\n", ""),
		),
		out("I6", quorum, judging,
			always("seat: cast in the future", `!v.At.After(now.Add(ClockSkew))`),
			always("seat: expired", `now.Before(v.At.Add(b.policies[where.policy].ValidFor))`),
			instead("seat: one person once", `key := f.ballot.persons.of(f.ballot.votes[vote].User)`, `key := f.ballot.votes[vote].User`),
			instead("seat: one each", "f.holders[at] = append(f.holders[at], who)\n\t\t\treturn true\n", "f.holders[at] = append(f.holders[at], who)\n\t\t\tcontinue\n"),
			never("seat: moves over", `f.seat(holder, asked)`),
			instead("persons: enough", `max(0, f.ballot.policies[policy].MinDistinctPersons-len(f.voices[policy])-seats)`, `0`),
			instead("persons: of the policy", `where.policy == policy && !where.extra`, `where.policy == policy`),
			instead("quorum: every seat", `seats > 0 || more > 0`, `seats < 0 || more > 0`),
			instead("quorum: every person", `seats > 0 || more > 0`, `seats > 0 || more < 0`),
			always("quorum: nothing demanded", `len(f.ballot.places) > 0`),
			never("approval: ends", `!b.fill(end).complete()`),
		),
		out("I6", vote, judging,
			never("value: empty", `value == ""`),
			instead("value: no digest", `case !ok:`, `case false && !ok:`),
			never("value: length", `len(hex) != digestHex`),
			never("value: alphabet", `strings.Trim(hex, "0123456789abcdef") != ""`),
		))
}

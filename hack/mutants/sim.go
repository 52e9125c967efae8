// Copyright The Countersign Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import "regexp"

// violated is how the simulation says what it found.
var violated = regexp.MustCompile(`(seed \d+, step \d+: [A-Za-z0-9 ]+ violated: [^\n]{0,90})`)

const (
	candidate  = "controllers/rollout/candidate.go"
	gate       = "controllers/rollout/gate.go"
	switching  = "controllers/rollout/switch.go"
	deleting   = "controllers/rollout/delete.go"
	reconciler = "controllers/reconciler.go"
	traffic    = "controllers/act/traffic.go"
	votes      = "controllers/receipt/votes.go"
)

// simGuards are those that the simulation holds.
func simGuards() []guard {
	one := func(name, invariant, file, text, by string) guard {
		return guard{name: name, invariant: invariant, edits: []edit{{file, text, by}}}
	}
	guards := []guard{
		one("quorum", "I1", "controllers/rollout/breakglass.go", "case p.verdict.Outcome == approval.Approved && len(p.st.Reviews) == 0:", "case len(p.st.Reviews) == 0:"),
		one("policies live", "I14", traffic, "if s.Policies != nil {", "if s.Policies != nil && rel == nil {"),
		one("policies compared", "I1", "controllers/act/act.go", "!reflect.DeepEqual(live, judged)", "reflect.DeepEqual(live, nil)"),
		one("in use, prepare", "I2", candidate, "len(p.blockers) == 0 && !p.reachable(c.Colour)", "len(p.blockers) == 0"),
		one("in use, delete", "I17", deleting, "(p.snap.InUse(c) || p.st.Active != nil && p.st.Active.Colour == c):", "(p.snap.InUse(c) && p.st.Active == nil):"),
		one("left serving", "I17", "controllers/rollout/faults.go", `case svc.Colour != "" && p.servedRightly(svc.Colour), !caught`, "case !caught"),
		one("former kept", "I3", candidate, "p.fenced() && !p.observing() &&", "p.fenced() &&"),
		one("selector replaced", "I4", traffic, "s.Selector[k] = nil", "_ = k"),
		one("epoch grows", "I5", switching, "return last + 1", "return max(last, 1)"),
		one("authors", "I6", gate, "Digest: c.Digest, Authors: c.Authors, AuthorsKnown", `Digest: c.Digest, Authors: []string{"nobody"}, AuthorsKnown`),
		one("receipt of digest", "I6", votes, "case got.Digest != digest || annotation.Value != value:", "case got.Digest == \"\" || digest == \"\":"),
		one("receipt of slot", "I6", votes, "case got.Slot != slot:", "case got.Slot == \"\":"),
		one("signature", "I6", "controllers/receipt/sign.go", "|| !ed25519.Verify(ed25519.PublicKey(k), data, sig)", ""),
		one("commit fenced", "I7", reconciler, "client.MergeFromWithOptions(base, client.MergeFromWithOptimisticLock{})", "client.MergeFrom(base)"),
		one("checks passed", "I8", gate, "case c.TestedAt == nil:", "case c.TestedAt == nil && c.Digest == \"\":"),
		one("small candidate", "I1", gate, "case c.Size != v1alpha1.FullSize:", "case c.Size == \"\":"),
		one("tested in full", "I8", growing, "	c.TestedAt = nil\n", ""),
		one("journal resumes", "I10", switching, "		p.shift(sw)\n", ""),
		one("one rollback", "I11", "controllers/rollout/watch.go", "if p.inRollback() || p.turnBack() || !p.observing() {", "if p.turnBack() || !p.observing() {"),
		one("repair", "I12", "controllers/rollout/decide.go", "	p.repair()\n", ""),
		one("service made again", "I12", switching, "		p.makeWhatServes() // ", "		_ = p.makeWhatServes // "),
		one("service leads nowhere", "I1", traffic, "Selector: selectorOf(rel.Name, v1alpha1.ColourNone), Ports: m.Ports", "Selector: selectorOf(rel.Name, string(v1alpha1.Green)), Ports: m.Ports"),
		one("repairs are counted", "I12", "controllers/rollout/repair.go", "n >= repairLimit {", "n >= repairLimit && p.snap.Now.IsZero() {"),
		one("size follows", "I12", candidate, "	case w.Exists && w.Replicas != p.replicas():\n		p.do(Scale{Colour: a.Colour", "	case w.Exists && w.Replicas < 0:\n		p.do(Scale{Colour: a.Colour"),
		one("inconclusive is not passed", "I8", "controllers/rollout/checks.go", "c.Name == d.Name && c.Digest == digest && c.State == v1alpha1.CheckPassed", "c.Name == d.Name && c.Digest == digest && (c.State == v1alpha1.CheckPassed || c.State == v1alpha1.CheckInconclusive)"),
		one("inconclusive is not failed", "I8", "controllers/rollout/checks.go", "c.Digest == digest && c.State == v1alpha1.CheckFailed {", "c.Digest == digest && (c.State == v1alpha1.CheckFailed || c.State == v1alpha1.CheckInconclusive) {"),
		one("tested anew", "I8", candidate, "	p.st.Candidate = next\n	return next\n", "	if c != nil {\n		next.TestedAt = c.TestedAt\n	}\n	p.st.Candidate = next\n	return next\n"),
		one("candidate stays", "I13", candidate, "if c == nil || c.Revision != p.snap.Revision {", "if c == nil || c.Digest != \"\" {"),
		one("votes explained", "I16", gate, "		for _, v := range p.snap.Votes {\n			p.explain(", "		for _, v := range p.snap.Votes[:0] {\n			p.explain("),
		one("called off", "liveness", switching, `p.calledOff(sw) != "":`, `p.calledOff(sw) == "never":`),
		one("surrender fenced", "I2", traffic, "	p.Metadata.ResourceVersion = s.ResourceVersion\n", ""),
		one("config read again", "I1", switching, "a.Config, a.ValidUntil = sw.To.Config, p", "a.Config, a.ValidUntil = nil, p"),
		one("config, one more person", "I1", gate, "Unwitnessed: p.stranger(c)", `Unwitnessed: ""`),
		one("config in use", "I2", "controllers/rollout/config.go", "used := p.references(v1alpha1.Blue, v1alpha1.Green)", "used := p.references()"),
		one("job succeeded", "I8", "controllers/rollout/jobs.go", "case job.Succeeded:", "case job.Done:"),
		one("jobs left behind", "I13", "controllers/rollout/decide.go", "	p.dropJobs()\n", ""),
		one("config restored", "I12", "controllers/rollout/decide.go", "	p.keepConfig()\n", ""),
		one("config left behind", "I13", "controllers/rollout/decide.go", "	p.collect()\n", ""),
		{name: "intent first", invariant: "I9", edits: []edit{{reconciler,
			"	if err := r.commit(ctx, rel, decision); err != nil {\n",
			"	early := act.Actor{Client: r.Client, Live: r.Live, Hasher: r.Hasher, Now: r.Now}\n	if err := early.Carry(ctx, rel, decision.Actions); err != nil {\n		return r.refused(err)\n	}\n	if err := r.commit(ctx, rel, decision); err != nil {\n"}}},
		{name: "fence", invariant: "I1", edits: []edit{
			{switching, "	if len(f.Services) > 0 {\n		p.do(f)\n	}\n", "	_ = f\n"},
			{switching, "if svc := &p.snap.Services[i]; p.usable(svc) && svc.Epoch < sw.Epoch {\n			return false\n", "if svc := &p.snap.Services[i]; p.usable(svc) && svc.Epoch < 0 {\n			return false\n"},
		}},
		{name: "people do not expire", invariant: "I15", edits: []edit{
			{candidate, "c.Halted != nil || c.TestedAt != nil || c.ProgressSince == nil", "c.Halted != nil || c.ProgressSince == nil"},
			{candidate, "c.TestedAt, c.ProgressSince = p.nowPtr(), nil", "c.TestedAt = p.nowPtr()"},
		}},
	}
	for i := range guards {
		guards[i].notices = violated
		guards[i].test = []string{"./controllers/internal/sim", "-run", "TestSeeds", "-args", "-seeds=600", "-stop"}
	}
	return guards
}

// Copyright The Countersign Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import "slices"

// configGuards make what ConfigMaps and Secrets hold part of what is approved.
func configGuards() []guard {
	const config, hashes, sources = "controllers/rollout/config.go", "controllers/snapshot/content.go", "controllers/snapshot/sources.go"
	hashing := properly("./controllers/snapshot")
	return slices.Concat(
		out("I1", gate, deciding, never("config: holdback", `!p.copied(c.Config)`)),
		out("I1", switching, deciding,
			never("config: called off", `!p.copied(sw.To.Config)`),
			instead("config: read again", `a.Config, a.ValidUntil = sw.To.Config, p`, `a.Config, a.ValidUntil = nil, p`),
		),
		out("I1", "controllers/rollout/candidate.go", deciding,
			instead("config: missing", `len(p.snap.Problems) > 0 || len(p.snap.Config.Missing) > 0 {`, `len(p.snap.Problems) > 0 {`),
			instead("config: copies first", `w.leaving() || !p.copyConfig(c.Config)`, `w.leaving()`),
			instead("config: author while missing", `if c := p.st.Candidate; c != nil && p.snap.Authors.Known {
		p.addAuthors(c) // k`, `if c := p.st.Candidate; c != nil && !p.snap.Authors.Known {
		p.addAuthors(c) // k`),
		),
		out("I1", "controllers/rollout/decide.go", deciding, instead("config: digest", `Config: s.Config.Wanted, `, ``)),
		out("I1", config, deciding,
			instead("config: other contents", ` && have.Hash == c.Hash
}`, ` && have.Hash != ""
}`),
			instead("config: foreign copy", `have != nil && !have.Foreign && !have.Unused && c.Hash`, `have != nil && !have.Unused && c.Hash`),
			instead("config: about to go", `!have.Foreign && !have.Unused && c.Hash`, `!have.Foreign && c.Hash`),
		),
		out("I2", config, deciding,
			instead("config: in a template", `used := p.references(v1alpha1.Blue, v1alpha1.Green)`, `used := p.references()`),
			instead("config: of the active", `contents = append(contents, p.st.Active.Config)`, `_ = p.st.Active.Config`),
			instead("config: of the former", `contents = append(contents, p.st.Former.Config)`, `_ = p.st.Former.Config`),
			instead("config: somebody else's", `case have.Foreign || slices.Contains(used, have.ConfigRef):`, `case slices.Contains(used, have.ConfigRef):`),
			instead("config: marked first", `		case have.Unused:
			p.once(DropConfig`, `		case true:
			p.once(DropConfig`),
		),
		out("I17", "controllers/rollout/delete.go", deciding, instead("config: given back", `staying = append(staying, c) // given back before`, `_ = staying`)),
		out("I8", sources, hashing, instead("config: not known", `case f.Hash == "":`, `case false:`)),
		out("I6", "controllers/rollout/gate.go", deciding, instead("config: nobody knows who", `Unwitnessed: p.stranger(c)`, `Unwitnessed: ""`)),
		out("I6", "controllers/approval/author.go", properly("./controllers/approval"), never("config: one more person", `s.Unwitnessed != ""`)),
		out("I8", hashes, hashing,
			instead("config: key of Secrets", `len(h.key) < KeySize`, `len(h.key) < 1`),
			instead("config: lengths", `	number(sum, len(s))
`, ``),
		),
		out("I1", "controllers/act/config.go", of("./controllers/act"),
			instead("config: copied as decided", `if hash != c.Hash {`, `if hash == "" {`),
			instead("config: live", `if hash != c.Hash || c.Hash == "" {`, `if hash == "" {`),
			instead("config: originals", `[]string{c.Copy, c.Name}`, `[]string{c.Copy}`),
			instead("config: copies", `[]string{c.Copy, c.Name}`, `[]string{c.Name}`),
			instead("config: immutable", `Immutable: &immutable, Data: original.Data`, `Data: original.Data`),
			instead("config: dropped as read", `ResourceVersion: &version}`, `ResourceVersion: map[bool]*string{false: &version}[true]}`),
		),
		out("I14", "controllers/observe/config.go", of("./controllers/observe"),
			instead("config: rights", `return apierrors.IsForbidden(err) || `, `return `),
			instead("config: not in the cache", `[]client.Reader{o.Client, o.Live}`, `[]client.Reader{o.Client}`),
			instead("config: of others", `!needed[ref] && !snapshot.IsCopyName(rel.Name, ref.Name)`, `false`),
		),
		out("I1", "controllers/observe/memory.go", of("./controllers/observe"), instead("config: of this version", ` && e.version == o.GetResourceVersion()`, ``)))
}

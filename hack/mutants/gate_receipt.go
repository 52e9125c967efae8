// Copyright The Countersign Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import "slices"

// receiptGuards tell what admission has signed from everything else.
func receiptGuards() []guard {
	const verify, sign, statement, emergencies, annotation = "controllers/receipt/verify.go", "controllers/receipt/sign.go",
		"controllers/receipt/receipt.go", "controllers/receipt/emergencies.go", "controllers/receipt/annotation.go"
	test := of("./controllers/receipt")
	return slices.Concat(
		out("I6", verify, test,
			never("envelope: length", `len(envelope) > maxEnvelope`),
			instead("envelope: strict base64", `base64.RawURLEncoding.Strict()`, `base64.RawURLEncoding`),
			never("envelope: kind", `e.PayloadType != payloadType`),
			never("envelope: one signature", `len(e.Signatures) != 1`),
			instead("envelope: fields", "	decoder.DisallowUnknownFields()\n", ""),
			never("envelope: end", `err != io.EOF`),
			never("receipt: spelling", `!bytes.Equal(again, payload)`),
			never("receipt: key retired", `former.Decision != Reject`),
			instead("receipt: key trusted", `openBy(v.known().Trusted, payloadType, envelope)`, `openBy(append(v.known().Trusted, v.known().Retired...), payloadType, envelope)`),
		),
		out("I6", sign, test,
			instead("receipt: signature", ` || !ed25519.Verify(ed25519.PublicKey(k), data, sig)`, ``),
			never("receipt: fits", `len(text) > maxEnvelope`),
		),
		out("I6", statement, test,
			instead("statement: user", "	if !SafeUser(v.User) {", "	if false && !SafeUser(v.User) {"),
			never("statement: digest", `v.Digest == ""`),
			never("statement: withdrawn", `v.Digest != ""`),
			instead("statement: decision", `		return fmt.Errorf("unknown decision %q", v.Decision)`, `		return nil`),
			never("statement: authors", `len(a.Authors) == 0`),
			never("statement: author", `!SafeUser(name)`),
			never("statement: delegate", `!slices.Contains(a.Authors, name)`),
			never("statement: complete", `value == ""`),
		),
		out("I6", votes, test,
			instead("slots: no more", `case len(slots) > MaxSlots:`, `case len(slots) > 10*MaxSlots:`),
			instead("vote: receipt", `	case err != nil:
			vote.Invalid`, `	case err != nil && len(slots) < 0:
			vote.Invalid`),
			instead("vote: other Release", `case object != identity{got.Cluster, got.Namespace, got.Name, got.UID}:`, `case object == identity{}:`),
			never("vote: other slot", `got.Slot != slot`),
			never("vote: other decision", `got.Decision != string(decision)`),
			instead("vote: digest of the receipt", `got.Digest != digest || annotation.Value != value`, `digest == "" || annotation.Value != value`),
			instead("vote: value of the receipt", `got.Digest != digest || annotation.Value != value`, `got.Digest != digest`),
			never("vote: other user", `got.User != annotation.User`),
			instead("vote: dry run", "	case got.DryRun:\n		err =", "	case false && got.DryRun:\n		err ="),
			instead("authors: other Release", `case object != was:`, `case object != was && was == identity{}:`),
			never("authors: other list", `!slices.Equal(got.Authors, names)`),
			never("authors: other revision", `got.Revision != revision`),
			instead("authors: dry run", "	case got.DryRun:\n		return", "	case false && got.DryRun:\n		return"),
		),
		out("I6", emergencies, test,
			instead("emergency: slots", ` && len(slots) < MaxEmergencySlots`, ``),
			never("glass: other ticket", `got.Ticket != g.Ticket`),
			never("glass: other reason", `got.Reason != g.Reason`),
			never("emergency: other value", `annotation.Value != digest`),
			instead("emergency: other Release", `object != was:`, `object != was && was == identity{}:`),
			never("emergency: other slot", `c.Slot != slot`),
			never("emergency: other digest", `c.Digest != digest`),
			never("emergency: other user", `c.User != user`),
			never("emergency: dry run", `c.DryRun`),
		),
		out("I6", annotation, test,
			instead("annotation: form", `len(fields) != 4 || fields[0] != version`, `len(fields) < 4`),
			never("annotation: user", `!SafeUser(a.User)`),
			never("annotation: complete", `a.Value == "" || a.Envelope == ""`),
			instead("owner: user", ` || !SafeUser(fields[1])`, ``),
			never("authors: spelling", `again != s`),
			never("authors: receipt", `!ok || envelope == ""`),
		))
}

// keyGuards keep the set of keys that receipts are verified by.
func keyGuards() []guard {
	const set, tend = "controllers/keys/set.go", "controllers/keys/tend.go"
	test := of("./controllers/keys")
	return slices.Concat(
		out("I6", set, test,
			instead("keys: overlap", `now.Before(*k.TrustedUntil)`, `k.TrustedUntil.Before(now.AddDate(100, 0, 0))`),
			instead("keys: not longer", `k.TrustedUntil == nil || k.TrustedUntil.After(until)`, `k.TrustedUntil == nil`),
			instead("keys: fields", "	decoder.DisallowUnknownFields()\n", ""),
			never("keys: end", `err != io.EOF`),
			instead("keys: some", `len(s.Keys) == 0 || len(s.Keys) > limit`, `len(s.Keys) > limit`),
			never("keys: name", `k.ID != receipt.KeyID(public)`),
			never("keys: current", `(i == 0) != (k.TrustedUntil == nil)`),
			never("keys: slot", `!slices.Contains(slots, k.Slot)`),
		),
		out("I6", tend, test,
			instead("keys: foreign", `len(configMap.Data) != 1 || configMap.Data[entry] != want`, `len(configMap.Data) < 1 && want == ""`),
			instead("keys: compromised at once", `r.rotate(ctx, set, configMap, r.Now(), `, `r.rotate(ctx, set, configMap, r.Now().Add(r.Overlap), `),
		))
}

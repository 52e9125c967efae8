// Copyright The Countersign Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import "slices"

// notifyGuards keep what is told to others from holding anything up, from being
// forged, and from going astray.
func notifyGuards() []guard {
	const notify, attempt, key = "controllers/notify/notify.go", "controllers/notify/attempt.go", "controllers/notify/key.go"
	test := of("./controllers/notify")
	return slices.Concat(
		out("-", notify, test,
			instead("notify: waits for nobody", "	default:\n		s.drop(m, dropFull,", "	case <-make(chan struct{}):\n		s.drop(m, dropFull,"),
			instead("notify: redirects", "return http.ErrUseLastResponse", "return nil"),
			instead("notify: gone", "		s.gone.Store(true)\n", ""),
			instead("notify: bounded in time", "max(s.options.RetryFor-s.options.Now().Sub(m.since), time.Nanosecond)", "time.Minute"),
			instead("notify: interrupted", "	case ctx.Err() != nil:\n		s.put(m)\n", "	case ctx.Err() != nil:\n"),
		),
		out("-", attempt, test,
			instead("notify: refused for good", "case code >= 300 && code < 400, code == http.StatusBadRequest,", "case"),
			instead("notify: Retry-After", "wait > 0 {", "wait < 0 {"),
		),
		out("-", key, test,
			instead("notify: the body is signed", "key.Sign(m.id, at, m.body)", "key.Sign(m.id, at, nil)"),
			instead("notify: short keys", " || len(raw) < keyLeast", ""),
		),
		out("-", "controllers/notify/compose.go", test,
			instead("notify: ids of what happened", "rel.ResourceVersion, n.Reason, n.Message)", `"", n.Reason, n.Message)`),
		),
		out("-", "controllers/telemetry/traces.go", of("./controllers/telemetry"),
			instead("traces: beside the reconciler", "sdktrace.WithBatcher(exporter)", "sdktrace.WithSyncer(exporter)"),
			instead("traces: one for all leaders", `sum := sha256.Sum256(fmt.Appendf(nil, "countersign/release/%s/%d", rel.UID, sequence))`, `sum := sha256.Sum256(fmt.Appendf(nil, "countersign/release/%s/%d/%s", rel.UID, sequence, time.Now()))`),
		),
	)
}

// Copyright The Countersign Authors.
// SPDX-License-Identifier: Apache-2.0

package soak

import (
	"errors"
	"fmt"
	"io"
	"time"
)

// printedFailures bounds how many are printed.
const printedFailures = 50

// returnWithin is how long after one round of the check the selector leads back.
const returnWithin = time.Second

// Problems are why a run is not as it should be: requests that were lost, kinds of
// traffic that did not flow, or a way back that took too long. period is that of
// the check, which fails at once.
func (v Verdict) Problems(period time.Duration) error {
	var all []error
	if v.Failed > 0 {
		all = append(all, fmt.Errorf("%d requests failed", v.Failed))
	}
	for _, kind := range Kinds() {
		if f := v.Kinds[kind]; len(f.Away)+len(f.Around) == 0 {
			all = append(all, fmt.Errorf("no %s request was answered: nothing is proved", kind))
		}
	}
	if limit := period + returnWithin; v.SickToReturned.Max() > limit {
		all = append(all, fmt.Errorf("going back took up to %s, want at most %s", Millis(v.SickToReturned.Max()), Millis(limit)))
	}
	return errors.Join(all...)
}

// Print writes all figures, and the failures with the switch that they are closest to.
func (v Verdict) Print(w io.Writer, period time.Duration) {
	for i, f := range v.Failures {
		if i == printedFailures {
			fmt.Fprintf(w, "failed: and %d more\n", len(v.Failures)-i)
			break
		}
		fmt.Fprintf(w, "failed: %s\n", f)
	}
	for _, kind := range Kinds() {
		f := v.Kinds[kind]
		fmt.Fprintf(w, "%-5s sent=%d failed=%d sick=%d, on %d connections\n", kind, f.Sent, f.Failed, f.Sick, f.Connections)
		fmt.Fprintf(w, "      within 1 s of a switch (%d): %s\n", len(f.Around), f.Around)
		fmt.Fprintf(w, "      away from switches (%d): %s\n", len(f.Away), f.Away)
	}
	fmt.Fprintf(w, "deciding vote to Service written: %s\n", v.VoteToSwitch)
	fmt.Fprintf(w, "fallen sick to Service led back: %s; limit %s: one period of the check and 1 s\n", v.SickToReturned, Millis(period+returnWithin))
	fmt.Fprintf(w, "Service written to last opening of a connection to the content before: %s\n", v.Followed)
	fmt.Fprintf(w, "Service led back to last request on a connection kept to what was gone back from: %s\n", v.SickKept)
}

// Line sums up in one line.
func (v Verdict) Line() string {
	line := fmt.Sprintf("sent=%d failed=%d sick=%d", v.Sent, v.Failed, v.Sick)
	for _, kind := range Kinds() {
		f := v.Kinds[kind]
		line += fmt.Sprintf(" %s_p50_p99_max_ms=%s/%s(away)", kind, triple(f.Around), triple(f.Away))
	}
	return line + fmt.Sprintf(" vote_to_switch_p50_p99_ms=%.0f,%.0f unhealthy_to_rollback_p50_max_ms=%.0f,%.0f",
		millis(v.VoteToSwitch.Median()), millis(v.VoteToSwitch.P99()), millis(v.SickToReturned.Median()), millis(v.SickToReturned.Max()))
}

func triple(t Times) string {
	return fmt.Sprintf("%.0f,%.0f,%.0f", millis(t.Median()), millis(t.P99()), millis(t.Max()))
}

func millis(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }

// Copyright The Countersign Authors.
// SPDX-License-Identifier: Apache-2.0

package approval_test

import (
	"strings"
	"testing"

	"github.com/countersign/countersign/controllers/approval"
)

func TestParseVote(t *testing.T) {
	hex := strings.Repeat("0123456789abcdef", 4)
	for name, tc := range map[string]struct {
		reason, value string
		decision      approval.Decision
		digest, err   string
	}{
		"Approval":          {"a digest approves", "sha256:" + hex, approval.Approve, "sha256:" + hex, ""},
		"Rejection":         {"reject: before it rejects", "reject:sha256:" + hex, approval.Reject, "sha256:" + hex, ""},
		"Empty":             {"absence is no approval", "", "", "", "minus sign"},
		"OnlyReject":        {"what is rejected has to be said", "reject:", "", "", "sha256:"},
		"Word":              {"a word binds to no content", "approved", "", "", "whole digest"},
		"OtherAlgorithm":    {"only one algorithm", "sha512:" + hex, "", "", "sha256:"},
		"NoAlgorithm":       {"the algorithm is written", hex, "", "", "sha256:"},
		"Short":             {"a prefix could fit several contents", "sha256:" + hex[:63], "", "", "64 hex digits"},
		"Long":              {"nothing after it", "sha256:" + hex + "0", "", "", "64 hex digits"},
		"UpperCase":         {"one form only, so that equal means equal", "sha256:" + strings.ToUpper(hex), "", "", "lower case"},
		"UpperCasePrefix":   {"one form only", "SHA256:" + hex, "", "", "sha256:"},
		"NotHexInside":      {"every character is looked at", "sha256:" + hex[:30] + "g" + hex[31:], "", "", "0-9 and a-f"},
		"LeadingSpace":      {"nothing is trimmed", " sha256:" + hex, "", "", "sha256:"},
		"TrailingNewline":   {"nothing is trimmed", "sha256:" + hex + "\n", "", "", "64 hex digits"},
		"RejectTwice":       {"no double negation", "reject:reject:sha256:" + hex, "", "", "sha256:"},
		"RejectUpperCase":   {"a rejection that is misspelt is no approval", "Reject:sha256:" + hex, "", "", "reject:"},
		"NonASCIIInTheHex":  {"length is in bytes, each a hex digit", "sha256:" + hex[:62] + "é", "", "", "0-9 and a-f"},
		"ApprovePrefix":     {"there is no such prefix", "approve:sha256:" + hex, "", "", "sha256:"},
		"RejectAfterDigest": {"nothing after it", "sha256:" + hex + ":reject", "", "", "64 hex digits"},
	} {
		t.Run(name, func(t *testing.T) {
			decision, digest, err := approval.ParseVote(tc.value)
			if decision != tc.decision || digest != tc.digest {
				t.Errorf("%s: got %q of %q", tc.reason, decision, digest)
			}
			if (err == nil) != (tc.err == "") || err != nil && !strings.Contains(err.Error(), tc.err) {
				t.Errorf("%s: got error %v, want one that says %q", tc.reason, err, tc.err)
			}
		})
	}
}

func FuzzParseVote(f *testing.F) {
	hex := strings.Repeat("0123456789abcdef", 4)
	for _, seed := range []string{"", "sha256:" + hex, "reject:sha256:" + hex, "reject:", "sha256:", "sha256:" + hex[:62] + "\x80\xff"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, value string) {
		decision, digest, err := approval.ParseVote(value)
		if err != nil {
			if decision != "" || digest != "" || err.Error() == "" || strings.ContainsAny(err.Error(), "\n\r\x1b") {
				t.Fatalf("an error gives %q of %q: %v", decision, digest, err)
			}
			return
		}
		written := map[approval.Decision]string{approval.Approve: digest, approval.Reject: "reject:" + digest}[decision]
		if written != value || len(digest) != len("sha256:")+64 {
			t.Fatalf("%q is read as %q of %q", value, decision, digest)
		}
	})
}

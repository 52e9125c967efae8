// Copyright The Countersign Authors.
// SPDX-License-Identifier: Apache-2.0

package approval

import (
	"errors"
	"strings"
	"time"

	"github.com/countersign/countersign/api/v1alpha1"
)

// Decision is what a vote says. The zero value is no decision and never counts.
type Decision string

const (
	// Approve lets the content through, as far as the voter is concerned.
	Approve Decision = "approve"
	// Reject keeps it out, if a rule lets the voter veto; in any case it takes
	// the place of the voter's approvals.
	Reject Decision = "reject"
)

const (
	digestPrefix = "sha256:"
	digestHex    = 64
)

// Vote is a vote as it is observed: what its annotation says and what its
// verified receipt proves.
type Vote struct {
	// Slot is the part of the annotation's key that the voter chose. It proves
	// nothing about who voted.
	Slot string
	// Decision and Digest are from the annotation; empty if it cannot be parsed.
	Decision Decision
	Digest   string
	// User, Groups and At are from the verified receipt: who the API server
	// authenticated, the groups of theirs that a policy names, and when.
	User   string
	Groups []string
	At     time.Time
	// Permitted are the IDs of the rules under which RBAC let the user approve
	// when they voted, as the receipt proves, and does so still.
	Permitted []string
	// Comment is what the voter remarked. It has no effect.
	Comment string
	// Invalid says why the vote proves nothing. Unless it is empty, the vote
	// never counts.
	Invalid string
}

// ParseVote parses the value of a vote annotation: "sha256:" and 64 lower-case
// hex digits for an approval, the same after "reject:" for a rejection. Nothing
// is trimmed or folded. The error is a sentence that says what to write instead.
func ParseVote(value string) (Decision, string, error) {
	if value == "" {
		return "", "", errors.New("the vote is empty; write the digest of the candidate, or end the key with a minus sign to withdraw the vote")
	}
	decision := Approve
	digest, rejects := strings.CutPrefix(value, v1alpha1.RejectPrefix)
	if rejects {
		decision = Reject
	}
	hex, ok := strings.CutPrefix(digest, digestPrefix)
	switch {
	case !ok:
		return "", "", errors.New("the vote does not begin with sha256: or reject:sha256:; write the whole digest of the candidate, with reject: before it to reject")
	case len(hex) != digestHex:
		return "", "", errors.New("the digest in the vote does not have 64 hex digits after sha256:; write the whole digest of the candidate and nothing after it")
	case strings.Trim(hex, "0123456789abcdef") != "":
		return "", "", errors.New("the digest in the vote has characters other than 0-9 and a-f; write the digest of the candidate just as it is shown, in lower case")
	}
	return decision, digest, nil
}

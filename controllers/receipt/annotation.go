// Copyright The Countersign Authors.
// SPDX-License-Identifier: Apache-2.0

package receipt

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
)

// version begins every annotation that holds a receipt.
const version = "v1"

// VoteAnnotation is the value of a receipt's annotation. User and Value repeat
// what the envelope proves, in a form that the admission policies can read.
type VoteAnnotation struct {
	User string
	// Value of the vote, or Withdrawn.
	Value    string
	Envelope string
}

// FormatVote is the value of the annotation that holds a vote's receipt.
func FormatVote(user, value, envelope string) string {
	return strings.Join([]string{version, user, value, envelope}, " ")
}

// ParseVoteAnnotation reads what FormatVote writes.
func ParseVoteAnnotation(s string) (VoteAnnotation, error) {
	fields := strings.Split(s, " ")
	if len(fields) != 4 || fields[0] != version {
		return VoteAnnotation{}, fmt.Errorf("the receipt is not of the form %q", version+" <user> <vote> <envelope>")
	}
	a := VoteAnnotation{User: fields[1], Value: fields[2], Envelope: fields[3]}
	if !SafeUser(a.User) {
		return VoteAnnotation{}, errors.New("the receipt has no proper user")
	}
	if a.Value == "" || a.Envelope == "" {
		return VoteAnnotation{}, errors.New("the receipt is incomplete")
	}
	return a, nil
}

// Owner is the user whom the value of a receipt's annotation names, whatever the
// rest of it is: the admission policies read no more of it either. It proves
// nothing about who voted.
func Owner(s string) (user string, named bool) {
	fields := strings.SplitN(s, " ", 3)
	if len(fields) < 3 || fields[0] != version || !SafeUser(fields[1]) {
		return "", false
	}
	return fields[1], true
}

// FormatAuthors is the value of the annotation that lists authors: a JSON array
// of sorted usernames, spelled in one way only.
func FormatAuthors(names []string) (string, error) {
	names = sorted(names)
	for _, name := range names {
		if !SafeUser(name) {
			return "", fmt.Errorf("username %q has characters that cannot be put on record", name)
		}
	}
	if names == nil {
		names = []string{}
	}
	raw, err := json.Marshal(names)
	return string(raw), err
}

// ParseAuthors reads what FormatAuthors writes.
func ParseAuthors(s string) ([]string, error) {
	var names []string
	if err := json.Unmarshal([]byte(s), &names); err != nil {
		return nil, errors.New("the list of authors is not a JSON array of usernames")
	}
	again, err := FormatAuthors(names)
	if err != nil {
		return nil, err
	}
	if again != s {
		return nil, errors.New("the list of authors is not spelled as admission writes it")
	}
	return slices.Clip(names), nil
}

// FormatAuthorsReceipt is the value of the annotation that holds the receipt of
// the authors.
func FormatAuthorsReceipt(envelope string) string { return version + " " + envelope }

// ParseAuthorsReceipt is the envelope in what FormatAuthorsReceipt writes.
func ParseAuthorsReceipt(s string) (string, error) {
	envelope, ok := strings.CutPrefix(s, version+" ")
	if !ok || envelope == "" {
		return "", errors.New("the list of authors has no receipt, so it did not come through admission")
	}
	return envelope, nil
}

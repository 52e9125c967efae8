// Copyright The Countersign Authors.
// SPDX-License-Identifier: Apache-2.0

// Package receipt signs and verifies the statements that admission puts beside
// a vote and beside the list of authors. A receipt repeats who the API server
// said the requester was and which object and content the request was about, so
// that an annotation that was written past admission, or copied from elsewhere,
// proves nothing.
//
// A receipt is a DSSE envelope (Ed25519) around a JSON payload. Decoding is
// strict: a payload that does not encode back to the same bytes is refused.
package receipt

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"time"
)

// Payload types of the two kinds of receipt. They are part of what is signed,
// so that one kind can never stand for the other.
const (
	VotePayloadType    = "application/vnd.countersign.vote.v1+json"
	AuthorsPayloadType = "application/vnd.countersign.authors.v1+json"
)

// Decisions that a receipt can prove.
const (
	Approve = "approve"
	Reject  = "reject"
	// Withdrawn keeps a slot bound to its owner after the vote in it was taken
	// back.
	Withdrawn = "withdrawn"
)

// safeUser is the alphabet in which usernames can be told apart in annotations
// and in the expressions of the admission policies.
var safeUser = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9@._:/#+=-]{0,252}$`)

// SafeUser tells whether a username can be put on record.
func SafeUser(name string) bool { return safeUser.MatchString(name) }

// Vote says that a user voted on a content.
type Vote struct {
	// Cluster is the id of the cluster; Namespace, Name and UID are the Release's.
	Cluster   string `json:"cluster"`
	Namespace string `json:"namespace"`
	Name      string `json:"name"`
	UID       string `json:"uid"`
	// Slot of the vote: the part of the annotation's key after the slash.
	Slot string `json:"slot"`
	// Digest voted on; empty when the vote was withdrawn.
	Digest string `json:"digest,omitempty"`
	// Decision is Approve, Reject or Withdrawn.
	Decision string `json:"decision"`
	// User who voted, as the API server authenticated them.
	User string `json:"user"`
	// Groups of the user that the policies named at that time, or all of them if
	// there are Permitted.
	Groups []string `json:"groups,omitempty"`
	// Permitted are the IDs of the rules under which RBAC let the user approve at
	// that time.
	Permitted []string `json:"permitted,omitempty"`
	// At is when the request was admitted, in UTC, in whole seconds.
	At time.Time `json:"at"`
	// Nonce is the uid of the admission request.
	Nonce string `json:"nonce"`
	// DryRun is true when the request changed nothing: the vote never counts.
	DryRun bool `json:"dryRun,omitempty"`
}

// Authors says who changed the content since the last promotion.
type Authors struct {
	// Cluster is the id of the cluster; Namespace, Name and UID are the Release's.
	Cluster   string `json:"cluster"`
	Namespace string `json:"namespace"`
	Name      string `json:"name"`
	// UID is empty when the Release was being created: it had none yet.
	UID string `json:"uid,omitempty"`
	// Revision of the spec that they wrote.
	Revision string `json:"revision"`
	// Authors, sorted.
	Authors []string `json:"authors"`
	// Delegates are the programs among Authors that said each time for which
	// person they wrote. That person is an author, too.
	Delegates []string `json:"delegates,omitempty"`
	// At is when the request was admitted, in UTC, in whole seconds.
	At time.Time `json:"at"`
	// Nonce is the uid of the admission request.
	Nonce string `json:"nonce"`
	// DryRun is true when the request changed nothing.
	DryRun bool `json:"dryRun,omitempty"`
}

// canonical brings the fields that have several spellings to one.
func (v Vote) canonical() Vote {
	v.At, v.Groups, v.Permitted = seconds(v.At), sorted(v.Groups), sorted(v.Permitted)
	return v
}

func (a Authors) canonical() Authors {
	a.At, a.Authors, a.Delegates = seconds(a.At), sorted(a.Authors), sorted(a.Delegates)
	return a
}

func (v Vote) check() error {
	if err := complete(map[string]string{"cluster": v.Cluster, "namespace": v.Namespace, "name": v.Name,
		"uid": v.UID, "slot": v.Slot, "nonce": v.Nonce}); err != nil {
		return err
	}
	if !SafeUser(v.User) {
		return errors.New("user is missing or has characters that cannot be put on record")
	}
	switch v.Decision {
	case Approve, Reject:
		if v.Digest == "" {
			return errors.New("digest is missing")
		}
	case Withdrawn:
		if v.Digest != "" {
			return errors.New("a withdrawn vote has no digest")
		}
	default:
		return fmt.Errorf("unknown decision %q", v.Decision)
	}
	return nil
}

func (a Authors) check() error {
	if err := complete(map[string]string{"cluster": a.Cluster, "namespace": a.Namespace, "name": a.Name,
		"revision": a.Revision, "nonce": a.Nonce}); err != nil {
		return err
	}
	if len(a.Authors) == 0 {
		return errors.New("authors are missing")
	}
	for _, name := range a.Authors {
		if !SafeUser(name) {
			return errors.New("an author has characters that cannot be put on record")
		}
	}
	for _, name := range a.Delegates {
		if !slices.Contains(a.Authors, name) {
			return errors.New("a delegate is no author")
		}
	}
	return nil
}

func complete(fields map[string]string) error {
	var missing []string
	for name, value := range fields {
		if value == "" {
			missing = append(missing, name)
		}
	}
	if len(missing) == 0 {
		return nil
	}
	slices.Sort(missing)
	return fmt.Errorf("%s is missing", missing[0])
}

func seconds(t time.Time) time.Time { return t.UTC().Truncate(time.Second) }

func sorted(names []string) []string {
	if len(names) == 0 {
		return nil
	}
	names = slices.Clone(names)
	slices.Sort(names)
	return slices.Compact(names)
}

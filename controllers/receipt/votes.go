// Copyright The Countersign Authors.
// SPDX-License-Identifier: Apache-2.0

package receipt

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/countersign/countersign/api/v1alpha1"
	"github.com/countersign/countersign/controllers/approval"
)

const (
	// MaxSlots is how many votes a Release can have at once.
	MaxSlots = 32
	// MaxComment is how long a comment can be, in bytes.
	MaxComment = 512
)

// Votes are the votes on a Release, sorted by slot. A vote that its receipt does
// not prove says so in Invalid and names nobody.
//
// With more than MaxSlots, all are invalid: to look at some only would let a
// rejection be hidden behind votes that mean nothing.
func Votes(rel *v1alpha1.Release, cluster string, v *Verifier) []approval.Vote {
	slots := slotsOf(rel.Annotations)
	votes := make([]approval.Vote, 0, min(len(slots), MaxSlots))
	for _, slot := range slots[:min(len(slots), MaxSlots)] {
		value := rel.Annotations[v1alpha1.VotePrefix+slot]
		vote := approval.Vote{
			Slot:    slot,
			Comment: clip(rel.Annotations[v1alpha1.CommentPrefix+slot]),
		}
		var err error
		if vote.Decision, vote.Digest, err = approval.ParseVote(value); err != nil {
			vote.Invalid = err.Error()
			votes = append(votes, vote)
			continue
		}
		proven, err := proof(rel, cluster, slot, value, v)
		switch {
		case len(slots) > MaxSlots:
			vote.Invalid = fmt.Sprintf("the Release has %d votes and none counts above %d; remove those that nobody owns", len(slots), MaxSlots)
		case err != nil:
			vote.Invalid = fmt.Sprintf("%v; %s", err, again(rel, v1alpha1.VotePrefix+slot, value))
		default:
			vote.User, vote.Groups, vote.At, vote.Permitted = proven.User, proven.Groups, proven.At, proven.Permitted
		}
		votes = append(votes, vote)
	}
	return votes
}

// again is what to do about a vote that proves nothing. To write the same value
// once more changes nothing, so no admission would stamp it.
func again(rel *v1alpha1.Release, key, value string) string {
	annotate := fmt.Sprintf("kubectl annotate release %s -n %s %s", rel.Name, rel.Namespace, key)
	return fmt.Sprintf("withdraw it and cast it again: %s- && %s=%s", annotate, annotate, value)
}

func slotsOf(annotations map[string]string) (slots []string) {
	for _, key := range slices.Sorted(maps.Keys(annotations)) {
		if slot, ok := strings.CutPrefix(key, v1alpha1.VotePrefix); ok {
			slots = append(slots, slot)
		}
	}
	return slots
}

// proof is the receipt of a vote, if it proves just that vote.
func proof(rel *v1alpha1.Release, cluster, slot, value string, v *Verifier) (Vote, error) {
	text, ok := rel.Annotations[v1alpha1.ReceiptPrefix+slot]
	if !ok {
		return Vote{}, fmt.Errorf("the vote has no receipt, so it did not come through admission")
	}
	annotation, err := ParseVoteAnnotation(text)
	if err != nil {
		return Vote{}, err
	}
	got, err := v.Vote(annotation.Envelope)
	if err != nil {
		return Vote{}, fmt.Errorf("the receipt is not valid: %w", err)
	}
	decision, digest, err := approval.ParseVote(value)
	if err != nil {
		return Vote{}, err
	}
	object := identity{cluster, rel.Namespace, rel.Name, string(rel.UID)}
	switch {
	case object != identity{got.Cluster, got.Namespace, got.Name, got.UID}:
		err = fmt.Errorf("the receipt is of another Release: %s", object.difference(identity{got.Cluster, got.Namespace, got.Name, got.UID}))
	case got.Slot != slot:
		err = fmt.Errorf("the receipt is of slot %s", got.Slot)
	case got.Decision != string(decision):
		err = fmt.Errorf("the receipt says %s", got.Decision)
	case got.Digest != digest || annotation.Value != value:
		err = fmt.Errorf("the receipt is of another digest")
	case got.User != annotation.User:
		err = fmt.Errorf("the receipt names another user than its envelope")
	case got.DryRun:
		err = fmt.Errorf("the receipt is of a dry run")
	}
	return got, err
}

// identity tells a Release from every other, anywhere and at any time.
type identity struct{ cluster, namespace, name, uid string }

func (i identity) difference(other identity) string {
	switch {
	case i.cluster != other.cluster:
		return "it was written in another cluster"
	case i.namespace != other.namespace:
		return "it was written in namespace " + other.namespace
	case i.name != other.name:
		return "it was written for " + other.name
	}
	return "it was written for an earlier Release of the same name"
}

// Record is who changed the content of a Release since its last promotion.
type Record struct {
	// Names of the authors.
	Names []string
	// Delegates are the programs among them that said each time for whom they
	// wrote.
	Delegates []string
	// Known is true when the receipt proves them for this object and this
	// revision; otherwise Why says what is wrong, and there are none.
	Known bool
	Why   string
}

// KnownAuthors are the authors of a Release's content at a revision.
func KnownAuthors(rel *v1alpha1.Release, revision, cluster string, v *Verifier) Record {
	got, err := authors(rel, revision, cluster, v)
	if err != nil {
		return Record{Why: err.Error()}
	}
	return Record{Names: got.Authors, Delegates: got.Delegates, Known: true}
}

func authors(rel *v1alpha1.Release, revision, cluster string, v *Verifier) (got Authors, err error) {
	text, ok := rel.Annotations[v1alpha1.AuthorsAnnotation]
	if !ok {
		return got, fmt.Errorf("nobody is recorded as the author of the content")
	}
	names, err := ParseAuthors(text)
	if err != nil {
		return got, err
	}
	envelope, err := ParseAuthorsReceipt(rel.Annotations[v1alpha1.AuthorsReceiptAnnotation])
	if err != nil {
		return got, err
	}
	got, err = v.Authors(envelope)
	if err != nil {
		return got, fmt.Errorf("the receipt of the authors is not valid: %w", err)
	}
	object := identity{cluster, rel.Namespace, rel.Name, string(rel.UID)}
	was := identity{got.Cluster, got.Namespace, got.Name, got.UID}
	if got.UID == "" {
		was.uid = object.uid // at creation the Release had no uid yet
	}
	switch {
	case object != was:
		return got, fmt.Errorf("the receipt of the authors is of another Release: %s", object.difference(was))
	case !slices.Equal(got.Authors, names):
		return got, fmt.Errorf("the list of authors is not the one that its receipt proves")
	case got.Revision != revision:
		return got, fmt.Errorf("the receipt of the authors is of other content than the spec")
	case got.DryRun:
		return got, fmt.Errorf("the receipt of the authors is of a dry run")
	}
	return got, nil
}

// clip cuts a comment at its bound, between characters.
func clip(s string) string {
	if len(s) <= MaxComment {
		return s
	}
	s = s[:MaxComment]
	for !utf8.ValidString(s) && len(s) > 0 {
		s = s[:len(s)-1]
	}
	return s
}

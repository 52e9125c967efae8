// Copyright The Countersign Authors.
// SPDX-License-Identifier: Apache-2.0

package admission

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/countersign/countersign/api/v1alpha1"
	"github.com/countersign/countersign/controllers/digest"
	"github.com/countersign/countersign/controllers/receipt"
	"github.com/countersign/countersign/controllers/speccheck"
)

// maxAuthors is what the status of a Release can hold.
const maxAuthors = 64

// checkContent refuses content that cannot be released. Content that is there
// already is left alone, so that a Release can always be annotated and deleted.
func (w *Webhook) checkContent(_ context.Context, r *review) error {
	if !r.contentChanged {
		return nil
	}
	if r.user == w.OperatorUser && (w.ProbeNamespace == "" || r.now.Namespace != w.ProbeNamespace) {
		return refuse("Operator", "the operator (%s) does not write the content of a Release; use an account of your own", r.user)
	}
	if !isBot(r.user) && len(r.req.UserInfo.Extra[credentialID]) == 0 {
		return refuse("Credential", "user %s did not show credentials of their own, as with kubectl --as, so that it is not known who changes the content of Release %s; change it as yourself, without --as", r.user, r.now.Name)
	}
	if r.now.Name == "" {
		return refuse("Name", "a Release needs metadata.name: generateName would leave its authors on record for no name; write metadata.name")
	}
	if problems := speccheck.Problems(r.now.Spec); len(problems) > 0 {
		return refuse("Spec", "Release %s cannot be released as it is: %s", r.now.Name, strings.Join(problems, "; "))
	}
	return nil
}

// stampAuthors records who changed the content since the last promotion.
func (w *Webhook) stampAuthors(ctx context.Context, r *review) error {
	if !r.contentChanged {
		r.restoreAuthors()
		_, err := w.onBehalfOf(ctx, r)
		return err
	}
	if !receipt.SafeUser(r.user) {
		return refuse("Username", "username %q has characters that cannot be put on record as an author (letters, digits and @._:/#+=- can); ask the platform team for an account whose name has no others", r.user)
	}
	revision, err := digest.Revision(r.now.Spec)
	if err != nil {
		return refuse("Spec", "Release %s cannot be released as it is: %v", r.now.Name, err)
	}
	former, err := w.formerAuthors(r, revision)
	if err != nil {
		return err
	}
	person, err := w.onBehalfOf(ctx, r)
	if err != nil {
		return err
	}
	names, delegates := joined(former, r.user, person)
	if len(names) > maxAuthors {
		return refuse("TooManyAuthors", "Release %s has %d authors since its last promotion and can have no more; get what is there approved, or rejected, first", r.now.Name, maxAuthors)
	}
	text, err := receipt.FormatAuthors(names)
	if err != nil {
		return fmt.Errorf("list the authors: %w", err)
	}
	statement := receipt.Authors{
		Cluster: w.Cluster, Namespace: r.now.Namespace, Name: r.now.Name, Revision: revision,
		Authors: names, Delegates: delegates, At: w.Now(), Nonce: string(r.req.UID), DryRun: r.dryRun(),
	}
	if r.was != nil {
		statement.UID = string(r.was.UID)
	}
	envelope, err := w.Signer.SignAuthors(ctx, statement)
	if err != nil {
		return err
	}
	r.annotations[v1alpha1.AuthorsAnnotation] = text
	r.annotations[v1alpha1.AuthorsReceiptAnnotation] = receipt.FormatAuthorsReceipt(envelope)
	return nil
}

// restoreAuthors leaves the record as it was, whatever the request says: a
// replace from a manifest that does not know it must not lose it.
func (r *review) restoreAuthors() {
	for _, key := range []string{v1alpha1.AuthorsAnnotation, v1alpha1.AuthorsReceiptAnnotation} {
		was, had := r.before(key)
		now, has := r.now.Annotations[key]
		if was != now || had != has {
			r.restore(key)
			r.warn("annotation %s is written by admission only and was left as it is", key)
		}
	}
}

// formerAuthors are those who changed the content before this request and whose
// change is not promoted.
func (w *Webhook) formerAuthors(r *review, revision string) (receipt.Record, error) {
	if r.was == nil || nothingPending(r.was) {
		return receipt.Record{}, nil
	}
	record := w.knownAuthors(r)
	if record.Known {
		return record, nil
	}
	// What is active was approved whoever wrote it, so going back to it needs
	// no record. This is also the way out of a lost one.
	if active := r.was.Status.Active; active != nil && active.OfSpec(revision) {
		return receipt.Record{Names: r.namedAuthors()}, nil
	}
	return receipt.Record{}, refuse("AuthorsUnknown",
		"it is not on record who changed Release %s before (%s), so nobody could be kept from approving their own work; apply the content that is active first, then this change, or delete the Release and create it again: what serves goes on serving",
		r.now.Name, record.Why)
}

// knownAuthors are those that the receipt proves for the spec as it was. A spec
// that has no revision has none.
func (w *Webhook) knownAuthors(r *review) receipt.Record {
	revision, err := digest.Revision(r.was.Spec)
	if err != nil {
		return receipt.Record{Why: err.Error()}
	}
	return receipt.KnownAuthors(r.was, revision, w.Cluster, w.Verifier)
}

// namedAuthors are those whom the list names, proven or not, in any order: the
// admission policies let none of them drop out of it. A list that they cannot
// read names nobody.
func (r *review) namedAuthors() []string {
	var names []string
	text := r.was.Annotations[v1alpha1.AuthorsAnnotation]
	if err := json.Unmarshal([]byte(text), &names); err != nil {
		return nil
	}
	unsafe := func(name string) bool { return !receipt.SafeUser(name) }
	if text != `["`+strings.Join(names, `","`)+`"]` || slices.ContainsFunc(names, unsafe) {
		return nil
	}
	return names
}

// nothingPending tells whether the operator has seen the spec as it was and
// found all of it promoted. The admission policies can see all of this but the
// revision.
func nothingPending(was *v1alpha1.Release) bool {
	s := was.Status
	revision, err := digest.Revision(was.Spec)
	return err == nil && s.Candidate == nil && s.Active != nil && s.Active.OfSpec(revision) && s.ObservedGeneration == was.Generation
}

func (r *review) dryRun() bool { return r.req.DryRun != nil && *r.req.DryRun }

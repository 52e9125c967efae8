// Copyright The Countersign Authors.
// SPDX-License-Identifier: Apache-2.0

package show

import (
	"encoding/base64"
	"encoding/json"

	"github.com/countersign/countersign/api/v1alpha1"
	"github.com/countersign/countersign/controllers/approval"
	"github.com/countersign/countersign/controllers/receipt"
	"github.com/secure-systems-lab/go-securesystemslib/dsse"
)

// provenVotes are the votes as the operator verified them, with the groups that
// their receipts tell. The plugin has no keys: that a receipt is genuine is taken
// from the status, which only the operator writes.
func provenVotes(rel *v1alpha1.Release) (votes []approval.Vote) {
	for _, v := range rel.Status.Votes {
		vote := approval.Vote{Slot: v.Slot, User: v.User}
		if v.At != nil {
			vote.At = v.At.Time
		}
		decision, digest, err := approval.ParseVote(rel.Annotations[v1alpha1.VotePrefix+v.Slot])
		vote.Decision, vote.Digest = decision, digest
		if err != nil || v.User == "" {
			vote.Invalid = v.Why
		}
		if annotation, err := receipt.ParseVoteAnnotation(rel.Annotations[v1alpha1.ReceiptPrefix+v.Slot]); err == nil {
			var claims receipt.Vote
			if claimed(annotation.Envelope, &claims) == nil && claims.User == v.User {
				vote.Groups, vote.Permitted = claims.Groups, claims.Permitted
			}
		}
		votes = append(votes, vote)
	}
	return votes
}

// claimedCluster is the id of the cluster that the receipt of the authors names. It
// proves nothing; a digest that is recomputed with another one does not match.
func claimedCluster(rel *v1alpha1.Release) string {
	envelope, err := receipt.ParseAuthorsReceipt(rel.Annotations[v1alpha1.AuthorsReceiptAnnotation])
	if err != nil {
		return ""
	}
	var claims receipt.Authors
	if claimed(envelope, &claims) != nil {
		return ""
	}
	return claims.Cluster
}

// claimed is what an envelope says, whoever signed it.
func claimed(envelope string, into any) error {
	raw, err := base64.RawURLEncoding.DecodeString(envelope)
	if err != nil {
		return err
	}
	var e dsse.Envelope
	if err := json.Unmarshal(raw, &e); err != nil {
		return err
	}
	payload, err := e.DecodeB64Payload()
	if err != nil {
		return err
	}
	return json.Unmarshal(payload, into)
}

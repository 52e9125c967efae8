// Copyright The Countersign Authors.
// SPDX-License-Identifier: Apache-2.0

package admission

import (
	"slices"

	"github.com/countersign/countersign/api/v1alpha1"
	"github.com/countersign/countersign/controllers/approval"
	"github.com/countersign/countersign/controllers/receipt"
	"github.com/countersign/countersign/controllers/snapshot"
)

// checkEligible refuses a vote that could not count: an approval by an author or
// by somebody whom no rule admits, and a rejection that could neither block
// anything nor take the place of an approval. Of a vote that could count and
// does not do so now, it warns. Who may do what is decided by package approval,
// which judges the vote again at the switch.
func (w *Webhook) checkEligible(r *review, policies []approval.Policy, vote approval.Vote) error {
	if len(approval.Demands(policies)) == 0 {
		return refuse("NoPolicy", "no ApprovalPolicy with rules covers namespace %s, so no vote could count; ask the platform team for one: kubectl get approvalpolicies", r.now.Namespace)
	}
	subject, doubt := w.subject(r, policies)
	others := slices.DeleteFunc(receipt.Votes(r.was, w.Cluster, w.Verifier),
		func(v approval.Vote) bool { return v.Slot == vote.Slot })
	mayReject, noRejection := approval.MayReject(policies, subject, vote.User, vote.Groups, vote.Permitted...)
	if vote.Decision == approval.Reject {
		if _, voted := r.before(v1alpha1.VotePrefix + vote.Slot); !mayReject && !voted {
			return refuse("Ineligible", "a rejection by %s would block nothing: %s", vote.User, noRejection)
		}
	} else if ok, why := approval.Eligibility(policies, subject, vote.User, vote.Groups, vote.Permitted...); !ok {
		return r.refuseApproval(why, doubt, vote, approval.Evaluate(policies, subject, others, w.Now()), mayReject)
	}
	r.warnOf(vote, approval.Evaluate(policies, subject, append(others, vote), w.Now()))
	return nil
}

// subject is what is voted on: the candidate, and everybody who is on record
// anywhere as its author. doubt says why they are not proven to be all.
func (w *Webhook) subject(r *review, policies []approval.Policy) (subject approval.Subject, doubt string) {
	record := w.knownAuthors(r)
	candidate := r.was.Status.Candidate
	return approval.Subject{
		Digest: candidate.Digest, Authors: append(slices.Clone(candidate.Authors), record.Names...), AuthorsKnown: record.Known,
		Named: approval.Trusted(policies, record.Delegates), Unwitnessed: snapshot.Unwitnessed(r.was.Spec, candidate, r.was.Status.Active),
	}, record.Why
}

// refuseApproval says why, what the candidate waits for and who does what next.
func (r *review) refuseApproval(why, doubt string, vote approval.Vote, verdict approval.Verdict, mayReject bool) error {
	reason, next := "Ineligible", verdict.Message
	switch {
	case doubt != "":
		reason, next = "AuthorsUnknown", doubt
	case verdict.Outcome == approval.Pending:
		next += "; they run: " + r.annotate(v1alpha1.VotePrefix+"my-name="+vote.Digest)
	}
	if mayReject {
		next += "; you may reject it: " + r.annotate(v1alpha1.VotePrefix+vote.Slot+"="+v1alpha1.RejectPrefix+vote.Digest)
	}
	return refuse(reason, "%s; %s", why, next) // last, because it may be a command
}

func (r *review) warnOf(vote approval.Vote, verdict approval.Verdict) {
	for _, v := range verdict.Votes {
		if v.Slot == vote.Slot && !v.Counted {
			r.warn("the vote is on record and does not count now: %s", v.Why)
		}
	}
}

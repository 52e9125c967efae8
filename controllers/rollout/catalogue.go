// Copyright The Countersign Authors.
// SPDX-License-Identifier: Apache-2.0

package rollout

import "strings"

// Explanation says of an event what it means and what a person does next. NAME and
// NAMESPACE in it stand for those of the Release.
type Explanation struct{ Reason, Means, Next string }

// NextFor is what to do next about one Release.
func (e Explanation) NextFor(namespace, name string) string {
	return strings.NewReplacer("NAMESPACE", namespace, "NAME", name).Replace(e.Next)
}

// Explain tells of a Notice what Catalogue says.
func Explain(reason string) (e Explanation, known bool) {
	for _, e := range Catalogue() {
		if e.Reason == reason {
			return e, true
		}
	}
	return Explanation{}, false
}

const (
	nothing = "Nothing."
	look    = "Look at the Release: kubectl describe release NAME -n NAMESPACE"
)

// Catalogue explains every Notice, in the order in which a release has them.
func Catalogue() []Explanation {
	return []Explanation{
		{NoticeCandidateDetected, "There is content that differs from what serves, or what its approval covers has changed: the idle colour is brought to it, and votes for what was there before do not count for it.", nothing},
		{NoticeCandidateRetried, "Somebody had a candidate that was given up tried again as it is.", "Vote again: it has another digest. kubectl get release NAME -n NAMESPACE -o jsonpath='{.status.candidate.digest}'"},
		{NoticeCandidateReady, "The Pods of the candidate are available, and its checks run.", nothing},
		{NoticeCandidateScaledUp, "The candidate was let through while it was small (previewReplicas), grows to full size and is tested again.", nothing},
		{NoticeChecksPassed, "The candidate has passed all its checks before the switch.", "Those who may approve it vote, if they have not yet: kubectl get release NAME -n NAMESPACE says who is missing."},
		{NoticeApprovalCounted, "A vote counts. A warning is a rejection that does.", "Those who are still missing vote: kubectl get release NAME -n NAMESPACE. Who has rejected it by mistake takes the vote back: kubectl annotate release NAME -n NAMESPACE approvals.countersign.dev/SLOT-"},
		{NoticeApprovalIgnored, "A vote does not count; the message says why.", "Who cast it does what the message says, as a rule votes again, on the digest of now: kubectl get release NAME -n NAMESPACE -o jsonpath='{.status.candidate.digest}'"},
		{NoticeReleaseApproved, "Every seat is filled: traffic moves next.", nothing},
		{NoticeBreakGlassUsed, "Somebody on call lets the candidate through without all approvals.", "Somebody else reviews it, by the command in the message; until then nothing else is promoted."},
		{NoticeBreakGlassIgnored, "A use of break-glass does not count; the message says why.", "Who used it does what the message says, or approves instead."},
		{NoticeBreakGlassReviewed, "Somebody else has looked at a use of break-glass.", nothing},
		{NoticeReviewOverdue, "Nobody has reviewed a use of break-glass in the time that the policy gives.", "Review it, by the command in the message; until then nothing is promoted by approvals."},
		{NoticeReleaseRejected, "Somebody with a veto rejects the candidate. What served goes on serving.", "Mend the template and apply it, or have the veto withdrawn; the message says by whom."},
		{NoticeReleaseHalted, "The candidate is given up: a check failed, it was not ready in time, somebody asked for it, or it was gone back from. What served goes on serving.", "Apply a mended template, as the message says. " + look},
		{NoticeSwitchCancelled, "A switch was called off before any traffic moved; the message says why.", "Mend what the message says. It is tried again by itself once it is let through again."},
		{NoticeTrafficSwitched, "All Services lead to another colour. A warning was no promotion by approvals.", nothing},
		{NoticeTrafficSettled, "The endpoints of all Services are those of the colour that they lead to.", nothing},
		{NoticeReleaseFinished, "The content was observed for as long as it has to be, and nothing was amiss.", nothing},
		{NoticeRollbackStarted, "The content that serves failed, or somebody asked to go back: traffic moves back.", nothing},
		{NoticeRolledBack, "What served before serves again.", "Find out why, by the message and the logs of the Pods that failed: kubectl logs -n NAMESPACE -l countersign.dev/release=NAME --prefix. Then apply a mended template."},
		{NoticeSelectorRepaired, "Somebody else had changed the selector of a Service, or deleted it; it leads where it should again.", "Find out who, in the audit log of the API server, and keep them from it."},
		{NoticeOriginDrained, "What served before the Release took over is scaled to zero.", "Delete its Deployment when nobody needs it."},
		{NoticeOriginInUse, "What served before the Release took over is kept, because another Service leads to it.", "Name that Service in spec.services, or delete it."},
		{NoticeColourRetired, "The colour that was kept for going back is scaled to zero.", nothing},
		{NoticeRestartStarted, "Somebody asked to make the Pods of what serves anew.", nothing},
		{NoticeRestarted, "All Pods were made anew.", nothing},
		{NoticeRestartCancelled, "Pods are not made anew any more; the message says why.", "Ask again when it is over, if they still have to be."},
		{NoticeConfigRestored, "Somebody else had changed or deleted a copy of a ConfigMap or Secret; it is as it was approved again.", "Find out who, in the audit log of the API server, and keep them from it."},
		{NoticeBudgetRestored, "Somebody else had changed or deleted a PodDisruptionBudget that the operator keeps.", "Change spec.disruptionBudget instead, if it is not as it should be."},
		{NoticeBudgetLeftToOthers, "A PodDisruptionBudget of others covers the same Pods, so the operator makes none.", nothing},
		{NoticeStalled, "The Release cannot go on until somebody acts; the message says how.", "Do what the message says. " + look},
		{NoticeWriteRefused, "The API server refuses a write of the operator for what it is, such as by a quota or an admission policy of others.", "Mend what refuses it; the message has its words. It is tried again by itself."},
	}
}

// Copyright The Countersign Authors.
// SPDX-License-Identifier: Apache-2.0

package main

// contentRows are attacks on what was approved, and on bots that write it.
func contentRows() []row {
	return []row{
		{number: 9, attacker: "author", attack: "changes something that no approval covers",
			refused: "every field of the spec changes the digest, but for a short list", defence: "controllers/digest, a walk over all fields",
			residual: "other webhooks that change Pods"},
		{number: 10, attacker: "author, registry", attack: "moves the tag of an image after it was approved",
			refused: "images by digest can be demanded, and those that run are compared before the switch", defence: "ApprovalPolicy, requireImageDigests",
			residual: "policies that do not ask for it"},
		{number: 11, attacker: "author", attack: "edits a ConfigMap or Secret that approved content refers to",
			refused: "the candidate keeps immutable copies whose hashes are in the digest", defence: "controllers/snapshot; policy config-guard",
			residual: "config that is read from elsewhere at run time"},
		{number: 44, attacker: "Pod", attack: "lies about its health, to force rollbacks or to prevent them",
			refused: "one automatic rollback for each switch, and none forward", defence: "controllers/rollout",
			residual: "content that lies well looks good"},
		{number: 47, attacker: "any", attack: "puts line breaks, escapes or JSON into usernames and comments",
			refused: "usernames outside a safe alphabet cannot vote; comments have no control characters", defence: "policy release-votes; controllers/receipt",
			residual: "people with other usernames cannot vote"},
		{number: 48, attacker: "GitOps bot", attack: "applies a vote that was committed to Git", refused: "a bot cannot vote", defence: "policy release-votes; webhook"},
		{number: 49, attacker: "GitOps bot", attack: "fights the operator for the selector or the size",
			refused: "a Service's selector is refused to it; what was changed behind the operator is repaired and told", defence: "policy service-guard; controllers/rollout",
			residual: "with the policy gone, two writers who insist: the Release stalls and says so"},
		{number: 50, attacker: "GitOps tool", attack: "approves for whoever pressed a button, as its own ServiceAccount", refused: "a ServiceAccount cannot vote",
			defence: "policy release-votes; webhook"},
		{number: 51, attacker: "developer", attack: "names somebody else as the human author",
			refused: "only accounts that a policy trusts may, and they can only add", defence: "webhook, trustedDelegates; policy release-votes",
			residual: "who the Git host says the author is"},
		{number: 52, attacker: "GitOps", attack: "reverts to a commit that was approved once and expects it to go through",
			refused: "the same content in a later sequence has another digest", defence: "controllers/digest; controllers/rollout"},
		{number: 60, attacker: "admin", attack: "moves clocks so that votes live longer",
			refused: "a vote from the future does not count", defence: "controllers/approval",
			residual: "the operator's own clock is trusted"},
		{number: 61, attacker: "on-call", attack: "breaks the glass without need, or for their own change",
			refused: "not by an author, never over a hold or a veto; the next promotion waits for a review by another person", defence: "webhook; policies; controllers/rollout",
			residual: "one person can release in an emergency: that is its use, and it is told"},
		{number: 65, attacker: "any", attack: "votes on many objects at once", refused: "each object is judged by itself, and its digest has to fit", defence: "policy release-votes; webhook"},
	}
}

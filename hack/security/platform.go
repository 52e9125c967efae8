// Copyright The Countersign Authors.
// SPDX-License-Identifier: Apache-2.0

package main

// platformRows are attacks on the gate itself, by those who run the cluster.
func platformRows() []row {
	return []row{
		{number: 40, attacker: "Pod", attack: "calls the webhook directly, to have a receipt signed",
			refused: "a vote has to pass the API server with a receipt that names its requester", defence: "policy release-votes; NetworkPolicy; --webhook-client-ca; the webhook's account writes nothing",
			residual: "with release-votes deleted as well, a signed receipt counts: the gate is then frozen"},
		{number: 41, attacker: "tenant", attack: "uses tokens, Secrets or Leases of its own namespace",
			refused: "keys, Leases and accounts are in countersign-system alone, and ServiceAccounts never vote", defence: "roles in config/rbac; policy release-votes"},
		{number: 42, attacker: "who approves certificates", attack: "has a certificate made in somebody's name",
			refused: "a vote takes a token with an id", defence: "policy release-votes; webhook"},
		{number: 43, attacker: "root of a node", attack: "takes the operator's token", refused: "switches that the status does not know are told and repaired",
			defence: "nodes of their own; controllers/rollout", residual: "until it is noticed, such a token can switch traffic", accepted: "Nodes"},
		{number: 53, attacker: "cluster-admin", attack: "deletes or weakens a policy, a binding or the webhook",
			refused: "the self-test freezes the gate; config/static refuses even system:masters", defence: "controllers/selftest; config/static; receipts",
			residual: "a managed control plane has no place for config/static"},
		{number: 54, attacker: "cluster-admin", attack: "loosens an ApprovalPolicy to let something out",
			refused: "the policies are in the digest, so that votes are void; config/static refuses all but their owners", defence: "controllers/approval; role policy-owner; config/static",
			residual: "owners of policies"},
		{number: 55, attacker: "cluster-admin", attack: "votes or writes as somebody else, by impersonation",
			refused: "a vote and a change of content take a credential id, which impersonation does not have", defence: "policy release-votes; webhook",
			residual: "whoever may impersonate userextras too: seen in the audit log"},
		{number: 56, attacker: "cluster-admin", attack: "swaps the operator's image, or reads its keys",
			refused: "config/static refuses writes to its workloads, Secrets and roles", defence: "config/static",
			residual: "reading Secrets cannot be refused by admission: SECURITY.md, Cluster administrators"},
		{number: 57, attacker: "root of etcd", attack: "restores a backup, so that old approvals live again",
			refused: "votes expire and are of one uid, and an epoch that a Service has seen is never used again", defence: "controllers/approval, validFor; controllers/receipt; controllers/rollout",
			residual: "votes of the moment of the backup, within validFor", accepted: "Backups"},
		{number: 58, attacker: "admin", attack: "changes or deletes what is on record",
			refused: "the history is in the status, which only the operator writes", defence: "policy release-status",
			residual: "whoever may write etcd or the audit log's files", accepted: "Records"},
		{number: 59, attacker: "admin", attack: "deletes a CustomResourceDefinition, and all Releases with it",
			refused: "config/static refuses it", defence: "config/static",
			residual: "without it the operator gives everything back and traffic goes on, with no gate"},
		{number: 62, attacker: "outage", attack: "webhook, key, policy or parameter is missing",
			refused: "no promotion; rollback needs none of them", defence: "failurePolicy Fail; policies release-votes, release-breakglass; controllers/rollout",
			residual: "Releases wait"},
	}
}

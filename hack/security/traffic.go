// Copyright The Countersign Authors.
// SPDX-License-Identifier: Apache-2.0

package main

// trafficRows are attacks on what leads to traffic, past the Release.
func trafficRows() []row {
	return []row{
		{number: 12, attacker: "developer", attack: "changes selector, ports, type or addresses of a Service",
			refused: "only the operator changes them, with an epoch that grows", defence: "policy service-guard",
			residual: "status.loadBalancer, which takes rights that no tenant has"},
		{number: 13, attacker: "developer", attack: "takes our labels off, so that no guard looks",
			refused: "guards look at the object before and after", defence: "policies service-guard, workload-guard, pod-guard, endpointslice-guard"},
		{number: 14, attacker: "developer", attack: "changes, undoes, pauses or deletes a Deployment or ReplicaSet of a colour",
			refused: "only the operator and the controllers of Kubernetes write them", defence: "policy workload-guard; the operator repairs"},
		{number: 15, attacker: "developer", attack: "makes a Pod that a Service finds, changes the image of one, or cuts one loose from its ReplicaSet",
			refused: "only ReplicaSets make such Pods; labels, images and owners of them stay", defence: "policy pod-guard"},
		{number: 16, attacker: "developer", attack: "puts a container into a serving Pod, or runs a command in one",
			refused: "no containers are added; config/exec refuses commands, where it is installed", defence: "policies pod-guard, exec-guard",
			residual: "without config/exec, whoever may exec can"},
		{number: 17, attacker: "developer", attack: "scales a colour to nothing, or evicts its Pods",
			refused: "only the operator scales them", defence: "policies scale-guard, workload-guard",
			residual: "Pods can be deleted and evicted: others come, and their content is the same"},
		{number: 18, attacker: "developer", attack: "routes around: another Service, an EndpointSlice, Endpoints, an ExternalName",
			refused: "no other Service selects our labels, and nobody writes endpoints of a Release's Service", defence: "policies selector-guard, endpointslice-guard, service-guard",
			residual: "an Ingress or a route to another Service, and labels of one's own: SECURITY.md, Routes"},
		{number: 19, attacker: "developer", attack: "makes an active object depend on one that can be deleted",
			refused: "ownerReferences of Services, Deployments, Pods and EndpointSlices are not the tenant's", defence: "policies service-guard, workload-guard, pod-guard, endpointslice-guard"},
		{number: 20, attacker: "developer", attack: "takes the finalizer off", refused: "only the operator does", defence: "policy release-finalizer",
			residual: "unsafe deletion of an object that cannot be decoded"},
		{number: 21, attacker: "developer", attack: "deletes the Release or everything under it, to be rid of the gate",
			refused: "deleting a Release takes a role that edit does not hold; what it led stays guarded until it is given back", defence: "role release-owner; policies service-guard, workload-guard",
			residual: "whoever may delete namespaces"},
		{number: 45, attacker: "tenant", attack: "relabels the namespace so that no guard looks", refused: "no guard looks at labels of namespaces",
			defence: "config/policy and config/webhook have no selectors"},
		{number: 46, attacker: "any", attack: "writes by another version of the API", refused: "guards are for all versions, and so they match equivalent ones",
			defence: "apiVersions * and matchPolicy Equivalent", residual: "owners of CustomResourceDefinitions: row 59"},
		{number: 63, attacker: "stale leader", attack: "wakes up and switches late", refused: "a selector changes only with an epoch that grows",
			defence: "policy service-guard; resourceVersion in each patch"},
		{number: 64, attacker: "other webhook", attack: "changes annotations or content after ours has stamped them",
			refused: "policies see the object as it will be stored", defence: "policies release-votes, release-authors; webhook, reinvocationPolicy"},
	}
}

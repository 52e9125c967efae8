// Copyright The Countersign Authors.
// SPDX-License-Identifier: Apache-2.0

package main

// row is a defect of another tool.
type row struct {
	number int
	// there is what the other tool did, and whose says which.
	there, whose string
	// here is how the defect shows that it is not here.
	here string
}

// table is all of them, in order of their numbers.
func table() []row {
	return []row{
		{1, "an abort did not switch back while the new colour was not complete", "AR#2824, service.go",
			"traffic is back in the decision that saw the new colour without ready Pods, paused, inconclusive or half switched"},
		{2, "Pods lost to a node cancelled the analysis and promoted", "AR#3724, #2931, #4604",
			"a Pod lost during tests or while people decide holds the candidate back and ends nothing"},
		{3, "a change of size while the new content was observed left the old one at its former size for ever", "AR#3663",
			"a change of size in any phase reaches both colours, and the release goes on"},
		{4, "a Deployment that was taken over was promoted without the gate", "AR#4503",
			"the first release waits for approval, and a Service that others serve moves only at the switch"},
		{5, "a selector without the tool's key counted as a promotion", "AR#4750, bluegreen.go",
			"a selector that was changed is led back to the active colour and approves nothing"},
		{6, "the test of the preview reached Pods of the former content", "AR#2488",
			"checks ask the candidate's own ready Pods by their addresses"},
		{7, "the preview was pointed at content without Pods", "AR#2641",
			"the preview leads to the candidate only when all its Pods are available"},
		{8, "load balancers learned of the new Pods after the switch", "AR#4834, #4772",
			"no switch before the preview's endpoints are complete, and none is over before the Services' are"},
		{9, "the old Pods were scaled down before the switch had any effect", "AR#2235, FL#1202, FL#1898",
			"nothing is scaled down that a selector or an endpoint still uses"},
		{10, "a cache that lagged made it pause twice, lose a promotion or get stuck", "AR#720, #4073, #4694",
			"what was decided on an outdated read is refused by its resourceVersion and decided again"},
		{11, "updates in conflict went round in a loop", "AR#3316, #4073",
			"a conflict is no error, tells nobody, and with annotations and sizes written all the time a release comes to its end"},
		{12, "a restart in the middle of a switch lost its place", "AR, initial deploy",
			"killed before any write of a switch, it goes on once, under the same epoch"},
		{13, "a Service that was made anew served both colours", "AR#71",
			"a Service that is made anew leads to the active colour alone"},
		{14, "scaling to zero, or deletion, left a selector that leads nowhere", "AR#4541, #83, FL revertOnDeletion",
			"after deletion the active colour serves as before, and a size of zero is given back whole"},
		{15, "going back left a state in which the former Pods were never scaled down", "AR#3304, #3242, #3836",
			"back, forward and back again, also while the former colour is about to be drained, ends with one colour drained"},
		{16, "a change of size between two phases went to the wrong colour", "AR#4302, #4200, #301",
			"a change of size, alone or with content, reaches the candidate and what serves, and needs no new votes"},
		{17, "an autoscaler was made anew at its minimum, or left at zero", "FL#1209, #1934",
			"the candidate has at least the size of what serves before it gets traffic"},
		{18, "an approval that took long became a failure", "AR#3843, #939, #1383",
			"weeks of waiting for people fail nothing and degrade nothing"},
		{19, "the gate stayed open for the next revision, and forgot itself in a restart", "FL gate.go",
			"votes are of one digest, and they are on the Release, where a restart finds them"},
		{20, "who approves could change the quorum, by another verb or subresource", "MAG SRVKP-12509",
			"policies are not the approver's to write, nor the status, by any verb"},
		{21, "a proxy voted in the place of a person", "KA, argo-cd#7689",
			"a ServiceAccount cannot vote, nor whoever impersonates somebody"},
		{22, "a sync removed votes that people had made with kubectl", "Flux, ssa/patch.go",
			"a sync that strips what kubectl wrote succeeds and loses no vote"},
		{23, "a sync reverted the selector that had been switched", "GitOps",
			"a manifest with a selector does not move traffic, and whoever insists is named"},
		{24, "rules filled one after the other were never all filled", "GL#425759",
			"seats are a maximum matching, which equals brute force in random cases"},
		{25, "hooks that follow a release ran before it was out", "AR#771",
			"Released is True only once the newest content has all of the traffic"},
		{26, "an approval of another object was accepted", "KA#2365, #6562",
			"a vote is of one cluster, namespace, name and uid"},
		{27, "teardown removed more Pods than a PodDisruptionBudget allows", "AR#4270",
			"each colour has a PodDisruptionBudget of its own, from its first Pod to its last"},
		{28, "who writes EndpointSlices got round the selector", "CVE-2021-25740",
			"nobody but its controller writes endpoints of a Release's Service"},
		{29, "a user's autoscaler stayed disabled after a finalizer that failed", "KR hpa.go",
			"the operator has no right to any autoscaler and never writes spec.replicas of a Release"},
		{30, "a window closed between approval and switch", "Octopus, Azure DevOps",
			"windows and the age of votes are judged at the switch, until the write"},
	}
}

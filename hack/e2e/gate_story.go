// Copyright The Countersign Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/countersign/countersign/api/v1alpha1"
	"github.com/countersign/countersign/hack/cluster/identity"
	"github.com/countersign/countersign/hack/cluster/load"
	"github.com/countersign/countersign/hack/cluster/local"
	"k8s.io/apimachinery/pkg/api/meta"
)

// stopTheLine holds every promotion in the cluster.
const stopTheLine = `apiVersion: countersign.dev/v1alpha1
kind: ApprovalPolicy
metadata: {name: stop-the-line}
spec: {namespaces: ["*"], hold: "INC-7: payments are down"}
`

// morePeople lets product and those on call write the annotations of Releases.
const morePeople = `apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata: {namespace: shop, name: more-approvers}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: release-approver}
subjects:
- {apiGroup: rbac.authorization.k8s.io, kind: Group, name: product}
- {apiGroup: rbac.authorization.k8s.io, kind: Group, name: sre-oncall}
`

func tellGate(ctx context.Context, c *local.Cluster) error {
	d, err := newDemo(ctx, c)
	if err != nil {
		return err
	}
	d.observe = 3
	d.firstRelease()
	d.Apply(identity.Admin, "product and those on call may annotate, too", morePeople)
	sum, err := d.underLoad(ctx, func() {
		d.veto()
		d.freeze()
		d.hold()
		d.tighten()
		d.breakGlass()
	})
	if err := errors.Join(d.Err(), err); err != nil {
		return err
	}
	return d.concludeGate(sum)
}

func (d *demo) veto() {
	d.Chapter("Security vetoes version 2, and takes it back")
	rel := d.candidate("v2")
	d.approve("alice", rel)
	d.Do("bob", d.vote("bob", v1alpha1.RejectPrefix+digestOf(rel))...)
	d.AwaitPhase(v1alpha1.PhaseHalted)
	d.show()
	d.Do("bob", "annotate", "release", "shop", "-n", "shop", v1alpha1.VotePrefix+"bob-")
	d.AwaitPhase(v1alpha1.PhaseAwaitingApproval)
	d.approve("bob", rel)
	d.awaitSwitch(rel)
	d.AwaitPhase(v1alpha1.PhaseStable)
	d.show()
}

func (d *demo) freeze() {
	d.Chapter("Change freeze: version 3 is approved and waits for the window")
	now := time.Now().UTC()
	d.policy(fmt.Sprintf(`{"spec":{"windows":{"exclude":[{"from":%q,"to":%q}]}}}`,
		now.Add(-time.Minute).Format(time.RFC3339), now.Add(time.Hour).Format(time.RFC3339)))
	rel := d.candidate("v3")
	d.approve("alice", rel)
	d.approve("bob", rel)
	d.awaitHeld(rel, "OutsideWindow")
	d.show()
	d.Say("the platform team ends the freeze: what was approved goes on by itself")
	d.policy(`{"spec":{"windows":null}}`)
	d.awaitSwitch(rel)
	d.AwaitPhase(v1alpha1.PhaseStable)
}

func (d *demo) hold() {
	d.Chapter("Stop the line: nothing in the cluster is promoted, whoever approved it")
	rel := d.candidate("v4")
	d.Apply(identity.Admin, "a policy that only holds", stopTheLine)
	d.approve("alice", rel)
	d.approve("bob", rel)
	d.awaitHeld(rel, "StopTheLine")
	d.show()
	d.Do(identity.Admin, "delete", "approvalpolicy", "stop-the-line")
	d.awaitSwitch(rel)
	d.AwaitPhase(v1alpha1.PhaseStable)
}

func (d *demo) tighten() {
	d.Chapter("A policy is tightened while votes are open: they stay, and one more person has to agree")
	rel := d.candidate("v5")
	d.approve("alice", rel)
	d.policy(`{"spec":{"rules":[{"name":"qa","count":1,"groups":["qa"]},{"name":"security","count":1,"groups":["security"],"canVeto":true},{"name":"product","count":1,"groups":["product"]}],` +
		`"breakGlass":{"groups":["sre-oncall"],"reviewWithin":"48h"}}}`)
	d.approve("bob", rel)
	d.Await("two of three seats are filled", func(r *v1alpha1.Release) bool { return r.Status.Approvals == "2/3" })
	d.show()
	d.approve("carol", rel)
	d.awaitSwitch(rel)
	d.AwaitPhase(v1alpha1.PhaseStable)
}

func (d *demo) breakGlass() {
	d.Chapter("Break-glass: checkout is down at night, and somebody on call lets the mended version through")
	rel := d.candidate("v1")
	digest := digestOf(rel)
	d.Refused("alice", []string{"alice@example.com"}, "annotate", "release", "shop", "-n", "shop", v1alpha1.GlassPrefix+"alice="+digest+";INC-9;checkout is down")
	d.Do("erin", "annotate", "release", "shop", "-n", "shop", v1alpha1.GlassPrefix+"erin="+digest+";INC-9;checkout is down")
	d.awaitSwitch(rel)
	d.Await("the observation is over", func(r *v1alpha1.Release) bool { return r.Status.Active.FinishedAt != nil })
	d.show()

	d.Chapter("The next release waits until somebody else has reviewed that")
	next := d.candidate("v2")
	for _, user := range []string{"alice", "bob", "carol"} {
		d.approve(user, next)
	}
	d.awaitHeld(next, "ReviewPending")
	d.show()
	d.Refused("erin", []string{"erin@example.com"}, "annotate", "release", "shop", "-n", "shop", v1alpha1.ReviewPrefix+"erin="+digest)
	d.Do("carol", "annotate", "release", "shop", "-n", "shop", v1alpha1.ReviewPrefix+"carol="+digest)
	d.awaitSwitch(next)
	d.AwaitPhase(v1alpha1.PhaseStable)
	d.show()
	d.history()
}

// policy is a change that the platform team makes to who has to agree.
func (d *demo) policy(patch string) {
	d.Do(identity.Admin, "patch", "approvalpolicy", "shop", "--type=merge", "-p", patch)
}

// candidate applies a version as dev and waits until it can be voted on.
func (d *demo) candidate(version string) *v1alpha1.Release {
	before := d.current().Status.Sequence
	d.apply("dev", version, "")
	return d.AwaitCandidate(before)
}

// awaitHeld waits until the candidate is complete and something else than votes
// holds it back.
func (d *demo) awaitHeld(candidate *v1alpha1.Release, reason string) {
	digest := digestOf(candidate)
	d.Await("the candidate is held back: "+reason, func(r *v1alpha1.Release) bool {
		c := meta.FindStatusCondition(r.Status.Conditions, v1alpha1.ConditionApproved)
		return c != nil && c.Reason == reason && r.Status.Candidate != nil && r.Status.Candidate.Digest == digest
	})
	d.Do(identity.Admin, "get", "release", "shop", "-n", "shop", "-o", `jsonpath={.status.conditions[?(@.type=="Approved")].message}{"\n"}`)
}

func (d *demo) concludeGate(sum load.Summary) error {
	rel := d.current()
	var reasons []string
	for _, h := range rel.Status.History {
		reasons = append(reasons, string(h.Reason))
	}
	failed := sum.Failed + sum.Unexpected
	want := "Promote,BreakGlass,Promote,Promote,Promote,Promote,Promote"
	verdict := "ok"
	if got := strings.Join(reasons, ","); failed > 0 || d.real == (sum.Sent == 0) || got != want {
		verdict = "FAILED"
		fmt.Printf("# switches, the latest first: %s; want %s\n", got, want)
	}
	fmt.Printf("demo-gate: %s sent=%d failed=%d sick=%d promotions=6 break_glass=1 held=freeze,stop-the-line,review\n", verdict, sum.Sent, failed, sum.Sick)
	if verdict != "ok" {
		return errors.New("the story did not end as it should")
	}
	return nil
}

// Copyright The Countersign Authors.
// SPDX-License-Identifier: Apache-2.0

package rollout_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/countersign/countersign/api/v1alpha1"
	"github.com/countersign/countersign/controllers/approval"
	"github.com/countersign/countersign/controllers/rollout"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// policy changes the one policy of a world.
func (w *world) policy(change func(*approval.Policy)) {
	w.policies = slices.Clone(w.policies)
	w.policies[0].Rules = slices.Clone(w.policies[0].Rules)
	change(&w.policies[0])
}

func rule(name string, users ...string) approval.Rule {
	return approval.Rule{Name: name, Count: 1, Users: users}
}

// waiting is a world whose candidate is approved by bob, and for which the
// endpoints are still waited.
func waiting(t *testing.T, changes ...func(*world)) *world {
	w := serving(t, changes...)
	w.edit("v2")
	w.lag = true
	w.run()
	w.approve("bob")
	w.run()
	w.wantsCondition(v1alpha1.ConditionApproved, metav1.ConditionTrue, v1alpha1.ReasonQuorumMet)
	w.wantsTraffic(blue)
	return w
}

// settle lets the endpoints follow, which is the last thing that is waited for.
func (w *world) settle() {
	w.lag = false
	w.run()
}

// Demands that are added leave votes as they are and are asked for besides. Any
// other change makes the votes void.
func TestPolicyChanges(t *testing.T) {
	for name, tc := range map[string]struct {
		change func(*approval.Policy)
		keeps  bool
		opens  bool // with bob's vote alone
	}{
		"sec/54 nothing": {func(*approval.Policy) {}, true, true},
		"sec/54 fewer who may": {func(p *approval.Policy) {
			p.Rules = []approval.Rule{{Name: "qa", Count: 1, Users: []string{"bob", "carol"}, CanVeto: true}, rule("security", "bob", "erin")}
		}, true, false},
		"sec/54 another rule":             {func(p *approval.Policy) { p.Rules = append(p.Rules, rule("security", "erin")) }, true, false},
		"sec/54 a shorter time":           {func(p *approval.Policy) { p.ValidFor = time.Hour }, true, true},
		"sec/54 who may, grants himself":  {func(p *approval.Policy) { p.Rules[0].Users = []string{"bob", "carol", "mallory"} }, false, false},
		"sec/54 another map of persons":   {func(p *approval.Policy) { p.Rules[0].Users = []string{"bob"}; p.Persons = nil }, false, false},
		"sec/54 fewer seats":              {func(p *approval.Policy) { p.Rules[0].CanVeto = false }, false, false},
		"sec/54 a longer time":            {func(p *approval.Policy) { p.ValidFor = 25 * time.Hour }, false, false},
		"sec/54 authors may approve":      {func(p *approval.Policy) { p.AuthorsMayApprove = true }, false, false},
		"sec/54 the policy by other name": {func(p *approval.Policy) { p.Name = "other" }, false, false},
	} {
		t.Run(name, func(t *testing.T) {
			w := waiting(t)
			before := *w.rel.Status.Candidate
			w.policy(tc.change)
			w.settle()
			if w.rel.Status.Active.Digest == before.Digest != tc.opens {
				t.Errorf("it is let through: %v", !tc.opens)
			}
			c := w.rel.Status.Candidate
			if tc.opens {
				return
			}
			if kept := c.Digest == before.Digest && c.Sequence == before.Sequence; kept != tc.keeps {
				t.Errorf("the digest is kept: %v; %+v", kept, c)
			}
			if tc.keeps {
				w.approve("erin")
			} else {
				w.wantsNotice("CandidateDetected")
				w.wantsNotice("ApprovalIgnored")
				w.approve("bob")
			}
			w.run()
			w.wantsTraffic(green)
		})
	}
}

// Votes that survive are judged by what is in force, and what was there at first
// is what changes are measured by.
func TestPolicyTightenedAndBack(t *testing.T) {
	w := waiting(t)
	before := w.rel.Status.Candidate.Digest
	w.policy(func(p *approval.Policy) { p.Rules = append(p.Rules, rule("security", "erin")) })
	w.run()
	w.wantsCondition(v1alpha1.ConditionApproved, metav1.ConditionFalse, v1alpha1.ReasonAwaitingApproval)
	w.policy(func(p *approval.Policy) { p.Rules = p.Rules[:1] })
	w.run()
	if c := w.rel.Status.Candidate; c.Digest != before {
		t.Error("going back to what was approved makes the votes void")
	}
	w.settle()
	w.wantsTraffic(green)
}

// A veto that is added is not passed over because its voter rejected before: what
// they are was not asked then.
func TestVetoAddedAfterRejection(t *testing.T) {
	for user, kept := range map[string]bool{"": true, "zoe": false} {
		t.Run("sec/54 rejected by "+user, func(t *testing.T) {
			w := waiting(t)
			if user != "" {
				w.reject(user)
			}
			w.run()
			before := w.rel.Status.Candidate.Digest
			w.policy(func(p *approval.Policy) {
				p.Rules = append(p.Rules, approval.Rule{Name: "security", Count: 1, Groups: []string{"security"}, CanVeto: true})
			})
			w.run()
			if got := w.rel.Status.Candidate.Digest == before; got != kept {
				t.Errorf("the votes are kept: %v", got)
			}
		})
	}
}

// A policy that is too large to be kept voids votes whenever it changes.
func TestPolicyTooLargeToFreeze(t *testing.T) {
	w := waiting(t, func(w *world) {
		w.policy(func(p *approval.Policy) {
			for i := range 900 {
				p.Persons = append(p.Persons, approval.Person{Name: fmt.Sprint(i), Users: []string{fmt.Sprintf("somebody-with-a-long-name-%d@example.com", i)}})
			}
		})
	})
	if got := w.rel.Status.Candidate.Policies; got != "" {
		t.Errorf("%d bytes are kept", len(got))
	}
	before := w.rel.Status.Candidate.Digest
	w.run()
	if w.rel.Status.Candidate.Digest != before {
		t.Error("a policy that does not change voids votes")
	}
	w.policy(func(p *approval.Policy) { p.ValidFor = time.Hour })
	w.run()
	if w.rel.Status.Candidate.Digest == before {
		t.Error("the votes stand")
	}
}

// A frozen policy that was tampered with is not what the digest says.
func TestFrozenPoliciesAreBoundToTheDigest(t *testing.T) {
	for name, text := range map[string]string{"Garbage": "{", "Weaker": `[{"name":"prod","rules":[{"name":"qa","count":1,"users":["bob","carol","mallory"],"canVeto":false}],"minDistinctPersons":0,"authorsMayApprove":false,"validFor":"86400000000000"}]`} {
		t.Run(name, func(t *testing.T) {
			w := waiting(t)
			before := w.rel.Status.Candidate.Digest
			w.rel.Status.Candidate.Policies = text
			w.run()
			if same := w.rel.Status.Candidate.Digest == before; same != (name == "Garbage") {
				t.Errorf("the digest is the same: %v", same)
			}
			if !strings.Contains(w.rel.Status.Candidate.Policies, `"users":["bob","carol"]`) {
				t.Errorf("it keeps %s", w.rel.Status.Candidate.Policies)
			}
		})
	}
}

func hold(p *approval.Policy) { p.Hold = "the database is being moved" }

func TestHolds(t *testing.T) {
	scenarios(t, map[string]func(*testing.T){
		"a hold keeps what is approved from moving, and is no failure": func(t *testing.T) {
			w := waiting(t)
			w.policy(hold)
			w.settle()
			w.wantsTraffic(blue)
			w.wants(v1alpha1.PhaseAwaitingApproval)
			w.wantsReady(metav1.ConditionTrue, v1alpha1.ReasonAwaitingApproval)
			w.wantsCondition(v1alpha1.ConditionApproved, metav1.ConditionFalse, v1alpha1.ReasonStopTheLine)
			w.wantsCondition(v1alpha1.ConditionStalled, "", "")
			w.wantsWaiting("policy prod stops the line: the database is being moved")
			w.pass(48 * time.Hour)
			w.wantsTraffic(blue)
		},
		"votes are taken under a hold, and count when it is lifted": func(t *testing.T) {
			w := serving(t)
			w.policies = append(w.policies, approval.Policy{Name: "stop", Hold: "an incident"})
			w.edit("v2")
			w.run()
			w.approve("bob")
			w.run()
			w.wantsCondition(v1alpha1.ConditionApproved, metav1.ConditionFalse, v1alpha1.ReasonStopTheLine)
			if v := w.rel.Status.Votes[0]; !v.Counted || w.rel.Status.Approvals != "1/1" {
				t.Errorf("the vote is %+v, approvals %s", v, w.rel.Status.Approvals)
			}
			if m := w.condition(v1alpha1.ConditionApproved).Message; !strings.Contains(m, "kubectl delete approvalpolicy stop") {
				t.Errorf("the message is %q", m)
			}
			w.policies = w.policies[:1]
			w.run()
			w.wantsTraffic(green)
		},
		"a hold that comes between commit and traffic calls it off": func(t *testing.T) {
			w := waiting(t)
			w.writes, w.lag = 0, false
			w.step()
			w.wantsTraffic(blue)
			w.policy(hold)
			w.writes = 1 << 30
			w.run()
			w.wantsTraffic(blue)
			w.wantsNotice("SwitchCancelled")
		},
		"a rollback happens under a hold": func(t *testing.T) {
			w := secondObserved(t)
			w.policy(hold)
			w.colours[green].missing = 3
			w.run()
			w.wantsTraffic(blue)
		},
		"a hold alone is no policy that lets anything through": func(t *testing.T) {
			w := newWorld(t, func(w *world) { w.policies = []approval.Policy{{Name: "stop", Hold: "x"}} })
			w.run()
			w.wantsCondition(v1alpha1.ConditionApproved, metav1.ConditionFalse, v1alpha1.ReasonNoPolicy)
		},
	})
}

// noonToOne of every day. Worlds begin at noon.
func noonToOne(p *approval.Policy) {
	p.Windows = approval.Windows{Allow: []approval.Window{{Schedule: "0 12 * * *", Duration: time.Hour}}}
}

func TestWindowsAtTheSwitch(t *testing.T) {
	scenarios(t, map[string]func(*testing.T){
		"D30 a window that closes between vote and switch keeps it out, and opens by itself": func(t *testing.T) {
			w := waiting(t, func(w *world) { w.policy(noonToOne) })
			w.pass(2 * time.Hour)
			w.wantsCondition(v1alpha1.ConditionApproved, metav1.ConditionFalse, v1alpha1.ReasonOutsideWindow)
			w.settle()
			w.wantsTraffic(blue)
			w.wantsReady(metav1.ConditionTrue, v1alpha1.ReasonAwaitingApproval)
			w.wantsWaiting("policy prod lets no traffic move at this time")
			opens := time.Date(2026, 11, 25, 12, 0, 0, 0, time.UTC)
			if !w.last.WakeAt.Equal(opens) {
				t.Errorf("it wakes at %s, want %s", w.last.WakeAt, opens)
			}
			w.policy(func(p *approval.Policy) { p.ValidFor = 72 * time.Hour }) // shorter was not asked for
			w.run()
			w.approve("bob")
			w.pass(22 * time.Hour)
			w.wantsTraffic(green)
		},
		"D30 a window that closes after the commit and before any traffic calls it off": func(t *testing.T) {
			w := waiting(t, func(w *world) { w.policy(noonToOne) })
			w.writes, w.lag = 0, false
			w.step()
			w.now = w.now.Add(2 * time.Hour)
			w.writes = 1 << 30
			w.run()
			w.wantsTraffic(blue)
			w.wantsNotice("SwitchCancelled")
		},
		"windows do not make votes void": func(t *testing.T) {
			w := waiting(t)
			before := w.rel.Status.Candidate.Digest
			w.policy(noonToOne)
			w.run()
			if w.rel.Status.Candidate.Digest != before {
				t.Error("the digest changed")
			}
			w.settle()
			w.wantsTraffic(green)
		},
		"sec/61 break-glass does not wait for a window": func(t *testing.T) {
			w := serving(t, onCall, func(w *world) {
				w.policies[0].Windows = approval.Windows{Exclude: []approval.Window{{Schedule: "0 13 * * *", Duration: time.Hour}}}
			})
			w.edit("v2")
			w.pass(time.Hour)
			w.approve("bob")
			w.run()
			w.wantsTraffic(blue)
			w.wantsCondition(v1alpha1.ConditionApproved, metav1.ConditionFalse, v1alpha1.ReasonOutsideWindow)
			w.breakGlass()
			w.run()
			w.wantsTraffic(green)
		},
		"a rollback does not wait for a window": func(t *testing.T) {
			w := secondObserved(t)
			w.policy(func(p *approval.Policy) {
				p.Windows = approval.Windows{Exclude: []approval.Window{{Schedule: "0 0 * * *", Duration: 24 * time.Hour}}}
			})
			w.colours[green].missing = 3
			w.run()
			w.wantsTraffic(blue)
		},
		"sec/60 a clock that runs backwards makes nothing last longer": func(t *testing.T) {
			w := waiting(t)
			w.now = w.now.Add(-2 * time.Minute)
			w.settle()
			w.wantsTraffic(blue)
			w.wantsCondition(v1alpha1.ConditionApproved, metav1.ConditionFalse, v1alpha1.ReasonAwaitingApproval)
		},
		"sec/60 nor does one that runs ahead": func(t *testing.T) {
			w := waiting(t)
			w.now = w.now.Add(25 * time.Hour)
			w.settle()
			w.wantsTraffic(blue)
		},
		"a zone that does not exist lets nothing through": func(t *testing.T) {
			w := waiting(t)
			w.policy(func(p *approval.Policy) { noonToOne(p); p.Windows.TimeZone = "Europe/Atlantis" })
			w.settle()
			w.wantsTraffic(blue)
			w.wantsWaiting("Europe/Atlantis")
		},
	})
}

func TestUnsatisfiablePolicies(t *testing.T) {
	scenarios(t, map[string]func(*testing.T){
		"fewer people than seats are told before anyone votes": func(t *testing.T) {
			w := serving(t)
			w.policy(func(p *approval.Policy) { p.Rules[0].Count = 3 })
			w.edit("v2")
			w.run()
			w.wantsCondition(v1alpha1.ConditionApproved, metav1.ConditionFalse, v1alpha1.ReasonUnsatisfiable)
			w.wantsWaiting("prod/qa needs 1 more approval, but nobody is left who could")
			if m := w.condition(v1alpha1.ConditionApproved).Message; strings.Contains(m, "kubectl annotate") {
				t.Errorf("it asks for votes that cannot help: %q", m)
			}
		},
		"sec/51 the author is a program, nobody knows for whom: one more person": func(t *testing.T) {
			w := serving(t)
			w.authors.Names = []string{"system:serviceaccount:argocd:app"}
			w.edit("v2")
			w.run()
			w.approve("bob")
			w.run()
			w.wantsTraffic(blue)
			w.wantsWaiting("1 of unknownAuthor (carol)")
			w.approve("carol")
			w.run()
			w.wantsTraffic(green)
		},
		"sec/51 or nothing at all, where the policy says so": func(t *testing.T) {
			w := serving(t)
			w.policy(func(p *approval.Policy) { p.RefuseUnknownAuthor = true })
			w.authors.Names = []string{"system:serviceaccount:argocd:app"}
			w.edit("v2")
			w.run()
			w.approve("bob")
			w.approve("carol")
			w.run()
			w.wantsTraffic(blue)
			w.wantsStalled(v1alpha1.ReasonAuthorsUnknown, "a person has to apply the change")
		},
		"sec/51 whose human is named is no stranger": func(t *testing.T) {
			w := serving(t)
			w.policy(func(p *approval.Policy) { p.TrustedDelegates = []string{"system:serviceaccount:argocd:app"} })
			w.authors.Names, w.authors.Delegates = []string{"dave", "system:serviceaccount:argocd:app"}, []string{"system:serviceaccount:argocd:app"}
			w.edit("v2")
			w.run()
			w.approve("bob")
			w.run()
			w.wantsTraffic(green)
		},
	})
}

const pinned = "example.com/app@sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

func TestImages(t *testing.T) {
	demanded := func(p *approval.Policy) { p.RequireImageDigests = true }
	scenarios(t, map[string]func(*testing.T){
		"sec/10 a tag is not let through where digests are demanded": func(t *testing.T) {
			w := serving(t)
			w.policy(demanded)
			w.run()
			w.wants(v1alpha1.PhaseStable) // what serves was let through before
			w.edit("v2")
			w.run()
			w.wantsStalled(v1alpha1.ReasonImageNotPinned, "containers[name=app].image")
			w.edit(pinned)
			w.run()
			w.approve("bob")
			w.run()
			w.wantsTraffic(green)
		},
		"sec/10 a demand that comes after the vote keeps a tag out": func(t *testing.T) {
			w := waiting(t)
			w.policy(demanded)
			w.settle()
			w.wantsTraffic(blue)
			w.wantsStalled(v1alpha1.ReasonImageNotPinned, "as policy prod demands")
		},
		"sec/10 what runs has to be what was approved": func(t *testing.T) {
			w := serving(t)
			w.edit(pinned)
			w.run()
			w.colours[green].runs = ptr("example.com/app@sha256:" + strings.Repeat("f", 64))
			w.approve("bob")
			w.run()
			w.wantsTraffic(blue)
			w.wantsWaiting("container app of Pod shop-green-0 runs")
			w.colours[green].runs = nil
			w.run()
			w.wantsTraffic(green)
		},
		"sec/10 of every Pod that is counted, and of no other": func(t *testing.T) {
			w := serving(t)
			w.edit(pinned)
			w.lag = true
			w.run()
			w.approve("bob")
			w.run()
			w.lag = false
			promotes := func(change func(*rollout.Workload)) bool {
				s := w.snapshot()
				change(&s.Green)
				sw := rollout.Decide(s).Status.Switch
				return sw.Epoch == 2
			}
			other := rollout.Pod{Name: "x", Images: map[string]string{"app": "other"}}
			leaving := other
			leaving.Ready, leaving.Terminating = true, true
			for name, tc := range map[string]struct {
				change func(*rollout.Workload)
				want   bool
			}{
				"all":             {func(*rollout.Workload) {}, true},
				"none is known":   {func(g *rollout.Workload) { g.Pods = nil }, false},
				"one is not":      {func(g *rollout.Workload) { g.Pods = g.Pods[1:] }, false},
				"one more starts": {func(g *rollout.Workload) { g.Pods = append(g.Pods, other) }, true},
				"one more ends":   {func(g *rollout.Workload) { g.Pods = append(g.Pods, leaving) }, true},
			} {
				if got := promotes(tc.change); got != tc.want {
					t.Errorf("%s: it is promoted: %v", name, got)
				}
			}
		},
		"sec/10 what runs has to be known": func(t *testing.T) {
			w := serving(t)
			w.edit(pinned)
			w.run()
			w.colours[green].runs = ptr("")
			w.approve("bob")
			w.run()
			w.wantsTraffic(blue)
		},
	})
}

// Votes on what was let through are told as what they did.
func TestVotesThatLetContentThrough(t *testing.T) {
	w := serving(t)
	w.edit("v2")
	w.lag = true
	w.run()
	w.approve("bob")
	w.run()
	w.approve("carol") // in reserve
	w.settle()
	w.wantsTraffic(green)
	why := func(slot, want string) {
		t.Helper()
		for _, v := range w.rel.Status.Votes {
			if v.Slot == slot && (v.Counted || v.Why != want) {
				t.Errorf("the vote of %s is told as %q, counted %v; want %q", slot, v.Why, v.Counted, want)
			}
		}
	}
	why("bob", "it let the active content through at epoch 2")
	why("carol", "it is on the active content, which was let through at epoch 2 without it")
	w.pass(600 * time.Second)
	w.told = nil
	w.edit("v3")
	w.run()
	w.wantsNoNotice("ApprovalIgnored")
	c := w.rel.Status.Candidate.Digest[:19]
	why("bob", "it let the active content through at epoch 2; the candidate, "+c+", needs votes of its own")
	w.approve("carol")
	w.run()
	why("bob", "it let content that is not active any more through at epoch 2")
}

// Copyright The Countersign Authors.
// SPDX-License-Identifier: Apache-2.0

package apiserver

import (
	"strings"
	"testing"
	"time"

	"github.com/countersign/countersign/api/v1alpha1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

// TestWebhookDown: without the webhook nothing is voted on or changed, and what
// a rollback needs still works.
func TestWebhookDown(t *testing.T) {
	s := openShop(t)
	s.mustApply(t, "dev", s.manifest(t, "v1"))
	digest := s.awaitCandidate(t)
	s.operator.stop()
	t.Cleanup(func() { s.operator.start(t) })

	refused(t, "a vote", s.vote(t, "alice", "alice", digest), "failed calling webhook")
	refused(t, "an edit", s.apply(t, "dev", s.manifest(t, "v2")), "failed calling webhook")
	s.mustWrite(t, "scale", "dev", "scale", set("spec.replicas", int64(2)))
	operator := s.asAccount(t, systemNamespace, operatorAccount)
	s.people["operator"] = operator
	s.mustWrite(t, "the operator's status", "operator", "status", set("status.waitingFor", "the webhook"))
	if err := s.write(t, "dev", "status", set("status.waitingFor", "nobody")); err == nil {
		t.Error("dev wrote the status")
	}
}

// TestWebhookComesBack is the end of the outage.
func TestWebhookComesBack(t *testing.T) {
	s := openShop(t)
	s.operator.stop()
	s.operator.start(t)
	s.promote(t, "v1")
}

// write changes the Release, or a subresource of it, for good.
func (s *shop) write(t *testing.T, who, subresource string, change func(*unstructured.Unstructured)) error {
	t.Helper()
	client := s.people[who].resource("releases", s.namespace)
	o, err := s.admin.resource("releases", s.namespace).Get(within(t), shopName, metav1.GetOptions{}, subresource)
	if err != nil {
		t.Fatal(err)
	}
	change(o)
	_, err = client.Update(within(t), o, metav1.UpdateOptions{}, subresource)
	return err
}

func (s *shop) mustWrite(t *testing.T, what, who, subresource string, change func(*unstructured.Unstructured)) {
	t.Helper()
	if err := s.write(t, who, subresource, change); err != nil {
		t.Errorf("%s, by %s: %v; want it admitted", what, who, err)
	}
}

// TestWithoutWebhook: the API server alone refuses what nobody stamped.
func TestWithoutWebhook(t *testing.T) {
	s := openShop(t)
	s.mustApply(t, "dev", s.manifest(t, "v1"))
	digest := s.awaitTested(t)
	s.withoutWebhook(t)
	refused(t, "a vote of bob", s.vote(t, "bob", "bob", v1alpha1.RejectPrefix+digest), "the webhook countersign did not stamp it")
	refused(t, "a vote", s.vote(t, "alice", "alice", digest), "the webhook countersign did not stamp it")
	refused(t, "an edit", s.apply(t, "dana", s.manifest(t, "v2")), "is not recorded as its author")
	refused(t, "an edit that stamps itself", s.apply(t, "dana", s.manifest(t, "v2", stamp(email("dev")))), "is not recorded as its author")
	t.Run("a receipt made up passes the policy and counts for nothing", func(t *testing.T) {
		err := s.patch(t, "alice", annotations(cast("alice", email("alice"), digest)))
		if err != nil {
			t.Fatalf("%v: then this test is of no use", err)
		}
		s.awaitIgnored(t, "alice")
	})
}

// TestAuthorsMadeUp: content whose authors nobody signed is promoted by no votes,
// or its author could be among those who approve.
func TestAuthorsMadeUp(t *testing.T) {
	s := openShop(t)
	s.mustApply(t, "dev", s.manifest(t, "v1"))
	before := s.awaitTested(t)
	t.Run("while the webhook is away", func(t *testing.T) {
		s.withoutWebhook(t)
		if err := s.apply(t, "dana", s.manifest(t, "v2", stamp(email("dana"), email("dev")))); err != nil {
			t.Fatalf("%v: then this test is of no use", err)
		}
	})
	digest := s.awaitTested(t)
	if digest == before {
		t.Fatal("the content is the same")
	}
	for _, who := range []string{"alice", "bob"} {
		refused(t, "a vote of "+who, s.vote(t, who, who, digest), "it is not proven who changed the content")
	}
	s.neverSwitches(t)
	if got := s.release(t); got.Status.Active != nil {
		t.Errorf("it was promoted: %s", standing(got))
	}
}

// annotations are what a change makes of no annotations at all.
func annotations(change func(*unstructured.Unstructured)) map[string]any {
	o := &unstructured.Unstructured{Object: map[string]any{}}
	change(o)
	return o.Object
}

// awaitIgnored waits until a vote is explained, and wants it not to count.
func (s *shop) awaitIgnored(t *testing.T, slot string) {
	t.Helper()
	rel := s.await(t, "the vote in slot "+slot+" is explained", func(r *v1alpha1.Release) bool {
		for _, v := range r.Status.Votes {
			if v.Slot == slot {
				return true
			}
		}
		return false
	})
	for _, v := range rel.Status.Votes {
		if v.Slot == slot && (v.Counted || v.Why == "") {
			t.Errorf("%s; want the vote in slot %s not to count", standing(rel), slot)
		}
	}
}

// neverSwitches looks for longer than a switch takes.
func (s *shop) neverSwitches(t *testing.T) {
	t.Helper()
	for end := time.Now().Add(time.Second); time.Now().Before(end); time.Sleep(50 * time.Millisecond) {
		if got := s.selector(t); got == "blue" || got == "green" {
			t.Fatalf("it was switched to %s: %s", got, standing(s.release(t)))
		}
	}
}

// TestWithoutAnyLockInTheAPIServer: whoever takes the policies and the webhook
// away can write what they like, and it counts for nothing.
func TestWithoutAnyLockInTheAPIServer(t *testing.T) {
	s := openShop(t)
	s.mustApply(t, "dev", s.manifest(t, "v1"))
	digest := s.awaitTested(t)
	s.withoutPolicies(t)
	t.Run("with the webhook votes are bound still", func(t *testing.T) {
		refused(t, "the author approves", s.vote(t, "dev", "dev", digest), "cannot approve it")
		refused(t, "a client certificate", s.vote(t, "admin", "admin", digest), "client certificates")
		s.mustVote(t, "alice", digest)
		refused(t, "mallory in alice's slot", s.vote(t, "mallory", "alice", "reject:"+digest), "belongs to "+email("alice"))
	})
	s.withoutWebhook(t)
	receiptOfAlice := s.release(t).Annotations[v1alpha1.ReceiptPrefix+"alice"]
	for what, change := range map[string]func(*unstructured.Unstructured){
		"a receipt made up":             cast("bob", email("bob"), digest),
		"no receipt":                    vote("bare", digest),
		"alice's receipt in a new slot": all(vote("copy", digest), annotate(v1alpha1.ReceiptPrefix+"copy", receiptOfAlice)),
		"alice's receipt for bob": all(vote("forged", digest), annotate(v1alpha1.ReceiptPrefix+"forged",
			strings.Replace(receiptOfAlice, email("alice"), email("bob"), 1))),
	} {
		if err := s.patch(t, "mallory", annotations(change)); err != nil {
			t.Errorf("%s: %v; without locks want it written", what, err)
		}
	}
	for _, slot := range []string{"bob", "bare", "copy", "forged"} {
		s.awaitIgnored(t, slot)
	}
	s.neverSwitches(t)
	if got := s.release(t).Status.Approvals; got != "1/2" {
		t.Errorf("approvals are %s, want alice's alone: %s", got, standing(s.release(t)))
	}
}

// Copyright The Countersign Authors.
// SPDX-License-Identifier: Apache-2.0

package apiserver

import (
	"fmt"
	"testing"

	"github.com/countersign/countersign/api/v1alpha1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

// TestBudgets evicts Pods as a drain of a node does, with the controller of
// Kubernetes that counts what a PodDisruptionBudget allows.
func TestBudgets(t *testing.T) {
	s := openShop(t)
	three := set("spec.replicas", int64(3))
	s.promote(t, "v1", three)
	s.awaitStable(t)
	s.promote(t, "v2", three)
	t.Run("D27 each colour lets one of three go at a time", func(t *testing.T) {
		for _, colour := range []string{"blue", "green"} {
			s.awaitAllowed(t, colour)
			s.wantsOneEvicted(t, colour)
		}
	})
	s.awaitStable(t)
	t.Run("D27 while the former colour is taken down, the other one's holds", func(t *testing.T) {
		s.mustApply(t, "dev", s.manifest(t, "v2", three, set("spec.keepIdleSeconds", int64(1))))
		s.mustVoteAll(t)
		s.awaitStable(t)
		s.awaitNoBudget(t, "green")
		s.awaitAllowed(t, "blue")
		s.wantsOneEvicted(t, "blue")
	})
	t.Run("somebody else's takes its place, so that Pods can be evicted", s.othersBudget)
	t.Run("one that is deleted is put back", func(t *testing.T) {
		if err := s.admin.resource("poddisruptionbudgets", s.namespace).Delete(within(t), "shop-blue", metav1.DeleteOptions{}); err != nil {
			t.Fatal(err)
		}
		s.await(t, "that is on record", func(r *v1alpha1.Release) bool {
			return len(r.Status.Budgets) == 1 && len(r.Status.Budgets[0].RepairedAt) == 1 && r.Status.Budgets[0].MaxUnavailable == "25%"
		})
	})
	t.Run("what is given back keeps it", s.budgetGivenBack)
}

// mustVoteAll takes the newest content through the gate.
func (s *shop) mustVoteAll(t *testing.T) {
	t.Helper()
	digest := s.awaitTested(t)
	s.mustVote(t, "alice", digest)
	s.mustVote(t, "bob", digest)
	s.awaitActive(t, digest)
}

func (s *shop) budget(t *testing.T, colour string) (*unstructured.Unstructured, error) {
	t.Helper()
	return s.admin.resource("poddisruptionbudgets", s.namespace).Get(within(t), "shop-"+colour, metav1.GetOptions{})
}

// awaitAllowed waits until a colour is complete and one eviction is allowed.
func (s *shop) awaitAllowed(t *testing.T, colour string) {
	t.Helper()
	eventually(t, "one Pod of "+colour+" may be evicted", func() string {
		b, err := s.budget(t, colour)
		if err != nil {
			return err.Error()
		}
		allowed, _, _ := unstructured.NestedInt64(b.Object, "status", "disruptionsAllowed")
		healthy, _, _ := unstructured.NestedInt64(b.Object, "status", "currentHealthy")
		if allowed != 1 || healthy != 3 {
			return fmt.Sprintf("%d of %d may", allowed, healthy)
		}
		return ""
	})
}

// wantsOneEvicted evicts one Pod of a colour right after the other. Those that take
// their places are ready soon, so that more than one may be let go: before long, one
// comes too early and is refused.
func (s *shop) wantsOneEvicted(t *testing.T, colour string) {
	t.Helper()
	for n := range 30 {
		pods := s.pods(t, colour)
		if len(pods) < 2 {
			t.Fatalf("%s has %d Pods", colour, len(pods))
		}
		err := s.evict(t, pods[n%2])
		if n > 0 && apierrors.IsTooManyRequests(err) {
			return
		}
		if err != nil {
			t.Fatalf("eviction %d of %s: %v", n+1, colour, err)
		}
	}
	t.Errorf("all Pods of %s were evicted as fast as can be, and none was to be refused", colour)
}

// pods of a colour that are not about to go.
func (s *shop) pods(t *testing.T, colour string) (names []string) {
	t.Helper()
	list, err := s.admin.resource("pods", s.namespace).List(within(t), metav1.ListOptions{LabelSelector: v1alpha1.ColourLabel + "=" + colour})
	if err != nil {
		t.Fatal(err)
	}
	for i := range list.Items {
		if list.Items[i].GetDeletionTimestamp() == nil {
			names = append(names, list.Items[i].GetName())
		}
	}
	return names
}

func (s *shop) evict(t *testing.T, pod string) error {
	t.Helper()
	eviction := object(t, "apiVersion: policy/v1\nkind: Eviction\nmetadata: {name: "+pod+", namespace: "+s.namespace+"}")
	_, err := s.admin.resource("pods", s.namespace).Create(within(t), eviction, metav1.CreateOptions{}, "eviction")
	return err
}

func (s *shop) awaitNoBudget(t *testing.T, colour string) {
	t.Helper()
	eventually(t, colour+" has no budget", func() string {
		if _, err := s.budget(t, colour); !apierrors.IsNotFound(err) {
			return "it is there: " + text(err)
		}
		return ""
	})
}

// othersBudget: with two of them, the API server would evict no Pod at all.
func (s *shop) othersBudget(t *testing.T) {
	other := object(t, "apiVersion: policy/v1\nkind: PodDisruptionBudget\nmetadata: {name: team, namespace: "+s.namespace+"}\n"+
		"spec: {maxUnavailable: 1, selector: {matchLabels: {app: shop}}}")
	s.awaitAllowed(t, "blue") // after what was evicted before
	s.install(t, []*unstructured.Unstructured{other})
	s.awaitNoBudget(t, "blue")
	s.await(t, "that is on record", func(r *v1alpha1.Release) bool {
		return len(r.Status.Budgets) == 1 && r.Status.Budgets[0].Other == "team"
	})
	eventually(t, "a Pod can be evicted", func() string {
		pods := s.pods(t, "blue")
		if len(pods) == 0 {
			return "there is none"
		}
		if err := s.evict(t, pods[0]); err != nil {
			b, _ := s.admin.of(other).Get(within(t), other.GetName(), metav1.GetOptions{})
			return fmt.Sprintf("%v; the budget counts %v", err, b.Object["status"])
		}
		return ""
	})
	s.delete(t, other)
	s.awaitAllowed(t, "blue")
}

func (s *shop) budgetGivenBack(t *testing.T) {
	s.allow(t, s.namespace, "release-owner", email("carol"))
	carol := s.as(t, "carol")
	eventually(t, "carol deletes the Release, whose right is only just given", func() string {
		return text(deleteForGood(t, carol.resource("releases", s.namespace), shopName))
	})
	eventually(t, "the Release is gone", func() string {
		if list := s.list(t, "releases"); len(list) > 0 {
			return "it is there"
		}
		return ""
	})
	b, err := s.budget(t, "blue")
	if err != nil || len(b.GetLabels()) > 0 || len(b.GetOwnerReferences()) != 1 {
		t.Fatalf("it is %v: %v", b, err)
	}
	d := s.admin.resource("deployments", s.namespace)
	if err := d.Delete(within(t), "shop-blue", metav1.DeleteOptions{}); err != nil {
		t.Fatal(err)
	}
	s.awaitNoBudget(t, "blue")
}

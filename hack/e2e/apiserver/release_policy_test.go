// Copyright The Countersign Authors.
// SPDX-License-Identifier: Apache-2.0

package apiserver

import (
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

const (
	authorsPolicy   = "release-authors.countersign.dev"
	statusPolicy    = "release-status.countersign.dev"
	finalizerPolicy = "release-finalizer.countersign.dev"
)

// authorsStage has Release shop, which dev and dana have changed. The policy
// knows that bob is dana too, with another account.
func authorsStage(t *testing.T) *stage {
	s := newStage(t)
	s.install(t, []*unstructured.Unstructured{object(t, `
apiVersion: countersign.dev/v1alpha1
kind: ApprovalPolicy
metadata: {name: `+s.namespace+`-persons}
spec:
  namespaces: [`+s.namespace+`]
  rules: [{name: any, count: 1, groups: [qa]}]
  persons: [{name: dana, users: ["`+email("dana")+`", "`+email("bob")+`"]}]
`), object(t, `
apiVersion: countersign.dev/v1alpha1
kind: ApprovalPolicy
metadata: {name: `+s.namespace+`-elsewhere}
spec:
  namespaces: [elsewhere]
  authorsMayApprove: true
  rules: [{name: any, count: 1, groups: [qa]}]
`)})
	o := object(t, releaseText("shop"))
	stamp(email("dev"))(o)
	s.put(t, "dev", o)
	s.alter(t, "dana", "releases/shop", all(image("v2"), stamp(email("dana"), email("dev"))))
	s.alter(t, "operator", "releases/shop/status", all(candidate(digestOne), set("status.candidate.observedGeneration", int64(2)),
		set("status.candidate.authors", []any{email("mallory")})))
	s.saysSoon(t, authorsRules()[0].refused[2], authorsRules()[0].says)
	return s
}

func authorsRules() []rule {
	alice, bob, dana, dev := email("alice"), email("bob"), email("dana"), email("dev")
	return []rule{{
		policy: authorsPolicy,
		says:   "an author may reject it but not approve it", row: "sec/01",
		refused: []attempt{
			{what: "an author approves", who: "dev", on: "releases/shop", change: cast("dev", dev, digestOne)},
			{what: "another author approves", who: "dana", on: "releases/shop", change: cast("dana", dana, digestOne)},
			{what: "an author whom only the operator knows approves", who: "mallory", on: "releases/shop", change: cast("mallory", email("mallory"), digestOne)},
			{what: "an author's other account approves", row: "sec/31", who: "bob", on: "releases/shop", change: cast("bob", bob, digestOne)},
		},
		admitted: []attempt{
			{what: "an author rejects", who: "dev", on: "releases/shop", change: cast("dev", dev, "reject:"+digestOne)},
			{what: "somebody else approves", who: "alice", on: "releases/shop", change: cast("alice", alice, digestOne)},
		},
	}}
}

func TestAuthorsPolicy(t *testing.T) {
	s := authorsStage(t)
	for _, r := range authorsRules() {
		s.run(t, r)
	}
	approve := attempt{what: "an author approves", who: "dev", on: "releases/shop", change: cast("dev", email("dev"), digestOne)}
	t.Run("all policies of the namespace have to allow it", func(t *testing.T) {
		s.allowAuthors(t, s.namespace)
		s.saysSoon(t, approve, "(ApprovalPolicy "+s.namespace+"-persons)")
		s.allowAuthors(t, s.namespace+"-persons")
		s.saysSoon(t, approve, "")
	})
}

func (s *stage) allowAuthors(t *testing.T, name string) {
	t.Helper()
	client := s.admin.resource("approvalpolicies", "")
	o, err := client.Get(within(t), name, metav1.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	set("spec.authorsMayApprove", true)(o)
	if _, err := client.Update(within(t), o, metav1.UpdateOptions{}); err != nil {
		t.Fatal(err)
	}
}

func statusStage(t *testing.T) *stage {
	s := newStage(t)
	o := object(t, releaseText("shop"))
	stamp(email("dev"))(o)
	s.put(t, "dev", o)
	s.alter(t, "operator", "releases/shop/status", candidate(digestOne))
	return s
}

func statusRules() []rule {
	return []rule{{
		policy: statusPolicy, row: "sec/22 D20",
		says: " cannot write the status of Release ",
		refused: []attempt{
			{what: "an author puts another digest there", who: "dev", on: "releases/shop/status", change: set("status.candidate.digest", digestTwo)},
			{what: "an author calls it active", who: "dev", on: "releases/shop/status", change: promoted(digestTwo)},
			{what: "an author empties it", who: "dev", on: "releases/shop/status", change: drop("status.candidate")},
			{what: "an admin", who: "admin", on: "releases/shop/status", change: set("status.sequence", int64(7))},
			{what: "a ServiceAccount of the tenant", who: "robot", on: "releases/shop/status", change: set("status.sequence", int64(7))},
		},
		admitted: []attempt{{what: "the operator", who: "operator", on: "releases/shop/status", change: set("status.sequence", int64(7))}},
	}}
}

func TestStatusPolicy(t *testing.T) {
	s := statusStage(t)
	for _, r := range statusRules() {
		s.run(t, r)
	}
	t.Run("status cannot be written through the Release itself", func(t *testing.T) {
		s.alter(t, "dev", "releases/shop", all(set("status.sequence", int64(9)), label("tier", "front")))
		if n, _, _ := unstructured.NestedInt64(s.get(t, "releases/shop").Object, "status", "sequence"); n != 0 {
			t.Errorf("status.sequence is %d", n)
		}
	})
	t.Run("the Release cannot be written through its status", func(t *testing.T) {
		s.alter(t, "operator", "releases/shop/status", all(set("status.sequence", int64(8)), image("v9"), cast("x", "x", digestOne)))
		got := s.get(t, "releases/shop")
		if len(got.GetAnnotations()) != 3 {
			t.Errorf("annotations are %v", got.GetAnnotations())
		}
		if n := got.GetGeneration(); n != 1 {
			t.Errorf("generation is %d, so the spec was changed", n)
		}
	})
}

const finalizer = "countersign.dev/release"

// finalizerStage has Release shop with the finalizer, and leaving, which is
// deleted and waits for it.
func finalizerStage(t *testing.T) *stage {
	s := newStage(t)
	for _, name := range []string{"shop", "leaving"} {
		o := object(t, releaseText(name))
		stamp(email("dev"))(o)
		o.SetFinalizers([]string{finalizer})
		s.put(t, "dev", o)
	}
	if err := deleteForGood(t, s.actors["dev"].resource("releases", s.namespace), "leaving"); err != nil {
		t.Fatalf("dev cannot delete a Release: %v", err)
	}
	return s
}

func finalizerRules() []rule {
	empty := drop("metadata.finalizers")
	other := set("metadata.finalizers", []any{"example.com/other"})
	return []rule{{
		policy: finalizerPolicy, row: "sec/20",
		says: " cannot take the finalizer ",
		refused: []attempt{
			{what: "of a Release that is deleted", who: "dev", on: "releases/leaving", change: empty},
			{what: "of a Release that is not", who: "dev", on: "releases/shop", change: empty},
			{what: "put another in its place", who: "dev", on: "releases/shop", change: other},
			{what: "by a ServiceAccount of the tenant", who: "robot", on: "releases/shop", change: empty},
		},
		admitted: []attempt{
			{what: "by the operator", who: "operator", on: "releases/shop", change: empty},
			{what: "another is added", who: "dev", on: "releases/shop", change: set("metadata.finalizers", []any{finalizer, "example.com/other"})},
			{what: "a Release is deleted", who: "dev", on: "releases/shop"},
		},
	}}
}

func TestFinalizerPolicy(t *testing.T) {
	s := finalizerStage(t)
	for _, r := range finalizerRules() {
		s.run(t, r)
	}
}

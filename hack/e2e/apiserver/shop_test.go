// Copyright The Countersign Authors.
// SPDX-License-Identifier: Apache-2.0

package apiserver

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/countersign/countersign/api/v1alpha1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/rest"
)

// shop is a namespace as config/samples has it: developers write Release shop,
// and one of qa and one of security have to agree.
type shop struct {
	*world
	namespace string
	people    map[string]*actor
}

const shopName = "shop"

func openShop(t testing.TB) *shop {
	t.Helper()
	w := whole.start(t)
	return openShopIn(t, w, w.namespace(t))
}

func openShopIn(t testing.TB, w *world, namespace string) *shop {
	t.Helper()
	w.operator.tellLog(t)
	w.operator.webhook.awaitReady(t) // the test before may have taken its keys away
	s := &shop{world: w, namespace: namespace, people: map[string]*actor{}}
	w.install(t, []*unstructured.Unstructured{
		object(t, "apiVersion: countersign.dev/v1alpha1\nkind: ApprovalPolicy\nmetadata: {name: "+s.namespace+"}\n"+
			"spec: {namespaces: ["+s.namespace+"], rules: [{name: qa, count: 1, groups: [qa]}, {name: security, count: 1, groups: [security], canVeto: true}]}"),
		object(t, "apiVersion: v1\nkind: ServiceAccount\nmetadata: {name: bot, namespace: "+s.namespace+"}"),
		object(t, "apiVersion: v1\nkind: Service\nmetadata: {name: shop, namespace: "+s.namespace+"}\nspec: {ports: [{name: http, port: 80, targetPort: 8080}]}"),
	})
	bot := "system:serviceaccount:" + s.namespace + ":bot"
	s.allow(t, s.namespace, "release-author", "group:developers", bot)
	s.allow(t, s.namespace, "release-approver", "group:qa", "group:security", bot)
	s.allow(t, s.namespace, "edit", bot)
	for _, name := range []string{"admin", "dev", "dana", "mallory", "alice", "bob"} {
		s.people[name] = w.as(t, name)
	}
	s.people["bot"] = w.asAccount(t, s.namespace, "bot")
	s.people["mallory as alice"] = w.impersonating(t, "mallory", rest.ImpersonationConfig{
		UserName: email("alice"), Groups: []string{"qa", "system:authenticated"},
	})
	t.Cleanup(func() {
		if err := w.admin.resource("approvalpolicies", "").Delete(within(t), s.namespace, metav1.DeleteOptions{}); err != nil {
			t.Error(err)
		}
	})
	return s
}

// manifest is Release shop as it would be in Git.
func (s *shop) manifest(t testing.TB, version string, changes ...func(*unstructured.Unstructured)) *unstructured.Unstructured {
	t.Helper()
	o := object(t, releaseText(shopName))
	o.SetNamespace(s.namespace)
	all(append(changes, set("spec.template.spec.containers", []any{map[string]any{
		"name": "app", "image": "countersign.local/demoapp:" + version,
	}}))...)(o)
	return o
}

// apply is kubectl apply --server-side.
func (s *shop) apply(t testing.TB, who string, o *unstructured.Unstructured) error {
	t.Helper()
	_, err := s.people[who].of(o).Apply(within(t), o.GetName(), o, metav1.ApplyOptions{FieldManager: "kubectl", Force: true})
	return err
}

func (s *shop) mustApply(t testing.TB, who string, o *unstructured.Unstructured) {
	t.Helper()
	if err := s.apply(t, who, o); err != nil {
		t.Fatalf("%s applies %s %s: %v", who, o.GetKind(), o.GetName(), err)
	}
}

// annotate is kubectl annotate --overwrite; an empty value removes.
func (s *shop) annotate(t testing.TB, who, key, value string) error {
	t.Helper()
	var v any
	if value != "" {
		v = value
	}
	return s.patch(t, who, map[string]any{"metadata": map[string]any{"annotations": map[string]any{key: v}}})
}

func (s *shop) patch(t testing.TB, who string, patch map[string]any) error {
	t.Helper()
	raw, err := json.Marshal(patch)
	if err != nil {
		t.Fatal(err)
	}
	_, err = s.people[who].resource("releases", s.namespace).Patch(within(t), shopName, types.MergePatchType, raw,
		metav1.PatchOptions{FieldManager: "kubectl-annotate"})
	return err
}

func (s *shop) vote(t testing.TB, who, slot, value string) error {
	t.Helper()
	return s.annotate(t, who, v1alpha1.VotePrefix+slot, value)
}

func (s *shop) mustVote(t testing.TB, who, value string) {
	t.Helper()
	if err := s.vote(t, who, who, value); err != nil {
		t.Fatalf("%s votes %s: %v", who, value, err)
	}
}

// refused wants an error that says all of it.
func refused(t testing.TB, what string, err error, says ...string) {
	t.Helper()
	if err == nil {
		t.Errorf("%s: admitted; want it refused, saying %q", what, says)
		return
	}
	for _, s := range says {
		if !strings.Contains(err.Error(), s) {
			t.Errorf("%s: %v; want it refused, saying %q", what, err, s)
		}
	}
}

// release reads it as admin.
func (s *shop) release(t testing.TB) *v1alpha1.Release {
	t.Helper()
	o, err := s.admin.resource("releases", s.namespace).Get(within(t), shopName, metav1.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	rel := &v1alpha1.Release{}
	if err := runtime.DefaultUnstructuredConverter.FromUnstructured(o.Object, rel); err != nil {
		t.Fatal(err)
	}
	return rel
}

// await waits until the Release is so.
func (s *shop) await(t testing.TB, what string, done func(*v1alpha1.Release) bool) (rel *v1alpha1.Release) {
	t.Helper()
	eventually(t, what, func() string {
		if rel = s.release(t); done(rel) {
			return ""
		}
		return standing(rel)
	})
	return rel
}

func standing(rel *v1alpha1.Release) string {
	text := fmt.Sprintf("phase %s, approvals %s, waiting for %q", rel.Status.Phase, rel.Status.Approvals, rel.Status.WaitingFor)
	for _, c := range rel.Status.Conditions {
		text += fmt.Sprintf("\n  %s=%s %s: %s", c.Type, c.Status, c.Reason, c.Message)
	}
	for _, c := range rel.Status.Checks {
		text += fmt.Sprintf("\n  check %s is %s: %s", c.Name, c.State, c.Message)
	}
	for _, v := range rel.Status.Votes {
		text += fmt.Sprintf("\n  vote %s by %s counted=%t: %s", v.Slot, v.User, v.Counted, v.Why)
	}
	return text
}

// awaitCandidate waits until the newest content can be voted on.
func (s *shop) awaitCandidate(t testing.TB) string {
	t.Helper()
	rel := s.await(t, "the candidate can be voted on", func(r *v1alpha1.Release) bool {
		c := r.Status.Candidate
		return c != nil && c.Digest != "" && c.ObservedGeneration == r.Generation
	})
	return rel.Status.Candidate.Digest
}

// awaitTested waits until nothing but people hold the candidate back.
func (s *shop) awaitTested(t testing.TB) string {
	t.Helper()
	rel := s.await(t, "the candidate waits for people", func(r *v1alpha1.Release) bool {
		c := r.Status.Candidate
		return c != nil && c.TestedAt != nil && c.ObservedGeneration == r.Generation && r.Status.Phase == v1alpha1.PhaseAwaitingApproval
	})
	return rel.Status.Candidate.Digest
}

func (s *shop) awaitActive(t testing.TB, digest string) *v1alpha1.Release {
	t.Helper()
	return s.await(t, "it is switched to", func(r *v1alpha1.Release) bool {
		return r.Status.Active != nil && r.Status.Active.Digest == digest && r.Status.Switch.SettledAt != nil
	})
}

func (s *shop) awaitStable(t testing.TB) {
	t.Helper()
	s.await(t, "it is finished", func(r *v1alpha1.Release) bool {
		return r.Status.Phase == v1alpha1.PhaseStable && r.Status.ObservedGeneration == r.Generation
	})
}

// selector of the active Service.
func (s *shop) selector(t testing.TB) string {
	t.Helper()
	o, err := s.admin.resource("services", s.namespace).Get(within(t), shopName, metav1.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	colour, _, _ := unstructured.NestedString(o.Object, "spec", "selector", v1alpha1.ColourLabel)
	return colour
}

// promote takes a version through the gate.
func (s *shop) promote(t testing.TB, version string, changes ...func(*unstructured.Unstructured)) *v1alpha1.Release {
	t.Helper()
	s.mustApply(t, "dev", s.manifest(t, version, changes...))
	digest := s.awaitTested(t)
	s.mustVote(t, "alice", digest)
	s.mustVote(t, "bob", digest)
	return s.awaitActive(t, digest)
}

// Copyright The Countersign Authors.
// SPDX-License-Identifier: Apache-2.0

package apiserver

import (
	"slices"
	"strings"
	"testing"

	"github.com/countersign/countersign/api/v1alpha1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

// configured has the template refer to a ConfigMap and a Secret.
func configured(o *unstructured.Unstructured) {
	list, _, err := unstructured.NestedSlice(o.Object, "spec", "template", "spec", "containers")
	if err != nil {
		panic(err)
	}
	list[0].(map[string]any)["envFrom"] = []any{
		map[string]any{"configMapRef": map[string]any{"name": "settings"}},
		map[string]any{"secretRef": map[string]any{"name": "password"}},
	}
	set("spec.template.spec.containers", list)(o)
}

// configuredManifest is Release shop as it would be in Git.
func (s *shop) configuredManifest(t testing.TB, version string) *unstructured.Unstructured {
	t.Helper()
	o := s.manifest(t, version)
	configured(o)
	return o
}

// configure is somebody who changes what the application is configured with.
func (s *shop) configure(t testing.TB, value string) {
	t.Helper()
	for _, text := range []string{
		"apiVersion: v1\nkind: ConfigMap\nmetadata: {name: settings}\ndata: {value: " + value + "}",
		"apiVersion: v1\nkind: Secret\nmetadata: {name: password}\nstringData: {value: secret-" + value + "}",
	} {
		o := object(t, text)
		o.SetNamespace(s.namespace)
		if _, err := s.people["bot"].of(o).Apply(within(t), o.GetName(), o, metav1.ApplyOptions{FieldManager: "kubectl", Force: true}); err != nil {
			t.Fatal(err)
		}
	}
}

// environment is what the Pods of a colour are configured with.
func (s *shop) environment(t testing.TB, colour string) (config, secret *unstructured.Unstructured) {
	t.Helper()
	d, err := s.admin.resource("deployments", s.namespace).Get(within(t), "shop-"+colour, metav1.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	list, _, err := unstructured.NestedSlice(d.Object, "spec", "template", "spec", "containers")
	if err != nil {
		t.Fatal(err)
	}
	for _, from := range list[0].(map[string]any)["envFrom"].([]any) {
		for ref, resource := range map[string]string{"configMapRef": "configmaps", "secretRef": "secrets"} {
			r, is := from.(map[string]any)[ref].(map[string]any)
			if !is {
				continue
			}
			o, err := s.admin.resource(resource, s.namespace).Get(within(t), r["name"].(string), metav1.GetOptions{})
			if err != nil {
				t.Fatal(err)
			}
			if resource == "secrets" {
				secret = o
			} else {
				config = o
			}
		}
	}
	return config, secret
}

func (s *shop) wantsEnvironment(t testing.TB, colour, value string) {
	t.Helper()
	config, secret := s.environment(t, colour)
	got, _, _ := unstructured.NestedString(config.Object, "data", "value")
	if got != value || config.GetName() == "settings" || secret.GetName() == "password" {
		t.Errorf("%s is configured with %q by %s and %s, want %q by copies", colour, got, config.GetName(), secret.GetName(), value)
	}
}

// voteConfigured fills the two seats, and the one more that is there because
// nobody knows who configured it.
func (s *shop) voteConfigured(t testing.TB, digest string) {
	t.Helper()
	for _, who := range []string{"alice", "bob", "carol"} {
		s.mustVote(t, who, digest)
	}
}

// awaitOther waits until another candidate than that of a digest waits for people.
func (s *shop) awaitOther(t testing.TB, digest string) string {
	t.Helper()
	rel := s.await(t, "there is another candidate", func(r *v1alpha1.Release) bool {
		c := r.Status.Candidate
		return c != nil && c.Digest != "" && c.Digest != digest && c.TestedAt != nil && r.Status.Phase == v1alpha1.PhaseAwaitingApproval
	})
	return rel.Status.Candidate.Digest
}

// TestConfig is the life of what an application is configured with.
func TestConfig(t *testing.T) {
	s := openShop(t)
	s.oneMore(t)
	s.mustApply(t, "dev", s.configuredManifest(t, "v1"))
	rel := s.await(t, "it says what is missing", func(r *v1alpha1.Release) bool {
		return r.Status.WaitingFor == v1alpha1.ReasonConfigMissing
	})
	if text := standing(rel); !strings.Contains(text, "kubectl create configmap settings -n "+s.namespace) {
		t.Errorf("it does not say what to do: %s", text)
	}
	s.configure(t, "one")
	digest := s.awaitTested(t)
	s.wantsEnvironment(t, "blue", "one")
	t.Run("sec/11 one more person", func(t *testing.T) { s.twoAreNotEnough(t, digest) })
	s.awaitActive(t, digest)
	s.awaitStable(t)
	t.Run("sec/11 the copies cannot be edited", s.copiesStay)
	s.mustApply(t, "dev", s.configuredManifest(t, "v2"))
	second := s.awaitTested(t)
	t.Run("sec/11 edited between the votes and the switch", func(t *testing.T) { s.editedAfterVotes(t, second) })
	t.Run("no copies pile up", s.noneLeft)
	t.Run("the operator keeps no Secret in its log or status", s.nothingLeaks)
}

// twoAreNotEnough: who changed the ConfigMap is not known.
func (s *shop) twoAreNotEnough(t *testing.T, digest string) {
	s.mustVote(t, "alice", digest)
	s.mustVote(t, "bob", digest)
	rel := s.await(t, "both votes count", func(r *v1alpha1.Release) bool { return r.Status.Approvals == "2/3" })
	if rel.Status.Active != nil {
		t.Errorf("it was let through: %s", standing(rel))
	}
	s.voteConfigured(t, digest)
}

// copiesStay: nobody changes what a copy holds, by whatever verb. What is
// immutable the API server itself keeps; the rest is TestConfigPolicy.
func (s *shop) copiesStay(t *testing.T) {
	config, secret := s.environment(t, "blue")
	for _, o := range []*unstructured.Unstructured{config, secret} {
		if immutable, _, _ := unstructured.NestedBool(o.Object, "immutable"); !immutable {
			t.Errorf("%s %s is not immutable", o.GetKind(), o.GetName())
		}
		edited, thawed := o.DeepCopy(), o.DeepCopy()
		set("data", map[string]any{"value": "ZXZpbA=="})(edited)
		set("immutable", false)(thawed)
		for _, verb := range changeVerbs {
			for what, want := range map[string]*unstructured.Unstructured{"edited": edited, "made mutable": thawed} {
				for _, who := range []string{"bot", "admin"} {
					_, exists, err := change{verb: verb, have: o, want: want}.send(within(t), s.people[who].of(o))
					if exists && err == nil {
						t.Errorf("%s by %s: %s %s was %s", verb, who, o.GetKind(), o.GetName(), what)
					}
				}
			}
		}
		for _, verb := range deleteVerbs {
			refused(t, verb, deleteBy(within(t), s.people["bot"].of(o), verb, o.GetName()), "a copy that the Pods of Release shop use")
		}
	}
}

// editedAfterVotes: the votes are on what was there; what is there now needs
// votes of its own; and what serves keeps what it was approved with.
func (s *shop) editedAfterVotes(t *testing.T, digest string) {
	s.mustVote(t, "alice", digest)
	s.configure(t, "two")
	// It is refused, unless it comes before the operator has seen the change.
	if err := s.vote(t, "bob", "bob", digest); err != nil && !apierrors.IsForbidden(err) {
		t.Fatal(err)
	}
	other := s.awaitOther(t, digest)
	s.wantsEnvironment(t, "blue", "one")
	s.wantsEnvironment(t, "green", "two")
	if rel := s.release(t); s.selector(t) != "blue" || rel.Status.Epoch != 1 {
		t.Fatalf("Service shop leads to %q: %s", s.selector(t), standing(rel))
	}
	s.voteConfigured(t, other)
	s.awaitActive(t, other)
	s.wantsEnvironment(t, "blue", "one")
	s.wantsEnvironment(t, "green", "two")
	s.awaitStable(t)
}

// noneLeft: the copies that no content uses any more go, also those of contents that
// are kept no longer.
func (s *shop) noneLeft(t *testing.T) {
	blue, _ := s.environment(t, "blue")
	for _, value := range []string{"three", "four"} {
		s.configure(t, value)
	}
	if err := s.patch(t, "dev", map[string]any{"spec": map[string]any{"revisionHistoryLimit": 0}}); err != nil {
		t.Fatal(err)
	}
	eventually(t, "green keeps its copies, blue has the newest, and there are no others", func() string {
		var have []string
		list, err := s.admin.resource("configmaps", s.namespace).List(within(t), metav1.ListOptions{LabelSelector: v1alpha1.ReleaseLabel + "=shop"})
		if err != nil {
			return err.Error()
		}
		for _, o := range list.Items {
			value, _, _ := unstructured.NestedString(o.Object, "data", "value")
			have = append(have, value)
		}
		slices.Sort(have)
		if got := strings.Join(have, " "); got != "four two" {
			return "there are copies of " + got
		}
		return ""
	})
	if _, err := s.admin.of(blue).Get(within(t), blue.GetName(), metav1.GetOptions{}); !apierrors.IsNotFound(err) {
		t.Errorf("the copy of blue's former configuration is there: %v", err)
	}
}

func (s *shop) nothingLeaks(t *testing.T) {
	o, err := s.admin.resource("releases", s.namespace).Get(within(t), shopName, metav1.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	raw, err := o.MarshalJSON()
	if err != nil {
		t.Fatal(err)
	}
	if strings.Contains(string(raw), "secret-") || !strings.Contains(string(raw), "hmac-sha256:") {
		t.Errorf("the Release says %s", raw)
	}
}

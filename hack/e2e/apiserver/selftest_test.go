// Copyright The Countersign Authors.
// SPDX-License-Identifier: Apache-2.0

package apiserver

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/countersign/countersign/api/v1alpha1"
	"github.com/countersign/countersign/controllers/keys"
	"github.com/countersign/countersign/controllers/selftest"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

// TestGateFreezes: whoever takes a guard away finds that nothing is promoted,
// neither what is approved at that very moment nor anything later, and that it
// goes on when the guard is back.
func TestGateFreezes(t *testing.T) {
	s := openShop(t)
	s.mustApply(t, "dev", s.manifest(t, "v1"))
	digest := s.awaitTested(t)
	s.pause(t, true)
	s.mustVote(t, "alice", digest)
	s.mustVote(t, "bob", digest)
	for _, row := range []struct {
		name   string
		says   string
		tamper func(*testing.T)
	}{
		{"sec/53 a binding is deleted", "release-votes", func(t *testing.T) {
			s.withoutObject(t, "validatingadmissionpolicybindings", "release-votes.countersign.dev")
		}},
		{"sec/53 a policy is deleted", "pod-guard", func(t *testing.T) {
			s.withoutObject(t, "validatingadmissionpolicies", "pod-guard.countersign.dev")
		}},
		{"sec/53 a binding warns only", "validationActions", func(t *testing.T) {
			s.tampered(t, "validatingadmissionpolicybindings", "", "release-votes.countersign.dev", set("spec.validationActions", []any{"Warn", "Audit"}))
		}},
		{"sec/53 errors let pass", "failurePolicy", func(t *testing.T) {
			s.tampered(t, "validatingadmissionpolicies", "", "workload-guard.countersign.dev", set("spec.failurePolicy", "Ignore"))
		}},
		{"sec/53 a policy never matches", "matchConditions", func(t *testing.T) {
			never := map[string]any{"name": "never", "expression": "false"}
			s.tampered(t, "validatingadmissionpolicies", "", "service-guard.countersign.dev", set("spec.matchConditions", []any{never}))
		}},
		{"sec/53 the webhook may fail", "MutatingWebhookConfiguration", func(t *testing.T) {
			s.tampered(t, "mutatingwebhookconfigurations", "", webhookName, func(o *unstructured.Unstructured) {
				webhooks, _, _ := unstructured.NestedSlice(o.Object, "webhooks")
				webhooks[0].(map[string]any)["failurePolicy"] = "Ignore"
				set("webhooks", webhooks)(o)
			})
		}},
		{"sec/53 the webhook is not called", "MutatingWebhookConfiguration", func(t *testing.T) { s.withoutWebhook(t) }},
	} {
		t.Run(row.name, func(t *testing.T) { s.freezes(t, row.says, row.tamper) })
		s.awaitApproved(t, v1alpha1.ReasonQuorumMet)
	}
	s.pause(t, false)
	s.awaitActive(t, digest)
}

// freezes tampers, lets the approved candidate go at that moment and wants it
// held.
func (s *shop) freezes(t *testing.T, says string, tamper func(*testing.T)) {
	s.awaitApproved(t, v1alpha1.ReasonQuorumMet)
	tamper(t)
	start := time.Now()
	s.pause(t, false)
	s.awaitApproved(t, v1alpha1.ReasonGateFrozen, says)
	t.Logf("told after %s", time.Since(start).Round(time.Millisecond))
	s.neverSwitches(t)
	s.pause(t, true) // before the guard is back
}

// pause sets spec.paused, which neither needs nor voids an approval. It returns
// when the candidate can be voted on, as long as it cannot be promoted.
func (s *shop) pause(t *testing.T, paused bool) {
	t.Helper()
	if err := s.patch(t, "dev", map[string]any{"spec": map[string]any{"paused": paused}}); err != nil {
		t.Fatalf("pause %t: %v", paused, err)
	}
	if paused {
		s.awaitCandidate(t)
	}
}

func (s *shop) awaitApproved(t *testing.T, reason string, says ...string) {
	t.Helper()
	s.await(t, "Approved says "+reason, func(r *v1alpha1.Release) bool {
		c := meta.FindStatusCondition(r.Status.Conditions, v1alpha1.ConditionApproved)
		return c != nil && c.Reason == reason && c.ObservedGeneration == r.Generation && !slices.ContainsFunc(says, func(part string) bool {
			return !strings.Contains(c.Message, part)
		})
	})
}

// withoutObject takes an object away until the test ends.
func (w *world) withoutObject(t *testing.T, resource, name string) {
	t.Helper()
	client := w.admin.resource(resource, "")
	stored, err := client.Get(within(t), name, metav1.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	w.delete(t, stored)
	t.Cleanup(func() { w.install(t, []*unstructured.Unstructured{applied(stored)}) })
}

// tampered changes an object until the test ends.
func (w *world) tampered(t *testing.T, resource, namespace, name string, change func(*unstructured.Unstructured)) {
	t.Helper()
	client := w.admin.resource(resource, namespace)
	write := func(change func(*unstructured.Unstructured)) {
		o, err := client.Get(within(t), name, metav1.GetOptions{})
		if err != nil {
			t.Fatal(err)
		}
		change(o)
		if _, err := client.Update(within(t), o, metav1.UpdateOptions{}); err != nil {
			t.Fatalf("write %s %s: %v", resource, name, err)
		}
	}
	var before *unstructured.Unstructured
	write(func(o *unstructured.Unstructured) {
		before = o.DeepCopy()
		change(o)
	})
	t.Cleanup(func() {
		write(func(o *unstructured.Unstructured) {
			version := o.GetResourceVersion()
			before.DeepCopyInto(o)
			o.SetResourceVersion(version)
		})
	})
}

// TestOutages: what is missing without anybody's intent freezes as well.
func TestOutages(t *testing.T) {
	s := openShop(t)
	s.mustApply(t, "dev", s.manifest(t, "v1"))
	digest := s.awaitTested(t)
	s.pause(t, true)
	s.mustVote(t, "alice", digest)
	s.mustVote(t, "bob", digest)
	s.awaitApproved(t, v1alpha1.ReasonQuorumMet)
	t.Run("sec/62 the webhook is down", func(t *testing.T) {
		s.operator.webhook.stop()
		s.awaitApproved(t, v1alpha1.ReasonGateFrozen, "the webhook was asked to sign and the request failed")
		s.operator.startWebhook(t)
		s.operator.webhook.awaitReady(t)
		s.awaitApproved(t, v1alpha1.ReasonQuorumMet)
	})
	t.Run("sec/62 the signing key is lost", func(t *testing.T) {
		before := s.currentKey(t)
		for _, slot := range []string{"a", "b"} {
			err := s.admin.resource("secrets", systemNamespace).Delete(within(t), keys.SecretPrefix+slot, metav1.DeleteOptions{})
			if err != nil && !apierrors.IsNotFound(err) {
				t.Fatal(err)
			}
		}
		s.awaitOtherKey(t, before)
		s.awaitApproved(t, v1alpha1.ReasonQuorumMet)
	})
	s.pause(t, false)
	s.awaitActive(t, digest)
}

// TestRollbackWithoutGate: with every part of the gate gone, what is sick goes
// back still.
func TestRollbackWithoutGate(t *testing.T) {
	t.Run("sec/62 nothing of the gate is there", func(t *testing.T) {
		s := openShop(t)
		s.promote(t, "v1")
		s.awaitStable(t)
		second := s.promote(t, "v2", set("spec.observeSeconds", int64(300)))
		s.withoutPolicies(t)
		s.withoutWebhook(t)
		s.operator.webhook.stop()
		t.Cleanup(func() { s.operator.startWebhook(t) })
		deleteForGood(t, s.admin.resource("configmaps", systemNamespace), keys.ConfigMapName)
		s.loseReadiness(t, "green")
		rel := s.await(t, "it is switched back", func(r *v1alpha1.Release) bool {
			return r.Status.Epoch == second.Status.Epoch+1 && r.Status.Switch.SettledAt != nil
		})
		if got := s.selector(t); got != "blue" || rel.Status.Switch.Reason != v1alpha1.SwitchRollback {
			t.Errorf("Service shop leads to %q: %s", got, standing(rel))
		}
	})
}

// TestProbeChangesNothing: the account of the self-test can ask for much and do
// nothing.
func TestProbeChangesNothing(t *testing.T) {
	w := whole.start(t)
	probe := w.asAccount(t, selftest.Namespace, selftest.Account)
	for _, o := range []*unstructured.Unstructured{
		object(t, "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: mine, namespace: "+selftest.Namespace+"}"),
		object(t, "apiVersion: batch/v1\nkind: Job\nmetadata: {name: mine, namespace: "+selftest.Namespace+"}\nspec: {template: {spec: {restartPolicy: Never, "+
			"securityContext: {runAsNonRoot: true, seccompProfile: {type: RuntimeDefault}}, containers: [{name: app, image: app, "+
			"securityContext: {allowPrivilegeEscalation: false, capabilities: {drop: [ALL]}}}]}}}"),
	} {
		_, err := probe.of(o).Create(within(t), o, metav1.CreateOptions{})
		refused(t, "the probe creates a "+o.GetKind(), err, "probe-guard.countersign.dev")
		if _, err := probe.of(o).Create(within(t), o, metav1.CreateOptions{DryRun: dryRun}); err != nil {
			t.Errorf("a %s as dry-run: %v; then the guard of this test is RBAC", o.GetKind(), err)
		}
	}
}

// Copyright The Countersign Authors.
// SPDX-License-Identifier: Apache-2.0

package apiserver

import (
	"bytes"
	"crypto/tls"
	"encoding/base64"
	"encoding/json"
	"net/http"
	"strings"
	"testing"

	"github.com/countersign/countersign/api/v1alpha1"
	"github.com/countersign/countersign/controllers/admission"
	"github.com/countersign/countersign/controllers/keys"
	receipts "github.com/countersign/countersign/controllers/receipt"
	admissionv1 "k8s.io/api/admission/v1"
	authenticationv1 "k8s.io/api/authentication/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"
)

// TestKeyRotation: a rotation needs no restart, and what was approved before
// counts for as long as the keys overlap. One for a key that is compromised
// voids it.
func TestKeyRotation(t *testing.T) {
	s := openShop(t)
	s.mustApply(t, "dev", s.manifest(t, "v1"))
	digest := s.awaitTested(t)
	s.mustVote(t, "alice", digest)
	s.rotate(t, digest, "now")
	s.mustVote(t, "bob", digest)
	s.awaitActive(t, digest)
	s.awaitStable(t)
	s.mustApply(t, "dev", s.manifest(t, "v2"))
	digest = s.awaitTested(t)
	s.mustVote(t, "alice", digest)
	s.rotate(t, digest, keys.Compromised)
	s.await(t, "alice's vote counts no longer", func(r *v1alpha1.Release) bool {
		return len(r.Status.Votes) > 0 && !r.Status.Votes[0].Counted && strings.Contains(r.Status.Votes[0].Why, "trusted no longer")
	})
}

// TestForeignKey: whoever gets a key of their own into the ConfigMap has frozen
// the gate, until somebody has the operator make another.
func TestForeignKey(t *testing.T) {
	s := openShop(t)
	s.mustApply(t, "dev", s.manifest(t, "v1"))
	digest := s.awaitTested(t)
	s.pause(t, true)
	s.mustVote(t, "alice", digest)
	s.mustVote(t, "bob", digest)
	s.awaitApproved(t, v1alpha1.ReasonQuorumMet)
	t.Run("sec/53 a key is made trusted", func(t *testing.T) {
		refused(t, "the webhook writes the keys", s.writeKeys(t, s.asAccount(t, systemNamespace, webhookAccount)), "forbidden")
		refused(t, "admin writes the keys", s.writeKeys(t, s.admin), "keys-guard.countersign.dev")
		t.Run("without the guard", func(t *testing.T) {
			s.withoutObject(t, "validatingadmissionpolicybindings", "keys-guard.countersign.dev")
			eventually(t, "admin writes the keys", func() string { return text(s.writeKeys(t, s.admin)) })
		})
		s.awaitApproved(t, v1alpha1.ReasonGateFrozen, "does not hold the keys that the operator trusts")
		s.rotate(t, digest, keys.Compromised)
		// Its authors were proven by the former key as well.
		s.awaitApproved(t, v1alpha1.ReasonAuthorsUnknown)
		s.operator.controller.awaitReady(t)
		for _, v := range s.release(t).Status.Votes {
			if v.Counted || !strings.Contains(v.Why, "trusted no longer") {
				t.Errorf("vote %s counts %t: %s", v.Slot, v.Counted, v.Why)
			}
		}
	})
}

// writeKeys is what an attacker does who can write the ConfigMap.
func (s *shop) writeKeys(t *testing.T, by *actor) error {
	t.Helper()
	patch := `{"data":{"keys.json":"{\"keys\": []}"}}`
	_, err := by.resource("configmaps", systemNamespace).Patch(within(t), keys.ConfigMapName, types.MergePatchType, []byte(patch), metav1.PatchOptions{})
	return err
}

// rotate asks for another key and waits until the webhook signs with it.
func (s *shop) rotate(t *testing.T, digest, how string) {
	t.Helper()
	before := s.currentKey(t)
	patch := `{"metadata":{"annotations":{"` + keys.RotateAnnotation + `":"` + how + `"}}}`
	_, err := s.admin.resource("configmaps", systemNamespace).Patch(within(t), keys.ConfigMapName, types.MergePatchType, []byte(patch), metav1.PatchOptions{})
	if err != nil {
		t.Fatal(err)
	}
	s.awaitOtherKey(t, before)
	eventually(t, "the webhook signs with it", func() string {
		if got := s.dryRunReceipt(t, "bob", "reject:"+digest).keyID(t); got != s.currentKey(t) {
			return "it signs with " + got
		}
		return ""
	})
}

func (w *world) awaitOtherKey(t *testing.T, before string) {
	t.Helper()
	eventually(t, "another key is made", func() string {
		if w.currentKey(t) == before {
			return "it is the same"
		}
		return ""
	})
}

// currentKey is the id of the key that is signed with.
func (w *world) currentKey(t *testing.T) string {
	t.Helper()
	o, err := w.admin.resource("configmaps", systemNamespace).Get(within(t), keys.ConfigMapName, metav1.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	text, _, _ := unstructured.NestedString(o.Object, "data", "keys.json")
	var set keys.Set
	if err := json.Unmarshal([]byte(text), &set); err != nil {
		t.Fatal(err)
	}
	if len(set.Keys) == 0 {
		return ""
	}
	return set.Current().ID
}

// harvested is a receipt as its annotation holds it.
type harvested string

func (h harvested) keyID(t *testing.T) string {
	t.Helper()
	annotation, err := receipts.ParseVoteAnnotation(string(h))
	if err != nil {
		t.Fatal(err)
	}
	raw, err := base64.RawURLEncoding.DecodeString(annotation.Envelope)
	if err != nil {
		t.Fatal(err)
	}
	var envelope struct{ Signatures []struct{ KeyID string } }
	if err := json.Unmarshal(raw, &envelope); err != nil {
		t.Fatal(err)
	}
	return envelope.Signatures[0].KeyID
}

// dryRunReceipt is what the webhook puts beside a vote that is not cast.
func (s *shop) dryRunReceipt(t *testing.T, who, value string) harvested {
	t.Helper()
	o, err := s.people[who].resource("releases", s.namespace).Patch(within(t), shopName, types.MergePatchType,
		raw(t, annotations(vote(who, value))), metav1.PatchOptions{DryRun: dryRun})
	if err != nil {
		t.Fatal(err)
	}
	return harvested(o.GetAnnotations()[v1alpha1.ReceiptPrefix+who])
}

// TestSigningOracle: the webhook does not know who calls it, and signs what a
// made-up review says. What it signed is worth nothing without a vote that the
// API server let through.
func TestSigningOracle(t *testing.T) {
	s := openShop(t)
	s.mustApply(t, "dev", s.manifest(t, "v1"))
	digest := s.awaitTested(t)
	forged := s.askDirectly(t, "alice", digest)
	both := all(vote("alice", digest), annotate(v1alpha1.ReceiptPrefix+"alice", forged))
	t.Run("sec/40 with all locks", func(t *testing.T) {
		refused(t, "mallory writes what was signed for alice", s.patch(t, "mallory", annotations(both)), email("mallory"))
	})
	t.Run("sec/40 without the webhook", func(t *testing.T) {
		s.withoutWebhook(t)
		refused(t, "mallory writes what was signed for alice", s.patch(t, "mallory", annotations(both)), "has no receipt of their own")
	})
	if got := s.release(t); len(got.Status.Votes) != 0 {
		t.Errorf("something was left: %s", standing(got))
	}
}

// askDirectly sends the webhook a review that nobody made, as any Pod could.
func (s *shop) askDirectly(t *testing.T, as, digest string) string {
	t.Helper()
	was, err := s.admin.resource("releases", s.namespace).Get(within(t), shopName, metav1.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	now := was.DeepCopy()
	vote(as, digest)(now)
	review := admissionv1.AdmissionReview{
		TypeMeta: metav1.TypeMeta{APIVersion: "admission.k8s.io/v1", Kind: "AdmissionReview"},
		Request: &admissionv1.AdmissionRequest{
			UID: "made-up", Namespace: s.namespace, Name: shopName, Operation: admissionv1.Update,
			UserInfo: authenticationv1.UserInfo{
				Username: email(as), Groups: []string{"qa"},
				Extra: map[string]authenticationv1.ExtraValue{"authentication.kubernetes.io/credential-id": {"JTI=made-up"}},
			},
		},
	}
	review.Request.Object.Raw, review.Request.OldObject.Raw = raw(t, now), raw(t, was)
	client := &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}}} //nolint:gosec // an attacker's
	response, err := client.Post(s.operator.url()+admission.Path, "application/json", bytes.NewReader(raw(t, review)))
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	var answer admissionv1.AdmissionReview
	if err := json.NewDecoder(response.Body).Decode(&answer); err != nil {
		t.Fatal(err)
	}
	var operations []struct {
		Path  string
		Value any
	}
	if err := json.Unmarshal(answer.Response.Patch, &operations); err != nil {
		t.Fatalf("it signs nothing: %v, %+v", err, answer.Response.Result)
	}
	for _, o := range operations {
		if text, is := o.Value.(string); is && strings.Contains(o.Path, "receipts.approvals") {
			return text
		}
	}
	t.Fatalf("it signs nothing: %s; then this test is of no use", answer.Response.Patch)
	return ""
}

func raw(t *testing.T, o any) []byte {
	t.Helper()
	raw, err := json.Marshal(o)
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

// TestDryRunReceipts: whoever asks as dry-run gets a receipt, and it counts for
// nothing.
func TestDryRunReceipts(t *testing.T) {
	t.Run("sec/26 a receipt that was harvested", func(t *testing.T) {
		s := openShop(t)
		s.mustApply(t, "dev", s.manifest(t, "v1"))
		digest := s.awaitTested(t)
		harvest := s.dryRunReceipt(t, "alice", digest)
		s.withoutWebhook(t)
		err := s.patch(t, "alice", annotations(all(vote("alice", digest), annotate(v1alpha1.ReceiptPrefix+"alice", string(harvest)))))
		if err != nil {
			t.Fatalf("%v; then this test is of no use", err)
		}
		s.awaitIgnored(t, "alice")
		if why := s.release(t).Status.Votes[0].Why; !strings.Contains(why, "dry run") {
			t.Errorf("it is explained by %q", why)
		}
	})
}

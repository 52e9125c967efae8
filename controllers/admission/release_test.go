// Copyright The Countersign Authors.
// SPDX-License-Identifier: Apache-2.0

package admission

import (
	"crypto/ed25519"
	"strings"
	"testing"
	"time"

	"github.com/countersign/countersign/api/v1alpha1"
	"github.com/countersign/countersign/controllers/approval"
	"github.com/countersign/countersign/controllers/digest"
	"github.com/countersign/countersign/controllers/receipt"
	authenticationv1 "k8s.io/api/authentication/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"
)

const (
	candidate = "sha256:cccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccc"
	another   = "sha256:aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
	reject    = v1alpha1.RejectPrefix + candidate

	dev, qa, carol = "dev@corp", "bob@corp", "carol@corp"
	bot            = "system:serviceaccount:argocd:argocd-application-controller"
	operator       = "system:serviceaccount:countersign-system:countersign-operator"
)

func noon() time.Time { return time.Date(2026, 11, 24, 12, 0, 0, 0, time.UTC) }

func signer(seed string) *receipt.Signer {
	return receipt.NewSigner(ed25519.NewKeyFromSeed([]byte(strings.Repeat(seed, ed25519.SeedSize))))
}

func verifier() *receipt.Verifier { return receipt.NewVerifier(signer("k").Public()) }

// prod is a policy with a rule by group, one by name that can veto, one by group
// that can, and people with two accounts.
func prod() *v1alpha1.ApprovalPolicy {
	return &v1alpha1.ApprovalPolicy{ObjectMeta: metav1.ObjectMeta{Name: "prod"}, Spec: v1alpha1.ApprovalPolicySpec{
		Namespaces: []string{"shop*"},
		Rules: []v1alpha1.ApprovalRule{
			{Name: "qa", Count: 1, Groups: []string{"oidc:qa"}},
			{Name: "security", Count: 1, Users: []string{carol}, CanVeto: true},
		},
		ValidFor: metav1.Duration{Duration: 24 * time.Hour},
		Persons:  []v1alpha1.Person{{Name: "dev", Users: []string{dev, "dev-admin@corp"}}},
	}}
}

func scheme(t testing.TB) *runtime.Scheme {
	t.Helper()
	s := runtime.NewScheme()
	for _, add := range []func(*runtime.Scheme) error{clientgoscheme.AddToScheme, v1alpha1.AddToScheme} {
		if err := add(s); err != nil {
			t.Fatal(err)
		}
	}
	return s
}

func webhook(t testing.TB, policies ...client.Object) *Webhook {
	t.Helper()
	return &Webhook{
		Reader: fake.NewClientBuilder().WithScheme(scheme(t)).WithObjects(policies...).Build(),
		Signer: signer("k"), Verifier: verifier(), Cluster: "c1", Now: noon, OperatorUser: operator,
	}
}

// stored is a Release whose candidate waits for votes, written by dev.
func stored(t testing.TB, changes ...func(*v1alpha1.Release)) *v1alpha1.Release {
	t.Helper()
	rel := manifest()
	rel.UID, rel.Generation = "u1", 3
	rel.Status = v1alpha1.ReleaseStatus{ObservedGeneration: 3, Candidate: &v1alpha1.CandidateStatus{
		Digest: candidate, ObservedGeneration: 3, Authors: []string{dev},
	}}
	wroteBy(t, dev)(rel)
	for _, change := range changes {
		change(rel)
	}
	return rel
}

// manifest is what a developer writes.
func manifest() *v1alpha1.Release {
	return &v1alpha1.Release{
		TypeMeta:   metav1.TypeMeta{APIVersion: "countersign.dev/v1alpha1", Kind: "Release"},
		ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "shop", Annotations: map[string]string{"team": "shop"}},
		Spec: v1alpha1.ReleaseSpec{
			Replicas: new(int32(2)),
			Template: corev1.PodTemplateSpec{Spec: corev1.PodSpec{Containers: []corev1.Container{{Name: "app", Image: "shop:1"}}}},
			Services: []v1alpha1.ServiceRef{{Name: "shop"}},
		},
	}
}

// wroteBy stamps authors as admission does.
func wroteBy(t testing.TB, names ...string) func(*v1alpha1.Release) {
	return func(rel *v1alpha1.Release) {
		envelope, err := signer("k").SignAuthors(t.Context(), receipt.Authors{
			Cluster: "c1", Namespace: rel.Namespace, Name: rel.Name, UID: string(rel.UID), Revision: revision(t, rel.Spec),
			Authors: names, At: noon().Add(-time.Hour), Nonce: "n0",
		})
		if err != nil {
			t.Fatal(err)
		}
		text, err := receipt.FormatAuthors(names)
		if err != nil {
			t.Fatal(err)
		}
		rel.Annotations[v1alpha1.AuthorsAnnotation] = text
		rel.Annotations[v1alpha1.AuthorsReceiptAnnotation] = receipt.FormatAuthorsReceipt(envelope)
	}
}

// voted puts a vote with its receipt into a slot, an hour ago.
func voted(t testing.TB, slot, user, value string) func(*v1alpha1.Release) {
	return func(rel *v1alpha1.Release) {
		v := receipt.Vote{
			Cluster: "c1", Namespace: rel.Namespace, Name: rel.Name, UID: string(rel.UID), Slot: slot, User: user,
			Decision: receipt.Withdrawn, Groups: []string{"oidc:qa"}, At: noon().Add(-time.Hour), Nonce: "n0",
		}
		if decision, of, err := approval.ParseVote(value); err == nil {
			v.Decision, v.Digest = string(decision), of
			rel.Annotations[v1alpha1.VotePrefix+slot] = value
		}
		envelope, err := signer("k").SignVote(t.Context(), v)
		if err != nil {
			t.Fatal(err)
		}
		rel.Annotations[v1alpha1.ReceiptPrefix+slot] = receipt.FormatVote(user, value, envelope)
	}
}

func revision(t testing.TB, spec v1alpha1.ReleaseSpec) string {
	t.Helper()
	r, err := digest.Revision(spec)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// set gives an annotation a value, drop takes it out.
func set(key, value string) func(*v1alpha1.Release) {
	return func(rel *v1alpha1.Release) { rel.Annotations[key] = value }
}

func drop(keys ...string) func(*v1alpha1.Release) {
	return func(rel *v1alpha1.Release) {
		for _, key := range keys {
			delete(rel.Annotations, key)
		}
	}
}

// image changes the content.
func image(name string) func(*v1alpha1.Release) {
	return func(rel *v1alpha1.Release) { rel.Spec.Template.Spec.Containers[0].Image = name }
}

func scaled(rel *v1alpha1.Release) { rel.Spec.Replicas = new(int32(9)) }

func both(changes ...func(*v1alpha1.Release)) func(*v1alpha1.Release) {
	return func(rel *v1alpha1.Release) {
		for _, change := range changes {
			change(rel)
		}
	}
}

// replaced is what comes of kubectl replace with the manifest from Git.
func replaced(rel *v1alpha1.Release) {
	rel.Annotations = map[string]string{"team": "shop"}
}

// with is a user who authenticated by a credential.
func with(credential, user string, groups ...string) authenticationv1.UserInfo {
	info := authenticationv1.UserInfo{Username: user, Groups: groups}
	if credential != "" {
		info.Extra = map[string]authenticationv1.ExtraValue{credentialID: {credential}}
	}
	return info
}

func emptyCredential(user string) authenticationv1.UserInfo {
	info := with("", user)
	info.Extra = map[string]authenticationv1.ExtraValue{credentialID: {}}
	return info
}

func person(user string, groups ...string) authenticationv1.UserInfo {
	return with("JTI=0d6f", user, groups...)
}

// receiptOf is what the receipt in a slot proves.
func receiptOf(t testing.TB, rel *v1alpha1.Release, slot string) receipt.Vote {
	t.Helper()
	text, err := receipt.ParseVoteAnnotation(rel.Annotations[v1alpha1.ReceiptPrefix+slot])
	if err != nil {
		t.Fatal(err)
	}
	v, err := verifier().Vote(text.Envelope)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

func provenAuthors(t testing.TB, rel *v1alpha1.Release) (known bool, why string) {
	t.Helper()
	got := receipt.KnownAuthors(rel, revision(t, rel.Spec), "c1", verifier())
	return got.Known, got.Why
}

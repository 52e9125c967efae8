// Copyright The Countersign Authors.
// SPDX-License-Identifier: Apache-2.0

package controllers_test

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/countersign/countersign/api/v1alpha1"
	"github.com/countersign/countersign/controllers/digest"
	"github.com/countersign/countersign/controllers/receipt"
	"github.com/countersign/countersign/controllers/rollout"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
)

// gate was whole when it was last tested; err is what the next test finds.
type gate struct {
	err   error
	tried int
}

func (g *gate) State() rollout.Gate { return rollout.Gate{Intact: true} }
func (g *gate) Try(context.Context) error {
	g.tried++
	return g.err
}

// must is for what cannot fail in these tests.
func (r *rig) must(err error) {
	r.Helper()
	if err != nil {
		r.Fatal(err)
	}
}

// settle reconciles until there is nothing to do.
func (r *rig) settle() {
	r.Helper()
	for range 10 {
		_, err := r.reconcile()
		r.must(err)
		if slices.Equal(r.log, []string{"sync 0", "tell 0"}) {
			return
		}
	}
	r.Fatalf("it does not come to rest: %v", r.log)
}

// newApprovedRig has a Release whose first content lacks nothing: the next
// decision is to promote it.
func newApprovedRig(t *testing.T, g *gate) *rig {
	t.Helper()
	all := objects()
	rel := all[0].(*v1alpha1.Release)
	rel.Spec.Template.Labels = map[string]string{"app": "shop"}
	r := newRig(t, append(all, &v1alpha1.ApprovalPolicy{
		ObjectMeta: metav1.ObjectMeta{Name: "prod"},
		Spec: v1alpha1.ApprovalPolicySpec{
			Namespaces: []string{"prod"}, ValidFor: metav1.Duration{Duration: time.Hour}, MinDistinctPersons: 1,
			Rules: []v1alpha1.ApprovalRule{{Name: "qa", Count: 1, Users: []string{"bob"}}},
		},
	})...)
	signer := receipt.NewSigner(ed25519.NewKeyFromSeed(bytes.Repeat([]byte{7}, ed25519.SeedSize)))
	r.Verifier, r.Gate = receipt.NewVerifier(signer.Public()), g
	r.author(signer, "dev")
	r.settle()
	r.start()
	r.settle()
	r.approve(signer, "bob")
	return r
}

// annotate changes annotations of the Release.
func (r *rig) annotate(annotations func(*v1alpha1.Release) map[string]string) {
	r.Helper()
	rel := &v1alpha1.Release{}
	r.must(r.Client.Get(r.Context(), shop, rel))
	if rel.Annotations == nil {
		rel.Annotations = map[string]string{}
	}
	for key, value := range annotations(rel) {
		rel.Annotations[key] = value
	}
	r.must(r.Client.Update(r.Context(), rel))
}

func (r *rig) author(signer *receipt.Signer, name string) {
	r.Helper()
	r.annotate(func(rel *v1alpha1.Release) map[string]string {
		revision, err := digest.Revision(rel.Spec)
		r.must(err)
		list, err := receipt.FormatAuthors([]string{name})
		r.must(err)
		envelope, err := signer.SignAuthors(r.Context(), receipt.Authors{
			Cluster: "c1", Namespace: "prod", Name: "shop", UID: "u1", Revision: revision, Authors: []string{name}, At: r.now, Nonce: "n1",
		})
		r.must(err)
		return map[string]string{v1alpha1.AuthorsAnnotation: list, v1alpha1.AuthorsReceiptAnnotation: receipt.FormatAuthorsReceipt(envelope)}
	})
}

func (r *rig) approve(signer *receipt.Signer, user string) {
	r.Helper()
	r.annotate(func(rel *v1alpha1.Release) map[string]string {
		d := rel.Status.Candidate.Digest
		envelope, err := signer.SignVote(r.Context(), receipt.Vote{
			Cluster: "c1", Namespace: "prod", Name: "shop", UID: "u1", Slot: user, Digest: d, Decision: receipt.Approve, User: user, At: r.now, Nonce: "n2",
		})
		r.must(err)
		return map[string]string{v1alpha1.VotePrefix + user: d, v1alpha1.ReceiptPrefix + user: receipt.FormatVote(user, d, envelope)}
	})
}

// start has the Deployment bring up its Pod, which the preview leads to.
func (r *rig) start() {
	r.Helper()
	d := &appsv1.Deployment{}
	r.must(r.Client.Get(r.Context(), types.NamespacedName{Namespace: "prod", Name: "shop-blue"}, d))
	d.Status = appsv1.DeploymentStatus{ObservedGeneration: d.Generation, Replicas: 1, UpdatedReplicas: 1, ReadyReplicas: 1, AvailableReplicas: 1}
	r.must(r.Client.Status().Update(r.Context(), d))
	r.must(r.Client.Create(r.Context(), &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Namespace: "prod", Name: "shop-blue-0", Labels: d.Spec.Template.Labels},
		Status:     corev1.PodStatus{Conditions: []corev1.PodCondition{{Type: corev1.PodReady, Status: corev1.ConditionTrue}}},
	}))
	r.must(r.Client.Create(r.Context(), &discoveryv1.EndpointSlice{
		ObjectMeta: metav1.ObjectMeta{Namespace: "prod", Name: "x", Labels: map[string]string{discoveryv1.LabelServiceName: "shop-preview"}},
		Endpoints:  []discoveryv1.Endpoint{{TargetRef: &corev1.ObjectReference{Kind: "Pod", Name: "shop-blue-0"}}},
	}))
}

// I14: the gate is tested once more before traffic moves. When it does not hold,
// nothing that was decided is done or told.
func TestGateIsTriedBeforeASwitch(t *testing.T) {
	for name, tc := range map[string]struct {
		finds error
		want  []string
	}{
		"whole":  {nil, []string{"status shop", "sync 0", "patch Service shop", "tell 2"}},
		"broken": {errors.New("a vote of a program was let through"), []string{"status shop", "conflict"}},
	} {
		t.Run(name, func(t *testing.T) {
			g := &gate{err: tc.finds}
			r := newApprovedRig(t, g)
			if g.tried != 0 {
				t.Errorf("it was tried %d times for nothing", g.tried)
			}
			_, err := r.reconcile()
			r.must(err)
			r.wants(tc.want...)
			if g.tried != 1 {
				t.Errorf("it was tried %d times, want once", g.tried)
			}
		})
	}
}

// The Release that the self-test attacks is left alone.
func TestUnreleased(t *testing.T) {
	r := newRig(t, objects()...)
	r.Unreleased = "prod"
	if result, err := r.reconcile(); err != nil || result.RequeueAfter != 0 {
		t.Errorf("got %v and %v", result, err)
	}
	r.wants()
}

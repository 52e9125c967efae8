// Copyright The Countersign Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/countersign/countersign/api/v1alpha1"
	"github.com/countersign/countersign/hack/cluster/identity"
	appsv1 "k8s.io/api/apps/v1"
	"k8s.io/apimachinery/pkg/types"
)

// autoscaler finds no metrics here. What it does without any is to keep the
// Release at minReplicas at least, through its scale subresource.
const autoscaler = `
apiVersion: autoscaling/v2
kind: HorizontalPodAutoscaler
metadata: {namespace: NAMESPACE, name: shop}
spec:
  scaleTargetRef: {apiVersion: countersign.dev/v1alpha1, kind: Release, name: shop}
  minReplicas: REPLICAS
  maxReplicas: 6
  metrics: [{type: Resource, resource: {name: cpu, target: {type: Utilization, averageUtilization: 80}}}]
`

// TestAutoscaler: Kubernetes' own HorizontalPodAutoscaler scales both colours in
// every phase, and what is gone back to is as large as what is left.
func TestAutoscaler(t *testing.T) {
	g := newStage(t, "e2e-scale")
	g.applyUnsized("v1")
	first := g.AwaitCandidate(0)
	g.autoscale(2)
	g.awaitReady(2, "blue")
	g.vote(first, "alice", "bob")
	g.awaitEpoch(1)
	g.AwaitPhase(v1alpha1.PhaseStable)

	g.applyUnsized("v2")
	second := g.AwaitCandidate(first.Status.Sequence)
	g.awaitReady(2, "blue", "green")
	g.autoscale(3)
	g.awaitReady(3, "blue", "green")
	if now := g.now(); digestOf(now) != digestOf(second) {
		t.Error("another size gave the candidate another digest")
	}
	g.vote(second, "alice", "bob")
	g.awaitEpoch(2)
	g.autoscale(4)
	g.awaitReady(4, "blue", "green")
	if phase := g.now().Status.Phase; phase != v1alpha1.PhaseObserving {
		t.Fatalf("phase is %s, want it still observed", phase)
	}
	g.Do(identity.Admin, "create", "--raw", g.proxy("pods/"+g.podOf("green")+":8080")+"sick", "-f", "/dev/null")
	rel := g.awaitEpoch(3)
	if rel.Status.Switch.Reason != v1alpha1.SwitchRollback {
		t.Errorf("epoch 3 is a %s", rel.Status.Switch.Reason)
	}
	if d := g.deployment("blue"); d.Status.ReadyReplicas != 4 {
		t.Errorf("it went back to %d ready Pods, want 4", d.Status.ReadyReplicas)
	}
	g.autoscale(5)
	g.awaitReady(5, "blue")
}

// applyUnsized leaves replicas to the autoscaler, as its documentation says.
func (g *stage) applyUnsized(version string) {
	g.t.Helper()
	manifest := strings.NewReplacer("  replicas: REPLICAS\n", "", "observeSeconds: 1\n", "observeSeconds: 120\n",
		"NAMESPACE", g.Release.Namespace, "VERSION", version).Replace(releaseManifest)
	if version == "v1" {
		manifest = strings.Replace(manifest, "observeSeconds: 120", "observeSeconds: 1", 1)
	}
	g.Apply("dev", "version "+version+" without replicas", manifest)
	g.check()
}

func (g *stage) autoscale(least int) {
	g.t.Helper()
	g.Apply(identity.Admin, fmt.Sprintf("the HorizontalPodAutoscaler with minReplicas %d", least),
		strings.NewReplacer("NAMESPACE", g.Release.Namespace, "REPLICAS", fmt.Sprint(least)).Replace(autoscaler))
	g.check()
}

// awaitReady waits until colours have so many ready Pods, all of the newest template.
func (g *stage) awaitReady(want int32, colours ...string) {
	g.t.Helper()
	ctx, cancel := context.WithTimeout(g.t.Context(), time.Minute)
	defer cancel()
	for _, colour := range colours {
		for {
			d := g.deployment(colour)
			if s := d.Status; *d.Spec.Replicas == want && s.ReadyReplicas == want && s.UpdatedReplicas == want && s.ObservedGeneration == d.Generation {
				break
			}
			select {
			case <-ctx.Done():
				g.t.Fatalf("%s wants %d Pods and has %d that are ready, want %d", d.Name, *d.Spec.Replicas, d.Status.ReadyReplicas, want)
			case <-time.After(100 * time.Millisecond):
			}
		}
	}
}

func (g *stage) deployment(colour string) *appsv1.Deployment {
	g.t.Helper()
	d := &appsv1.Deployment{}
	if err := g.Client.Get(g.t.Context(), types.NamespacedName{Namespace: g.Release.Namespace, Name: "shop-" + colour}, d); err != nil {
		g.t.Fatal(err)
	}
	return d
}

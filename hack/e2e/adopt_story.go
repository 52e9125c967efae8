// Copyright The Countersign Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/countersign/countersign/api/v1alpha1"
	"github.com/countersign/countersign/hack/cluster/identity"
	"github.com/countersign/countersign/hack/cluster/load"
	"github.com/countersign/countersign/hack/cluster/local"
	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// asBefore is an application as people have it without Countersign.
const asBefore = `apiVersion: apps/v1
kind: Deployment
metadata: {namespace: shop, name: shop}
spec:
  replicas: 2
  selector: {matchLabels: {app: shop}}
  template:
    metadata: {labels: {app: shop}}
    spec:
      containers:
      - name: app
        image: countersign.local/demoapp:v1
        imagePullPolicy: IfNotPresent
        ports: [{name: http, containerPort: 8080}]
        readinessProbe: {httpGet: {path: /readyz, port: http}, periodSeconds: 1}
---
apiVersion: v1
kind: Service
metadata: {namespace: shop, name: shop}
spec: {selector: {app: shop}, ports: [{name: http, port: 80, targetPort: http}]}
`

// adoption is what the story found.
type adoption struct{ takenOver, givenBack bool }

func tellAdopt(ctx context.Context, c *local.Cluster) error {
	d, err := newDemo(ctx, c)
	if err != nil {
		return err
	}
	d.observe = 5
	d.Chapter("A Deployment and its Service serve, as they always did")
	for _, file := range []string{"namespace", "people", "policy"} {
		d.Do(identity.Admin, "apply", "-f", filepath.Join(samples, file+".yaml"))
	}
	d.Apply(identity.Admin, "the application", asBefore)
	d.Do(identity.Admin, "rollout", "status", "deployment/shop", "-n", "shop", "--timeout=120s")
	var found adoption
	var history []v1alpha1.HistoryEntry
	sum, err := d.underLoad(ctx, func() {
		found.takenOver = d.takeOver(ctx)
		d.sickAndBack(ctx)
		history = d.stay()
		found.givenBack = d.giveBack(ctx)
	})
	if err := errors.Join(d.Err(), err); err != nil {
		return err
	}
	return d.concludeAdopt(sum, found, history)
}

// adopting is the sample as somebody writes it who takes over what is there: the
// Service selects Pods by app=shop, so the Release's have another value.
func (d *demo) adopting(version string) {
	raw, err := os.ReadFile(filepath.Join(d.root, samples, "release.yaml"))
	if err != nil {
		d.Fail("read the sample: %w", err)
		return
	}
	manifest := strings.NewReplacer(
		"demoapp:v1", "demoapp:"+version, "        app: shop\n", "        app: shop-release\n",
		"observeSeconds: 20", fmt.Sprintf("observeSeconds: %d\n  keepIdleSeconds: 5\n  workloadRef:\n    name: shop", d.observe),
	).Replace(string(raw))
	if !d.real { // nothing would answer the checks
		manifest, _, _ = strings.Cut(manifest, "  checks:\n")
	}
	d.Apply("dev", samples+"/release.yaml with workloadRef: {name: shop}, demoapp:"+version+" and label app=shop-release", manifest)
}

func (d *demo) takeOver(ctx context.Context) bool {
	d.Chapter("A Release takes it over: the Pods that serve stay as they are until people agree")
	before := d.pods(ctx, "shop")
	d.adopting("v2")
	rel := d.AwaitCandidate(0)
	d.show()
	after := d.pods(ctx, "shop")
	d.Say("serving before: %s", strings.Join(before, " "))
	d.Say("serving now:    %s", strings.Join(after, " "))
	d.Do(identity.Admin, "get", "service", "shop", "-n", "shop", "-o", "jsonpath={.spec.selector}{\"\\n\"}")
	d.approve("alice", rel)
	d.approve("bob", rel)
	d.awaitSwitch(rel)
	d.show()
	return len(before) == 2 && slices.Equal(before, after)
}

func (d *demo) sickAndBack(ctx context.Context) {
	d.Chapter("Version 2 falls sick: the Deployment that was there before serves again")
	d.fallSick(ctx)
	d.Await("what was there before serves again", func(r *v1alpha1.Release) bool {
		return r.Status.Phase == v1alpha1.PhaseHalted && r.Status.Active == nil && r.Status.Switch.SettledAt != nil
	})
	d.show()
	d.Do(identity.Admin, "get", "service", "shop", "-n", "shop", "-o", "jsonpath={.spec.selector}{\"\\n\"}")
}

func (d *demo) stay() []v1alpha1.HistoryEntry {
	d.Chapter("Version 3 is let through and stays: the Deployment from before is scaled to zero, once")
	before := d.current().Status.Sequence
	d.adopting("v3")
	rel := d.AwaitCandidate(before)
	d.approve("alice", rel)
	d.approve("bob", rel)
	d.awaitSwitch(rel)
	end := d.Await("the Deployment from before is at zero", func(r *v1alpha1.Release) bool {
		return r.Status.Origin != nil && r.Status.Origin.DrainedAt != nil
	})
	d.show()
	d.Do(identity.Admin, "get", "deployments", "-n", "shop")
	d.history()
	if end == nil {
		return nil
	}
	return end.Status.History
}

func (d *demo) giveBack(ctx context.Context) bool {
	d.Chapter("The way back: the Release is deleted, and the application stays")
	colour := string(d.current().Status.Active.Colour)
	before := d.pods(ctx, "shop-release")
	d.Do(identity.Admin, "delete", "release", "shop", "-n", "shop", "--timeout=60s")
	after := d.pods(ctx, "shop-release")
	d.Do(identity.Admin, "get", "deployments,services,pods", "-n", "shop")
	var given corev1.Service
	if err := d.Client.Get(ctx, client.ObjectKey{Namespace: "shop", Name: "shop"}, &given); err != nil {
		d.Fail("get the Service: %w", err)
	}
	_, ours := given.Labels[v1alpha1.ReleaseLabel]
	stay := slices.DeleteFunc(slices.Clone(before), func(name string) bool { return !strings.HasPrefix(name, "shop-"+colour+"-") })
	kept := slices.DeleteFunc(after, func(name string) bool { return !slices.Contains(stay, name) })
	return !ours && len(stay) == 2 && slices.Equal(stay, kept)
}

// pods with a label, that are not ending, by name.
func (d *demo) pods(ctx context.Context, app string) (names []string) {
	var pods corev1.PodList
	if err := d.Client.List(ctx, &pods, client.InNamespace("shop"), client.MatchingLabels{"app": app}); err != nil {
		d.Fail("list the Pods: %w", err)
		return nil
	}
	for i := range pods.Items {
		if pods.Items[i].DeletionTimestamp == nil {
			names = append(names, pods.Items[i].Name)
		}
	}
	slices.Sort(names)
	return names
}

// concludeAdopt checks the figures and prints the last line.
func (d *demo) concludeAdopt(sum load.Summary, found adoption, history []v1alpha1.HistoryEntry) error {
	reasons := inOrder(history)
	want := []string{"Promote to blue", "Rollback to origin", "Promote to blue"}
	failed := sum.Failed + sum.Unexpected
	verdict := "ok"
	if failed > 0 || d.real == (sum.Sent == 0) || !found.takenOver || !found.givenBack || !slices.Equal(reasons, want) {
		verdict = "FAILED"
	}
	fmt.Printf("demo-adopt: %s sent=%d failed=%d sick=%d pods_kept_when_taken_over=%t pods_kept_when_given_back=%t switches=%q\n",
		verdict, sum.Sent, failed, sum.Sick, found.takenOver, found.givenBack, reasons)
	if verdict != "ok" {
		return fmt.Errorf("the story did not end as it should")
	}
	return nil
}

// Copyright The Countersign Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/countersign/countersign/api/v1alpha1"
	"github.com/countersign/countersign/hack/cluster/identity"
	"github.com/countersign/countersign/hack/e2e/operator"
)

// configStage has a third person who may approve, because nobody knows who
// configures the application.
const configStage = `
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata: {namespace: NAMESPACE, name: third}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: release-approver}
subjects: [{apiGroup: rbac.authorization.k8s.io, kind: Group, name: product}]
---
apiVersion: countersign.dev/v1alpha1
kind: ApprovalPolicy
metadata: {name: NAMESPACE}
spec:
  namespaces: [NAMESPACE]
  rules:
  - {name: qa, count: 1, groups: [qa, product]}
  - {name: security, count: 1, groups: [security], canVeto: true}
`

const settingsManifest = `
apiVersion: v1
kind: ConfigMap
metadata: {namespace: NAMESPACE, name: settings}
data: {VERSION: VALUE}
`

// configuredRelease takes what it says of itself from the ConfigMap, so that an
// answer tells what the Pod is configured with.
const configuredRelease = `
apiVersion: countersign.dev/v1alpha1
kind: Release
metadata: {namespace: NAMESPACE, name: shop}
spec:
  replicas: 1
  services: [{name: shop}]
  observeSeconds: 300
  template:
    metadata: {labels: {app: shop}}
    spec:
      containers:
      - name: app
        image: countersign.local/demoapp:v1
        imagePullPolicy: Never
        envFrom: [{configMapRef: {name: settings}}]
        ports: [{name: http, containerPort: 8080}]
        readinessProbe: {httpGet: {path: /readyz, port: http}, periodSeconds: 1}
  checks:
    afterSwitch: [{name: live, periodSeconds: 1, failureThreshold: 2, http: {path: /healthz, port: http}}]
`

// TestConfigFollowsItsColour: a colour keeps what it was approved with, also for
// Pods that start later, and going back brings it back.
func TestConfigFollowsItsColour(t *testing.T) {
	g := newStage(t, "e2e-config")
	g.Apply(identity.Admin, "a third person", strings.ReplaceAll(configStage, "NAMESPACE", g.Release.Namespace))
	g.configure("one")
	g.Apply("dev", "the Release", strings.ReplaceAll(strings.Replace(configuredRelease, "observeSeconds: 300", "observeSeconds: 1", 1), "NAMESPACE", g.Release.Namespace))
	g.vote(g.AwaitCandidate(0), "alice", "bob", "carol")
	g.awaitEpoch(1)
	g.AwaitPhase(v1alpha1.PhaseStable)
	g.Apply("dev", "the Release, watched longer", strings.ReplaceAll(configuredRelease, "NAMESPACE", g.Release.Namespace))
	g.configure("two")
	rel := g.Await("the candidate has the newest configuration", func(r *v1alpha1.Release) bool {
		c := r.Status.Candidate
		return c != nil && c.TestedAt != nil && r.Status.Phase == v1alpha1.PhaseAwaitingApproval && g.configuredWith(c.Config, "two")
	})
	g.vote(rel, "alice", "bob", "carol")
	g.awaitEpoch(2)
	g.wantsAnswer("the Service", "services/shop:80", "two")
	g.Do(identity.Admin, "delete", "pods", "-n", g.Release.Namespace, "-l", v1alpha1.ColourLabel+"=blue", "--wait")
	g.Do(identity.Admin, "rollout", "status", "deployment/shop-blue", "-n", g.Release.Namespace, "--timeout=60s")
	g.check()
	g.wantsAnswer("a Pod of blue that started now", "pods/"+g.podOf("blue")+":8080", "one")
	g.Do(identity.Admin, "create", "--raw", g.proxy("pods/"+g.podOf("green")+":8080")+"sick", "-f", "/dev/null")
	rel = g.awaitEpoch(3)
	if rel.Status.Switch.Reason != v1alpha1.SwitchRollback {
		t.Errorf("epoch 3 is a %s", rel.Status.Switch.Reason)
	}
	g.wantsAnswer("the Service, after going back", "services/shop:80", "one")
}

// configure is somebody who applies another ConfigMap.
func (g *stage) configure(value string) {
	g.t.Helper()
	g.Apply(identity.Admin, "the ConfigMap", strings.NewReplacer("NAMESPACE", g.Release.Namespace, "VALUE", value).Replace(settingsManifest))
	g.check()
}

// configuredWith looks into the copies.
func (g *stage) configuredWith(config []v1alpha1.ConfigCopy, value string) bool {
	return len(config) == 1 && operator.Output(g.t.Context(), cluster, ".", "get", "configmap", config[0].Copy, "-n", g.Release.Namespace,
		"-o", "jsonpath={.data.VERSION}") == value
}

// podOf is a Pod of the colour that serves: those of a content before may still
// be ending.
func (g *stage) podOf(colour string) string {
	g.t.Helper()
	for _, pod := range g.staying(colour) {
		if isReady(&pod) {
			return pod.Name
		}
	}
	g.t.Fatalf("no Pod of %s is ready", colour)
	return ""
}

func (g *stage) proxy(of string) string {
	return "/api/v1/namespaces/" + g.Release.Namespace + "/" + of + "/proxy/"
}

// wantsAnswer asks through the API server, as long as endpoints may take to
// follow.
func (g *stage) wantsAnswer(who, of, version string) {
	g.t.Helper()
	ctx, cancel := context.WithTimeout(g.t.Context(), 30*time.Second)
	defer cancel()
	for {
		output := operator.Output(ctx, cluster, ".", "get", "--raw", g.proxy(of))
		var answer struct{ Version string }
		if err := json.Unmarshal([]byte(output), &answer); err == nil && answer.Version == version {
			return
		}
		select {
		case <-ctx.Done():
			g.t.Fatalf("%s answers %s, want version %s", who, output, version)
		case <-time.After(200 * time.Millisecond):
		}
	}
}

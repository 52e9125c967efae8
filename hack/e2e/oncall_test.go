// Copyright The Countersign Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/countersign/countersign/api/v1alpha1"
	"github.com/countersign/countersign/hack/cluster/identity"
	"github.com/countersign/countersign/hack/e2e/story"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// TestGoBackFurther goes back to content that no colour holds any more; the operator
// is killed while the idle colour is brought to it.
func TestGoBackFurther(t *testing.T) {
	g := newStage(t, "e2e-history")
	var digests []string
	for i, version := range []string{"v1", "v2", "v3"} {
		g.promote(version, int64(i+1))
		digests = append(digests, g.now().Status.Active.Digest)
	}
	g.ask(v1alpha1.RollbackAnnotation, digests[2]+"/"+digests[0])
	g.kill()
	g.start()
	rel := g.awaitEpoch(4)
	if h := rel.Status.History[0]; h.Reason != v1alpha1.SwitchRollback || h.Digest != digests[0] || h.AskedBy != "dev@example.com" {
		t.Errorf("on record is %+v", h)
	}
	g.wantsAnswer("the Service", "services/shop:80", "v1")
	if seen := fmt.Sprint(g.switches.Seen()); seen != "[epoch 1 blue epoch 2 green epoch 3 blue epoch 4 green]" {
		t.Errorf("the Service was switched as %s", seen)
	}
	g.awaitHalted(v1alpha1.ReasonRolledBack)
}

// TestKilledWhileAJobRuns: the Job of a check outlives the operator and is not run
// twice.
func TestKilledWhileAJobRuns(t *testing.T) {
	g := newStage(t, "e2e-jobkill")
	g.Apply("dev", "the Release, tested by a Job that takes its time",
		strings.NewReplacer("NAMESPACE", g.Release.Namespace, "IMAGE", "countersign.local/demoapp:v1", "PATH", `"/slow?for=4s"`).Replace(testedByJob))
	job := func(r *v1alpha1.Release) *v1alpha1.CheckJob {
		for _, c := range r.Status.Checks {
			if c.Job != nil && c.Job.UID != "" {
				return c.Job
			}
		}
		return nil
	}
	runs := g.Await("the Job is seen", func(r *v1alpha1.Release) bool { return job(r) != nil })
	g.check()
	g.kill()
	g.start()
	rel := g.AwaitCandidate(0)
	g.check()
	if was, is := job(runs), job(rel); is == nil || *is != *was {
		t.Errorf("on record is %+v, and was %+v", is, was)
	}
	var jobs batchv1.JobList
	if err := g.Client.List(t.Context(), &jobs, client.InNamespace(g.Release.Namespace)); err != nil {
		t.Fatal(err)
	}
	if len(jobs.Items) != 1 {
		t.Errorf("there are %d Jobs", len(jobs.Items))
	}
}

// legacy serves before there is a Release.
const legacy = `
apiVersion: apps/v1
kind: Deployment
metadata: {namespace: NAMESPACE, name: legacy}
spec:
  replicas: 2
  selector: {matchLabels: {app: legacy}}
  template:
    metadata: {labels: {app: legacy}}
    spec:
      containers:
      - name: app
        image: countersign.local/demoapp:v1
        imagePullPolicy: Never
        ports: [{name: http, containerPort: 8080}]
        readinessProbe: {httpGet: {path: /readyz, port: http}, periodSeconds: 1}
`

// TestKilledOnTheWayBack kills the operator when it is on record that traffic goes
// back to what served before the Release, and no Service is written yet.
func TestKilledOnTheWayBack(t *testing.T) {
	g := newStage(t, "e2e-wayback")
	namespace := g.Release.Namespace
	g.Apply(identity.Admin, "what serves before", strings.ReplaceAll(legacy, "NAMESPACE", namespace))
	g.Do(identity.Admin, "patch", "service", "shop", "-n", namespace, "--type=merge", "-p", `{"spec":{"selector":{"app":"legacy"}}}`)
	g.Do(identity.Admin, "rollout", "status", "deployment/legacy", "-n", namespace, "--timeout=60s")
	g.check()
	g.Apply("dev", "the Release that takes it over", strings.NewReplacer(
		"NAMESPACE", namespace, "VERSION", "v2", "REPLICAS", "2", "  observeSeconds: 1\n", "  observeSeconds: 1\n  workloadRef: {name: legacy}\n").Replace(releaseManifest))
	first := g.AwaitCandidate(0)
	g.check()
	g.wantsAnswer("the Service, before anybody agreed", "services/shop:80", "v1")
	g.vote(first, "alice", "bob")
	g.awaitEpoch(1)
	serves := g.AwaitPhase(v1alpha1.PhaseStable)
	g.wantsAnswer("the Service", "services/shop:80", "v2")

	g.Do(identity.Admin, "apply", "-f", hold)
	g.check()
	g.awaitHold(true)
	g.ask(v1alpha1.RollbackAnnotation, serves.Status.Active.Digest)
	g.Await("the way back is on record", func(r *v1alpha1.Release) bool {
		sw := r.Status.Switch
		return sw != nil && sw.Epoch == 2 && sw.To.Colour == v1alpha1.Origin && sw.PatchedAt == nil
	})
	g.check()
	g.kill()
	g.Do(identity.Admin, "delete", "-f", hold)
	g.awaitHold(false)
	g.start()
	after := g.awaitEpoch(2)
	if after.Status.Epoch != 2 || after.Status.Active != nil || after.Status.Origin.DrainedAt != nil {
		t.Errorf("epoch is %d, active is %+v, the origin is %+v", after.Status.Epoch, after.Status.Active, after.Status.Origin)
	}
	g.wantsAnswer("the Service, after going back", "services/shop:80", "v1")
	var svc corev1.Service
	if err := g.Client.Get(t.Context(), types.NamespacedName{Namespace: namespace, Name: "shop"}, &svc); err != nil {
		t.Fatal(err)
	}
	if want := map[string]string{"app": "legacy"}; !maps.Equal(svc.Spec.Selector, want) {
		t.Errorf("the Service selects %v, want %v", svc.Spec.Selector, want)
	}
}

// outage is how long the API server is away.
const outage = 25 * time.Second

// TestAPIServerAway: what serves goes on while the API server does not answer, and
// content that fell sick meanwhile is gone back from as soon as it does.
func TestAPIServerAway(t *testing.T) {
	g := newStage(t, "e2e-away")
	g.promote("v1", 1)
	// It asks the API server where the Service is, long before that goes away.
	load, err := story.StartLoad(cluster, t.TempDir(), "http://shop.e2e-away/", 100)
	if err != nil {
		t.Fatal(err)
	}
	g.Apply("dev", "version v2, watched for longer", strings.NewReplacer(
		"NAMESPACE", g.Release.Namespace, "VERSION", "v2", "REPLICAS", "2", "observeSeconds: 1\n", "observeSeconds: 300\n").Replace(releaseManifest))
	g.vote(g.AwaitCandidate(1), "alice", "bob")
	g.awaitEpoch(2)
	pods := g.staying("green")
	if len(pods) != 2 {
		t.Fatalf("there are %d Pods of green", len(pods))
	}
	server := apiServer(t)
	if err := server.Signal(syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	resume := func() error { return server.Signal(syscall.SIGCONT) }
	defer resume() //nolint:errcheck // a second time does nothing
	time.Sleep(outage / 2)
	for i := range pods {
		if err := postSick(t.Context(), cluster, &pods[i]); err != nil {
			t.Fatal(err)
		}
	}
	time.Sleep(outage / 2)
	if err := resume(); err != nil {
		t.Fatal(err)
	}
	back := time.Now()
	rel := g.awaitEpoch(3)
	t.Logf("it went back %s after the API server answered again", time.Since(back).Round(time.Millisecond))
	if rel.Status.Switch.Reason != v1alpha1.SwitchRollback {
		t.Errorf("epoch 3 is a %s", rel.Status.Switch.Reason)
	}
	g.wantsAnswer("the Service", "services/shop:80", "v1")
	sum, err := load.Stop(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	t.Log(sum)
	if sum.Failed+sum.Unexpected > 0 || sum.Sent == 0 || sum.Sick == 0 {
		t.Errorf("requests failed: %s", sum)
	}
}

// apiServer is the process of this cluster: no other writes that audit log.
func apiServer(t *testing.T) *os.Process {
	t.Helper()
	files, err := filepath.Glob("/proc/[0-9]*/cmdline")
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		raw, err := os.ReadFile(file)
		if err != nil {
			continue // it has ended
		}
		args := strings.Split(string(bytes.TrimRight(raw, "\x00")), "\x00")
		if filepath.Base(args[0]) != "kube-apiserver" || !slices.ContainsFunc(args, func(a string) bool { return strings.HasSuffix(a, "="+cluster.AuditLog()) }) {
			continue
		}
		pid, err := strconv.Atoi(filepath.Base(filepath.Dir(file)))
		if err != nil {
			t.Fatal(err)
		}
		process, err := os.FindProcess(pid)
		if err != nil {
			t.Fatal(err)
		}
		return process
	}
	t.Fatal("the API server of the cluster is not found")
	return nil
}

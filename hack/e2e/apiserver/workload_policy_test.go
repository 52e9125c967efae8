// Copyright The Countersign Authors.
// SPDX-License-Identifier: Apache-2.0

package apiserver

import (
	"fmt"
	"testing"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/client-go/rest"
)

const (
	workloadPolicy = "workload-guard.countersign.dev"
	scalePolicy    = "scale-guard.countersign.dev"
	podPolicy      = "pod-guard.countersign.dev"
)

const ourLabels = "{countersign.dev/release: shop, countersign.dev/colour: blue}"

// testLabels are those of the Pods of a Job that tests a candidate.
const testLabels = "{countersign.dev/release: shop, countersign.dev/check: e2e}"

// workloadText is a Deployment, ReplicaSet or StatefulSet.
func workloadText(kind, name, labels, template string) string {
	return fmt.Sprintf(`
apiVersion: apps/v1
kind: %s
metadata: {name: %s, labels: %s}
spec:
  replicas: 1
  selector: {matchLabels: %s}
  template:
    metadata: {labels: %s}
    spec: {containers: [{name: app, image: "registry/app:v1"}]}
`, kind, name, labels, template, template)
}

// podText has resources, because only those that are there can be changed.
func podText(name, labels, owner string) string {
	text := fmt.Sprintf(`
apiVersion: v1
kind: Pod
metadata: {name: %s, labels: %s}
spec:
  automountServiceAccountToken: false
  containers: [{name: app, image: "registry/app:v1", resources: {requests: {cpu: "1"}, limits: {cpu: "1"}}}]
`, name, labels)
	if owner == "" {
		return text
	}
	return transform(text, set("metadata.ownerReferences", []any{map[string]any{
		"apiVersion": "apps/v1", "kind": owner, "name": "shop-blue-1", "uid": "x", "controller": true,
	}}))
}

// workloadStage has a Deployment of Release shop with its ReplicaSet and Pod;
// returned, which a Release has given back; orphan, whose Release is gone since;
// and foreign, which is nobody's.
func workloadStage(t *testing.T) *stage {
	s := newStage(t)
	for _, name := range []string{"deployment-controller", "replicaset-controller", "statefulset-controller", "job-controller", "namespace-controller", "generic-garbage-collector", "node-controller"} {
		s.actors[name] = s.account(t, "system:serviceaccount:kube-system:"+name)
	}
	s.actors["kubelet"] = s.impersonating(t, "admin", rest.ImpersonationConfig{UserName: "fake kubelet", Groups: []string{"system:nodes", "system:masters"}})
	s.install(t, documents(t, []byte("apiVersion: v1\nkind: ServiceAccount\nmetadata: {name: default, namespace: "+s.namespace+"}")))
	release := object(t, releaseText("shop"))
	stamp(email("dev"))(release)
	s.put(t, "dev", release)
	s.put(t, "operator", object(t, workloadText("Deployment", "shop-blue", ourLabels, ourLabels)))
	s.put(t, "deployment-controller", object(t, workloadText("ReplicaSet", "shop-blue-1", ourLabels, ourLabels)))
	s.put(t, "replicaset-controller", object(t, podText("shop-blue-1-x", ourLabels, "ReplicaSet")))
	s.put(t, "job-controller", object(t, podText("shop-e2e-x", testLabels, "Job")))
	s.put(t, "operator", object(t, workloadText("Deployment", "returned", "{team: shop}", ourLabels)))
	s.put(t, "operator", object(t, workloadText("Deployment", "orphan", "{team: shop}", "{countersign.dev/release: gone, countersign.dev/colour: blue}")))
	s.put(t, "dev", object(t, workloadText("Deployment", "foreign", "{team: shop}", "{app: foreign}")))
	s.put(t, "dev", object(t, podText("foreign", "{app: foreign}", "")))
	s.saysSoon(t, attempt{what: "to scale", who: "dev", on: "deployments/shop-blue/scale", change: set("spec.replicas", int64(3))}, " cannot scale ")
	return s
}

func TestWorkloadPolicy(t *testing.T) {
	s := workloadStage(t)
	for _, r := range workloadRules() {
		t.Run(r.says, func(t *testing.T) { s.run(t, r) })
	}
}

func workloadRules() []rule { return append(deploymentRules(), podRules()...) }

// restarts is an annotation of the template, by which all Pods are replaced.
func restarts(key, value string) func(*unstructured.Unstructured) {
	return set("spec.template.metadata.annotations", map[string]any{key: value})
}

func deploymentRules() []rule {
	more := set("spec.replicas", int64(3))
	ofOther := "{countersign.dev/release: other, countersign.dev/colour: blue}"
	return []rule{{
		policy: workloadPolicy, row: "sec/14",
		says: ", which belongs to Release ",
		refused: []attempt{
			{what: "another image", who: "dev", on: "deployments/shop-blue", change: image("evil")},
			{row: "sec/17", what: "another size", who: "dev", on: "deployments/shop-blue", change: more},
			{row: "sec/13", what: "our label is stripped", who: "dev", on: "deployments/shop-blue", change: label("countersign.dev/release", "")},
			{what: "its Pods made anew", who: "dev", on: "deployments/shop-blue", change: restarts("countersign.dev/restarts", "1")},
			{what: "its Pods made anew by kubectl rollout restart", who: "dev", on: "deployments/shop-blue", change: restarts("kubectl.kubernetes.io/restartedAt", "2026-11-28T12:00:00Z")},
			{what: "the Pods of the ReplicaSet", who: "admin", on: "replicasets/shop-blue-1", change: restarts("countersign.dev/restarts", "1")},
			{what: "paused", who: "admin", on: "deployments/shop-blue", change: set("spec.paused", true)},
			{what: "its status", who: "dev", on: "deployments/shop-blue/status", change: set("status", map[string]any{"replicas": int64(9)}), not: []string{"server-side apply"}},
			{row: "sec/21", what: "deleted", who: "dev", on: "deployments/shop-blue"},
			{row: "sec/19", what: "an owner that can be deleted", who: "dev", on: "deployments/shop-blue", change: set("metadata.ownerReferences", owners)},
			{row: "sec/19", what: "the ReplicaSet's owner taken away", who: "dev", on: "replicasets/shop-blue-1", change: set("metadata.ownerReferences", owners)},
			{what: "another image of the ReplicaSet", who: "dev", on: "replicasets/shop-blue-1", change: image("evil")},
			{what: "the ReplicaSet's status", who: "dev", on: "replicasets/shop-blue-1/status", change: set("status.replicas", int64(9))},
			{what: "the ReplicaSet deleted", who: "dev", on: "replicasets/shop-blue-1"},
			{what: "a Deployment made", who: "dev", create: workloadText("Deployment", "made", ourLabels, ourLabels)},
			{what: "a ReplicaSet made", who: "dev", create: workloadText("ReplicaSet", "made", ourLabels, ourLabels)},
			{what: "a Deployment of one's own put under a Release", who: "dev", on: "deployments/foreign", change: label("countersign.dev/release", "shop")},
		},
		admitted: []attempt{
			{what: "by the operator", who: "operator", on: "deployments/shop-blue", change: image("v2")},
			{what: "its Pods made anew by the operator", who: "operator", on: "deployments/shop-blue", change: restarts("countersign.dev/restarts", "1")},
			{what: "made by the operator", who: "operator", create: workloadText("Deployment", "made", ourLabels, ourLabels)},
			{what: "deleted by the operator", who: "operator", on: "deployments/shop-blue"},
			{what: "carried out", who: "deployment-controller", on: "replicasets/shop-blue-1", change: more},
			{what: "told about", who: "deployment-controller", on: "deployments/shop-blue", change: annotate("deployment.kubernetes.io/revision", "2")},
			{what: "deleted with its namespace", who: "namespace-controller", on: "deployments/shop-blue"},
			{what: "deleted with its owner", who: "generic-garbage-collector", on: "replicasets/shop-blue-1"},
			{what: "one's own", who: "dev", on: "deployments/foreign", change: image("v2")},
			{what: "one that was given back", who: "dev", on: "deployments/returned", change: all(image("v2"), more)},
			{what: "one that was given back is deleted", who: "dev", on: "deployments/returned"},
		},
	}, {
		policy: workloadPolicy, row: "sec/15",
		says: " cannot give the Pods of ",
		refused: []attempt{
			{what: "a Deployment like ours", who: "dev", create: workloadText("Deployment", "made", "{team: shop}", ourLabels)},
			{what: "a ReplicaSet like ours", who: "dev", create: workloadText("ReplicaSet", "made", "{team: shop}", ourLabels)},
			{what: "Pods of one's own", who: "dev", on: "deployments/foreign", change: set("spec.template.metadata.labels", map[string]any{"app": "foreign", "countersign.dev/release": "shop"})},
			{what: "one more label of one that was given back", who: "dev", on: "deployments/returned", change: set("spec.template.metadata.labels.countersign~dev/revision", "0123456789abcdef")},
			{what: "another Release's", who: "dev", create: workloadText("Deployment", "made", "{team: shop}", ofOther)},
		},
		admitted: []attempt{
			{what: "labels of one's own", who: "dev", on: "deployments/foreign", change: set("spec.template.metadata.labels", map[string]any{"app": "foreign", "tier": "front"})},
			{what: "one that was given back keeps its own", who: "dev", on: "deployments/returned", change: image("v2")},
		},
	}, {
		policy: scalePolicy, row: "sec/17",
		says: " cannot scale ",
		refused: []attempt{
			{what: "a Deployment", who: "dev", on: "deployments/shop-blue/scale", change: more},
			{what: "a Deployment to nothing", who: "admin", on: "deployments/shop-blue/scale", change: drop("spec.replicas")},
			{what: "a ReplicaSet", who: "dev", on: "replicasets/shop-blue-1/scale", change: more},
		},
		admitted: []attempt{
			{what: "by the operator", who: "operator", on: "deployments/shop-blue/scale", change: more},
			{what: "one's own", who: "dev", on: "deployments/foreign/scale", change: more},
			{what: "one whose Release is gone", who: "dev", on: "deployments/orphan/scale", change: more},
		},
	}}
}

func podRules() []rule {
	return []rule{{
		policy: podPolicy, row: "sec/15",
		says: " cannot create a Pod with labels countersign.dev/*",
		refused: []attempt{
			{what: "by a person", who: "dev", create: podText("made", ourLabels, "")},
			{what: "by a person, as if of a ReplicaSet", who: "dev", create: podText("made", ourLabels, "ReplicaSet")},
			{what: "by an admin", who: "admin", create: podText("made", "{countersign.dev/release: shop}", "ReplicaSet")},
			{what: "by a StatefulSet", who: "statefulset-controller", create: podText("made", ourLabels, "StatefulSet")},
			{what: "by a Job, with a colour", who: "job-controller", create: podText("made", ourLabels, "Job")},
			{what: "by a Job's controller, as if of a ReplicaSet", who: "job-controller", create: podText("made", testLabels, "ReplicaSet")},
			{what: "by a person, as if of a Job", who: "dev", create: podText("made", testLabels, "Job")},
			{what: "by the operator", who: "operator", create: podText("made", ourLabels, "ReplicaSet")},
		},
		admitted: []attempt{
			{what: "by a ReplicaSet", who: "replicaset-controller", create: podText("made", ourLabels, "ReplicaSet")},
			{what: "by a Job", who: "job-controller", create: podText("made", testLabels, "Job")},
			{what: "without our labels", who: "dev", create: podText("made", "{app: shop}", "")},
		},
	}, {
		policy: podPolicy, row: "sec/15",
		says: " cannot change the labels countersign.dev/* and pod-template-hash of Pod ",
		refused: []attempt{
			{what: "the other colour", who: "dev", on: "pods/shop-blue-1-x", change: label("countersign.dev/colour", "green")},
			{row: "sec/13", what: "one taken away", who: "dev", on: "pods/shop-blue-1-x", change: label("countersign.dev/colour", "")},
			{what: "through the status", who: "dev", on: "pods/shop-blue-1-x/status", change: label("countersign.dev/colour", "green"), not: []string{"server-side apply"}},
			{what: "a Pod of one's own", who: "dev", on: "pods/foreign", change: label("countersign.dev/release", "shop")},
			{what: "by the operator", who: "operator", on: "pods/shop-blue-1-x", change: label("countersign.dev/colour", "green")},
			{what: "cut loose from its ReplicaSet", who: "dev", on: "pods/shop-blue-1-x", change: label("pod-template-hash", "other")},
			{what: "a test's Pod gets a colour", who: "dev", on: "pods/shop-e2e-x", change: label("countersign.dev/colour", "blue")},
		},
		admitted: []attempt{
			{what: "another label", who: "dev", on: "pods/shop-blue-1-x", change: label("quarantined", "yes")},
			{what: "of one's own Pod", who: "dev", on: "pods/foreign", change: label("app", "other")},
			{what: "deleted", who: "dev", on: "pods/shop-blue-1-x"},
		},
	}, {
		policy: podPolicy, row: "sec/15",
		says:    " cannot change the images of Pod ",
		refused: []attempt{{what: "another image", who: "dev", on: "pods/shop-blue-1-x", change: podImage("evil")}},
		admitted: []attempt{
			{what: "of one's own Pod", who: "dev", on: "pods/foreign", change: podImage("v2")},
			{what: "an annotation", who: "dev", on: "pods/shop-blue-1-x", change: annotate("example.com/seen", "yes")},
		},
	}, {
		policy: podPolicy, row: "sec/16",
		says:     " cannot add containers to Pod ",
		refused:  []attempt{{what: "kubectl debug", who: "dev", on: "pods/shop-blue-1-x/ephemeralcontainers", change: debug, not: []string{"server-side apply"}}},
		admitted: []attempt{{what: "on one's own Pod", who: "dev", on: "pods/foreign/ephemeralcontainers", change: debug, not: []string{"server-side apply"}}},
	}, {
		policy: podPolicy, row: "sec/19",
		says: " cannot change the owners of Pod ",
		refused: []attempt{
			{what: "an owner that can be deleted", who: "dev", on: "pods/shop-blue-1-x", change: set("metadata.ownerReferences", owners)},
			{what: "cut loose from its ReplicaSet", who: "dev", on: "pods/shop-blue-1-x", change: drop("metadata.ownerReferences")},
			{what: "by an admin", who: "admin", on: "pods/shop-blue-1-x", change: drop("metadata.ownerReferences")},
		},
		admitted: []attempt{
			{what: "by ReplicaSets", who: "replicaset-controller", on: "pods/shop-blue-1-x", change: drop("metadata.ownerReferences")},
			{what: "by the garbage collector", who: "generic-garbage-collector", on: "pods/shop-blue-1-x", change: drop("metadata.ownerReferences")},
			{what: "of one's own Pod", who: "dev", on: "pods/foreign", change: set("metadata.ownerReferences", owners)},
		},
	}, {
		policy: podPolicy, row: "sec/18",
		says: " where it is, what it runs and ",
		refused: []attempt{
			{what: "an address elsewhere", who: "dev", on: "pods/shop-blue-1-x/status", change: podAddress, not: []string{"server-side apply"}},
			{what: "a test that has succeeded", who: "dev", on: "pods/shop-e2e-x/status", change: set("status.phase", "Succeeded"), not: []string{"server-side apply"}},
			{what: "ready that is not", who: "dev", on: "pods/shop-blue-1-x/status", change: podReady, not: []string{"server-side apply"}},
			{row: "sec/10", what: "images that do not run", who: "dev", on: "pods/shop-blue-1-x/status", change: podRuns("containerStatuses"), not: []string{"server-side apply"}},
			{row: "sec/10", what: "images that did not run", who: "dev", on: "pods/shop-blue-1-x/status", change: podRuns("initContainerStatuses"), not: []string{"server-side apply"}},
		},
		admitted: []attempt{
			{what: "by its kubelet", who: "kubelet", on: "pods/shop-blue-1-x/status", change: all(podAddress, podRuns("containerStatuses")), not: []string{"server-side apply"}},
			{what: "by the controller of nodes", who: "node-controller", on: "pods/shop-blue-1-x/status", change: podReady, not: []string{"server-side apply"}},
			{what: "a readiness gate", who: "dev", on: "pods/shop-blue-1-x/status", change: podCondition("example.com/registered"), not: []string{"server-side apply"}},
			{what: "of one's own Pod", who: "dev", on: "pods/foreign/status", change: podReady, not: []string{"server-side apply"}},
		},
	}, {
		policy: podPolicy, row: "sec/14",
		says:     " cannot resize Pod ",
		refused:  []attempt{{what: "in place", who: "dev", on: "pods/shop-blue-1-x/resize", change: podCPU("2"), not: []string{"server-side apply"}}},
		admitted: []attempt{{what: "one's own Pod", who: "dev", on: "pods/foreign/resize", change: podCPU("2"), not: []string{"server-side apply"}}},
	}}
}

var podReady = podCondition("Ready")

func podCondition(kind string) func(*unstructured.Unstructured) {
	return set("status.conditions", []any{map[string]any{"type": kind, "status": "True"}})
}

func podAddress(o *unstructured.Unstructured) {
	all(set("status.podIP", "192.0.2.1"), set("status.podIPs", []any{map[string]any{"ip": "192.0.2.1"}}))(o)
}

func podRuns(field string) func(*unstructured.Unstructured) {
	return set("status."+field, []any{map[string]any{"name": "app", "ready": true, "restartCount": int64(0),
		"image": "registry/app:v1", "imageID": "registry/app@" + digestOne}})
}

func podCPU(amount string) func(*unstructured.Unstructured) {
	return func(o *unstructured.Unstructured) {
		containers, _, err := unstructured.NestedSlice(o.Object, "spec", "containers")
		if err != nil {
			panic(err)
		}
		containers[0].(map[string]any)["resources"] = map[string]any{
			"requests": map[string]any{"cpu": amount}, "limits": map[string]any{"cpu": amount}}
		set("spec.containers", containers)(o)
	}
}

func podImage(version string) func(*unstructured.Unstructured) {
	return func(o *unstructured.Unstructured) {
		containers, _, err := unstructured.NestedSlice(o.Object, "spec", "containers")
		if err != nil {
			panic(err)
		}
		containers[0].(map[string]any)["image"] = "registry/app:" + version
		set("spec.containers", containers)(o)
	}
}

func debug(o *unstructured.Unstructured) {
	set("spec.ephemeralContainers", []any{map[string]any{
		"name": "debugger", "image": "registry/shell:v1", "imagePullPolicy": "Always", "terminationMessagePath": "/dev/termination-log",
		"terminationMessagePolicy": "File", "resources": map[string]any{},
	}})(o)
}

// Copyright The Countersign Authors.
// SPDX-License-Identifier: Apache-2.0

package apiserver

import (
	"os"
	"os/exec"
	"reflect"
	"strings"
	"testing"

	"github.com/countersign/countersign/hack/cluster/identity"
	"github.com/countersign/countersign/hack/cluster/local"
	deploy "github.com/countersign/countersign/hack/e2e/operator"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/kubernetes"
)

// helm runs Helm, of the version that hack/chart pins, on an empty cluster.
type helm struct {
	*world
	program, home string
}

func startHelm(t *testing.T) *helm {
	t.Helper()
	h := &helm{world: &world{}, home: t.TempDir()}
	root, err := deploy.Root()
	if err != nil {
		t.Fatal(err)
	}
	if h.program, err = deploy.BuildHelm(t.Context(), root, h.home); err != nil {
		t.Fatal(err)
	}
	plane, err := local.StartControlPlane(t.Context(), local.Options{Progress: t.Output()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := plane.Stop(); err != nil {
			t.Error(err)
		}
	})
	h.plane = plane
	h.admin = h.as(t, identity.Admin)
	return h
}

func (h *helm) run(t *testing.T, args ...string) string {
	t.Helper()
	out, err := h.try(t, args...)
	if err != nil {
		t.Fatalf("helm %s: %v\n%s", strings.Join(args, " "), err, out)
	}
	return out
}

func (h *helm) try(t *testing.T, args ...string) (string, error) {
	cmd := exec.CommandContext(t.Context(), h.program, append(args, "--namespace", systemNamespace)...)
	cmd.Env = append(os.Environ(), "KUBECONFIG="+h.plane.Kubeconfig(), "HOME="+h.home,
		"HELM_CACHE_HOME="+h.home, "HELM_CONFIG_HOME="+h.home, "HELM_DATA_HOME="+h.home)
	out, err := cmd.CombinedOutput()
	return string(out), err
}

func (h *helm) get(t *testing.T, resource, namespace, name string) *unstructured.Unstructured {
	t.Helper()
	o, err := h.admin.resource(resource, namespace).Get(within(t), name, metav1.GetOptions{})
	if apierrors.IsNotFound(err) {
		return nil
	}
	if err != nil {
		t.Fatal(err)
	}
	return o
}

func (h *helm) patch(t *testing.T, resource, namespace, name, patch string) {
	t.Helper()
	_, err := h.admin.resource(resource, namespace).Patch(within(t), name, types.MergePatchType, []byte(patch), metav1.PatchOptions{FieldManager: "somebody"})
	if err != nil {
		t.Fatal(err)
	}
}

// TestHelm installs, upgrades, uninstalls and installs again, while a Release is
// there: it stays, and so does what it serves, and what people made theirs.
func TestHelm(t *testing.T) {
	const chart = "../../../charts/countersign"
	h := startHelm(t)
	h.install(t, []*unstructured.Unstructured{object(t, "apiVersion: v1\nkind: Namespace\nmetadata: {name: "+systemNamespace+"}")})

	notes := h.run(t, "install", "countersign", chart)
	if !strings.Contains(notes, "kubectl rollout status deployment/countersign-operator") {
		t.Errorf("it does not say what to do next:\n%s", notes)
	}
	for _, part := range []string{"crd", "rbac", "policy", "webhook", "manager"} {
		for _, o := range manifests(t, part) {
			if h.get(t, resourceOf(o), o.GetNamespace(), o.GetName()) == nil {
				t.Errorf("it lacks %s %s", o.GetKind(), o.GetName())
			}
		}
	}

	// From now on it is its owner's.
	h.patch(t, "approvalpolicies", "", "default", `{"spec":{"namespaces":["default","shop"]}}`)

	// There is neither webhook nor operator, so a Release gets in only without guards.
	for _, kind := range []string{"MutatingWebhookConfiguration", "ValidatingAdmissionPolicyBinding"} {
		for _, part := range []string{"webhook", "policy"} {
			for _, o := range manifests(t, part) {
				if o.GetKind() == kind {
					h.delete(t, o)
				}
			}
		}
	}
	served := []*unstructured.Unstructured{
		object(t, "apiVersion: v1\nkind: Namespace\nmetadata: {name: shop}"),
		object(t, "apiVersion: countersign.dev/v1alpha1\nkind: Release\nmetadata: {namespace: shop, name: shop, finalizers: [countersign.dev/release]}\n"+
			"spec: {replicas: 1, services: [{name: shop}], template: {spec: {containers: [{name: app, image: app}]}}}"),
		object(t, "apiVersion: v1\nkind: Service\nmetadata: {namespace: shop, name: shop, labels: {countersign.dev/release: shop}}\n"+
			"spec: {selector: {countersign.dev/release: shop, countersign.dev/colour: blue}, ports: [{port: 80}]}"),
		object(t, "apiVersion: apps/v1\nkind: Deployment\nmetadata: {namespace: shop, name: shop-blue, labels: {countersign.dev/release: shop}}\n"+
			"spec: {selector: {matchLabels: {countersign.dev/colour: blue}}, template: {metadata: {labels: {countersign.dev/colour: blue}}, spec: {containers: [{name: app, image: app}]}}}"),
	}
	h.install(t, served)
	before := map[string]*unstructured.Unstructured{}
	for _, o := range served {
		before[o.GetKind()] = h.get(t, resourceOf(o), o.GetNamespace(), o.GetName())
	}
	untouched := func(t *testing.T, when string) {
		t.Helper()
		for _, o := range served {
			if got := h.get(t, resourceOf(o), o.GetNamespace(), o.GetName()); !reflect.DeepEqual(got, before[o.GetKind()]) {
				t.Errorf("%s, %s %s was %v and is %v", when, o.GetKind(), o.GetName(), before[o.GetKind()], got)
			}
		}
		policy := h.get(t, "approvalpolicies", "", "default")
		if policy == nil {
			t.Fatalf("%s, the first policy is gone", when)
		}
		if namespaces, _, _ := unstructured.NestedStringSlice(policy.Object, "spec", "namespaces"); len(namespaces) != 2 {
			t.Errorf("%s, the first policy is for %v, not for what its owner wrote", when, namespaces)
		}
	}

	const guard = "service-guard.countersign.dev"
	h.patch(t, "validatingadmissionpolicies", "", guard, `{"spec":{"failurePolicy":"Ignore"}}`)
	if out, err := h.try(t, "upgrade", "countersign", chart); err == nil || !strings.Contains(out, "failurePolicy") {
		t.Errorf("a guard that somebody edited does not stop an upgrade: %v\n%s", err, out)
	}
	h.run(t, "upgrade", "countersign", chart, "--set", "operator.replicas=3", "--force-conflicts")
	untouched(t, "upgraded")
	if policy, _, _ := unstructured.NestedString(h.get(t, "validatingadmissionpolicies", "", guard).Object, "spec", "failurePolicy"); policy != "Fail" {
		t.Errorf("an upgrade leaves %s with failurePolicy %s", guard, policy)
	}
	if replicas, _, _ := unstructured.NestedInt64(h.get(t, "deployments", systemNamespace, operatorAccount).Object, "spec", "replicas"); replicas != 3 {
		t.Errorf("the operator has %d replicas, want 3", replicas)
	}
	for _, o := range manifests(t, "policy") {
		if h.get(t, resourceOf(o), "", o.GetName()) == nil {
			t.Errorf("an upgrade does not bring %s %s back", o.GetKind(), o.GetName())
		}
	}

	h.run(t, "uninstall", "countersign")
	untouched(t, "uninstalled")
	for _, part := range []string{"rbac", "policy", "webhook", "manager"} {
		for _, o := range manifests(t, part) {
			left := h.get(t, resourceOf(o), o.GetNamespace(), o.GetName())
			own := o.GetKind() == "Namespace" // one is kept, and nothing ends the other without controllers
			if left != nil && !own {
				t.Errorf("an uninstall leaves %s %s", o.GetKind(), o.GetName())
			}
		}
	}

	// The way of docs/install.md to let a Release go without an operator.
	h.install(t, []*unstructured.Unstructured{
		object(t, "apiVersion: countersign.dev/v1alpha1\nkind: Release\nmetadata: {namespace: shop, name: other, finalizers: [countersign.dev/release]}\n"+
			"spec: {replicas: 1, services: [{name: shop}], template: {spec: {containers: [{name: app, image: app}]}}}"),
	})
	if err := h.admin.resource("releases", "shop").Delete(within(t), "other", metav1.DeleteOptions{}); err != nil {
		t.Fatal(err)
	}
	if h.get(t, "releases", "shop", "other") == nil {
		t.Error("a Release goes without its finalizer being done")
	}
	h.patch(t, "releases", "shop", "other", `{"metadata":{"finalizers":null}}`)
	if h.get(t, "releases", "shop", "other") != nil {
		t.Error("a Release without finalizer stays")
	}
	untouched(t, "with another Release gone")

	h.endNamespace(t, "countersign-probe")
	h.run(t, "install", "countersign", chart)
	untouched(t, "installed again")
	for _, o := range manifests(t, "policy") {
		if h.get(t, resourceOf(o), "", o.GetName()) == nil {
			t.Errorf("installed again, it lacks %s %s", o.GetKind(), o.GetName())
		}
	}
}

// endNamespace does what the controllers do to one that is deleted and empty.
func (h *helm) endNamespace(t *testing.T, name string) {
	t.Helper()
	client, err := kubernetes.NewForConfig(h.admin.config)
	if err != nil {
		t.Fatal(err)
	}
	namespace, err := client.CoreV1().Namespaces().Get(within(t), name, metav1.GetOptions{})
	if err != nil || namespace.DeletionTimestamp == nil {
		t.Fatalf("namespace %s is not being deleted: %v", name, err)
	}
	namespace.Spec.Finalizers = nil
	if _, err := client.CoreV1().Namespaces().Finalize(within(t), namespace, metav1.UpdateOptions{}); err != nil {
		t.Fatal(err)
	}
}

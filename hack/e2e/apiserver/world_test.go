// Copyright The Countersign Authors.
// SPDX-License-Identifier: Apache-2.0

package apiserver

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/countersign/countersign/hack/cluster/identity"
	"github.com/countersign/countersign/hack/cluster/local"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/rest"
)

const (
	systemNamespace = "countersign-system"
	operatorAccount = "countersign-operator"
	webhookAccount  = "countersign-webhook"
	operatorUser    = "system:serviceaccount:" + systemNamespace + ":" + operatorAccount
	webhookUser     = "system:serviceaccount:" + systemNamespace + ":" + webhookAccount
	// patience is how long anything may take that is waited for.
	patience = 30 * time.Second
)

// bringUp starts the control plane and installs what config/ says.
func (w *world) bringUp(t testing.TB) {
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Minute) // the first start builds Kubernetes
	defer cancel()
	options := w.options
	options.Progress = t.Output()
	plane, err := local.StartControlPlane(ctx, options)
	if err != nil {
		t.Fatal(err)
	}
	w.plane = plane
	w.admin = w.as(t, identity.Admin)
	if w.installer != nil {
		w.admin = w.impersonating(t, identity.Admin, *w.installer)
	}
	for _, part := range []string{"crd", "rbac"} {
		w.install(t, manifests(t, part))
	}
	w.awaitServed(t)
	w.install(t, manifests(t, "policy"))
	w.awaitPolicies(t)
	if w.extra != nil {
		w.extra(t, w)
	}
	w.ok = true
}

// install applies objects as admin.
func (w *world) install(t testing.TB, objects []*unstructured.Unstructured) {
	t.Helper()
	for _, o := range objects {
		var err error
		eventually(t, "install "+o.GetKind()+" "+o.GetName(), func() string {
			_, err = w.admin.of(o).Apply(within(t), o.GetName(), o, metav1.ApplyOptions{FieldManager: "install", Force: true})
			return text(err)
		})
	}
}

// awaitServed waits until the API server serves the schemas.
func (w *world) awaitServed(t testing.TB) {
	for _, kind := range []string{"releases", "approvalpolicies"} {
		eventually(t, kind+" are served", func() string {
			_, err := w.admin.resource(kind, "").List(within(t), metav1.ListOptions{})
			return text(err)
		})
	}
}

// awaitPolicies waits until the API server enforces the policies that are
// stored now: it takes them up in their order, so one that is stored last and
// is seen to refuse tells of those before.
func (w *world) awaitPolicies(t testing.TB) {
	t.Helper()
	w.mu.Lock()
	w.serial++
	name := fmt.Sprintf("canary-%d", w.serial)
	w.mu.Unlock()
	w.install(t, canary(name))
	probe := object(t, "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: "+name+", namespace: default}")
	eventually(t, "the policies are enforced", func() string {
		_, err := w.admin.of(probe).Create(within(t), probe, metav1.CreateOptions{DryRun: dryRun})
		if err == nil {
			return "the canary is not refused"
		}
		if !strings.Contains(err.Error(), name+" is refused") {
			return err.Error()
		}
		return ""
	})
}

// canary is a policy that refuses ConfigMaps of its own name.
func canary(name string) []*unstructured.Unstructured {
	policy := map[string]any{
		"apiVersion": "admissionregistration.k8s.io/v1", "kind": "ValidatingAdmissionPolicy",
		"metadata": map[string]any{"name": name},
		"spec": map[string]any{
			"matchConstraints": map[string]any{"resourceRules": []any{map[string]any{
				"apiGroups": []any{""}, "apiVersions": []any{"*"}, "operations": []any{"CREATE"}, "resources": []any{"configmaps"},
			}}},
			"validations": []any{map[string]any{"expression": "object.metadata.name != '" + name + "'", "message": name + " is refused"}},
		},
	}
	binding := map[string]any{
		"apiVersion": "admissionregistration.k8s.io/v1", "kind": "ValidatingAdmissionPolicyBinding",
		"metadata": map[string]any{"name": name},
		"spec":     map[string]any{"policyName": name, "validationActions": []any{"Deny"}},
	}
	return []*unstructured.Unstructured{{Object: policy}, {Object: binding}}
}

// namespace makes a namespace for one test. Without the controllers nothing
// would delete it, and nothing needs to.
func (w *world) namespace(t testing.TB) string {
	t.Helper()
	w.mu.Lock()
	w.serial++
	name := fmt.Sprintf("test-%d", w.serial)
	w.mu.Unlock()
	w.install(t, []*unstructured.Unstructured{object(t, "apiVersion: v1\nkind: Namespace\nmetadata: {name: "+name+"}")})
	return name
}

// allow binds a ClusterRole in a namespace to a user, or to groups by the
// prefix "group:".
func (w *world) allow(t testing.TB, namespace, role string, subjects ...string) {
	t.Helper()
	list := make([]any, 0, len(subjects))
	for _, s := range subjects {
		kind := "User"
		if group, is := strings.CutPrefix(s, "group:"); is {
			kind, s = "Group", group
		}
		list = append(list, map[string]any{"apiGroup": "rbac.authorization.k8s.io", "kind": kind, "name": s})
	}
	w.mu.Lock()
	w.serial++
	name := fmt.Sprintf("%s-%d", role, w.serial)
	w.mu.Unlock()
	w.install(t, []*unstructured.Unstructured{{Object: map[string]any{
		"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "RoleBinding",
		"metadata": map[string]any{"namespace": namespace, "name": name},
		"roleRef":  map[string]any{"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": role},
		"subjects": list,
	}}})
}

// as is somebody of identity.People, or admin.
func (w *world) as(t testing.TB, name string) *actor {
	t.Helper()
	config, err := w.plane.Config(name)
	if err != nil {
		t.Fatal(err)
	}
	return newActor(t, name, config)
}

// asAccount is a ServiceAccount with a token of its own.
func (w *world) asAccount(t testing.TB, namespace, name string) *actor {
	t.Helper()
	config, err := w.plane.ServiceAccountConfig(within(t), namespace, name)
	if err != nil {
		t.Fatal(err)
	}
	return newActor(t, "system:serviceaccount:"+namespace+":"+name, config)
}

// impersonating is somebody who asks as somebody else.
func (w *world) impersonating(t testing.TB, name string, other rest.ImpersonationConfig) *actor {
	t.Helper()
	config, err := w.plane.Config(name)
	if err != nil {
		t.Fatal(err)
	}
	config.Impersonate = other
	return newActor(t, name+" as "+other.UserName, config)
}

// actor is somebody who sends requests.
type actor struct {
	name   string
	config *rest.Config
	client dynamic.Interface
}

func newActor(t testing.TB, name string, config *rest.Config) *actor {
	t.Helper()
	config.WarningHandler = rest.NoWarnings{}
	client, err := dynamic.NewForConfig(config)
	if err != nil {
		t.Fatal(err)
	}
	return &actor{name: name, config: config, client: client}
}

// hear lets somebody listen to the API server's warnings.
func (a *actor) hear(t testing.TB, handler rest.WarningHandler) {
	t.Helper()
	config := rest.CopyConfig(a.config)
	config.WarningHandler = handler
	client, err := dynamic.NewForConfig(config)
	if err != nil {
		t.Fatal(err)
	}
	a.client = client
}

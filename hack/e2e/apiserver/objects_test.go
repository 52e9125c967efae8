// Copyright The Countersign Authors.
// SPDX-License-Identifier: Apache-2.0

package apiserver

import (
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	utilyaml "k8s.io/apimachinery/pkg/util/yaml"
	"k8s.io/client-go/dynamic"
	"sigs.k8s.io/yaml"
)

// configDirectory is config/ of this repository.
const configDirectory = "../../../config"

// resources that are used here, by name.
var resources = versioned(map[string][]string{
	"/v1":                             {"namespaces", "configmaps", "services", "serviceaccounts", "pods", "endpoints", "secrets"},
	"apps/v1":                         {"deployments", "replicasets", "statefulsets", "controllerrevisions"},
	"batch/v1":                        {"jobs"},
	"events.k8s.io/v1":                {"events"},
	"discovery.k8s.io/v1":             {"endpointslices"},
	"countersign.dev/v1alpha1":        {"releases", "approvalpolicies"},
	"networking.k8s.io/v1":            {"networkpolicies"},
	"apiextensions.k8s.io/v1":         {"customresourcedefinitions"},
	"policy/v1":                       {"poddisruptionbudgets"},
	"rbac.authorization.k8s.io/v1":    {"roles", "rolebindings", "clusterroles", "clusterrolebindings"},
	"admissionregistration.k8s.io/v1": {"validatingadmissionpolicies", "validatingadmissionpolicybindings", "mutatingadmissionpolicies", "mutatingadmissionpolicybindings", "mutatingwebhookconfigurations"},
})

func versioned(names map[string][]string) map[string]schema.GroupVersionResource {
	all := map[string]schema.GroupVersionResource{}
	for group, list := range names {
		group, version, _ := strings.Cut(group, "/")
		for _, name := range list {
			all[name] = schema.GroupVersionResource{Group: group, Version: version, Resource: name}
		}
	}
	return all
}

// resource is how an actor reaches objects; namespace is empty for those that
// have none.
func (a *actor) resource(name, namespace string) dynamic.ResourceInterface {
	r := a.client.Resource(resources[name])
	if namespace == "" {
		return r
	}
	return r.Namespace(namespace)
}

// of is how an actor reaches objects like this one.
func (a *actor) of(o *unstructured.Unstructured) dynamic.ResourceInterface {
	return a.resource(resourceOf(o), o.GetNamespace())
}

func resourceOf(o *unstructured.Unstructured) string {
	kind := strings.ToLower(o.GetKind())
	if name, ends := strings.CutSuffix(kind, "policy"); ends {
		return name + "policies"
	}
	if kind == "endpoints" {
		return kind
	}
	return kind + "s"
}

// object reads one object.
func object(t testing.TB, text string) *unstructured.Unstructured {
	t.Helper()
	o := &unstructured.Unstructured{}
	if err := yaml.UnmarshalStrict([]byte(text), &o.Object); err != nil {
		t.Fatalf("%v in\n%s", err, text)
	}
	// JSON numbers are what the API server gives back.
	raw, err := o.MarshalJSON()
	if err != nil {
		t.Fatal(err)
	}
	if err := o.UnmarshalJSON(raw); err != nil {
		t.Fatal(err)
	}
	return o
}

// manifests are the objects that a directory of config/ lists in its
// kustomization.yaml. No directory that is used here transforms them.
func manifests(t testing.TB, directory string) []*unstructured.Unstructured {
	t.Helper()
	directory = filepath.Join(configDirectory, directory)
	var listed struct {
		Resources []string `json:"resources"`
	}
	raw, err := os.ReadFile(filepath.Join(directory, "kustomization.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	if err := yaml.Unmarshal(raw, &listed); err != nil {
		t.Fatal(err)
	}
	var all []*unstructured.Unstructured
	for _, file := range listed.Resources {
		raw, err := os.ReadFile(filepath.Join(directory, file))
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, documents(t, raw)...)
	}
	if len(all) == 0 {
		t.Fatalf("%s lists nothing", directory)
	}
	return all
}

func documents(t testing.TB, raw []byte) (all []*unstructured.Unstructured) {
	t.Helper()
	decoder := utilyaml.NewYAMLOrJSONDecoder(bytes.NewReader(raw), 4096)
	for {
		o := &unstructured.Unstructured{}
		switch err := decoder.Decode(o); {
		case errors.Is(err, io.EOF):
			return all
		case err != nil:
			t.Fatal(err)
		case len(o.Object) > 0:
			all = append(all, o)
		}
	}
}

// eventually waits until what says nothing. The last it said is in the failure.
func eventually(t testing.TB, what string, missing func() string) {
	t.Helper()
	deadline := time.Now().Add(patience)
	for {
		last := missing()
		if last == "" {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("gave up waiting until %s: %s", what, last)
		}
		time.Sleep(20 * time.Millisecond)
	}
}

// within is the context of a request: also of one that tidies up, when the
// test's own has ended.
func within(t testing.TB) context.Context { return context.WithoutCancel(t.Context()) }

func text(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}

// Copyright The Countersign Authors.
// SPDX-License-Identifier: Apache-2.0

package apiserver

import (
	"context"
	"encoding/json"
	"fmt"
	"testing"

	mergepatch "github.com/evanphx/json-patch/v5"
	"gomodules.xyz/jsonpatch/v2"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/strategicpatch"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/kubernetes/scheme"
)

// change is one way to ask for an object to be otherwise. All of them are sent
// as dry-run: admission is the same, and each finds the object as it was.
type change struct {
	verb        string
	subresource string
	have, want  *unstructured.Unstructured
}

var dryRun = []string{metav1.DryRunAll}

// The verbs by which an object can be changed.
var changeVerbs = []string{"update", "json patch", "merge patch", "strategic merge patch", "server-side apply"}

// send sends it. ok is false when the verb does not exist for the object.
func (c change) send(ctx context.Context, r dynamic.ResourceInterface) (got *unstructured.Unstructured, ok bool, err error) {
	var subresources []string
	if c.subresource != "" {
		subresources = []string{c.subresource}
	}
	switch c.verb {
	case "update":
		got, err = r.Update(ctx, c.want, metav1.UpdateOptions{DryRun: dryRun}, subresources...)
		return got, true, err
	case "server-side apply":
		got, err = r.Apply(ctx, c.want.GetName(), applied(c.want),
			metav1.ApplyOptions{DryRun: dryRun, FieldManager: fixtureManager, Force: true}, subresources...)
		return got, true, err
	}
	kind, patch, err := c.patch()
	if err != nil || patch == nil {
		return nil, false, err
	}
	got, err = r.Patch(ctx, c.want.GetName(), kind, patch, metav1.PatchOptions{DryRun: dryRun}, subresources...)
	return got, true, err
}

func (c change) patch() (types.PatchType, []byte, error) {
	have, err := json.Marshal(c.have)
	if err != nil {
		return "", nil, err
	}
	want, err := json.Marshal(c.want)
	if err != nil {
		return "", nil, err
	}
	switch c.verb {
	case "json patch":
		operations, err := jsonpatch.CreatePatch(have, want)
		if err != nil {
			return "", nil, err
		}
		patch, err := json.Marshal(operations)
		return types.JSONPatchType, patch, err
	case "merge patch":
		patch, err := mergepatch.CreateMergePatch(have, want)
		return types.MergePatchType, patch, err
	case "strategic merge patch":
		typed, err := scheme.Scheme.New(c.have.GroupVersionKind())
		if err != nil {
			return "", nil, nil //nolint:nilerr // custom resources have none
		}
		patch, err := strategicpatch.CreateTwoWayMergePatch(have, want, typed)
		return types.StrategicMergePatchType, patch, err
	}
	return "", nil, fmt.Errorf("verb %q is not known", c.verb)
}

// applied is an object as server-side apply wants it.
func applied(o *unstructured.Unstructured) *unstructured.Unstructured {
	o = o.DeepCopy()
	for _, field := range []string{"managedFields", "resourceVersion", "uid", "creationTimestamp", "generation"} {
		unstructured.RemoveNestedField(o.Object, "metadata", field)
	}
	return o
}

// The verbs by which an object can be made.
var createVerbs = []string{"create", "create with generateName", "create by server-side apply", "create by update"}

// createBy sends an object that does not exist by one of createVerbs.
func createBy(ctx context.Context, r dynamic.ResourceInterface, verb string, o *unstructured.Unstructured) error {
	var err error
	switch verb {
	case "create":
		_, err = r.Create(ctx, o, metav1.CreateOptions{DryRun: dryRun})
	case "create with generateName":
		o = o.DeepCopy()
		o.SetGenerateName(o.GetName() + "-")
		o.SetName("")
		_, err = r.Create(ctx, o, metav1.CreateOptions{DryRun: dryRun})
	case "create by server-side apply":
		_, err = r.Apply(ctx, o.GetName(), o, metav1.ApplyOptions{DryRun: dryRun, FieldManager: "argocd-controller", Force: true})
	case "create by update":
		_, err = r.Update(ctx, o, metav1.UpdateOptions{DryRun: dryRun})
	}
	return err
}

// The verbs by which an object can be deleted.
var deleteVerbs = []string{"delete", "delete collection"}

func deleteBy(ctx context.Context, r dynamic.ResourceInterface, verb, name string) error {
	if verb == "delete" {
		return r.Delete(ctx, name, metav1.DeleteOptions{DryRun: dryRun})
	}
	return r.DeleteCollection(ctx, metav1.DeleteOptions{DryRun: dryRun}, metav1.ListOptions{FieldSelector: "metadata.name=" + name})
}

// deleteForGood is not a dry-run.
func deleteForGood(t testing.TB, r dynamic.ResourceInterface, name string) error {
	t.Helper()
	return r.Delete(within(t), name, metav1.DeleteOptions{})
}

// Copyright The Countersign Authors.
// SPDX-License-Identifier: Apache-2.0

package controllers

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"github.com/countersign/countersign/api/v1alpha1"
	"github.com/go-logr/logr/funcr"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"
)

// TestIdentityOnly: of what a cluster has of Secrets, the cache keeps nothing
// that is one. kubectl apply writes all of a Secret into an annotation.
func TestIdentityOnly(t *testing.T) {
	m := &metav1.PartialObjectMetadata{ObjectMeta: metav1.ObjectMeta{
		Namespace: "prod", Name: "password", UID: "u", ResourceVersion: "7", Finalizers: []string{"hidden/f"},
		Labels:          map[string]string{v1alpha1.ReleaseLabel: "shop", v1alpha1.UnusedLabel: "true", "team": "hidden"},
		Annotations:     map[string]string{"kubectl.kubernetes.io/last-applied-configuration": "hidden"},
		OwnerReferences: []metav1.OwnerReference{{Name: "hidden"}}, ManagedFields: []metav1.ManagedFieldsEntry{{Manager: "hidden"}},
	}}
	if _, err := identityOnly(m); err != nil {
		t.Fatal(err)
	}
	raw, err := json.Marshal(m)
	if err != nil || strings.Contains(string(raw), "hidden") {
		t.Errorf("it keeps %s, %v", raw, err)
	}
	if m.Name != "password" || m.UID != "u" || m.ResourceVersion != "7" || len(m.Labels) != 2 || m.Labels[v1alpha1.ReleaseLabel] != "shop" {
		t.Errorf("it keeps %s", raw)
	}
	if _, err := identityOnly("text"); err == nil {
		t.Error("what has no metadata passes")
	}
	o, err := CacheOptions()
	if err != nil {
		t.Fatal(err)
	}
	kept := 0
	for kind, by := range o.ByObject {
		switch kind.(type) {
		case *corev1.ConfigMap, *corev1.Secret:
			kept++
			if by.Transform == nil || by.Field == nil {
				t.Errorf("%T is kept as it is", kind)
			}
		}
	}
	if kept != 2 {
		t.Errorf("%d of ConfigMaps and Secrets are thought of", kept)
	}
}

func TestConfigIndex(t *testing.T) {
	rel := &v1alpha1.Release{}
	rel.Spec.Template.Spec.Containers = []corev1.Container{{EnvFrom: []corev1.EnvFromSource{
		{ConfigMapRef: &corev1.ConfigMapEnvSource{LocalObjectReference: corev1.LocalObjectReference{Name: "settings"}}},
		{SecretRef: &corev1.SecretEnvSource{LocalObjectReference: corev1.LocalObjectReference{Name: "password"}}},
	}}}
	if got := configNamed(rel); !slices.Equal(got, []string{"ConfigMap/settings", "Secret/password"}) {
		t.Errorf("got %v", got)
	}
	rel.Spec.Config = &v1alpha1.ConfigSpec{Snapshot: new(false)}
	if got := configNamed(rel); len(got) > 0 {
		t.Errorf("what is not copied makes no difference, and it waits for %v", got)
	}
}

// A failed attempt is logged with the keys that all lines about a Release have.
func TestAttemptsAreLogged(t *testing.T) {
	var lines []string
	logger := aboutRelease(funcr.New(func(_, args string) { lines = append(lines, args) }, funcr.Options{}))
	logger(&reconcile.Request{NamespacedName: types.NamespacedName{Namespace: "prod", Name: "shop"}}).Info("it failed")
	logger(nil).Info("it starts")
	want := []string{`"level"=0 "msg"="it failed" "controller"="release" "namespace"="prod" "release"="shop"`, `"level"=0 "msg"="it starts" "controller"="release"`}
	if !slices.Equal(lines, want) {
		t.Errorf("it logs\n%q, want\n%q", lines, want)
	}
}

// Copyright The Countersign Authors.
// SPDX-License-Identifier: Apache-2.0

package act_test

import (
	"bytes"
	"errors"
	"slices"
	"testing"

	"github.com/countersign/countersign/api/v1alpha1"
	"github.com/countersign/countersign/controllers/act"
	"github.com/countersign/countersign/controllers/approval"
	"github.com/countersign/countersign/controllers/rollout"
	"github.com/countersign/countersign/controllers/snapshot"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

var hasher = snapshot.NewHasher(bytes.Repeat([]byte{1}, snapshot.KeySize))

func inProd(name string) metav1.ObjectMeta {
	return metav1.ObjectMeta{Namespace: "prod", Name: name, ResourceVersion: "7"}
}

func settings(value string) *corev1.ConfigMap {
	return &corev1.ConfigMap{ObjectMeta: inProd("settings"), Data: map[string]string{"a": value}, BinaryData: map[string][]byte{"b": {1}}}
}

func password(value string) *corev1.Secret {
	return &corev1.Secret{ObjectMeta: inProd("password"), Type: corev1.SecretTypeServiceAccountToken, Data: map[string][]byte{"a": []byte(value)}}
}

func wanted(t *testing.T, o client.Object) v1alpha1.ConfigCopy {
	t.Helper()
	c := v1alpha1.ConfigCopy{Kind: v1alpha1.ConfigMap, Name: o.GetName(), Copy: "copy-of-" + o.GetName()}
	switch o := o.(type) {
	case *corev1.ConfigMap:
		c.Hash = hasher.ConfigMap(o)
	case *corev1.Secret:
		hash, err := hasher.Secret(o)
		if err != nil {
			t.Fatal(err)
		}
		c.Kind, c.Hash = v1alpha1.Secret, hash
	}
	return c
}

func configCluster(t *testing.T, objects ...client.Object) *cluster {
	c := newCluster(t, objects...)
	c.actor.Hasher = hasher
	return c
}

func TestCopyConfig(t *testing.T) {
	c := configCluster(t, settings("x"), password("y"))
	c.must(release(), rollout.CopyConfig{ConfigCopy: wanted(t, settings("x"))}, rollout.CopyConfig{ConfigCopy: wanted(t, password("y"))})
	m, s := get[corev1.ConfigMap](c, "copy-of-settings"), get[corev1.Secret](c, "copy-of-password")
	if m.Data["a"] != "x" || m.BinaryData["b"][0] != 1 || m.Immutable == nil || !*m.Immutable {
		t.Errorf("the copy of the ConfigMap is %+v", m)
	}
	if string(s.Data["a"]) != "y" || s.Immutable == nil || !*s.Immutable || s.Type != corev1.SecretTypeOpaque {
		t.Errorf("the copy of the Secret is %+v", s)
	}
	for _, o := range []client.Object{m, s} {
		if o.GetLabels()[v1alpha1.ReleaseLabel] != "shop" || len(o.GetLabels()) != 1 || len(o.GetOwnerReferences()) > 0 {
			t.Errorf("%s has labels %v and owners %v", o.GetName(), o.GetLabels(), o.GetOwnerReferences())
		}
	}
	if m.Annotations[v1alpha1.ConfigSourceAnnotation] != "settings" {
		t.Errorf("it does not say what it is a copy of: %v", m.Annotations)
	}
}

// Nothing is copied but what was decided about.
func TestCopyConfigThatChanged(t *testing.T) {
	for name, row := range map[string]struct {
		there client.Object
		want  v1alpha1.ConfigCopy
	}{
		"ConfigMap":     {settings("evil"), wanted(t, settings("x"))},
		"ConfigMapGone": {password("y"), wanted(t, settings("x"))},
		"Secret":        {password("evil"), wanted(t, password("y"))},
		"NoHash":        {settings("x"), v1alpha1.ConfigCopy{Kind: v1alpha1.ConfigMap, Name: "settings", Copy: "copy"}},
	} {
		t.Run(name, func(t *testing.T) {
			c := configCluster(t, row.there)
			if err := c.carry(release(), rollout.CopyConfig{ConfigCopy: row.want}); !errors.Is(err, act.ErrConfigChanged) || len(c.writes) > 0 {
				t.Errorf("got %v, and it wrote %v", err, c.writes)
			}
		})
	}
}

// Of nothing an empty copy is made, so that what is made later is not content.
func TestCopyOfNothing(t *testing.T) {
	c := configCluster(t)
	nothing := wanted(t, &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Name: "password"}})
	c.must(release(), rollout.CopyConfig{ConfigCopy: nothing})
	if s := get[corev1.Secret](c, nothing.Copy); len(s.Data) > 0 || !*s.Immutable {
		t.Errorf("the copy is %+v", s)
	}
}

func TestPodsUseCopies(t *testing.T) {
	c := configCluster(t)
	rel := release()
	rel.Spec.Template.Spec.Volumes = []corev1.Volume{{Name: "v", VolumeSource: corev1.VolumeSource{Secret: &corev1.SecretVolumeSource{SecretName: "password"}}}}
	c.must(rel, rollout.Materialise{Colour: v1alpha1.Blue, Revision: "r", Replicas: 1, Config: []v1alpha1.ConfigCopy{wanted(t, password("y"))}})
	if got := get[appsv1.Deployment](c, "shop-blue").Spec.Template.Spec.Volumes[0].Secret.SecretName; got != "copy-of-password" {
		t.Errorf("the Pods use %s", got)
	}
	if rel.Spec.Template.Spec.Volumes[0].Secret.SecretName != "password" {
		t.Error("the Release was changed")
	}
}

// A promotion is not carried out unless ConfigMaps, Secrets and their copies are
// what was approved.
func TestConfigIsReadBeforeTheSwitch(t *testing.T) {
	want := []v1alpha1.ConfigCopy{wanted(t, settings("x")), wanted(t, password("y"))}
	stored := func(c v1alpha1.ConfigCopy, o client.Object) client.Object { o.SetName(c.Copy); return o }
	all := func() map[string]client.Object {
		return map[string]client.Object{
			"settings": settings("x"), "password": password("y"),
			"copy-of-settings": stored(want[0], settings("x")), "copy-of-password": stored(want[1], password("y")),
		}
	}
	for name, row := range map[string]struct {
		change func(map[string]client.Object)
		stands bool
	}{
		"sec/11 all stands":            {func(map[string]client.Object) {}, true},
		"sec/11 a ConfigMap is edited": {func(o map[string]client.Object) { o["settings"] = settings("evil") }, false},
		"sec/11 a Secret is edited":    {func(o map[string]client.Object) { o["password"] = password("evil") }, false},
		"sec/11 a ConfigMap is gone":   {func(o map[string]client.Object) { delete(o, "settings") }, false},
		"sec/11 a copy is replaced":    {func(o map[string]client.Object) { o["copy-of-password"] = stored(want[1], password("evil")) }, false},
		"sec/11 a copy is gone":        {func(o map[string]client.Object) { delete(o, "copy-of-settings") }, false},
	} {
		t.Run(name, func(t *testing.T) {
			objects := all()
			row.change(objects)
			c := configCluster(t, service("shop"))
			for _, o := range objects {
				o.SetResourceVersion("")
				if err := c.WithWatch.Create(t.Context(), o); err != nil {
					t.Fatal(err)
				}
			}
			c.writes = nil
			err := c.carry(release(), rollout.ShiftTraffic{
				Epoch: 2, To: v1alpha1.Green, Policies: []approval.Policy{}, Config: want,
				Services: []rollout.ServiceWrite{{Name: "shop", ResourceVersion: "7"}},
			})
			if (err == nil) != row.stands || slices.Contains(c.writes, "patch shop") != row.stands {
				t.Errorf("got %v, and it wrote %v", err, c.writes)
			}
			if !row.stands && !errors.Is(err, act.ErrConfigChanged) {
				t.Errorf("got %v", err)
			}
		})
	}
}

func TestMarkAndDropConfig(t *testing.T) {
	c := configCluster(t, settings("x"))
	ref := v1alpha1.ConfigRef{Kind: v1alpha1.ConfigMap, Name: "settings"}
	c.must(release(), rollout.MarkConfig{ConfigRef: ref, ResourceVersion: "7", Unused: true})
	marked := get[corev1.ConfigMap](c, "settings")
	if marked.Labels[v1alpha1.UnusedLabel] != "true" {
		t.Fatalf("the labels are %v", marked.Labels)
	}
	late := rollout.DropConfig{ConfigRef: ref, UID: string(marked.UID), ResourceVersion: "7"}
	if err := c.carry(release(), late); !apierrors.IsConflict(err) {
		t.Errorf("one that changed since is dropped: %v", err)
	}
	if err := c.carry(release(), rollout.MarkConfig{ConfigRef: ref, ResourceVersion: "7"}); !apierrors.IsConflict(err) {
		t.Errorf("one that changed since is marked: %v", err)
	}
	c.must(release(), rollout.MarkConfig{ConfigRef: ref, ResourceVersion: marked.ResourceVersion})
	now := get[corev1.ConfigMap](c, "settings")
	if _, has := now.Labels[v1alpha1.UnusedLabel]; has {
		t.Errorf("the labels are %v", now.Labels)
	}
	c.must(release(), rollout.DropConfig{ConfigRef: ref, UID: string(now.UID), ResourceVersion: now.ResourceVersion})
	if err := c.Get(t.Context(), client.ObjectKeyFromObject(now), now); !apierrors.IsNotFound(err) {
		t.Errorf("it is there: %v", err)
	}
	c.must(release(), rollout.DropConfig{ConfigRef: ref, UID: "x", ResourceVersion: "1"}) // gone before
}

func TestSurrenderConfig(t *testing.T) {
	s := password("y")
	s.Labels = map[string]string{v1alpha1.ReleaseLabel: "shop", "team": "a"}
	c := configCluster(t, s)
	ref := v1alpha1.ConfigRef{Kind: v1alpha1.Secret, Name: "password"}
	c.must(release(), rollout.SurrenderConfig{ConfigRef: ref, ResourceVersion: "7"})
	if got := get[corev1.Secret](c, "password"); len(got.Labels) != 1 || string(got.Data["a"]) != "y" {
		t.Errorf("it is %+v", got)
	}
	c.must(release(), rollout.SurrenderConfig{ConfigRef: v1alpha1.ConfigRef{Kind: v1alpha1.Secret, Name: "gone"}, ResourceVersion: "7"})
}

// Copyright The Countersign Authors.
// SPDX-License-Identifier: Apache-2.0

package rollout_test

import (
	"cmp"
	"fmt"
	"maps"
	"slices"

	"github.com/countersign/countersign/api/v1alpha1"
	"github.com/countersign/countersign/controllers/digest"
	"github.com/countersign/countersign/controllers/rollout"
	"github.com/countersign/countersign/controllers/snapshot"
	corev1 "k8s.io/api/core/v1"
)

var (
	settings = v1alpha1.ConfigRef{Kind: v1alpha1.ConfigMap, Name: "settings"}
	password = v1alpha1.ConfigRef{Kind: v1alpha1.Secret, Name: "password"}
)

// withConfig has a template that refers to a ConfigMap and a Secret.
func withConfig(w *world) {
	w.config[settings], w.config[password] = "sha256:s1", "hmac-sha256:p1"
	w.rel.Spec.Template = configured("v1")
}

// approveBoth is one vote and one more.
func (w *world) approveBoth() {
	w.t.Helper()
	w.approve("bob")
	w.approve("carol")
}

// configured is a template that refers to both.
func configured(image string) corev1.PodTemplateSpec {
	t := template(image)
	from := func(name string) corev1.LocalObjectReference { return corev1.LocalObjectReference{Name: name} }
	t.Spec.Containers[0].EnvFrom = []corev1.EnvFromSource{
		{ConfigMapRef: &corev1.ConfigMapEnvSource{LocalObjectReference: from("settings")}},
		{SecretRef: &corev1.SecretEnvSource{LocalObjectReference: from("password")}},
	}
	return t
}

// readConfig reads ConfigMaps and Secrets as package observe does.
func (w *world) readConfig(s *rollout.Snapshot) {
	sources, live := snapshot.Split(w.rel.Spec)
	found := map[v1alpha1.ConfigRef]snapshot.Found{}
	for _, source := range sources {
		hash, exists := w.config[source.ConfigRef]
		found[source.ConfigRef] = snapshot.Found{Exists: exists, Hash: cmp.Or(hash, "sha256:nothing")}
	}
	s.Config.Live = live
	s.Config.Wanted, s.Config.Missing = snapshot.Resolve(snapshot.Owner{Namespace: "prod", Name: "shop", UID: "uid-1"}, sources, found)
	var err error
	if s.Revision, err = digest.ContentRevision(s.SpecRevision, s.Config.Wanted); err != nil {
		w.t.Fatalf("revision: %v", err)
	}
	for _, ref := range slices.SortedFunc(maps.Keys(w.copies), func(a, b v1alpha1.ConfigRef) int { return cmp.Compare(a.Name, b.Name) }) {
		s.Config.Copies = append(s.Config.Copies, *w.copies[ref])
	}
}

// writeConfig does what package act does with copies.
func (w *world) writeConfig(a rollout.Action) bool {
	switch a := a.(type) {
	case rollout.CopyConfig:
		ref := v1alpha1.ConfigRef{Kind: a.Kind, Name: a.Copy}
		hash, exists := w.config[v1alpha1.ConfigRef{Kind: a.Kind, Name: a.Name}]
		if w.copies[ref] != nil || exists && hash != a.Hash {
			return false
		}
		w.version++
		w.copies[ref] = &rollout.Copy{ConfigRef: ref, UID: fmt.Sprint("uid-", w.version), ResourceVersion: fmt.Sprint(w.version), Hash: a.Hash}
	case rollout.MarkConfig:
		c := w.copies[a.ConfigRef]
		if c == nil || c.ResourceVersion != a.ResourceVersion {
			return false
		}
		w.version++
		c.Unused, c.ResourceVersion = a.Unused, fmt.Sprint(w.version)
	case rollout.DropConfig:
		c := w.copies[a.ConfigRef]
		if c != nil && (c.UID != a.UID || c.ResourceVersion != a.ResourceVersion) {
			return false
		}
		delete(w.copies, a.ConfigRef)
	case rollout.SurrenderConfig:
		delete(w.copies, a.ConfigRef) // nobody looks for it any more
	}
	return true
}

// mayDrop: no Pod of a content that serves or is kept loses what it starts with,
// unless that is not what it was.
func (w *world) mayDrop(s rollout.Snapshot, d rollout.Decision, a rollout.DropConfig) {
	w.t.Helper()
	var contents []v1alpha1.ConfigCopy
	if d.Status.Active != nil && s.Release.DeletionTimestamp == nil {
		contents = append(contents, d.Status.Active.Config...)
	}
	if d.Status.Former != nil && s.Release.DeletionTimestamp == nil {
		contents = append(contents, d.Status.Former.Config...)
	}
	for _, c := range contents {
		if a.Kind == c.Kind && a.Name == c.Copy && w.copies[a.ConfigRef].Hash == c.Hash {
			w.t.Errorf("I2: %s %s is dropped, and content on record uses it", a.Kind, a.Name)
		}
	}
}

// copiesOf are the names that the copies have that a colour uses.
func (w *world) copiesOf(c v1alpha1.Colour) (refs []v1alpha1.ConfigRef) {
	for _, s := range snapshot.Sources(w.colours[c].template) {
		refs = append(refs, s.ConfigRef)
	}
	return refs
}

// wantsConfig checks that a colour uses copies with such contents.
func (w *world) wantsConfig(c v1alpha1.Colour, hashes ...string) {
	w.t.Helper()
	var got []string
	for _, ref := range w.copiesOf(c) {
		if w.copies[ref] == nil {
			w.t.Errorf("%s uses %v, which is no copy that stands", c, ref)
			continue
		}
		got = append(got, w.copies[ref].Hash)
	}
	if !slices.Equal(got, hashes) {
		w.t.Errorf("%s uses %v, want %v", c, got, hashes)
	}
}

// unwitnessed is the oracle of who changed the configuration: nobody knows,
// unless all that it holds was let through with the active content.
func unwitnessed(s rollout.Snapshot) string {
	approved := map[string]bool{}
	if s.Release.Status.Active != nil {
		for _, c := range s.Release.Status.Active.Config {
			approved[c.Name+c.Hash] = true
		}
	}
	for _, c := range s.Config.Wanted {
		if !c.Absent && !approved[c.Name+c.Hash] {
			return c.Name
		}
	}
	if len(s.Config.Live) > 0 {
		return s.Config.Live[0].Name
	}
	return ""
}

// Copyright The Countersign Authors.
// SPDX-License-Identifier: Apache-2.0

package observe

import (
	"context"
	"errors"
	"fmt"

	"github.com/countersign/countersign/api/v1alpha1"
	"github.com/countersign/countersign/controllers/digest"
	"github.com/countersign/countersign/controllers/rollout"
	"github.com/countersign/countersign/controllers/snapshot"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// config reads the ConfigMaps and Secrets that the template refers to, and their
// copies. The cache holds metadata only: what an object holds is read live, once
// for each of its versions, and only a hash of it is kept.
func (o *Observer) config(ctx context.Context, s *rollout.Snapshot) error {
	rel := &s.Release
	sources, live := snapshot.Split(rel.Spec)
	found := map[v1alpha1.ConfigRef]snapshot.Found{}
	for _, source := range sources {
		f, err := o.found(ctx, rel.Namespace, source.ConfigRef)
		if err != nil {
			return err
		}
		found[source.ConfigRef] = f
	}
	s.Config.Live = live
	owner := snapshot.Owner{Namespace: rel.Namespace, Name: rel.Name, UID: string(rel.UID)}
	s.Config.Wanted, s.Config.Missing = snapshot.Resolve(owner, sources, found)
	revision, err := digest.ContentRevision(s.SpecRevision, s.Config.Wanted)
	if err != nil {
		return fmt.Errorf("revision of Release %s/%s: %w", rel.Namespace, rel.Name, err)
	}
	s.Revision = revision
	return o.copies(ctx, s)
}

// found reads an object. One that is not there holds nothing.
func (o *Observer) found(ctx context.Context, namespace string, ref v1alpha1.ConfigRef) (snapshot.Found, error) {
	m, err := o.metadata(ctx, namespace, ref)
	if err != nil {
		return snapshot.Found{}, err
	}
	var contents Contents
	if m != nil {
		contents, err = o.contents(ctx, m, ref)
	}
	if m == nil || apierrors.IsNotFound(err) {
		m = nil
		contents, err = o.hash(blank(namespace, ref))
	}
	switch {
	case unreadable(err):
		return snapshot.Found{Denied: err.Error()}, nil
	case err != nil:
		return snapshot.Found{}, err
	}
	return snapshot.Found{Exists: m != nil, Hash: contents.hash, Keys: contents.keys}, nil
}

// unreadable tells whether trying again cannot help. It holds back promotions
// and must not hold back a rollback, so it is part of the snapshot.
func unreadable(err error) bool {
	return apierrors.IsForbidden(err) || errors.Is(err, snapshot.ErrNoKey{})
}

// copies reads those with the Release's label, and whatever has the name of one
// that is needed.
func (o *Observer) copies(ctx context.Context, s *rollout.Snapshot) error {
	rel, needed := &s.Release, neededCopies(s)
	for _, kind := range []v1alpha1.ConfigKind{v1alpha1.ConfigMap, v1alpha1.Secret} {
		list := &metav1.PartialObjectMetadataList{}
		list.SetGroupVersionKind(corev1.SchemeGroupVersion.WithKind(string(kind) + "List"))
		err := o.Client.List(ctx, list, client.InNamespace(rel.Namespace), client.MatchingLabels{v1alpha1.ReleaseLabel: rel.Name})
		if err != nil {
			return fmt.Errorf("list the copies of %ss of Release %s/%s: %w", kind, rel.Namespace, rel.Name, err)
		}
		for i := range list.Items {
			ref := v1alpha1.ConfigRef{Kind: kind, Name: list.Items[i].Name}
			if !needed[ref] && !snapshot.IsCopyName(rel.Name, ref.Name) {
				continue // somebody's own, whatever its labels
			}
			if err := o.addCopy(ctx, s, &list.Items[i], ref, needed[ref]); err != nil {
				return err
			}
			delete(needed, ref)
		}
	}
	for _, ref := range sortedRefs(needed) {
		m, err := o.metadata(ctx, rel.Namespace, ref)
		if err != nil {
			return err
		}
		if m == nil {
			continue
		}
		if err := o.addCopy(ctx, s, m, ref, true); err != nil {
			return err
		}
	}
	return nil
}

func (o *Observer) addCopy(ctx context.Context, s *rollout.Snapshot, m *metav1.PartialObjectMetadata, ref v1alpha1.ConfigRef, needed bool) error {
	c := rollout.Copy{
		ConfigRef: ref, UID: string(m.UID), ResourceVersion: m.ResourceVersion,
		Foreign: m.Labels[v1alpha1.ReleaseLabel] != s.Release.Name, Unused: m.Labels[v1alpha1.UnusedLabel] != "",
	}
	if needed && !c.Foreign {
		contents, err := o.contents(ctx, m, ref)
		switch {
		case apierrors.IsNotFound(err):
			return nil
		case unreadable(err):
			c.Unread = true
		case err != nil:
			return err
		}
		c.Hash = contents.hash
	}
	s.Config.Copies = append(s.Config.Copies, c)
	return nil
}

// metadata of an object; nil when there is none. The cache lags behind, and does
// not hold all of them: that one is missing is asked of the API server.
func (o *Observer) metadata(ctx context.Context, namespace string, ref v1alpha1.ConfigRef) (*metav1.PartialObjectMetadata, error) {
	key := client.ObjectKey{Namespace: namespace, Name: ref.Name}
	for _, reader := range []client.Reader{o.Client, o.Live} {
		m := &metav1.PartialObjectMetadata{}
		m.SetGroupVersionKind(corev1.SchemeGroupVersion.WithKind(string(ref.Kind)))
		err := reader.Get(ctx, key, m)
		if err == nil {
			return m, nil
		}
		if !apierrors.IsNotFound(err) {
			return nil, fmt.Errorf("get the metadata of %s %s: %w", ref.Kind, key, err)
		}
	}
	return nil, nil
}

// contents of an object at the version that its metadata have, or a later one.
func (o *Observer) contents(ctx context.Context, m *metav1.PartialObjectMetadata, ref v1alpha1.ConfigRef) (Contents, error) {
	if known, ok := o.Memory.get(m, ref); ok {
		return known, nil
	}
	object := blank(m.Namespace, ref)
	if err := o.Live.Get(ctx, client.ObjectKeyFromObject(object), object); err != nil {
		return Contents{}, fmt.Errorf("get %s %s/%s: %w", ref.Kind, m.Namespace, ref.Name, err)
	}
	contents, err := o.hash(object)
	if err != nil {
		return Contents{}, err
	}
	o.Memory.put(object, ref, contents)
	return contents, nil
}

// blank is an object of a kind that holds nothing.
func blank(namespace string, ref v1alpha1.ConfigRef) client.Object {
	meta := metav1.ObjectMeta{Namespace: namespace, Name: ref.Name}
	if ref.Kind == v1alpha1.Secret {
		return &corev1.Secret{ObjectMeta: meta}
	}
	return &corev1.ConfigMap{ObjectMeta: meta}
}

func (o *Observer) hash(object client.Object) (Contents, error) {
	switch object := object.(type) {
	case *corev1.ConfigMap:
		return Contents{o.Hasher.ConfigMap(object), keysOf(object.Data, object.BinaryData)}, nil
	case *corev1.Secret:
		sum, err := o.Hasher.Secret(object)
		if err != nil {
			return Contents{}, fmt.Errorf("hash Secret %s/%s: %w", object.Namespace, object.Name, err)
		}
		return Contents{sum, keysOf(nil, object.Data)}, nil
	}
	return Contents{}, errors.New("neither a ConfigMap nor a Secret")
}

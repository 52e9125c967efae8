// Copyright The Countersign Authors.
// SPDX-License-Identifier: Apache-2.0

package act

import (
	"context"
	"errors"
	"fmt"

	"github.com/countersign/countersign/api/v1alpha1"
	"github.com/countersign/countersign/controllers/rollout"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// ErrConfigChanged says that a ConfigMap or Secret does not hold what it held
// when it was decided about. The next decision is about what it holds now.
var ErrConfigChanged = errors.New("a ConfigMap or Secret changed after the decision")

// direct keeps the client from caching whole ConfigMaps and Secrets, which it
// would do to see its own writes.
const direct = client.DisableReadYourWritesConsistency

// copyConfig makes a copy that never changes. One that is to be of nothing is
// made when there is nothing.
func (a *Actor) copyConfig(ctx context.Context, rel *v1alpha1.Release, c v1alpha1.ConfigCopy) error {
	source, hash, err := a.config(ctx, rel.Namespace, v1alpha1.ConfigRef{Kind: c.Kind, Name: c.Name})
	if err != nil {
		return err
	}
	if hash != c.Hash {
		return fmt.Errorf("copy %s %s/%s: %w", c.Kind, rel.Namespace, c.Name, ErrConfigChanged)
	}
	next := copyOf(rel, c, source)
	if err := a.Client.Create(ctx, next, direct); err != nil {
		return fmt.Errorf("create %s %s/%s: %w", c.Kind, rel.Namespace, c.Copy, err)
	}
	return nil
}

// copyOf has no owner, as what serves has none: deleting a Release must not take
// it along. A copy of a Secret is of no type, so that none of the controllers
// that look after types does anything with it.
func copyOf(rel *v1alpha1.Release, c v1alpha1.ConfigCopy, source client.Object) client.Object {
	meta := metav1.ObjectMeta{
		Namespace: rel.Namespace, Name: c.Copy, Labels: map[string]string{v1alpha1.ReleaseLabel: rel.Name},
		Annotations: map[string]string{v1alpha1.ConfigSourceAnnotation: c.Name},
	}
	immutable := true
	if secret, is := source.(*corev1.Secret); is {
		return &corev1.Secret{ObjectMeta: meta, Immutable: &immutable, Data: secret.Data, Type: corev1.SecretTypeOpaque}
	}
	original := source.(*corev1.ConfigMap)
	return &corev1.ConfigMap{ObjectMeta: meta, Immutable: &immutable, Data: original.Data, BinaryData: original.BinaryData}
}

// config reads an object live and hashes what it holds. One that is not there
// holds nothing.
func (a *Actor) config(ctx context.Context, namespace string, ref v1alpha1.ConfigRef) (client.Object, string, error) {
	key := client.ObjectKey{Namespace: namespace, Name: ref.Name}
	if ref.Kind == v1alpha1.Secret {
		var secret corev1.Secret
		if err := a.Live.Get(ctx, key, &secret); client.IgnoreNotFound(err) != nil {
			return nil, "", fmt.Errorf("get Secret %s: %w", key, err)
		}
		hash, err := a.Hasher.Secret(&secret)
		if err != nil {
			return nil, "", fmt.Errorf("hash Secret %s: %w", key, err)
		}
		return &secret, hash, nil
	}
	var object corev1.ConfigMap
	if err := a.Live.Get(ctx, key, &object); client.IgnoreNotFound(err) != nil {
		return nil, "", fmt.Errorf("get ConfigMap %s: %w", key, err)
	}
	return &object, a.Hasher.ConfigMap(&object), nil
}

// configStands reads the ConfigMaps and Secrets of a promotion and their copies
// once more, live.
func (a *Actor) configStands(ctx context.Context, namespace string, config []v1alpha1.ConfigCopy) error {
	for _, c := range config {
		for _, name := range []string{c.Copy, c.Name} {
			_, hash, err := a.config(ctx, namespace, v1alpha1.ConfigRef{Kind: c.Kind, Name: name})
			if err != nil {
				return err
			}
			if hash != c.Hash || c.Hash == "" {
				return fmt.Errorf("%s %s/%s: %w", c.Kind, namespace, name, ErrConfigChanged)
			}
		}
	}
	return nil
}

func (a *Actor) dropConfig(ctx context.Context, rel *v1alpha1.Release, d rollout.DropConfig) error {
	uid, version := types.UID(d.UID), d.ResourceVersion
	pre := client.Preconditions{UID: &uid, ResourceVersion: &version}
	err := a.Client.Delete(ctx, configObject(rel.Namespace, d.ConfigRef), pre, direct)
	if client.IgnoreNotFound(err) != nil {
		return fmt.Errorf("delete %s %s/%s: %w", d.Kind, rel.Namespace, d.Name, err)
	}
	return nil
}

func (a *Actor) markConfig(ctx context.Context, rel *v1alpha1.Release, m rollout.MarkConfig) error {
	value := "null"
	if m.Unused {
		value = `"true"`
	}
	return a.labelConfig(ctx, rel, m.ConfigRef, m.ResourceVersion, v1alpha1.UnusedLabel, value)
}

func (a *Actor) surrenderConfig(ctx context.Context, rel *v1alpha1.Release, s rollout.SurrenderConfig) error {
	err := a.labelConfig(ctx, rel, s.ConfigRef, s.ResourceVersion, v1alpha1.ReleaseLabel, "null")
	return client.IgnoreNotFound(err)
}

// labelConfig sets a label to a value in JSON.
func (a *Actor) labelConfig(ctx context.Context, rel *v1alpha1.Release, ref v1alpha1.ConfigRef, version, label, value string) error {
	patch := fmt.Appendf(nil, `{"metadata":{"resourceVersion":%q,"labels":{%q:%s}}}`, version, label, value)
	err := a.Client.Patch(ctx, configObject(rel.Namespace, ref), client.RawPatch(types.MergePatchType, patch), direct)
	if err != nil {
		return fmt.Errorf("label %s %s/%s: %w", ref.Kind, rel.Namespace, ref.Name, err)
	}
	return nil
}

func configObject(namespace string, ref v1alpha1.ConfigRef) client.Object {
	meta := metav1.ObjectMeta{Namespace: namespace, Name: ref.Name}
	if ref.Kind == v1alpha1.Secret {
		return &corev1.Secret{ObjectMeta: meta}
	}
	return &corev1.ConfigMap{ObjectMeta: meta}
}

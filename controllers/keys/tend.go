// Copyright The Countersign Authors.
// SPDX-License-Identifier: Apache-2.0

package keys

import (
	"context"
	"errors"
	"fmt"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"sigs.k8s.io/controller-runtime/pkg/log"
)

// errForeign is of a ConfigMap that somebody else has written.
var errForeign = errors.New("it was changed by somebody else")

// tend brings the keys on: it does what the annotation asks for, replaces a key
// that is old or lost, and lets go of what nobody needs.
func (r *Ring) tend(ctx context.Context) error {
	r.mu.Lock()
	set := r.set
	r.mu.Unlock()
	configMap, err := r.compare(ctx, set)
	switch {
	case apierrors.IsNotFound(err):
		r.tell(nil, eventRestored, "ConfigMap %s was deleted and is written again", ConfigMapName)
		return r.create(ctx, set)
	case err != nil && !errors.Is(err, errForeign):
		return err
	}
	asked := configMap.Annotations[RotateAnnotation]
	switch {
	case asked == Compromised:
		return r.rotate(ctx, set, configMap, r.Now(), "the former keys are trusted no longer")
	case err != nil:
		return err
	case asked != "":
		return r.rotate(ctx, set, configMap, r.Now().Add(r.Overlap), "it was asked for")
	case r.Age > 0 && r.Now().Sub(set.Current().CreatedAt) >= r.Age:
		return r.rotate(ctx, set, configMap, r.Now().Add(r.Overlap), "the former one is old")
	}
	return r.tidy(ctx, set, configMap)
}

// compare is the ConfigMap, if it says what the operator has in memory.
func (r *Ring) compare(ctx context.Context, set Set) (*corev1.ConfigMap, error) {
	want, err := set.format()
	if err != nil {
		return nil, err
	}
	_, configMap, err := read(ctx, r.Client, r.Namespace)
	if configMap == nil {
		return nil, err
	}
	if len(configMap.Data) != 1 || configMap.Data[entry] != want {
		return configMap, fmt.Errorf(
			"ConfigMap %s/%s does not hold the keys that the operator trusts: %w; find out who, then, to have every vote cast again: kubectl annotate configmap %s -n %s --overwrite %s=%s",
			r.Namespace, ConfigMapName, errForeign, ConfigMapName, r.Namespace, RotateAnnotation, Compromised)
	}
	return configMap, nil
}

// tidy replaces a key that is lost, deletes a former private key, and lets
// those go whose overlap is over.
func (r *Ring) tidy(ctx context.Context, set Set, configMap *corev1.ConfigMap) error {
	current := set.Current()
	private, err := readPrivate(ctx, r.Client, r.Namespace, current.Slot)
	if err == nil {
		if keyOf(publicOf(private), current.Slot, r.Now()).ID != current.ID {
			err = errNoKey
		}
	}
	if errors.Is(err, errNoKey) {
		return r.rotate(ctx, set, configMap, r.Now().Add(r.Overlap), "the Secret of the former one was lost")
	}
	if err != nil {
		return err
	}
	r.use(set)
	if r.cleared == current.ID || r.Now().Sub(current.CreatedAt) < tookUp {
		return nil
	}
	if err := deletePrivate(ctx, r.Client, r.Namespace, other(current.Slot)); err != nil {
		return err
	}
	r.cleared = current.ID
	return nil
}

// rotate makes a key, in the slot that is not in use, and trusts it before
// anybody signs with it.
func (r *Ring) rotate(ctx context.Context, set Set, configMap *corev1.ConfigMap, until time.Time, why string) error {
	slot := other(set.Current().Slot)
	if err := deletePrivate(ctx, r.Client, r.Namespace, slot); err != nil {
		return err
	}
	private, err := createPrivate(ctx, r.Client, r.Namespace, slot)
	if err != nil {
		return err
	}
	next := set.followed(keyOf(publicOf(private), slot, r.Now()), until)
	text, err := next.format()
	if err != nil {
		return err
	}
	configMap = configMap.DeepCopy()
	configMap.Data, configMap.BinaryData = map[string]string{entry: text}, nil
	delete(configMap.Annotations, RotateAnnotation)
	if err := r.Client.Update(ctx, configMap); err != nil {
		return fmt.Errorf("write ConfigMap %s/%s: %w", r.Namespace, ConfigMapName, err)
	}
	r.use(next)
	r.tell(configMap, eventRotated, "receipts are signed with key %s from now on: %s", next.Current().ID, why)
	log.FromContext(ctx).Info("Receipts are signed with another key", "key", next.Current().ID, "why", why)
	return nil
}

func (r *Ring) tell(about *corev1.ConfigMap, reason, format string, args ...any) {
	if r.Recorder == nil {
		return
	}
	if about == nil {
		about = &corev1.ConfigMap{}
		about.Namespace, about.Name = r.Namespace, ConfigMapName
	}
	r.Recorder.Eventf(about, nil, corev1.EventTypeNormal, reason, "Rotate", format, args...)
}

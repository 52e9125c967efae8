// Copyright The Countersign Authors.
// SPDX-License-Identifier: Apache-2.0

// Package configkey keeps the key that the contents of Secrets are hashed with.
// The hashes are in digests and in names, which anybody may read; without the key
// they do not help to guess what a Secret holds.
package configkey

import (
	"context"
	"crypto/rand"
	"fmt"

	"github.com/countersign/countersign/controllers/snapshot"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// Name of the Secret.
const Name = "countersign-config-key"

// entry is the key in the Secret's data.
const entry = "config.key"

// attempts to agree with other replicas on one key.
const attempts = 5

// Ensure is the key, made at the first call and kept in an immutable Secret. A
// Secret that holds something else is never overwritten: with another key every
// Release that uses Secrets has to be approved anew, and that is for people to
// decide.
func Ensure(ctx context.Context, c client.Client, namespace string) ([]byte, error) {
	name := client.ObjectKey{Namespace: namespace, Name: Name}
	for range attempts {
		var secret corev1.Secret
		err := c.Get(ctx, name, &secret)
		if err == nil {
			return keyOf(&secret)
		}
		if !apierrors.IsNotFound(err) {
			return nil, fmt.Errorf("get Secret %s: %w", name, err)
		}
		if err := create(ctx, c, name); err != nil && !apierrors.IsAlreadyExists(err) {
			return nil, fmt.Errorf("create Secret %s: %w", name, err)
		}
	}
	return nil, fmt.Errorf("Secret %s keeps disappearing", name)
}

func keyOf(secret *corev1.Secret) ([]byte, error) {
	if key := secret.Data[entry]; len(key) >= snapshot.KeySize {
		return key, nil
	}
	return nil, fmt.Errorf(
		"Secret %s/%s holds no key of %d bytes under %s; restore it from your backup, or delete it, after which every Release that uses Secrets has to be approved anew",
		secret.Namespace, secret.Name, snapshot.KeySize, entry)
}

func create(ctx context.Context, c client.Client, name client.ObjectKey) error {
	key := make([]byte, snapshot.KeySize)
	if _, err := rand.Read(key); err != nil {
		return fmt.Errorf("make a key: %w", err)
	}
	immutable := true
	return c.Create(ctx, &corev1.Secret{
		ObjectMeta: metav1.ObjectMeta{Namespace: name.Namespace, Name: name.Name},
		Immutable:  &immutable,
		Data:       map[string][]byte{entry: key},
	})
}

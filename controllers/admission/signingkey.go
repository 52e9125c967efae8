// Copyright The Countersign Authors.
// SPDX-License-Identifier: Apache-2.0

package admission

import (
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"fmt"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// signingKeyEntry is the key in the Secret's data.
const signingKeyEntry = "signing.key"

// EnsureSigningKey is the key that receipts are signed with, made at the first
// call and kept in an immutable Secret. A Secret that holds something else is
// never overwritten: a new key voids every vote, and that is for people to
// decide.
func EnsureSigningKey(ctx context.Context, c client.Client, namespace, name string) (ed25519.PrivateKey, error) {
	key := client.ObjectKey{Namespace: namespace, Name: name}
	for range attempts {
		var secret corev1.Secret
		err := c.Get(ctx, key, &secret)
		if err == nil {
			return signingKeyOf(&secret)
		}
		if !apierrors.IsNotFound(err) {
			return nil, fmt.Errorf("get Secret %s: %w", key, err)
		}
		if err := createSigningKey(ctx, c, key); err != nil && !apierrors.IsAlreadyExists(err) {
			return nil, fmt.Errorf("create Secret %s: %w", key, err)
		}
	}
	return nil, fmt.Errorf("Secret %s keeps disappearing", key)
}

func createSigningKey(ctx context.Context, c client.Client, key client.ObjectKey) error {
	_, private, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		return fmt.Errorf("generate key: %w", err)
	}
	encoded, err := encodeKey(private)
	if err != nil {
		return err
	}
	immutable := true
	return c.Create(ctx, &corev1.Secret{
		ObjectMeta: metav1.ObjectMeta{Namespace: key.Namespace, Name: key.Name},
		Immutable:  &immutable,
		Data:       map[string][]byte{signingKeyEntry: encoded},
	})
}

func signingKeyOf(secret *corev1.Secret) (ed25519.PrivateKey, error) {
	if block, _ := pem.Decode(secret.Data[signingKeyEntry]); block != nil {
		if parsed, err := x509.ParsePKCS8PrivateKey(block.Bytes); err == nil {
			if key, ok := parsed.(ed25519.PrivateKey); ok {
				return key, nil
			}
		}
	}
	return nil, fmt.Errorf(
		"Secret %s/%s holds no Ed25519 key under %s; restore it from your backup, or delete it, after which every vote has to be cast again",
		secret.Namespace, secret.Name, signingKeyEntry)
}

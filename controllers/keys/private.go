// Copyright The Countersign Authors.
// SPDX-License-Identifier: Apache-2.0

package keys

import (
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"

	"github.com/countersign/countersign/controllers/receipt"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

const (
	// privateEntry is the key in a Secret's data.
	privateEntry = "signing.key"
	pemKey       = "PRIVATE KEY"
)

// errNoKey is of a Secret that is not there or holds something else.
var errNoKey = errors.New("it holds no Ed25519 key under " + privateEntry)

func secretKey(namespace, slot string) client.ObjectKey {
	return client.ObjectKey{Namespace: namespace, Name: SecretPrefix + slot}
}

// readPrivate is the private key in a slot.
func readPrivate(ctx context.Context, c client.Reader, namespace, slot string) (ed25519.PrivateKey, error) {
	key := secretKey(namespace, slot)
	var secret corev1.Secret
	if err := c.Get(ctx, key, &secret); err != nil {
		if apierrors.IsNotFound(err) {
			return nil, fmt.Errorf("get Secret %s: %w", key, errNoKey)
		}
		return nil, fmt.Errorf("get Secret %s: %w", key, err)
	}
	if block, _ := pem.Decode(secret.Data[privateEntry]); block != nil {
		if parsed, err := x509.ParsePKCS8PrivateKey(block.Bytes); err == nil {
			if private, ok := parsed.(ed25519.PrivateKey); ok {
				return private, nil
			}
		}
	}
	return nil, fmt.Errorf("read Secret %s: %w", key, errNoKey)
}

// createPrivate makes a key in a slot that is empty.
func createPrivate(ctx context.Context, c client.Client, namespace, slot string) (ed25519.PrivateKey, error) {
	_, private, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		return nil, fmt.Errorf("generate key: %w", err)
	}
	der, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		return nil, fmt.Errorf("encode key: %w", err)
	}
	key := secretKey(namespace, slot)
	err = c.Create(ctx, &corev1.Secret{
		ObjectMeta: metav1.ObjectMeta{Namespace: key.Namespace, Name: key.Name},
		Immutable:  new(true),
		Data:       map[string][]byte{privateEntry: pem.EncodeToMemory(&pem.Block{Type: pemKey, Bytes: der})},
	})
	if err != nil {
		return nil, fmt.Errorf("create Secret %s: %w", key, err)
	}
	return private, nil
}

func deletePrivate(ctx context.Context, c client.Client, namespace, slot string) error {
	key := secretKey(namespace, slot)
	err := c.Delete(ctx, &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: key.Namespace, Name: key.Name}})
	if client.IgnoreNotFound(err) != nil {
		return fmt.Errorf("delete Secret %s: %w", key, err)
	}
	return nil
}

// other is the slot that is not this one.
func other(slot string) string {
	if slot == slots[0] {
		return slots[1]
	}
	return slots[0]
}

func publicOf(private ed25519.PrivateKey) ed25519.PublicKey {
	return receipt.NewSigner(private).Public()
}

// Copyright The Countersign Authors.
// SPDX-License-Identifier: Apache-2.0

package admission

import (
	"context"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"errors"
	"strings"
	"sync"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"
)

// All replicas sign with one key, from the first start on.
func TestSigningKeyIsShared(t *testing.T) {
	c := cluster(t, interceptor.Funcs{})
	var keys [4]ed25519.PrivateKey
	var wait sync.WaitGroup
	for i := range keys {
		wait.Go(func() {
			key, err := EnsureSigningKey(t.Context(), c, "countersign-system", "key")
			if err != nil {
				t.Error(err)
			}
			keys[i] = key
		})
	}
	wait.Wait()
	for _, key := range keys {
		if len(key) != ed25519.PrivateKeySize || !key.Equal(keys[0]) {
			t.Error("a replica has another key")
		}
	}
	secret := get(t, c, client.ObjectKey{Namespace: "countersign-system", Name: "key"}, &corev1.Secret{})
	if secret.Immutable == nil || !*secret.Immutable {
		t.Error("the key can be changed")
	}
}

// Who loses the race for the first key signs with the winner's.
func TestSigningKeyRace(t *testing.T) {
	var winner ed25519.PrivateKey
	c := cluster(t, interceptor.Funcs{Create: func(ctx context.Context, c client.WithWatch, o client.Object, opts ...client.CreateOption) error {
		if winner == nil {
			_, winner, _ = ed25519.GenerateKey(rand.Reader)
			encoded, err := encodeKey(winner)
			if err != nil {
				return err
			}
			first := &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: o.GetNamespace(), Name: o.GetName()}, Data: map[string][]byte{signingKeyEntry: encoded}}
			if err := c.Create(ctx, first); err != nil {
				return err
			}
		}
		return c.Create(ctx, o, opts...)
	}})
	key, err := EnsureSigningKey(t.Context(), c, "countersign-system", "key")
	if err != nil || !key.Equal(winner) {
		t.Errorf("got another key than the winner's, %v", err)
	}
}

// What is not a key is never overwritten: that would void every vote.
func TestSigningKeyGarbage(t *testing.T) {
	other, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	otherPEM, err := encodeKey(other)
	if err != nil {
		t.Fatal(err)
	}
	for name, data := range map[string]map[string][]byte{
		"Empty": nil, "Garbage": {signingKeyEntry: []byte("x")}, "OtherEntry": {"x": []byte("x")}, "OtherKind": {signingKeyEntry: otherPEM},
		"BrokenPEM": {signingKeyEntry: []byte("-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n")},
	} {
		t.Run(name, func(t *testing.T) {
			c := cluster(t, interceptor.Funcs{}, &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: "countersign-system", Name: "key"}, Data: data})
			_, err := EnsureSigningKey(t.Context(), c, "countersign-system", "key")
			if err == nil || !strings.Contains(err.Error(), "Secret countersign-system/key holds no Ed25519 key under signing.key; restore it") {
				t.Errorf("got %v", err)
			}
			secret := get(t, c, client.ObjectKey{Namespace: "countersign-system", Name: "key"}, &corev1.Secret{})
			if string(secret.Data[signingKeyEntry]) != string(data[signingKeyEntry]) {
				t.Error("it was overwritten")
			}
		})
	}
}

// A key that cannot be read is not the same as none.
func TestSigningKeyCannotBeRead(t *testing.T) {
	created := false
	c := cluster(t, interceptor.Funcs{
		Get: func(context.Context, client.WithWatch, client.ObjectKey, client.Object, ...client.GetOption) error {
			return errors.New("no connection")
		},
		Create: func(context.Context, client.WithWatch, client.Object, ...client.CreateOption) error {
			created = true
			return nil
		},
	})
	if _, err := EnsureSigningKey(t.Context(), c, "countersign-system", "key"); err == nil || created {
		t.Errorf("got %v, created %v", err, created)
	}
}

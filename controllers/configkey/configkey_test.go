// Copyright The Countersign Authors.
// SPDX-License-Identifier: Apache-2.0

package configkey

import (
	"bytes"
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/countersign/countersign/controllers/snapshot"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"
)

const namespace = "countersign-system"

func TestEnsure(t *testing.T) {
	c := fake.NewClientBuilder().Build()
	first, err := Ensure(t.Context(), c, namespace)
	if err != nil || len(first) < snapshot.KeySize {
		t.Fatalf("%d bytes, %v", len(first), err)
	}
	again, err := Ensure(t.Context(), c, namespace)
	if err != nil || !bytes.Equal(first, again) {
		t.Errorf("the second time it is another: %v", err)
	}
	other, err := Ensure(t.Context(), fake.NewClientBuilder().Build(), namespace)
	if err != nil || bytes.Equal(first, other) {
		t.Errorf("another cluster has the same: %v", err)
	}
	var secret corev1.Secret
	if err := c.Get(t.Context(), client.ObjectKey{Namespace: namespace, Name: Name}, &secret); err != nil || secret.Immutable == nil || !*secret.Immutable {
		t.Errorf("it can be changed: %+v, %v", secret, err)
	}
}

// A Secret that holds something else is left as it is.
func TestSomethingElse(t *testing.T) {
	for name, data := range map[string]map[string][]byte{
		"Nothing":  nil,
		"Empty":    {entry: {}},
		"TooShort": {entry: make([]byte, snapshot.KeySize-1)},
		"Other":    {"other.key": make([]byte, snapshot.KeySize)},
	} {
		t.Run(name, func(t *testing.T) {
			c := fake.NewClientBuilder().WithObjects(&corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: Name}, Data: data}).Build()
			key, err := Ensure(t.Context(), c, namespace)
			if key != nil || err == nil || !strings.Contains(err.Error(), "restore it from your backup, or delete it") {
				t.Errorf("got %v, %v", key, err)
			}
		})
	}
}

// Replicas that start at once come to the same key.
func TestAnotherWasFaster(t *testing.T) {
	theirs := bytes.Repeat([]byte{9}, snapshot.KeySize)
	c := fake.NewClientBuilder().WithInterceptorFuncs(interceptor.Funcs{
		Create: func(ctx context.Context, w client.WithWatch, o client.Object, opts ...client.CreateOption) error {
			faster := o.DeepCopyObject().(*corev1.Secret)
			faster.Data = map[string][]byte{entry: theirs}
			if err := w.Create(ctx, faster); err != nil {
				return err
			}
			return w.Create(ctx, o, opts...)
		},
	}).Build()
	if key, err := Ensure(t.Context(), c, namespace); err != nil || !bytes.Equal(key, theirs) {
		t.Errorf("got %v, %v", key, err)
	}
}

func TestNoAnswer(t *testing.T) {
	broken := errors.New("no answer")
	c := fake.NewClientBuilder().WithInterceptorFuncs(interceptor.Funcs{
		Get: func(context.Context, client.WithWatch, client.ObjectKey, client.Object, ...client.GetOption) error {
			return broken
		},
	}).Build()
	if key, err := Ensure(t.Context(), c, namespace); key != nil || !errors.Is(err, broken) {
		t.Errorf("got %v, %v", key, err)
	}
}

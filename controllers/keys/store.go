// Copyright The Countersign Authors.
// SPDX-License-Identifier: Apache-2.0

package keys

import (
	"context"
	"crypto/ed25519"
	"fmt"
	"time"

	"github.com/countersign/countersign/controllers/receipt"
	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// read is the set in the ConfigMap. A ConfigMap that holds something else is
// returned beside the error.
func read(ctx context.Context, c client.Reader, namespace string) (Set, *corev1.ConfigMap, error) {
	key := client.ObjectKey{Namespace: namespace, Name: ConfigMapName}
	var configMap corev1.ConfigMap
	if err := c.Get(ctx, key, &configMap); err != nil {
		return Set{}, nil, fmt.Errorf("get ConfigMap %s: %w", key, err)
	}
	set, err := parse(configMap.Data[entry])
	if err != nil {
		return Set{}, &configMap, fmt.Errorf("ConfigMap %s is not what the operator writes: %w", key, err)
	}
	return set, &configMap, nil
}

// proves signs something with the private key and wants the public ones to tell.
func proves(ctx context.Context, private ed25519.PrivateKey, public ...ed25519.PublicKey) error {
	envelope, err := receipt.NewSigner(private).SignAuthors(ctx, receipt.Authors{
		Cluster: "-", Namespace: "-", Name: "-", Revision: "-", Authors: []string{"nobody"}, Nonce: "-", DryRun: true,
	})
	if err != nil {
		return err
	}
	_, err = receipt.NewVerifier(public...).Authors(envelope)
	return err
}

// every calls f at once and then again, as often as it says, until ctx is done.
func every(ctx context.Context, f func() (pause time.Duration)) {
	for {
		timer := time.NewTimer(f())
		select {
		case <-ctx.Done():
			timer.Stop()
			return
		case <-timer.C:
		}
	}
}

// pause is shorter while something is wrong.
func pause(err error, otherwise time.Duration) time.Duration {
	if err != nil {
		return retry
	}
	return otherwise
}

// Copyright The Countersign Authors.
// SPDX-License-Identifier: Apache-2.0

package admission

import (
	"bytes"
	"context"
	"errors"
	"fmt"

	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// errUntrusted is of a configuration that has another bundle.
var errUntrusted = errors.New("it does not trust the certificate yet; the operator writes caBundle")

func (c *Certificates) secret(ctx context.Context) (map[string][]byte, error) {
	if !c.options.ReadOnly {
		return c.ensureSecret(ctx)
	}
	key := client.ObjectKey{Namespace: c.options.Namespace, Name: c.options.SecretName}
	var secret corev1.Secret
	if err := c.client.Get(ctx, key, &secret); err != nil {
		return nil, fmt.Errorf("get Secret %s, which the operator writes: %w", key, err)
	}
	return secret.Data, nil
}

func (c *Certificates) trust(ctx context.Context, name string, bundle []byte) error {
	if !c.options.ReadOnly {
		return c.ensureTrust(ctx, name, bundle)
	}
	var configuration admissionregistrationv1.MutatingWebhookConfiguration
	if err := c.client.Get(ctx, client.ObjectKey{Name: name}, &configuration); err != nil {
		return err
	}
	if len(configuration.Webhooks) == 0 {
		return errNoWebhooks
	}
	for i := range configuration.Webhooks {
		if !bytes.Equal(configuration.Webhooks[i].ClientConfig.CABundle, bundle) {
			return errUntrusted
		}
	}
	return nil
}

// ensureSecret returns the data that all replicas agree on: whoever loses the
// race for a write reads what the winner wrote.
func (c *Certificates) ensureSecret(ctx context.Context) (map[string][]byte, error) {
	key := client.ObjectKey{Namespace: c.options.Namespace, Name: c.options.SecretName}
	h := hosts{DNSNames: c.options.DNSNames, IPs: c.options.IPs}
	for range attempts {
		var secret corev1.Secret
		err := c.client.Get(ctx, key, &secret)
		absent := apierrors.IsNotFound(err)
		if err != nil && !absent {
			return nil, fmt.Errorf("get Secret %s: %w", key, err)
		}
		data, changed, err := renewed(secret.Data, h, c.options.Now())
		if err != nil || !changed {
			return data, err
		}
		secret.Data = data
		if absent {
			secret.ObjectMeta = metav1.ObjectMeta{Namespace: key.Namespace, Name: key.Name}
			secret.Type = corev1.SecretTypeTLS
			err = c.client.Create(ctx, &secret)
		} else {
			err = c.client.Update(ctx, &secret)
		}
		if err == nil {
			return data, nil
		}
		if !apierrors.IsConflict(err) && !apierrors.IsAlreadyExists(err) && !apierrors.IsNotFound(err) {
			return nil, fmt.Errorf("write Secret %s: %w", key, err)
		}
	}
	return nil, fmt.Errorf("write Secret %s: lost the race %d times", key, attempts)
}

// ensureTrust writes the bundle into every webhook of a configuration.
func (c *Certificates) ensureTrust(ctx context.Context, name string, bundle []byte) error {
	for range attempts {
		var configuration admissionregistrationv1.MutatingWebhookConfiguration
		if err := c.client.Get(ctx, client.ObjectKey{Name: name}, &configuration); err != nil {
			return err
		}
		if len(configuration.Webhooks) == 0 {
			return errNoWebhooks
		}
		before, changed := configuration.DeepCopy(), false
		for i := range configuration.Webhooks {
			clientConfig := &configuration.Webhooks[i].ClientConfig
			changed = changed || !bytes.Equal(clientConfig.CABundle, bundle)
			clientConfig.CABundle = bundle
		}
		if !changed {
			return nil
		}
		patch := client.MergeFromWithOptions(before, client.MergeFromWithOptimisticLock{})
		if err := c.client.Patch(ctx, &configuration, patch); !apierrors.IsConflict(err) {
			return err
		}
	}
	return errors.New("somebody else keeps writing it")
}

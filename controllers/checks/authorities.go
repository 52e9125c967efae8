// Copyright The Countersign Authors.
// SPDX-License-Identifier: Apache-2.0

package checks

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"maps"

	"github.com/countersign/countersign/api/v1alpha1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// authorities reads the certificates that those of servers are verified with.
type authorities struct {
	reader client.Reader
	recent recent[authority, *x509.CertPool]
}

type authority struct {
	namespace string
	ca        v1alpha1.CheckCA
}

// config of a check's connections; nil when it does not speak TLS. An error is
// unclear: it is not about who was to be asked.
func (a *authorities) config(ctx context.Context, namespace string, c *v1alpha1.CheckTLS) (*tls.Config, error) {
	if c == nil {
		return nil, nil
	}
	config := &tls.Config{MinVersion: tls.VersionTLS12, ServerName: c.ServerName}
	switch {
	case c.CA != nil && c.ServerName != "":
		of := authority{namespace, *c.CA}
		pool, err := a.recent.get(ctx, of, func(ctx context.Context) (*x509.CertPool, error) { return a.roots(ctx, of) })
		if err != nil {
			return nil, err
		}
		config.RootCAs = pool
	case c.CA == nil && c.InsecureSkipVerify:
		config.InsecureSkipVerify = true
	default:
		return nil, unclearf("tls does not say how the certificate is verified: write ca and serverName, or insecureSkipVerify: true")
	}
	return config, nil
}

func (a *authorities) roots(ctx context.Context, of authority) (*x509.CertPool, error) {
	pem, err := a.read(ctx, of)
	if err != nil {
		return nil, err
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(pem) {
		return nil, unclearf("key %s of %s %s, which tls.ca names, holds no certificates in PEM", of.ca.KeyName(), of.ca.Kind, of.ca.Name)
	}
	return pool, nil
}

// read what is in the key. Errors of the API server are not told on: they could
// say more than that it is not there.
func (a *authorities) read(ctx context.Context, of authority) ([]byte, error) {
	key := types.NamespacedName{Namespace: of.namespace, Name: of.ca.Name}
	var data map[string][]byte
	var err error
	switch of.ca.Kind {
	case v1alpha1.ConfigMap:
		var m corev1.ConfigMap
		err = a.reader.Get(ctx, key, &m)
		data = maps.Clone(m.BinaryData)
		if text, is := m.Data[of.ca.KeyName()]; is {
			data = map[string][]byte{of.ca.KeyName(): []byte(text)}
		}
	case v1alpha1.Secret:
		var s corev1.Secret
		err = a.reader.Get(ctx, key, &s)
		data = s.Data
	default:
		err = fmt.Errorf("unknown kind")
	}
	switch value, is := data[of.ca.KeyName()]; {
	case apierrors.IsNotFound(err):
		return nil, unclearf("%s %s, which tls.ca names, does not exist; create it", of.ca.Kind, of.ca.Name)
	case err != nil:
		return nil, unclearf("%s %s, which tls.ca names, cannot be read", of.ca.Kind, of.ca.Name)
	case !is:
		return nil, unclearf("%s %s, which tls.ca names, has no key %s", of.ca.Kind, of.ca.Name, of.ca.KeyName())
	default:
		return value, nil
	}
}

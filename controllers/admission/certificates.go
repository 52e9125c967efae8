// Copyright The Countersign Authors.
// SPDX-License-Identifier: Apache-2.0

package admission

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/http"
	"strings"
	"sync"
	"time"

	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/log"
)

const (
	// lookAgain is how often the Secret and the configurations are looked at: a
	// renewed certificate, or a caBundle that somebody reset, is noticed then.
	lookAgain = time.Minute
	// retry is how soon they are looked at while something is wrong: the replica
	// is not ready until then.
	retry = time.Second
	// attempts bounds how often a lost race is run again.
	attempts = 10
)

// errNoWebhooks is of a configuration that calls nothing.
var errNoWebhooks = errors.New("it has no webhooks")

// CertificateOptions say what the webhook's serving certificate is for and
// where it is kept.
type CertificateOptions struct {
	// Namespace and SecretName of the Secret that all replicas share.
	Namespace, SecretName string
	// DNSNames and IPs that the API server reaches the webhook by.
	DNSNames []string
	IPs      []net.IP
	// WebhookConfigurations are the MutatingWebhookConfigurations that have to
	// trust the certificate.
	WebhookConfigurations []string
	// ReadOnly is for the webhook's account, which may write nothing: another
	// process, the operator, keeps the Secret and the configurations.
	ReadOnly bool
	// Now is the clock. Unset means time.Now.
	Now func() time.Time
}

// Certificates keeps the webhook's serving certificate. It is a Runnable for
// the manager: while it runs, the certificate is renewed without a restart.
type Certificates struct {
	client  client.Client
	options CertificateOptions

	mu   sync.RWMutex
	leaf *tls.Certificate
	// fault is why the webhook cannot be called yet, or any more.
	fault error
}

// EnsureCertificates brings the Secret into being, or up to date, and makes the
// webhook configurations trust it. The client should not read Secrets through a
// cache: the operator may not list them. With ReadOnly it waits for another
// process to do that, and is not ready until then.
func EnsureCertificates(ctx context.Context, c client.Client, o CertificateOptions) (*Certificates, error) {
	if o.Now == nil {
		o.Now = time.Now
	}
	certs := &Certificates{client: c, options: o}
	err := certs.refresh(ctx)
	if err != nil && !o.ReadOnly {
		return nil, err
	}
	if err != nil {
		certs.record(nil, err)
	}
	return certs, nil
}

// GetCertificate is for tls.Config.
func (c *Certificates) GetCertificate(*tls.ClientHelloInfo) (*tls.Certificate, error) {
	c.mu.RLock()
	defer c.mu.RUnlock()
	if c.leaf == nil {
		return nil, errors.New("there is no serving certificate yet")
	}
	return c.leaf, nil
}

// Check is a health check: it fails while a webhook configuration does not
// trust the certificate, or when the certificate is about to expire.
func (c *Certificates) Check(*http.Request) error {
	c.mu.RLock()
	defer c.mu.RUnlock()
	if c.fault != nil {
		return c.fault
	}
	if left := c.leaf.Leaf.NotAfter.Sub(c.options.Now()); left < 7*24*time.Hour {
		return fmt.Errorf("the serving certificate expires in %s and was not renewed", left.Truncate(time.Hour))
	}
	return nil
}

// NeedLeaderElection is false: every replica serves the webhook.
func (c *Certificates) NeedLeaderElection() bool { return false }

// Start renews until ctx is done. A failure is told by Check and tried again.
func (c *Certificates) Start(ctx context.Context) error {
	for {
		timer := time.NewTimer(c.pause())
		select {
		case <-ctx.Done():
			timer.Stop()
			return nil
		case <-timer.C:
		}
		if err := c.refresh(ctx); err != nil && ctx.Err() == nil {
			log.FromContext(ctx).Error(err, "Could not refresh the webhook's certificate")
			c.record(nil, err)
		}
	}
}

// pause is the time until the next look.
func (c *Certificates) pause() time.Duration {
	c.mu.RLock()
	defer c.mu.RUnlock()
	if c.fault != nil {
		return retry
	}
	return lookAgain
}

// refresh takes up the certificate only after the configurations trust its
// authority, so that no call fails in between.
func (c *Certificates) refresh(ctx context.Context) error {
	data, err := c.secret(ctx)
	if err != nil {
		return err
	}
	leaf, err := tls.X509KeyPair(data[corev1.TLSCertKey], data[corev1.TLSPrivateKeyKey])
	if err != nil {
		return fmt.Errorf("read serving certificate: %w", err)
	}
	var missing error
	for _, name := range c.options.WebhookConfigurations {
		err := c.trust(ctx, name, data[authorityCert])
		if apierrors.IsNotFound(err) || errors.Is(err, errNoWebhooks) {
			missing = fmt.Errorf("the MutatingWebhookConfiguration %s is missing or has no webhooks; apply config/webhook", name)
			continue
		}
		if err != nil {
			return fmt.Errorf("trust the certificate in MutatingWebhookConfiguration %s: %w", name, err)
		}
	}
	c.record(&leaf, missing)
	return nil
}

func (c *Certificates) record(leaf *tls.Certificate, fault error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if leaf != nil {
		c.leaf = leaf
	}
	c.fault = fault
}

// UseURL makes a configuration call a webhook that runs beside the API server,
// such as https://127.0.0.1:9443, instead of a Service in the cluster.
func UseURL(configuration *admissionregistrationv1.MutatingWebhookConfiguration, base string) {
	for i := range configuration.Webhooks {
		clientConfig := &configuration.Webhooks[i].ClientConfig
		if service := clientConfig.Service; service != nil {
			path := ""
			if service.Path != nil {
				path = *service.Path
			}
			url := strings.TrimSuffix(base, "/") + path
			clientConfig.URL, clientConfig.Service = &url, nil
		}
	}
}

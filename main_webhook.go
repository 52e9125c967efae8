// Copyright The Countersign Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/http"
	"path/filepath"
	"time"

	"github.com/countersign/countersign/api/v1alpha1"
	"github.com/countersign/countersign/controllers/admission"
	"github.com/countersign/countersign/controllers/keys"
	"github.com/countersign/countersign/controllers/metrics"
	"github.com/countersign/countersign/controllers/receipt"
	"github.com/countersign/countersign/controllers/selftest"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	ctrlmetrics "sigs.k8s.io/controller-runtime/pkg/metrics"
	"sigs.k8s.io/controller-runtime/pkg/webhook"
)

// certificates are the webhook's. The operator's account keeps them; the
// webhook's reads them and can write nothing.
func (p *process) certificates(ctx context.Context) (*admission.Certificates, error) {
	o := admission.CertificateOptions{
		Namespace: p.options.namespace, SecretName: certificateSecret,
		DNSNames:              []string{webhookService + "." + p.options.namespace + ".svc"},
		WebhookConfigurations: []string{webhookConfiguration},
		ReadOnly:              !p.options.controller,
	}
	if p.options.webhookURL != "" {
		o.DNSNames = append(o.DNSNames, "localhost")
		o.IPs = []net.IP{net.IPv4(127, 0, 0, 1), net.IPv6loopback}
	}
	return admission.EnsureCertificates(ctx, p.direct, o)
}

func (p *process) webhookServer(certificates *admission.Certificates) webhook.Server {
	o := webhook.Options{
		Host: p.options.webhookHost, Port: p.options.webhookPort,
		TLSOpts: []func(*tls.Config){func(c *tls.Config) { c.GetCertificate = certificates.GetCertificate }},
	}
	if p.options.clientCA != "" {
		o.CertDir, o.ClientCAName = filepath.Split(p.options.clientCA)
	}
	return webhook.NewServer(o)
}

func (p *process) setUpWebhook(ctx context.Context, certificates *admission.Certificates) error {
	signer, verifier := receipt.NewSigner(nil), receipt.NewVerifier()
	holder := &keys.Holder{Reader: p.direct, Namespace: p.options.namespace, Signer: signer, Verifier: verifier, Now: time.Now}
	err := admission.Register(p.mgr, admission.Webhook{
		Reader: p.mgr.GetClient(), Signer: signer, Verifier: verifier, Cluster: p.cluster, Now: time.Now,
		OperatorUser: p.options.operatorUser(), ProbeUser: selftest.User, ProbeNamespace: selftest.Namespace,
	})
	if err := errors.Join(err, metrics.Register(ctrlmetrics.Registry, metrics.Webhook()...)); err != nil {
		return err
	}
	policies, err := p.mgr.GetCache().GetInformer(ctx, &v1alpha1.ApprovalPolicy{}, cache.BlockUntilSynced(false))
	if err != nil {
		return fmt.Errorf("watch the ApprovalPolicies: %w", err)
	}
	synced := func(*http.Request) error {
		if !policies.HasSynced() {
			return errors.New("the ApprovalPolicies are not read yet")
		}
		return nil
	}
	if err := errors.Join(
		p.mgr.Add(holder),
		p.mgr.AddReadyzCheck("webhook", p.mgr.GetWebhookServer().StartedChecker()),
		p.mgr.AddReadyzCheck("certificate", certificates.Check),
		p.mgr.AddReadyzCheck("signing-key", holder.Check),
		p.mgr.AddReadyzCheck("policies", synced),
	); err != nil {
		return fmt.Errorf("set up the webhook: %w", err)
	}
	return nil
}

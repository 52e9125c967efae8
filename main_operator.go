// Copyright The Countersign Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/countersign/countersign/api/v1alpha1"
	"github.com/countersign/countersign/config/policy"
	webhookmanifest "github.com/countersign/countersign/config/webhook"
	"github.com/countersign/countersign/controllers"
	"github.com/countersign/countersign/controllers/admission"
	"github.com/countersign/countersign/controllers/configkey"
	"github.com/countersign/countersign/controllers/keys"
	"github.com/countersign/countersign/controllers/metrics"
	"github.com/countersign/countersign/controllers/notify"
	"github.com/countersign/countersign/controllers/receipt"
	"github.com/countersign/countersign/controllers/selftest"
	"github.com/countersign/countersign/controllers/telemetry"
	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	"k8s.io/client-go/rest"
	toolscache "k8s.io/client-go/tools/cache"
	"k8s.io/client-go/tools/leaderelection/resourcelock"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/event"
	ctrlmetrics "sigs.k8s.io/controller-runtime/pkg/metrics"
	"sigs.k8s.io/controller-runtime/pkg/metrics/filters"
	metricsserver "sigs.k8s.io/controller-runtime/pkg/metrics/server"
)

func (p *process) manager(certificates *admission.Certificates) (ctrl.Manager, error) {
	caches, err := controllers.CacheOptions()
	if err != nil {
		return nil, err
	}
	lock, err := p.lock()
	if err != nil {
		return nil, err
	}
	mgr, err := ctrl.NewManager(p.config, ctrl.Options{
		Scheme: p.scheme, Cache: caches,
		Client:                 client.Options{Cache: &client.CacheOptions{EnableReadYourWritesConsistency: new(true)}},
		Metrics:                p.metrics(certificates),
		HealthProbeBindAddress: p.options.healthAddress,
		LeaderElection:         p.options.leaderElect && p.options.controller,
		LeaderElectionID:       leaseName, LeaderElectionNamespace: p.options.namespace,
		LeaderElectionResourceLockInterface: lock, RenewDeadline: new(leaseRenewal),
		LeaderElectionReleaseOnCancel: true,
		WebhookServer:                 p.webhookServer(certificates),
	})
	if err != nil {
		return nil, fmt.Errorf("set up the manager: %w", err)
	}
	return mgr, nil
}

// lock is the lease that says who leads, under a name that a restart keeps; none
// where the process has no such name and takes one at random.
func (p *process) lock() (resourcelock.Interface, error) {
	if p.options.leaderIdentity == "" || !p.options.leaderElect || !p.options.controller {
		return nil, nil
	}
	lock, err := resourcelock.NewFromKubeconfig(resourcelock.LeasesResourceLock, p.options.namespace, leaseName,
		resourcelock.ResourceLockConfig{Identity: p.options.leaderIdentity}, p.config, leaseRenewal)
	if err != nil {
		return nil, fmt.Errorf("set up the lease %s: %w", leaseName, err)
	}
	return lock, nil
}

// metrics are served with the webhook's certificate, which is renewed without a
// restart, and behind the API server's authentication and RBAC.
func (p *process) metrics(certificates *admission.Certificates) metricsserver.Options {
	o := metricsserver.Options{BindAddress: p.options.metricsAddress}
	if p.options.metricsSecure {
		o.SecureServing, o.FilterProvider = true, filters.WithAuthenticationAndAuthorization
		o.TLSOpts = []func(*tls.Config){func(c *tls.Config) { c.GetCertificate = certificates.GetCertificate }}
	}
	return o
}

func (p *process) setUpOperator(ctx context.Context) error {
	recorder := p.mgr.GetEventRecorder("countersign")
	verifier := receipt.NewVerifier()
	changed := make(chan event.GenericEvent, 1)
	judgeAgain := func() {
		select {
		case changed <- event.GenericEvent{Object: &v1alpha1.ApprovalPolicy{}}:
		default: // one that waits is enough
		}
	}
	ring := &keys.Ring{
		Client: p.direct, Namespace: p.options.namespace, Verifier: verifier, Now: time.Now,
		Overlap: p.options.keyOverlap, Age: p.options.keyAge, Changed: judgeAgain, Recorder: recorder,
	}
	if err := ring.Load(ctx); err != nil {
		// It goes on: a rollback needs no keys, and nothing is promoted without.
		p.mgr.GetLogger().Error(err, "Could not load the keys of receipts")
	}
	configKey, err := configkey.Ensure(ctx, p.direct, p.options.namespace)
	if err != nil {
		// Likewise: without it nothing is promoted that uses Secrets.
		p.mgr.GetLogger().Error(err, "Could not load the key that the contents of Secrets are hashed with")
	}
	tester, err := p.tester(ctx, ring)
	if err != nil {
		return err
	}
	tester.Recorder, tester.Changed = recorder, judgeAgain
	if err := metrics.Register(ctrlmetrics.Registry, metrics.Operator()...); err != nil {
		return err
	}
	teller := &telemetry.Teller{Recorder: recorder, Log: p.mgr.GetLogger().WithName("release"), Now: time.Now}
	if p.options.tracesEndpoint != "" {
		if teller.Traces, err = telemetry.NewTraces(ctx, p.options.tracesEndpoint, p.cluster, metrics.Version()); err != nil {
			return err
		}
		p.last = append(p.last, teller.Traces.Close)
	}
	if teller.Notifier, err = p.notifier(); err != nil {
		return err
	}
	err = controllers.Setup(ctx, p.mgr, controllers.Options{
		Verifier: verifier, ConfigKey: configKey, Gate: tester, JudgeAgain: changed, Unreleased: selftest.Namespace,
		Cluster: p.cluster, Workers: p.options.workers,
		Teller: teller,
	})
	if err != nil {
		return fmt.Errorf("set up the controllers: %w", err)
	}
	caches, err := p.synced(ctx)
	if err != nil {
		return err
	}
	if err := errors.Join(
		p.mgr.Add(ring), p.mgr.Add(tester),
		p.mgr.AddReadyzCheck("trusted-keys", ring.Check),
		p.mgr.AddReadyzCheck("caches", caches),
	); err != nil {
		return fmt.Errorf("set up the operator: %w", err)
	}
	return nil
}

// notifier sends events elsewhere; nil where nobody wants them.
func (p *process) notifier() (telemetry.Notifier, error) {
	o := p.options
	if o.notifyURL == "" {
		return nil, nil
	}
	sender, err := notify.New(notify.Options{
		URL: o.notifyURL, KeyFile: o.notifyKeyFile, CAFile: o.notifyCAFile, RetryFor: o.notifyRetryFor,
		Reasons: strings.FieldsFunc(o.notifyReasons, func(r rune) bool { return r == ',' }),
		Cluster: p.cluster, Log: p.mgr.GetLogger().WithName("notify"), Now: time.Now,
	})
	if err != nil {
		return nil, fmt.Errorf("set up the notifications: %w", err)
	}
	p.last = append(p.last, sender.Close)
	return sender, p.mgr.Add(sender)
}

// synced is a health check: it fails until the Releases and policies are read.
func (p *process) synced(ctx context.Context) (func(*http.Request) error, error) {
	var informers []cache.Informer
	for _, kind := range []client.Object{&v1alpha1.Release{}, &v1alpha1.ApprovalPolicy{}} {
		informer, err := p.mgr.GetCache().GetInformer(ctx, kind, cache.BlockUntilSynced(false))
		if err != nil {
			return nil, fmt.Errorf("watch %T: %w", kind, err)
		}
		informers = append(informers, informer)
	}
	return func(*http.Request) error {
		for _, informer := range informers {
			if !informer.HasSynced() {
				return errors.New("the Releases and ApprovalPolicies are not read yet")
			}
		}
		return nil
	}, nil
}

// tester tests the gate as the probe, whom the operator may impersonate.
func (p *process) tester(ctx context.Context, ring *keys.Ring) (*selftest.Tester, error) {
	manifests, err := selftest.ReadManifests(policy.Files, webhookmanifest.Configuration, p.options.operatorUser())
	if err != nil {
		return nil, err
	}
	config := rest.CopyConfig(p.config)
	config.Impersonate = rest.ImpersonationConfig{UserName: selftest.User}
	probe, err := client.New(config, client.Options{Scheme: p.scheme, DryRun: new(true)})
	if err != nil {
		return nil, fmt.Errorf("connect to the cluster as the probe: %w", err)
	}
	t := &selftest.Tester{
		Operator: p.direct, Probe: probe, Configuration: p.mgr.GetClient(), Manifests: manifests,
		Verifier: ring.Verifier, Keys: ring.Try,
		Cluster: p.cluster, SystemNamespace: p.options.namespace, OperatorUser: p.options.operatorUser(),
	}
	return t, p.watchConfiguration(ctx, t)
}

// watchConfiguration has the gate tested when somebody touches it.
func (p *process) watchConfiguration(ctx context.Context, t *selftest.Tester) error {
	for _, kind := range []client.Object{
		&admissionregistrationv1.ValidatingAdmissionPolicy{}, &admissionregistrationv1.ValidatingAdmissionPolicyBinding{},
		&admissionregistrationv1.MutatingWebhookConfiguration{},
	} {
		informer, err := p.mgr.GetCache().GetInformer(ctx, kind, cache.BlockUntilSynced(false))
		if err != nil {
			return fmt.Errorf("watch %T: %w", kind, err)
		}
		_, err = informer.AddEventHandler(toolscache.ResourceEventHandlerFuncs{
			AddFunc: func(any) { t.Kick() }, UpdateFunc: func(any, any) { t.Kick() }, DeleteFunc: func(any) { t.Kick() },
		})
		if err != nil {
			return fmt.Errorf("watch %T: %w", kind, err)
		}
	}
	return nil
}

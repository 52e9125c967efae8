// Copyright The Countersign Authors.
// SPDX-License-Identifier: Apache-2.0

// The operator: it reconciles Releases and serves the admission webhook that
// stamps authors and signs votes.
package main

import (
	"context"
	"crypto/ed25519"
	"crypto/tls"
	"errors"
	"flag"
	"fmt"
	"net"
	"os"
	"strings"
	"time"

	"github.com/countersign/countersign/api/v1alpha1"
	"github.com/countersign/countersign/controllers"
	"github.com/countersign/countersign/controllers/admission"
	"github.com/countersign/countersign/controllers/receipt"
	"github.com/countersign/countersign/controllers/telemetry"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/runtime"
	utilruntime "k8s.io/apimachinery/pkg/util/runtime"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/rest"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/healthz"
	"sigs.k8s.io/controller-runtime/pkg/log/zap"
	metricsserver "sigs.k8s.io/controller-runtime/pkg/metrics/server"
	"sigs.k8s.io/controller-runtime/pkg/webhook"
)

// Objects that the operator shares with its replicas.
const (
	leaseName            = "countersign-operator"
	certificateSecret    = "countersign-webhook-certificate"
	signingKeySecret     = "countersign-signing-key"
	webhookConfiguration = "countersign"
	webhookService       = "countersign-webhook"
	operatorAccount      = "countersign-operator"
)

type options struct {
	namespace, metricsAddress, healthAddress, webhookHost, webhookURL string
	webhookPort, workers                                              int
	leaderElect                                                       bool
	qps                                                               float64
}

func main() {
	var o options
	flag.StringVar(&o.namespace, "namespace", "countersign-system", "namespace of the operator: its keys and lease live there")
	flag.StringVar(&o.metricsAddress, "metrics-bind-address", "0", "address of the metrics, such as :8080; 0 serves none")
	flag.StringVar(&o.healthAddress, "health-probe-bind-address", ":8081", "address of /healthz and /readyz; 0 serves none")
	flag.StringVar(&o.webhookHost, "webhook-bind-host", "", "address that the webhook listens on; empty means all")
	flag.IntVar(&o.webhookPort, "webhook-port", 9443, "port that the webhook listens on")
	flag.StringVar(&o.webhookURL, "webhook-url", "", "base URL by which the API server reaches the webhook of an operator that runs outside the cluster, such as https://127.0.0.1:9443; empty means through its Service")
	flag.IntVar(&o.workers, "workers", 4, "how many Releases are handled at once")
	flag.BoolVar(&o.leaderElect, "leader-elect", true, "let only one replica reconcile; all of them serve the webhook")
	flag.Float64Var(&o.qps, "kube-api-qps", 200, "API requests a second that the operator may make; bursts are twice as large")
	logging := zap.Options{}
	logging.BindFlags(flag.CommandLine)
	flag.Parse()
	ctrl.SetLogger(zap.New(zap.UseFlagOptions(&logging)))
	if err := run(ctrl.SetupSignalHandler(), o); err != nil && !errors.Is(err, context.Canceled) {
		ctrl.Log.Error(err, "the operator stopped")
		os.Exit(1)
	}
}

func run(ctx context.Context, o options) error {
	scheme := runtime.NewScheme()
	utilruntime.Must(clientgoscheme.AddToScheme(scheme))
	utilruntime.Must(v1alpha1.AddToScheme(scheme))
	config, err := ctrl.GetConfig()
	if err != nil {
		return fmt.Errorf("find the cluster: %w; set KUBECONFIG or --kubeconfig", err)
	}
	config.QPS, config.Burst = float32(o.qps), int(2*o.qps)
	direct, err := client.New(config, client.Options{Scheme: scheme})
	if err != nil {
		return fmt.Errorf("connect to the cluster: %w", err)
	}
	cluster, err := clusterID(ctx, direct)
	if err != nil {
		return err
	}
	key, err := admission.EnsureSigningKey(ctx, direct, o.namespace, signingKeySecret)
	if err != nil {
		return err
	}
	certificates, err := certificatesFor(ctx, direct, o)
	if err != nil {
		return err
	}
	mgr, err := newManager(config, scheme, o, certificates)
	if err != nil {
		return err
	}
	return start(ctx, mgr, o, cluster, key, certificates)
}

// clusterID tells this cluster from every other: it is part of each digest and
// receipt, so that none is good elsewhere.
func clusterID(ctx context.Context, c client.Client) (string, error) {
	var ns corev1.Namespace
	if err := c.Get(ctx, client.ObjectKey{Name: "kube-system"}, &ns); err != nil {
		return "", fmt.Errorf("read the id of the cluster from namespace kube-system: %w", err)
	}
	return string(ns.UID), nil
}

func certificatesFor(ctx context.Context, c client.Client, o options) (*admission.Certificates, error) {
	hosts := admission.CertificateOptions{
		Namespace: o.namespace, SecretName: certificateSecret,
		DNSNames:              []string{webhookService + "." + o.namespace + ".svc"},
		WebhookConfigurations: []string{webhookConfiguration},
	}
	if o.webhookURL != "" {
		hosts.DNSNames = append(hosts.DNSNames, "localhost")
		hosts.IPs = []net.IP{net.IPv4(127, 0, 0, 1), net.IPv6loopback}
	}
	return admission.EnsureCertificates(ctx, c, hosts)
}

func newManager(config *rest.Config, scheme *runtime.Scheme, o options, certificates *admission.Certificates) (ctrl.Manager, error) {
	caches, err := controllers.CacheOptions()
	if err != nil {
		return nil, err
	}
	mgr, err := ctrl.NewManager(config, ctrl.Options{
		Scheme: scheme, Cache: caches,
		Client:                 client.Options{Cache: &client.CacheOptions{EnableReadYourWritesConsistency: new(true)}},
		Metrics:                metricsserver.Options{BindAddress: o.metricsAddress},
		HealthProbeBindAddress: o.healthAddress,
		LeaderElection:         o.leaderElect, LeaderElectionID: leaseName, LeaderElectionNamespace: o.namespace,
		LeaderElectionReleaseOnCancel: true,
		WebhookServer: webhook.NewServer(webhook.Options{
			Host: o.webhookHost, Port: o.webhookPort,
			TLSOpts: []func(*tls.Config){func(c *tls.Config) { c.GetCertificate = certificates.GetCertificate }},
		}),
	})
	if err != nil {
		return nil, fmt.Errorf("set up the manager: %w", err)
	}
	return mgr, nil
}

func start(ctx context.Context, mgr ctrl.Manager, o options, cluster string, key ed25519.PrivateKey, certificates *admission.Certificates) error {
	signer := receipt.NewSigner(key)
	err := admission.Register(mgr, admission.Webhook{
		Reader: mgr.GetClient(), Signer: signer, Cluster: cluster, Now: time.Now,
		OperatorUser: strings.Join([]string{"system:serviceaccount", o.namespace, operatorAccount}, ":"),
	})
	if err != nil {
		return err
	}
	if err := telemetry.Register(); err != nil {
		return err
	}
	err = controllers.Setup(ctx, mgr, controllers.Options{
		Verifier: receipt.NewVerifier(signer.Public()), Cluster: cluster, Workers: o.workers,
		Teller: &telemetry.Teller{Recorder: mgr.GetEventRecorder("countersign"), Log: mgr.GetLogger().WithName("release")},
	})
	if err != nil {
		return fmt.Errorf("set up the controllers: %w", err)
	}
	if err := errors.Join(
		mgr.Add(certificates),
		mgr.AddHealthzCheck("ping", healthz.Ping),
		mgr.AddReadyzCheck("webhook", mgr.GetWebhookServer().StartedChecker()),
		mgr.AddReadyzCheck("certificate", certificates.Check),
	); err != nil {
		return fmt.Errorf("set up health checks: %w", err)
	}
	return mgr.Start(ctx)
}

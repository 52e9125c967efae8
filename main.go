// Copyright The Countersign Authors.
// SPDX-License-Identifier: Apache-2.0

// Countersign: the operator, which reconciles Releases, and the admission
// webhook, which stamps authors and signs votes. An install runs them as two
// Deployments with an account each; one process can be both.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"time"
	_ "time/tzdata" // windows are in time zones, which an image without files has none of

	"github.com/countersign/countersign/api/v1alpha1"
	"github.com/countersign/countersign/controllers/metrics"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/runtime"
	utilruntime "k8s.io/apimachinery/pkg/util/runtime"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/rest"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/healthz"
	"sigs.k8s.io/controller-runtime/pkg/log/zap"
	ctrlmetrics "sigs.k8s.io/controller-runtime/pkg/metrics"
)

// Objects that the operator shares with its replicas and with the webhook.
const (
	leaseName            = "countersign-operator"
	leaseRenewal         = 10 * time.Second // what a leader that cannot renew it ends after
	certificateSecret    = "countersign-webhook-certificate"
	webhookConfiguration = "countersign"
	webhookService       = "countersign-webhook"
	operatorAccount      = "countersign-operator"
)

type options struct {
	controller, webhook                                               bool
	namespace, metricsAddress, healthAddress, webhookHost, webhookURL string
	clientCA, leaderIdentity                                          string
	webhookPort, workers                                              int
	leaderElect, metricsSecure                                        bool
	qps                                                               float64
	keyOverlap, keyAge                                                time.Duration
	tracesEndpoint                                                    string
	notifyURL, notifyKeyFile, notifyCAFile, notifyReasons             string
	notifyRetryFor                                                    time.Duration
}

func (o *options) bind() {
	flag.BoolVar(&o.controller, "controller", true, "reconcile Releases, keep keys and certificates, and test the gate; needs the account countersign-operator")
	flag.BoolVar(&o.webhook, "webhook", true, "serve the admission webhook; the account countersign-webhook is enough where it is served alone")
	flag.StringVar(&o.namespace, "namespace", "countersign-system", "namespace of the operator: its keys and lease live there")
	flag.StringVar(&o.metricsAddress, "metrics-bind-address", "0", "address of the metrics, such as :8443; 0 serves none")
	flag.BoolVar(&o.metricsSecure, "metrics-secure", true, "serve the metrics by TLS, and only to whom RBAC lets get the URL /metrics; the account has to be allowed to create TokenReviews and SubjectAccessReviews")
	flag.StringVar(&o.healthAddress, "health-probe-bind-address", ":8081", "address of /healthz and /readyz; 0 serves none")
	flag.StringVar(&o.webhookHost, "webhook-bind-host", "", "address that the webhook listens on; empty means all")
	flag.IntVar(&o.webhookPort, "webhook-port", 9443, "port that the webhook listens on")
	flag.StringVar(&o.webhookURL, "webhook-url", "", "base URL by which the API server reaches the webhook of an operator that runs outside the cluster, such as https://127.0.0.1:9443; empty means through its Service")
	flag.StringVar(&o.clientCA, "webhook-client-ca", "", "file of the authority whose client certificates may call the webhook, where the API server is configured to show one (kubeConfigFile of its AdmissionConfiguration); empty lets every caller ask")
	flag.IntVar(&o.workers, "workers", 4, "how many Releases are handled at once")
	flag.BoolVar(&o.leaderElect, "leader-elect", true, "let only one replica reconcile; all of them serve the webhook")
	flag.StringVar(&o.leaderIdentity, "leader-identity", "", "name under which this process leads; no two that run at once may have the same. One that a Pod keeps leads again as soon as its process is restarted, instead of when its lease has run out. Empty is another one for each process")
	flag.Float64Var(&o.qps, "kube-api-qps", 200, "API requests a second that the process may make; bursts are twice as large")
	flag.DurationVar(&o.keyOverlap, "key-overlap", 7*24*time.Hour, "how long the former key of receipts is trusted after a rotation; give it the longest validFor of your policies")
	flag.DurationVar(&o.keyAge, "key-age", 90*24*time.Hour, "age at which the key of receipts is replaced; 0 means never")
	flag.StringVar(&o.tracesEndpoint, "traces-endpoint", "", "URL of an OTLP collector, such as http://collector:4318/v1/traces, that each release is sent to as a trace; the environment OTEL_EXPORTER_OTLP_* says the rest; empty sends none")
	flag.StringVar(&o.notifyURL, "notify-url", "", "URL that events of Releases are posted to as CloudEvents, such as https://hooks.example.com/countersign; empty sends none")
	flag.StringVar(&o.notifyKeyFile, "notify-key-file", "", "file with the key that notifications are signed with, whsec_ and at least 24 random bytes in base64; one more on a line of its own while it is rotated, which takes no restart")
	flag.StringVar(&o.notifyCAFile, "notify-ca-file", "", "file of the authorities that the endpoint of notifications is trusted by; empty means those of the system")
	flag.StringVar(&o.notifyReasons, "notify-reasons", "", "reasons of the events that are sent, such as RolledBack,ReleaseHalted; empty means all")
	flag.DurationVar(&o.notifyRetryFor, "notify-retry-for", 15*time.Minute, "for how long a notification is tried before it is dropped")
}

func main() {
	var o options
	o.bind()
	logging := zap.Options{}
	logging.BindFlags(flag.CommandLine)
	flag.Parse()
	ctrl.SetLogger(zap.New(zap.UseFlagOptions(&logging)))
	if err := run(ctrl.SetupSignalHandler(), o); err != nil && !errors.Is(err, context.Canceled) {
		ctrl.Log.Error(err, "the process stopped")
		os.Exit(1)
	}
}

// process is what both parts are made of.
type process struct {
	options options
	config  *rest.Config
	scheme  *runtime.Scheme
	// direct reads from the API server and writes.
	direct client.Client
	mgr    ctrl.Manager
	// cluster is the id of the cluster.
	cluster string
	// last is done when the process has stopped, and its lease is given up.
	last []func(context.Context) error
}

// lastLimit is how long what is done last may take.
const lastLimit = 3 * time.Second

func run(ctx context.Context, o options) error {
	if !o.controller && !o.webhook {
		return errors.New("there is nothing to do: set --controller, --webhook or both")
	}
	p := process{options: o, scheme: runtime.NewScheme()}
	utilruntime.Must(clientgoscheme.AddToScheme(p.scheme))
	utilruntime.Must(v1alpha1.AddToScheme(p.scheme))
	var err error
	if p.config, err = ctrl.GetConfig(); err != nil {
		return fmt.Errorf("find the cluster: %w; set KUBECONFIG or --kubeconfig", err)
	}
	p.config.QPS, p.config.Burst = float32(o.qps), int(2*o.qps)
	if p.direct, err = client.New(p.config, client.Options{Scheme: p.scheme}); err != nil {
		return fmt.Errorf("connect to the cluster: %w", err)
	}
	if p.cluster, err = clusterID(ctx, p.direct); err != nil {
		return err
	}
	certificates, err := p.certificates(ctx)
	if err != nil {
		return err
	}
	if p.mgr, err = p.manager(certificates); err != nil {
		return err
	}
	if err := metrics.Register(ctrlmetrics.Registry, metrics.Build()); err != nil {
		return err
	}
	if o.controller {
		if err := p.setUpOperator(ctx); err != nil {
			return err
		}
	}
	if o.webhook {
		if err := p.setUpWebhook(ctx, certificates); err != nil {
			return err
		}
	}
	if err := errors.Join(p.mgr.Add(certificates), p.mgr.AddHealthzCheck("ping", healthz.Ping)); err != nil {
		return fmt.Errorf("set up the process: %w", err)
	}
	err = p.mgr.Start(ctx)
	bounded, cancel := context.WithTimeout(context.WithoutCancel(ctx), lastLimit)
	defer cancel()
	for _, last := range p.last {
		if err := last(bounded); err != nil {
			p.mgr.GetLogger().Info("Something was not sent any more", "why", err.Error())
		}
	}
	return err
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

// operatorUser is what the API server calls the operator.
func (o options) operatorUser() string {
	return "system:serviceaccount:" + o.namespace + ":" + operatorAccount
}

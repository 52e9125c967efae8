// Copyright The Countersign Authors.
// SPDX-License-Identifier: Apache-2.0

package apiserver

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/countersign/countersign/api/v1alpha1"
	"github.com/countersign/countersign/controllers/admission"
	"github.com/countersign/countersign/hack/cluster/identity"
	"github.com/countersign/countersign/hack/cluster/local"
	"github.com/countersign/countersign/hack/cluster/process"
	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
)

// operator is what an install runs, as processes beside the API server: the
// operator and the webhook, each with the account that it has there.
type operator struct {
	directory, binary   string
	webhookPort         int // both on 127.0.0.1
	controller, webhook *part
}

// part is one of the two processes.
type part struct {
	name, kubeconfig, log string
	healthPort            int
	metricsPort           int
	process               *process.Process
}

const webhookName = "countersign"

// startOperator builds the operator, makes the API server call it, and starts it.
func startOperator(t testing.TB, w *world) {
	o := &operator{directory: w.plane.Dir(), webhookPort: freePort(t)}
	o.binary = filepath.Join(o.directory, "operator")
	build := exec.CommandContext(within(t), "go", "build", "-o", o.binary, ".")
	build.Dir = filepath.Dir(configDirectory)
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("build the operator: %v\n%s", err, out)
	}
	o.controller = o.part(t, w, "operator", operatorAccount)
	o.webhook = o.part(t, w, "webhook", webhookAccount)
	for _, m := range manifests(t, "webhook") {
		if m.GetKind() == "MutatingWebhookConfiguration" {
			w.install(t, []*unstructured.Unstructured{withURL(t, m, o.url())})
		}
	}
	w.operator = o
	o.start(t)
}

func (o *operator) part(t testing.TB, w *world, name, account string) *part {
	t.Helper()
	p := &part{
		name: name, kubeconfig: filepath.Join(o.directory, name+".kubeconfig"),
		log: filepath.Join(o.directory, "logs", name+".log"), healthPort: freePort(t), metricsPort: freePort(t),
	}
	token, err := local.ServiceAccountToken(within(t), w.admin.config, systemNamespace, account)
	if err != nil {
		t.Fatal(err)
	}
	kubeconfig := identity.NewKubeconfig(w.admin.config.Host, w.plane.CA())
	identity.AddToken(kubeconfig, name, token)
	if err := identity.WriteKubeconfig(kubeconfig, p.kubeconfig); err != nil {
		t.Fatal(err)
	}
	return p
}

func (o *operator) url() string { return fmt.Sprintf("https://127.0.0.1:%d", o.webhookPort) }

// withURL is a webhook configuration that calls a process instead of a Service.
func withURL(t testing.TB, m *unstructured.Unstructured, url string) *unstructured.Unstructured {
	t.Helper()
	var configuration admissionregistrationv1.MutatingWebhookConfiguration
	if err := runtime.DefaultUnstructuredConverter.FromUnstructured(m.Object, &configuration); err != nil {
		t.Fatal(err)
	}
	admission.UseURL(&configuration, url)
	object, err := runtime.DefaultUnstructuredConverter.ToUnstructured(&configuration)
	if err != nil {
		t.Fatal(err)
	}
	return &unstructured.Unstructured{Object: object}
}

// start returns when both are ready and the webhook answers.
func (o *operator) start(t testing.TB) {
	t.Helper()
	o.startWebhook(t)
	o.startController(t)
	o.controller.awaitReady(t)
	o.webhook.awaitReady(t)
}

func (o *operator) startController(t testing.TB, more ...string) {
	t.Helper()
	o.launch(t, o.controller, append([]string{"--webhook=false", "--leader-elect=true"}, more...)...)
}

func (o *operator) startWebhook(t testing.TB) {
	t.Helper()
	o.launch(t, o.webhook, "--controller=false", "--webhook-bind-host=127.0.0.1", fmt.Sprintf("--webhook-port=%d", o.webhookPort))
}

func (o *operator) launch(t testing.TB, p *part, args ...string) {
	t.Helper()
	var err error
	p.process, err = process.Start(process.Spec{
		Name: p.name, Path: o.binary, Log: p.log,
		Args: append([]string{
			"--kubeconfig=" + p.kubeconfig, "--namespace=" + systemNamespace, "--webhook-url=" + o.url(),
			fmt.Sprintf("--health-probe-bind-address=127.0.0.1:%d", p.healthPort),
			fmt.Sprintf("--metrics-bind-address=127.0.0.1:%d", p.metricsPort),
		}, args...),
	})
	if err != nil {
		t.Fatal(err)
	}
}

func (p *part) awaitReady(t testing.TB) {
	t.Helper()
	eventually(t, "the "+p.name+" is ready", func() string {
		select {
		case <-p.process.Done():
			t.Fatal(p.process.Err())
		default:
		}
		return p.readiness()
	})
}

func (p *part) readiness() string {
	response, err := http.Get(fmt.Sprintf("http://127.0.0.1:%d/readyz?verbose", p.healthPort))
	if err != nil {
		return err.Error()
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		return response.Status
	}
	return ""
}

// stop ends both as kubelet does: the operator gives its lease back.
func (o *operator) stop() {
	o.controller.stop()
	o.webhook.stop()
}

func (p *part) stop() {
	if p.process != nil {
		p.process.Stop(10 * time.Second)
	}
}

// tellLog shows the logs when the test has failed.
func (o *operator) tellLog(t testing.TB) {
	t.Cleanup(func() {
		if !t.Failed() {
			return
		}
		for _, p := range []*part{o.controller, o.webhook} {
			raw, err := os.ReadFile(p.log)
			if err != nil {
				t.Log(err)
				continue
			}
			t.Logf("the end of the %s's log:\n%s", p.name, raw[max(0, len(raw)-6000):])
		}
	})
}

func freePort(t testing.TB) int {
	t.Helper()
	var config net.ListenConfig
	l, err := config.Listen(context.Background(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().(*net.TCPAddr).Port
}

// withoutPolicies takes the bindings of all policies away until the test ends.
func (w *world) withoutPolicies(t testing.TB) {
	t.Helper()
	for _, o := range manifests(t, "policy") {
		if o.GetKind() == "ValidatingAdmissionPolicyBinding" {
			w.delete(t, o)
		}
	}
	w.awaitPolicies(t)
	t.Cleanup(func() {
		w.install(t, manifests(t, "policy"))
		w.awaitPolicies(t)
	})
}

// withoutWebhook takes the webhook configuration away until the test ends, and
// returns when the API server no longer calls it: that takes a moment.
func (w *world) withoutWebhook(t testing.TB) {
	t.Helper()
	client := w.admin.resource("mutatingwebhookconfigurations", "")
	stored, err := client.Get(within(t), webhookName, metav1.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	w.delete(t, stored)
	w.awaitWebhook(t, false)
	t.Cleanup(func() {
		w.install(t, []*unstructured.Unstructured{applied(stored)})
		w.awaitWebhook(t, true)
	})
}

// awaitWebhook waits until the API server calls the webhook, or no longer does.
// That a write is admitted says neither: the webhook replaces what it did not sign.
func (w *world) awaitWebhook(t testing.TB, called bool) {
	t.Helper()
	probe := object(t, releaseText("webhook-canary"))
	probe.SetNamespace("default")
	eventually(t, fmt.Sprintf("it is %t that the webhook is called", called), func() string {
		got, err := w.admin.of(probe).Create(within(t), probe, metav1.CreateOptions{DryRun: dryRun})
		stamped := err == nil && got.GetAnnotations()[v1alpha1.AuthorsReceiptAnnotation] != ""
		if stamped != called {
			return fmt.Sprintf("it is %t that it stamped a Release; %s", stamped, text(err))
		}
		return ""
	})
}

func (w *world) delete(t testing.TB, o *unstructured.Unstructured) {
	t.Helper()
	if err := w.admin.of(o).Delete(within(t), o.GetName(), metav1.DeleteOptions{}); err != nil {
		t.Fatalf("delete %s %s: %v", o.GetKind(), o.GetName(), err)
	}
}

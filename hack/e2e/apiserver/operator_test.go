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

	"github.com/countersign/countersign/controllers/admission"
	"github.com/countersign/countersign/hack/cluster/identity"
	"github.com/countersign/countersign/hack/cluster/local"
	"github.com/countersign/countersign/hack/cluster/process"
	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
)

// operator is the operator as a process beside the API server.
type operator struct {
	directory, binary, kubeconfig string
	webhookPort, healthPort       int
	process                       *process.Process
}

const webhookName = "countersign"

// startOperator builds the operator, makes the API server call it, and starts it.
func startOperator(t testing.TB, w *world) {
	o := &operator{directory: w.plane.Dir(), webhookPort: freePort(t), healthPort: freePort(t)}
	o.binary, o.kubeconfig = filepath.Join(o.directory, "operator"), filepath.Join(o.directory, "operator.kubeconfig")
	build := exec.CommandContext(within(t), "go", "build", "-o", o.binary, ".")
	build.Dir = filepath.Dir(configDirectory)
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("build the operator: %v\n%s", err, out)
	}
	token, err := local.ServiceAccountToken(within(t), w.admin.config, systemNamespace, operatorAccount)
	if err != nil {
		t.Fatal(err)
	}
	kubeconfig := identity.NewKubeconfig(w.admin.config.Host, w.plane.CA())
	identity.AddToken(kubeconfig, "operator", token)
	if err := identity.WriteKubeconfig(kubeconfig, o.kubeconfig); err != nil {
		t.Fatal(err)
	}
	for _, m := range manifests(t, "webhook") {
		if m.GetKind() == "MutatingWebhookConfiguration" {
			w.install(t, []*unstructured.Unstructured{withURL(t, m, o.url())})
		}
	}
	w.operator = o
	o.start(t)
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

// start returns when the operator is ready and its webhook answers.
func (o *operator) start(t testing.TB) {
	t.Helper()
	var err error
	o.process, err = process.Start(process.Spec{
		Name: "operator", Path: o.binary, Log: o.log(),
		Args: []string{
			"--kubeconfig=" + o.kubeconfig, "--namespace=" + systemNamespace, "--leader-elect=true",
			"--webhook-bind-host=127.0.0.1", fmt.Sprintf("--webhook-port=%d", o.webhookPort), "--webhook-url=" + o.url(),
			fmt.Sprintf("--health-probe-bind-address=127.0.0.1:%d", o.healthPort), "--metrics-bind-address=0",
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	eventually(t, "the operator is ready", func() string {
		select {
		case <-o.process.Done():
			t.Fatal(o.process.Err())
		default:
		}
		return o.readiness()
	})
}

func (o *operator) readiness() string {
	response, err := http.Get(fmt.Sprintf("http://127.0.0.1:%d/readyz?verbose", o.healthPort))
	if err != nil {
		return err.Error()
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		return response.Status
	}
	return ""
}

func (o *operator) log() string { return filepath.Join(o.directory, "logs", "operator.log") }

// stop ends it as kubelet does: it gives its lease back.
func (o *operator) stop() { o.process.Stop(10 * time.Second) }

// tellLog shows the operator's log when the test has failed.
func (o *operator) tellLog(t testing.TB) {
	t.Cleanup(func() {
		if !t.Failed() {
			return
		}
		raw, err := os.ReadFile(o.log())
		if err != nil {
			t.Log(err)
			return
		}
		t.Logf("the end of the operator's log:\n%s", raw[max(0, len(raw)-6000):])
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

// withoutWebhook takes the webhook configuration away until the test ends.
func (w *world) withoutWebhook(t testing.TB) {
	t.Helper()
	client := w.admin.resource("mutatingwebhookconfigurations", "")
	stored, err := client.Get(within(t), webhookName, metav1.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	w.delete(t, stored)
	t.Cleanup(func() {
		w.install(t, []*unstructured.Unstructured{applied(stored)})
	})
}

func (w *world) delete(t testing.TB, o *unstructured.Unstructured) {
	t.Helper()
	if err := w.admin.of(o).Delete(within(t), o.GetName(), metav1.DeleteOptions{}); err != nil {
		t.Fatalf("delete %s %s: %v", o.GetKind(), o.GetName(), err)
	}
}

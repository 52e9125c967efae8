// Copyright The Countersign Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"crypto/tls"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/countersign/countersign/controllers/admission"
	"github.com/go-logr/logr"
	"k8s.io/client-go/rest"
)

// TestMetricsAreGuarded: by TLS, and nobody without a token gets them. Who has
// one is the API server's to say: TestMetrics in hack/e2e/apiserver.
func TestMetricsAreGuarded(t *testing.T) {
	p := process{options: options{metricsAddress: ":8443", metricsSecure: true}}
	o := p.metrics(&admission.Certificates{})
	var config tls.Config
	for _, option := range o.TLSOpts {
		option(&config)
	}
	if !o.SecureServing || config.GetCertificate == nil {
		t.Error("the metrics are not served with the webhook's certificate")
	}
	if o.FilterProvider == nil {
		t.Fatal("the metrics are served to everybody")
	}
	filter, err := o.FilterProvider(&rest.Config{Host: "https://127.0.0.1:1"}, http.DefaultClient)
	if err != nil {
		t.Fatal(err)
	}
	handler, err := filter(logr.Discard(), http.HandlerFunc(func(http.ResponseWriter, *http.Request) { t.Error("somebody without a token gets them") }))
	if err != nil {
		t.Fatal(err)
	}
	answer := httptest.NewRecorder()
	handler.ServeHTTP(answer, httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/metrics", nil))
	if answer.Code != http.StatusUnauthorized {
		t.Errorf("status %d, want %d", answer.Code, http.StatusUnauthorized)
	}
	p.options.metricsSecure = false
	if o := p.metrics(&admission.Certificates{}); o.SecureServing || o.FilterProvider != nil || o.BindAddress != ":8443" {
		t.Errorf("with --metrics-secure=false they are served by %+v", o)
	}
}

// Copyright The Countersign Authors.
// SPDX-License-Identifier: Apache-2.0

package apiserver

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
)

// TestMetrics: by TLS, with the certificate of the webhook, to whom RBAC lets
// get them and to nobody else.
func TestMetrics(t *testing.T) {
	s := openShop(t)
	s.operator.controller.awaitReady(t)
	s.operator.webhook.awaitReady(t)
	admin, err := kubernetes.NewForConfig(s.admin.config)
	if err != nil {
		t.Fatal(err)
	}
	secret, err := admin.CoreV1().Secrets(systemNamespace).Get(within(t), "countersign-webhook-certificate", metav1.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	_, err = admin.CoreV1().ServiceAccounts(s.namespace).Create(within(t), &corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Name: "scraper"}}, metav1.CreateOptions{})
	if err != nil {
		t.Fatal(err)
	}
	binding := &rbacv1.ClusterRoleBinding{
		ObjectMeta: metav1.ObjectMeta{Name: s.namespace + "-scraper"},
		RoleRef:    rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: "countersign-metrics"},
		Subjects:   []rbacv1.Subject{{Kind: "ServiceAccount", Namespace: s.namespace, Name: "scraper"}},
	}
	if _, err := admin.RbacV1().ClusterRoleBindings().Create(within(t), binding, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	roots := x509.NewCertPool()
	if !roots.AppendCertsFromPEM(secret.Data["ca.crt"]) {
		t.Fatal("the Secret has no authority")
	}
	transport := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots, ServerName: "countersign-webhook." + systemNamespace + ".svc"}}
	defer transport.CloseIdleConnections()
	get := func(of *part, token string) (int, string, error) {
		request, err := http.NewRequestWithContext(within(t), http.MethodGet, fmt.Sprintf("https://127.0.0.1:%d/metrics", of.metricsPort), nil)
		if err != nil {
			t.Fatal(err)
		}
		if token != "" {
			request.Header.Set("Authorization", "Bearer "+token)
		}
		response, err := (&http.Client{Transport: transport}).Do(request)
		if err != nil {
			return 0, "", err
		}
		defer response.Body.Close()
		body, err := io.ReadAll(response.Body)
		return response.StatusCode, string(body), err
	}
	token := s.asAccount(t, s.namespace, "scraper").config.BearerToken
	for _, of := range []struct {
		*part
		metric string
	}{{s.operator.controller, "countersign_gate_intact"}, {s.operator.webhook, "countersign_admission_decisions_total"}} {
		for _, row := range []struct {
			who, token string
			want       int
		}{
			{"nobody", "", http.StatusUnauthorized},
			{"a made-up token", "made-up", http.StatusInternalServerError}, // controller-runtime calls it a failure
			{"an account without the role", s.people["bot"].config.BearerToken, http.StatusForbidden},
		} {
			t.Run(of.name+" asked by "+row.who, func(t *testing.T) {
				status, body, err := get(of.part, row.token)
				if err != nil || status != row.want {
					t.Errorf("status %d %v, want %d", status, err, row.want)
				}
				if strings.Contains(body, "countersign_") {
					t.Error("the answer has metrics in it")
				}
			})
		}
		t.Run(of.name+" asked by an account with the role", func(t *testing.T) {
			eventually(t, "it gets the metrics", func() string {
				status, body, err := get(of.part, token)
				if err != nil || status != http.StatusOK || !strings.Contains(body, of.metric) {
					return fmt.Sprint(status, " ", err)
				}
				return ""
			})
		})
	}
}

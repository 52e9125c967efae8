// Copyright The Countersign Authors.
// SPDX-License-Identifier: Apache-2.0

package local

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"

	"github.com/countersign/countersign/hack/cluster/identity"
)

// Inside names the cluster in whose namespaces this process runs, if any.
func Inside() string { return os.Getenv(inside) }

// Program is this very program, as it was when the cluster was started.
func (c *Cluster) Program() string { return c.state.file("cluster") }

// ServiceAccountToken asks, as admin, for a new token of a ServiceAccount.
func (c *Cluster) ServiceAccountToken(ctx context.Context, namespace, name string) (string, error) {
	cfg, err := c.Config(c.adminContext())
	if err != nil {
		return "", err
	}
	return ServiceAccountToken(ctx, cfg, namespace, name)
}

// AddContext adds, or replaces, a context with a bearer token.
func (c *Cluster) AddContext(name, token string) error {
	if c.state.Form == Existing {
		return errors.New("the kubeconfig of an existing cluster is not ours to change")
	}
	return AddContext(c.kube, name, token)
}

// adminContext is, in somebody's own kubeconfig, whichever is the current one.
func (c *Cluster) adminContext() string {
	if c.state.Form == Existing {
		return ""
	}
	return identity.Admin
}

// ServiceAddress is the ClusterIP of the Service NAME or NAME.NAMESPACE, with or
// without the rest of its name in a cluster's DNS.
func (c *Cluster) ServiceAddress(ctx context.Context, host string) (netip.Addr, error) {
	name, rest, _ := strings.Cut(strings.TrimSuffix(strings.TrimSuffix(host, ".cluster.local"), ".svc"), ".")
	namespace := rest
	if namespace == "" {
		namespace = metav1.NamespaceDefault
	}
	cfg, err := c.Config(c.adminContext())
	if err != nil {
		return netip.Addr{}, err
	}
	client, err := kubernetes.NewForConfig(cfg)
	if err != nil {
		return netip.Addr{}, err
	}
	service, err := client.CoreV1().Services(namespace).Get(ctx, name, metav1.GetOptions{})
	if err != nil {
		return netip.Addr{}, fmt.Errorf("%s is no Service of this cluster: %w", host, err)
	}
	address, err := netip.ParseAddr(service.Spec.ClusterIP)
	if err != nil {
		return netip.Addr{}, fmt.Errorf("Service %s/%s has no ClusterIP", namespace, name)
	}
	return address, nil
}

// Copyright The Countersign Authors.
// SPDX-License-Identifier: Apache-2.0

package checks

import (
	"context"
	"net"
	"net/netip"
	"net/url"
	"strings"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// services finds what address leads to a Service. Names are not looked up in
// DNS, and only a Service's own address is connected to: whoever writes a check
// cannot send the operator anywhere else, such as to the metadata of its node.
type services struct {
	reader client.Reader
	recent recent[types.NamespacedName, netip.Addr]
}

// dialer of the Service that a URL names.
func (s *services) dialer(ctx context.Context, at *url.URL) (dialer, error) {
	name, rest, _ := strings.Cut(at.Hostname(), ".")
	namespace, rest, _ := strings.Cut(rest, ".")
	if domain, _, _ := strings.Cut(rest, "."); name == "" || namespace == "" || domain != "svc" {
		return nil, unclearf("address names no Service: write http://<service>.<namespace>.svc:<port>")
	}
	key := types.NamespacedName{Namespace: namespace, Name: name}
	ip, err := s.recent.get(ctx, key, func(ctx context.Context) (netip.Addr, error) { return s.find(ctx, key) })
	if err != nil {
		return nil, err
	}
	port := at.Port()
	if port == "" {
		port = map[string]string{"http": "80", "https": "443"}[at.Scheme]
	}
	to := net.JoinHostPort(ip.String(), port)
	return func(ctx context.Context, network, _ string) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, network, to)
	}, nil
}

func (s *services) find(ctx context.Context, key types.NamespacedName) (netip.Addr, error) {
	var svc corev1.Service
	err := s.reader.Get(ctx, key, &svc)
	ip, _ := netip.ParseAddr(svc.Spec.ClusterIP)
	switch {
	case apierrors.IsNotFound(err):
		return ip, unclearf("Service %s, which address names, does not exist", key)
	case err != nil:
		return ip, unclearf("Service %s, which address names, cannot be read", key)
	case svc.Spec.Type == corev1.ServiceTypeExternalName || !ip.IsValid():
		return ip, unclearf("Service %s, which address names, has no cluster IP; name one that has", key)
	}
	return ip, nil
}

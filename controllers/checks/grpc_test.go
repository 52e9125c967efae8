// Copyright The Countersign Authors.
// SPDX-License-Identifier: Apache-2.0

package checks

import (
	"context"
	"crypto/tls"
	"net"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"

	"github.com/countersign/countersign/api/v1alpha1"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// healthServer answers as told.
type healthServer struct {
	grpc_health_v1.UnimplementedHealthServer
	answer func(context.Context, string) (int32, error)
}

func (s healthServer) Check(ctx context.Context, r *grpc_health_v1.HealthCheckRequest) (*grpc_health_v1.HealthCheckResponse, error) {
	n, err := s.answer(ctx, r.Service)
	return &grpc_health_v1.HealthCheckResponse{Status: grpc_health_v1.HealthCheckResponse_ServingStatus(n)}, err
}

func grpcTarget(t *testing.T, answer func(context.Context, string) (int32, error), options ...grpc.ServerOption) Target {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	server := grpc.NewServer(options...)
	if answer != nil {
		grpc_health_v1.RegisterHealthServer(server, healthServer{answer: answer})
	}
	go func() { _ = server.Serve(listener) }()
	t.Cleanup(server.Stop)
	at := netip.MustParseAddrPort(listener.Addr().String())
	return Target{Pod: "shop-0", IP: at.Addr().String(), Port: int32(at.Port())}
}

func is(n int32) func(context.Context, string) (int32, error) {
	return func(context.Context, string) (int32, error) { return n, nil }
}

func fails(code codes.Code) func(context.Context, string) (int32, error) {
	return func(context.Context, string) (int32, error) { return 0, status.Error(code, "hidden") }
}

func TestGRPC(t *testing.T) {
	about := v1alpha1.GRPCCheck{Service: "shop.v1.Shop"}
	for name, tc := range map[string]struct {
		check  v1alpha1.GRPCCheck
		answer func(context.Context, string) (int32, error)
		// timeout in seconds; 0 is long enough for what answers.
		timeout int32
		want    string
	}{
		"serving": {answer: is(1)},
		"the service it asks about": {check: about, answer: func(ctx context.Context, service string) (int32, error) {
			agent := metadata.ValueFromIncomingContext(ctx, "user-agent")
			if service != "shop.v1.Shop" || len(agent) != 1 || !strings.HasPrefix(agent[0], userAgent) {
				return 2, nil
			}
			return 1, nil
		}},
		"not serving":               {answer: is(2), want: "Pod shop-0 is NOT_SERVING"},
		"not serving, of a service": {check: about, answer: is(2), want: "Pod shop-0 is NOT_SERVING for service shop.v1.Shop"},
		"unknown":                   {answer: is(0), want: "Pod shop-0 is UNKNOWN"},
		"a service that is unknown": {check: about, answer: is(3), want: "SERVICE_UNKNOWN"},
		"a number of its own":       {answer: is(77), want: "in a state that is not known"},
		"not found":                 {check: about, answer: fails(codes.NotFound), want: "does not know how it is for service shop.v1.Shop"},
		"no health service":         {want: "does not have the service grpc.health.v1.Health"},
		"a refusal":                 {answer: fails(codes.PermissionDenied), want: "answered gRPC code PermissionDenied"},
		"unavailable":               {answer: fails(codes.Unavailable), want: "broke off the connection, or does not speak gRPC"},
		"one that hangs":            {answer: func(ctx context.Context, _ string) (int32, error) { <-ctx.Done(); return 1, nil }, timeout: 1, want: "Pod shop-0 did not answer"},
		"one that says more than an answer holds": {answer: func(ctx context.Context, _ string) (int32, error) {
			return 1, grpc.SetHeader(ctx, metadata.Pairs("x", strings.Repeat("x", 2*headLimit)))
		}, want: "Pod shop-0"},
		"one that does not speak TLS": {check: v1alpha1.GRPCCheck{TLS: &v1alpha1.CheckTLS{InsecureSkipVerify: true}}, answer: is(1), want: "Pod shop-0"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			answers(t, put(t, v1alpha1.Check{GRPC: &tc.check, TimeoutSeconds: tc.timeout}, grpcTarget(t, tc.answer)), tc.want)
		})
	}
	to := target(t, says("hidden"))
	answers(t, put(t, v1alpha1.Check{GRPC: &v1alpha1.GRPCCheck{}}, to), "does not speak gRPC")
	to.Port = 1
	answers(t, put(t, v1alpha1.Check{GRPC: &v1alpha1.GRPCCheck{}}, to), "refused the connection")
}

func TestGRPCWithTLS(t *testing.T) {
	server := httptest.NewUnstartedServer(nil)
	server.StartTLS()
	defer server.Close()
	_, certificate := secure(t, nil)
	to := grpcTarget(t, is(1), grpc.Creds(credentials.NewTLS(&tls.Config{Certificates: server.TLS.Certificates})))
	secret := &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: shop.Namespace, Name: "ca"}, Data: map[string][]byte{"ca.crt": certificate}}
	for name, tc := range map[string]struct {
		tls  *v1alpha1.CheckTLS
		want string
	}{
		"its certificate": {tls: &v1alpha1.CheckTLS{CA: ca(v1alpha1.Secret, ""), ServerName: "example.com"}},
		"any certificate": {tls: &v1alpha1.CheckTLS{InsecureSkipVerify: true}},
		"another name":    {tls: &v1alpha1.CheckTLS{CA: ca(v1alpha1.Secret, ""), ServerName: "shop.internal"}, want: "showed a certificate that ca did not sign"},
		"no CA":           {tls: &v1alpha1.CheckTLS{CA: ca(v1alpha1.ConfigMap, ""), ServerName: "example.com"}, want: "ConfigMap ca, which tls.ca names, does not exist"},
		"without TLS":     {want: "does not speak gRPC"},
	} {
		t.Run(name, func(t *testing.T) {
			answers(t, put(t, v1alpha1.Check{GRPC: &v1alpha1.GRPCCheck{TLS: tc.tls}}, to, secret), tc.want)
		})
	}
}

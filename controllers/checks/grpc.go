// Copyright The Countersign Authors.
// SPDX-License-Identifier: Apache-2.0

package checks

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"sync/atomic"

	"github.com/countersign/countersign/api/v1alpha1"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/status"
)

// answerLimit is how long a health answer may be, in bytes.
const answerLimit = 4 << 10

// health is a GRPCCheck that is ready to be asked.
type health struct {
	service string
	config  *tls.Config
}

func grpcQuestion(c v1alpha1.GRPCCheck, config *tls.Config) question {
	if config != nil {
		config.NextProtos = []string{"h2"}
	}
	return health{c.Service, config}.ask
}

// ask on a connection that is opened before: what is wrong with it is known from
// there, and it is opened once.
func (h health) ask(ctx context.Context, t Target) error {
	conn, err := dial(ctx, t, h.config)
	if err != nil {
		return podError(t, err)
	}
	defer conn.Close()
	client, err := newGRPC(conn, address(t))
	if err != nil {
		return unclearf("the question cannot be put by gRPC")
	}
	defer client.Close()
	answer, err := grpc_health_v1.NewHealthClient(client).Check(ctx, &grpc_health_v1.HealthCheckRequest{Service: h.service})
	if err != nil {
		return h.refusal(t, status.Code(err))
	}
	if answer.Status != grpc_health_v1.HealthCheckResponse_SERVING {
		return fmt.Errorf("Pod %s is %s%s", t.Pod, statusName(answer.Status), h.of())
	}
	return nil
}

// newGRPC speaks gRPC on one connection: without a proxy, without settings that
// the other end or DNS sends, and without trying again.
func newGRPC(conn net.Conn, authority string) (*grpc.ClientConn, error) {
	var used atomic.Bool
	return grpc.NewClient("passthrough:///"+authority,
		grpc.WithContextDialer(func(context.Context, string) (net.Conn, error) {
			if used.Swap(true) {
				return nil, errors.New("the connection is used up")
			}
			return conn, nil
		}),
		grpc.WithTransportCredentials(insecure.NewCredentials()), // TLS is below it
		grpc.WithNoProxy(), grpc.WithDisableServiceConfig(), grpc.WithDisableRetry(), grpc.WithDisableHealthCheck(),
		grpc.WithUserAgent(userAgent), grpc.WithMaxHeaderListSize(headLimit),
		grpc.WithDefaultCallOptions(grpc.MaxCallRecvMsgSize(answerLimit)),
	)
}

// of says which service is meant.
func (h health) of() string {
	if h.service == "" {
		return ""
	}
	return " for service " + h.service
}

// refusal says what a code means here. Texts of the server are not told on.
func (h health) refusal(t Target, code codes.Code) error {
	switch code {
	case codes.Unimplemented:
		return fmt.Errorf("Pod %s does not have the service grpc.health.v1.Health", t.Pod)
	case codes.NotFound:
		return fmt.Errorf("Pod %s does not know how it is%s", t.Pod, h.of())
	case codes.DeadlineExceeded: // the server is told the deadline, and may be the first to see it pass
		return fmt.Errorf("Pod %s did not answer in time", t.Pod)
	case codes.Unavailable, codes.Internal:
		return fmt.Errorf("Pod %s broke off the connection, or does not speak gRPC", t.Pod)
	}
	return fmt.Errorf("Pod %s answered gRPC code %s%s", t.Pod, code, h.of())
}

// statusName is one of those that are known: a number that is none is the other
// end's own.
func statusName(s grpc_health_v1.HealthCheckResponse_ServingStatus) string {
	if name, is := grpc_health_v1.HealthCheckResponse_ServingStatus_name[int32(s)]; is {
		return name
	}
	return "in a state that is not known"
}

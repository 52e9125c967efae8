// Copyright The Countersign Authors.
// SPDX-License-Identifier: Apache-2.0

package checks

import (
	"context"
	"errors"
	"fmt"
	"time"

	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// question asks one Pod. An error says in what way it did not answer as
// expected; one that is unclear, that this could not be found out. Neither has
// anything in it that the other end sent, but for statuses and numbers.
type question func(context.Context, Target) error

// asker puts the questions of checks.
type asker struct {
	authorities authorities
	services    services
}

func newAsker(reader client.Reader) *asker {
	return &asker{authorities: authorities{reader: reader}, services: services{reader: reader}}
}

// question of a run for its Pods.
func (a *asker) question(ctx context.Context, release types.NamespacedName, run Run) (question, error) {
	switch c := run.Check; {
	case c.HTTP != nil:
		config, err := a.authorities.config(ctx, release.Namespace, c.HTTP.TLS)
		if err != nil {
			return nil, err
		}
		return httpQuestion(*c.HTTP, config)
	case c.TCP != nil:
		return tcpQuestion, nil
	case c.GRPC != nil:
		config, err := a.authorities.config(ctx, release.Namespace, c.GRPC.TLS)
		if err != nil {
			return nil, err
		}
		return grpcQuestion(*c.GRPC, config), nil
	case c.Prometheus != nil:
		return a.prometheusQuestion(ctx, release, *c.Prometheus, run)
	}
	return nil, unclearf("the check does not say how to ask: write http, tcp, grpc or prometheus")
}

// asked are the Pods that a run asks. A Prometheus is asked once about all of
// them.
func asked(run Run) []Target {
	if run.Check.Prometheus != nil {
		return run.Targets[:min(1, len(run.Targets))]
	}
	return run.Targets
}

// limited is a question to a port that is known, with a limit of time.
func limited(ask question, run Run) question {
	timeout := time.Duration(max(run.Check.TimeoutSeconds, 1)) * time.Second
	return func(ctx context.Context, t Target) error {
		if port, field := run.Check.Port(); port != nil && t.Port == 0 {
			return fmt.Errorf("the template has no container port named %s, which %s says", port.String(), field)
		}
		ctx, cancel := context.WithTimeout(ctx, timeout)
		defer cancel()
		err := ask(ctx, t)
		if err != nil && !isUnclear(err) && errors.Is(ctx.Err(), context.DeadlineExceeded) {
			return fmt.Errorf("Pod %s did not answer within %d s", t.Pod, int(timeout/time.Second))
		}
		return err
	}
}

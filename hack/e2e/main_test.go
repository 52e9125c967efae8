// Copyright The Countersign Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"syscall"
	"testing"

	"github.com/countersign/countersign/hack/cluster/local"
)

// testCluster is the one cluster of these tests.
const testCluster = "e2e"

var cluster *local.Cluster

// TestMain starts a real cluster when it is asked for, as `make test-e2e` does.
func TestMain(m *testing.M) {
	if os.Getenv("COUNTERSIGN_REAL") == "" {
		os.Exit(m.Run())
	}
	code, err := withCluster(m)
	if err != nil {
		fmt.Fprintln(os.Stderr, "e2e:", err)
		os.Exit(1)
	}
	os.Exit(code)
}

func withCluster(m *testing.M) (code int, err error) {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	down := func() error {
		_, err := local.Down(context.WithoutCancel(ctx), testCluster, os.Stderr)
		return err
	}
	if err := down(); err != nil {
		return 1, err
	}
	if cluster, _, err = local.Up(ctx, local.UpOptions{Name: testCluster, Form: local.Real, Progress: os.Stderr}); err != nil {
		return 1, err
	}
	code = m.Run()
	return code, down()
}

// real skips what needs the cluster where nobody asked for one.
func real(t *testing.T) {
	t.Helper()
	if cluster == nil {
		t.Skip("starts a real cluster: make test-e2e")
	}
}

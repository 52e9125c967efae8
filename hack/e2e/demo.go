// Copyright The Countersign Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/countersign/countersign/hack/cluster/local"
	"github.com/countersign/countersign/hack/e2e/operator"
	"github.com/spf13/cobra"
)

// demoCluster has a name of its own, so that the demo starts from nothing and
// leaves a cluster that somebody works with alone.
const demoCluster = "demo"

func demoCommand(use, short string, tell func(context.Context, *local.Cluster) error) *cobra.Command {
	var keep bool
	var name string
	cmd := &cobra.Command{
		Use: use, Short: short, Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if local.BestForm() != local.Real {
				fmt.Fprintln(os.Stderr, notReal)
				return onFakeNodes(cmd.Context(), name, tell)
			}
			return onCluster(cmd.Context(), name, keep, tell)
		},
	}
	cmd.Flags().StringVar(&name, "name", demoCluster, "name of the cluster; one that runs by that name is removed first")
	cmd.Flags().BoolVar(&keep, "keep", false, "leave the cluster running at the end")
	return cmd
}

const notReal = "Containers want root on Linux. Here a real control plane runs with nodes that only pretend: " +
	"the gate and the switches are real, no request is sent, and sickness is shown by Pods that are not ready."

// onFakeNodes does something on a cluster whose Pods only pretend to run, with
// the operator as a process beside it.
func onFakeNodes(ctx context.Context, name string, do func(context.Context, *local.Cluster) error) (err error) {
	if _, err := local.Down(ctx, name, os.Stderr); err != nil {
		return err
	}
	c, _, err := local.Up(ctx, local.UpOptions{Name: name, Form: local.Fake, Progress: os.Stderr})
	if err != nil {
		return err
	}
	defer func() {
		_, downErr := local.Down(context.WithoutCancel(ctx), name, os.Stderr)
		err = errors.Join(err, downErr)
	}()
	dir, err := os.MkdirTemp("", "countersign-operator-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	program, err := operator.Prepare(ctx, c, dir)
	if err != nil {
		return err
	}
	process, err := program.Start(ctx)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, process.Kill()) }()
	return do(ctx, c)
}

// onCluster starts a cluster, installs the operator, does something with it and
// removes it all again.
func onCluster(ctx context.Context, name string, keep bool, do func(context.Context, *local.Cluster) error) error {
	start := time.Now()
	return onEmptyCluster(ctx, name, keep, func(ctx context.Context, c *local.Cluster) error {
		if err := operator.Deploy(ctx, c, os.Stderr); err != nil {
			return err
		}
		fmt.Fprintf(os.Stderr, "Countersign is ready after %.1f s\n", time.Since(start).Seconds())
		return do(ctx, c)
	})
}

// onEmptyCluster does the same without the operator.
func onEmptyCluster(ctx context.Context, name string, keep bool, do func(context.Context, *local.Cluster) error) (err error) {
	if _, err := local.Down(ctx, name, os.Stderr); err != nil {
		return err
	}
	start := time.Now()
	c, _, err := local.Up(ctx, local.UpOptions{Name: name, Form: local.Real, Progress: os.Stderr})
	if err != nil {
		return err
	}
	if !keep {
		defer func() {
			_, downErr := local.Down(context.WithoutCancel(ctx), name, os.Stderr)
			err = errors.Join(err, downErr)
		}()
	}
	fmt.Fprintf(os.Stderr, "the cluster is ready after %.1f s\n", time.Since(start).Seconds())
	return do(ctx, c)
}

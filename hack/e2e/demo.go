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

func demoCommand() *cobra.Command {
	var keep bool
	cmd := &cobra.Command{
		Use: "demo", Short: "Tell the story of three releases on a cluster of its own", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if local.BestForm() != local.Real {
				return errNotReal
			}
			return onCluster(cmd.Context(), demoCluster, keep, tellDemo)
		},
	}
	cmd.Flags().BoolVar(&keep, "keep", false, "leave the cluster running at the end")
	return cmd
}

// onCluster starts a cluster, installs the operator, does something with it and
// removes it all again.
func onCluster(ctx context.Context, name string, keep bool, do func(context.Context, *local.Cluster) error) (err error) {
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
	if err := operator.Deploy(ctx, c, os.Stderr); err != nil {
		return err
	}
	fmt.Fprintf(os.Stderr, "Countersign is ready after %.1f s\n", time.Since(start).Seconds())
	return do(ctx, c)
}

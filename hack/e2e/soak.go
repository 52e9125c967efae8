// Copyright The Countersign Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/countersign/countersign/hack/cluster/local"
	"github.com/spf13/cobra"
)

// soakCluster has a name of its own, as the demo's has.
const soakCluster = "soak"

// soakOptions are how much is done.
type soakOptions struct {
	promotions, rollbacks int
	// dir keeps the traces of all requests.
	dir string
}

func (o soakOptions) check() error {
	if o.promotions < 1 || o.promotions > 1000 || o.rollbacks < 0 || o.rollbacks > o.promotions {
		return fmt.Errorf("%d promotions and %d rollbacks: want 1 to 1000 promotions, and no more rollbacks than promotions", o.promotions, o.rollbacks)
	}
	return nil
}

// fallsSick spreads the rollbacks evenly among the promotions, which count from 1.
func (o soakOptions) fallsSick(promotion int) bool {
	return promotion*o.rollbacks/o.promotions > (promotion-1)*o.rollbacks/o.promotions
}

// limit bounds a run that hangs.
func (o soakOptions) limit() time.Duration {
	return 2*time.Minute + time.Duration(o.promotions)*20*time.Second
}

func soakCommand() *cobra.Command {
	var o soakOptions
	var keep bool
	var name string
	cmd := &cobra.Command{
		Use: "soak", Short: "Promote and roll back many times under three kinds of traffic, and count every request that is lost", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := o.check(); err != nil {
				return err
			}
			if local.BestForm() != local.Real {
				return errNotReal
			}
			return onCluster(cmd.Context(), name, keep, func(ctx context.Context, c *local.Cluster) error {
				return runSoak(ctx, c, o, os.Stdout)
			})
		},
	}
	cmd.Flags().IntVar(&o.promotions, "promotions", 100, "how many releases are promoted")
	cmd.Flags().IntVar(&o.rollbacks, "rollbacks", 20, "how many of them fall sick and are rolled back")
	cmd.Flags().StringVar(&o.dir, "traces", "", "directory that keeps a line for each request; none if empty")
	cmd.Flags().StringVar(&name, "name", soakCluster, "name of the cluster; one that runs by that name is removed first")
	cmd.Flags().BoolVar(&keep, "keep", false, "leave the cluster running at the end")
	return cmd
}

// runSoak promotes and rolls back under traffic and judges what came of it. It
// judges also what it had to give up.
func runSoak(ctx context.Context, c *local.Cluster, o soakOptions, out io.Writer) (err error) {
	ctx, cancel := context.WithTimeoutCause(ctx, o.limit(), fmt.Errorf("not finished within %s", o.limit()))
	defer cancel()
	if o.dir == "" {
		if o.dir, err = os.MkdirTemp("", "countersign-soak-"); err != nil {
			return err
		}
		defer os.RemoveAll(o.dir)
	} else if err := os.MkdirAll(o.dir, 0o755); err != nil {
		return err
	}
	s, err := newSoaker(ctx, c, o, out)
	if err != nil {
		return err
	}
	s.firstRelease()
	if s.Err() != nil {
		return s.Err()
	}
	if s.endpoints, err = watchEndpoints(ctx, s.Client, s.Release.Namespace, s.Release.Name); err != nil {
		return err
	}
	traffic, err := startTraffic(c, s.Release, o, out)
	if err != nil {
		return err
	}
	traffic.tell(s.progress)
	s.switchAll(ctx)
	stopErr := traffic.stop(context.WithoutCancel(ctx))
	return errors.Join(s.Err(), stopErr, s.conclude(ctx, traffic.records))
}

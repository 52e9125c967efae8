// Copyright The Countersign Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"os/exec"
	"time"

	"github.com/spf13/cobra"

	"github.com/countersign/countersign/hack/cluster/load"
	"github.com/countersign/countersign/hack/cluster/local"
)

func loadCommand(s *settings) *cobra.Command {
	var o load.Options
	var url, report, trace string
	cmd := &cobra.Command{
		Use: "load --url URL", Short: "Send requests at a constant rate and count what comes of them", Args: cobra.NoArgs,
		Long: `Send requests at a constant rate, each on a new connection or, with
--connections, on some that are kept, and count what comes of them. The URL names a Service (shop, or shop.NAMESPACE) or an address
of the cluster's own or of loopback; every other target is refused. SIGTERM
ends the run early. The last line sums up; --report - prints JSON before it.`,
		Example: "  cluster load --url http://shop/ --rate 200 --duration 60s --report load.json",
		RunE: func(cmd *cobra.Command, _ []string) error {
			c, err := s.open(cmd.Context())
			if err != nil {
				return err
			}
			if c.Form() == local.Real && local.Inside() != c.Name() {
				return again(c)
			}
			if o.Target, err = target(cmd.Context(), c, url); err != nil {
				return err
			}
			return runLoad(cmd.Context(), o, report, trace)
		},
	}
	f := cmd.Flags()
	f.StringVar(&url, "url", "", "where to send to")
	f.StringVar(&report, "report", "", "file for a JSON summary; - for standard output")
	f.IntVar(&o.Rate, "rate", 200, "requests a second")
	f.DurationVar(&o.Duration, "duration", time.Minute, "how long to send")
	f.IntVar(&o.Count, "count", 0, "how many to send at most; 0: as many as the duration allows")
	f.DurationVar(&o.Timeout, "timeout", 5*time.Second, "how long to wait for an answer")
	f.IntVar(&o.Connections, "connections", 0, "keep so many connections open and share the rate among them; 0: each request opens its own")
	f.StringVar(&trace, "trace", "", "file for a line of JSON for each request")
	_ = cmd.MarkFlagRequired("url") // fails only for a flag that does not exist
	return cmd
}

// again runs this same command line inside of the cluster.
func again(c *local.Cluster) error {
	self, err := os.Executable()
	if err != nil {
		return err
	}
	return passThrough(c, exec.Command(self, os.Args[1:]...))
}

// target lets the cluster's own addresses be reached only where nothing else can
// be: in a network that is not the cluster's alone they may be anybody's.
func target(ctx context.Context, c *local.Cluster, url string) (load.Target, error) {
	if c.Form() == local.Real {
		return load.NewTarget(ctx, url, local.Ranges(), c.ServiceAddress)
	}
	return load.NewTarget(ctx, url, nil, func(_ context.Context, host string) (netip.Addr, error) {
		return netip.Addr{}, fmt.Errorf("cannot reach %s from here: run `kubectl port-forward` and send to its loopback address", host)
	})
}

func runLoad(ctx context.Context, o load.Options, report, trace string) error {
	s, err := runTraced(ctx, o, trace)
	if err != nil {
		return err
	}
	if report != "" {
		data, err := json.MarshalIndent(s, "", "  ")
		if err != nil {
			return err
		}
		if err := writeReport(report, append(data, '\n')); err != nil {
			return err
		}
	}
	fmt.Println(s)
	if s.Sent == 0 {
		return errors.New("nothing was sent")
	}
	return nil
}

func runTraced(ctx context.Context, o load.Options, trace string) (load.Summary, error) {
	if trace == "" {
		return load.Run(ctx, o)
	}
	f, err := os.Create(trace)
	if err != nil {
		return load.Summary{}, err
	}
	o.Trace = load.NewTrace(f)
	s, err := load.Run(ctx, o)
	return s, errors.Join(err, o.Trace.Close(), f.Close())
}

func writeReport(file string, data []byte) error {
	if file == "-" {
		_, err := os.Stdout.Write(data)
		return err
	}
	return os.WriteFile(file, data, 0o644)
}

// Copyright The Countersign Authors.
// SPDX-License-Identifier: Apache-2.0

// Command cluster runs a Kubernetes cluster on this machine. See README.md.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"syscall"

	"github.com/spf13/cobra"

	"github.com/countersign/countersign/hack/cluster/local"
)

// settings are the flags that every command has.
type settings struct {
	name string
	form string
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)
	defer stop()
	err := newCommand().ExecuteContext(ctx)
	var exit *exec.ExitError
	switch {
	case err == nil:
	case errors.As(err, &exit):
		os.Exit(exitCode(exit)) // it has told the reason itself
	default:
		fmt.Fprintln(os.Stderr, "cluster:", err)
		os.Exit(1)
	}
}

// exitCode is that of the command that ran for us, as a shell would give it.
func exitCode(exit *exec.ExitError) int {
	if status, ok := exit.Sys().(syscall.WaitStatus); ok && status.Signaled() {
		return 128 + int(status.Signal())
	}
	return exit.ExitCode()
}

func newCommand() *cobra.Command {
	s := &settings{}
	root := &cobra.Command{
		Use:              "cluster",
		Short:            "A Kubernetes cluster on this machine, from pinned Go modules",
		SilenceUsage:     true,
		SilenceErrors:    true,
		TraverseChildren: true, // so that our flags may stand before `kubectl`, which has its own
	}
	root.PersistentFlags().StringVar(&s.name, "name", local.MeantName(), "which cluster, also by $"+local.NameVariable)
	root.PersistentFlags().StringVar(&s.form, "form", os.Getenv("COUNTERSIGN_CLUSTER"),
		"real, fake (a control plane whose pods never run) or existing (whatever $KUBECONFIG leads to); empty: the most real one that this machine can run")
	root.AddCommand(
		upCommand(s), downCommand(s), buildCommand(s), statusCommand(), envCommand(s),
		kubectlCommand(s), execCommand(s), tokenCommand(s), loadCommand(s), imageCommand(s),
		becomeCommand(), hidden("init", s, local.Init), hidden("supervise", s, local.Supervise),
	)
	return root
}

func hidden(use string, s *settings, run func(name string) error) *cobra.Command {
	return &cobra.Command{
		Use: use, Hidden: true, Args: cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error { return run(s.name) },
	}
}

func becomeCommand() *cobra.Command {
	return &cobra.Command{
		Use: "become", Hidden: true, DisableFlagParsing: true, Args: cobra.MinimumNArgs(2),
		RunE: func(_ *cobra.Command, args []string) error { return local.Become(args[0], args[1:]) },
	}
}

// open finds the cluster that the flags mean.
func (s *settings) open(ctx context.Context) (*local.Cluster, error) {
	if local.Form(s.form) == local.Existing {
		return local.OpenExisting(ctx, os.Stderr)
	}
	return local.Open(ctx, s.name)
}

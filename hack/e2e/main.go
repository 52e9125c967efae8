// Copyright The Countersign Authors.
// SPDX-License-Identifier: Apache-2.0

// Command e2e puts Countersign on a cluster of this machine and shows it at work.
package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"github.com/spf13/cobra"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)
	defer stop()
	root := &cobra.Command{Use: "e2e", Short: "Countersign on a cluster of this machine", SilenceUsage: true, SilenceErrors: true}
	root.AddCommand(
		installCommand(),
		demoCommand("demo", "Tell the story of three releases on a cluster of its own", tellDemo),
		demoCommand("demo-gate", "Tell the story of what holds a release back on a cluster of its own", tellGate),
		demoCommand("demo-adopt", "Take over a Deployment that serves, and give it back, on a cluster of its own", tellAdopt),
		demoInstallCommand(),
		soakCommand(),
	)
	if err := root.ExecuteContext(ctx); err != nil {
		fmt.Fprintln(os.Stderr, "e2e:", err)
		os.Exit(1)
	}
}

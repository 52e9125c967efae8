// Copyright The Countersign Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"strings"
	"syscall"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"github.com/countersign/countersign/hack/cluster/build"
	"github.com/countersign/countersign/hack/cluster/image"
	"github.com/countersign/countersign/hack/cluster/local"
)

func kubectlCommand(s *settings) *cobra.Command {
	return &cobra.Command{
		Use: "kubectl [ARGS...]", Short: "Run kubectl against the cluster", DisableFlagParsing: true,
		RunE: func(cmd *cobra.Command, args []string) error {
			c, err := s.open(cmd.Context())
			if err != nil {
				return err
			}
			return passThrough(c, exec.Command(c.Kubectl(), args...))
		},
	}
}

func execCommand(s *settings) *cobra.Command {
	return &cobra.Command{
		Use: "exec -- COMMAND [ARGS...]", Short: "Run a command of this machine inside the cluster's network", Args: cobra.MinimumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			c, err := s.open(cmd.Context())
			if err != nil {
				return err
			}
			return passThrough(c, exec.Command(args[0], args[1:]...))
		},
	}
}

// passThrough runs a command as if we were it: with our streams, our signals
// and, by way of the error, its exit code.
func passThrough(c *local.Cluster, cmd *exec.Cmd) error {
	cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, os.Stdout, os.Stderr
	signals := make(chan os.Signal, 8)
	signal.Notify(signals, syscall.SIGTERM, syscall.SIGHUP, syscall.SIGINT, syscall.SIGQUIT)
	defer signal.Stop(signals)
	done, err := c.Start(cmd)
	if err != nil {
		return err
	}
	terminal := term.IsTerminal(int(os.Stdin.Fd()))
	for {
		select {
		case err := <-done:
			return err
		case sig := <-signals:
			if terminal && (sig == syscall.SIGINT || sig == syscall.SIGQUIT) {
				continue // the terminal sent it to the command as well
			}
			_ = cmd.Process.Signal(sig) // it may have ended just now
		}
	}
}

func tokenCommand(s *settings) *cobra.Command {
	var into string
	cmd := &cobra.Command{
		Use: "token NAMESPACE/SERVICEACCOUNT", Short: "Print a new token of a ServiceAccount, or make a context of it", Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			namespace, name, ok := strings.Cut(args[0], "/")
			if !ok {
				return fmt.Errorf("%q is not NAMESPACE/SERVICEACCOUNT", args[0])
			}
			c, err := s.open(cmd.Context())
			if err != nil {
				return err
			}
			token, err := c.ServiceAccountToken(cmd.Context(), namespace, name)
			if err != nil {
				return err
			}
			if into == "" {
				fmt.Println(token)
				return nil
			}
			return c.AddContext(into, token)
		},
	}
	cmd.Flags().StringVar(&into, "context", "", "add the token to the kubeconfig as this context instead of printing it")
	return cmd
}

func imageCommand(s *settings) *cobra.Command {
	cmd := &cobra.Command{Use: "image", Short: "Make and import images of Go programs"}
	cmd.AddCommand(imageBuildCommand(), &cobra.Command{
		Use: "import ARCHIVE...", Short: "Give the images of OCI archives to the node", Args: cobra.MinimumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			c, err := s.open(cmd.Context())
			if err != nil {
				return err
			}
			for _, archive := range args {
				if err := c.Import(cmd.Context(), archive); err != nil {
					return err
				}
			}
			return nil
		},
	})
	return cmd
}

func imageBuildCommand() *cobra.Command {
	var output string
	var env []string
	cmd := &cobra.Command{
		Use: "build PACKAGE IMAGE", Short: "Make an OCI archive of a Go program", Args: cobra.ExactArgs(2),
		Example: "  cluster image build ./ countersign.local/countersign:dev --output operator.tar",
		RunE: func(cmd *cobra.Command, args []string) error {
			if output == "" {
				return errors.New("--output wants the archive's file name")
			}
			return buildImage(cmd.Context(), args[0], output, image.Image{Ref: args[1], Env: env})
		},
	}
	cmd.Flags().StringVar(&output, "output", "", "file of the archive")
	cmd.Flags().StringArrayVar(&env, "env", nil, "NAME=VALUE to bake in; may be repeated")
	return cmd
}

func buildImage(ctx context.Context, pkg, output string, i image.Image) error {
	if _, err := build.Sources(); err != nil {
		return err
	}
	if err := local.BuildImage(ctx, "", pkg, output, i); err != nil {
		return err
	}
	fmt.Printf("%s is in %s; next: go run ./hack/cluster image import %s\n", i.Ref, output, output)
	return nil
}

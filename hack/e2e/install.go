// Copyright The Countersign Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"errors"
	"fmt"
	"os"

	"github.com/countersign/countersign/hack/cluster/local"
	"github.com/countersign/countersign/hack/e2e/operator"
	"github.com/spf13/cobra"
)

func installCommand() *cobra.Command {
	return &cobra.Command{
		Use: "install", Short: "Build the operator and install it on the cluster that `hack/cluster up` started", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			c, err := local.Open(cmd.Context(), local.MeantName())
			if err != nil {
				return err
			}
			if c.Form() != local.Real {
				return errNotReal
			}
			if err := operator.Deploy(cmd.Context(), c, os.Stderr); err != nil {
				return err
			}
			fmt.Print(`
Countersign runs in namespace countersign-system. Now take the tour of README.md, or:

  export PATH=$PWD/bin:$PATH
  kubectl get releases -A
  make cluster-down                                    when done
`)
			return nil
		},
	}
}

// errNotReal is told where Pods would only pretend to run.
var errNotReal = errors.New("this wants a cluster whose Pods really run, and that wants root on Linux: on this machine the control plane and its tests run, see `make test`")

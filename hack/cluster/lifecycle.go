// Copyright The Countersign Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/countersign/countersign/hack/cluster/build"
	"github.com/countersign/countersign/hack/cluster/local"
)

func upCommand(s *settings) *cobra.Command {
	return &cobra.Command{
		Use: "up", Short: "Start the cluster, or say that it runs", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			form, err := s.startable()
			if err != nil {
				return err
			}
			start := time.Now()
			c, running, err := local.Up(cmd.Context(), local.UpOptions{Name: s.name, Form: form, Progress: os.Stderr})
			if err != nil {
				return err
			}
			wrapper, err := writeWrapper(c)
			if err != nil {
				return err
			}
			tell(c, running, time.Since(start), wrapper)
			return nil
		},
	}
}

// startable is the form that the flags mean, if it is one that we start.
func (s *settings) startable() (local.Form, error) {
	switch form := local.Form(s.form); form {
	case "":
		return local.BestForm(), nil
	case local.Real, local.Fake:
		return form, nil
	case local.Existing:
		return "", errors.New("form existing is started by whoever owns the cluster: run the other commands with --form existing")
	default:
		return "", fmt.Errorf("form is %q, want real, fake or existing", s.form)
	}
}

func buildCommand(s *settings) *cobra.Command {
	return &cobra.Command{
		Use: "build", Short: "Only build what the cluster, and tests with an API server or fake nodes, are made of", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			form, err := s.startable()
			if err != nil {
				return err
			}
			for _, f := range []local.Form{local.Fake, form} {
				if err := local.Build(cmd.Context(), f, os.Stderr); err != nil {
					return err
				}
			}
			fmt.Println("everything is built")
			return nil
		},
	}
}

func tell(c *local.Cluster, running bool, took time.Duration, wrapper string) {
	if running {
		fmt.Printf("cluster %s runs already (form %s)\n", c.Name(), c.Form())
	} else {
		fmt.Printf("cluster %s is ready after %s (form %s)\n", c.Name(), took.Round(100*time.Millisecond), c.Form())
	}
	if c.Form() == local.Fake {
		fmt.Println("its node is FAKE: pods are shown as running, but nothing runs and nothing answers")
	}
	fmt.Printf(`
  export PATH=%s:$PATH
  kubectl get nodes                                    as admin
  kubectl --context alice auth whoami                  as one of dev dana mallory alice bob carol erin
  go run ./hack/cluster exec -- COMMAND...             any program of this machine, inside
  go run ./hack/cluster down                           when done

kubeconfig: %s
`, filepath.Dir(wrapper), c.Kubeconfig())
}

// writeWrapper leaves a kubectl for people in the repository's bin directory,
// which git ignores.
func writeWrapper(c *local.Cluster) (string, error) {
	sources, err := build.Sources()
	if err != nil {
		return "", err
	}
	bin := filepath.Join(sources, "..", "..", "bin")
	if err := os.MkdirAll(bin, 0o755); err != nil {
		return "", err
	}
	file := filepath.Join(bin, "kubectl")
	script := fmt.Sprintf(`#!/bin/sh
# Written by hack/cluster: kubectl inside of the cluster %[1]s.
if [ ! -x %[2]s ]; then
  echo 'cluster %[1]s does not run: start it by "go run ./hack/cluster --name %[1]s up"' >&2
  exit 1
fi
exec %[2]s --name %[1]s kubectl "$@"
`, c.Name(), quote(c.Program()))
	if err := os.WriteFile(file, []byte(script), 0o755); err != nil {
		return "", err
	}
	return file, nil
}

func quote(s string) string { return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'" }

func downCommand(s *settings) *cobra.Command {
	return &cobra.Command{
		Use: "down", Short: "End the cluster and remove what it left, also after a crash", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			was, err := local.Down(cmd.Context(), s.name, os.Stderr)
			if err != nil {
				return err
			}
			if !was {
				fmt.Printf("there is no cluster %s\n", s.name)
				return nil
			}
			fmt.Printf("cluster %s is gone\n", s.name)
			return nil
		},
	}
}

func statusCommand() *cobra.Command {
	return &cobra.Command{
		Use: "status", Short: "Tell about all clusters, and about what dead ones left", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			list, err := local.List(cmd.Context())
			if err != nil {
				return err
			}
			if len(list) == 0 {
				fmt.Println("no cluster runs, and none left anything")
				return nil
			}
			w := tabwriter.NewWriter(os.Stdout, 0, 4, 3, ' ', 0)
			fmt.Fprintln(w, "NAME\tFORM\tPID\tNODES\tPODS\tSTATE")
			for _, st := range list {
				fmt.Fprintf(w, "%s\t%s\t%d\t%d\t%d\t%s\n", st.Name, st.Form, st.Pid, st.Nodes, st.Pods, st.State)
			}
			return w.Flush()
		},
	}
}

func envCommand(s *settings) *cobra.Command {
	return &cobra.Command{
		Use: "env", Short: "Print shell exports", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			c, err := s.open(cmd.Context())
			if err != nil {
				return err
			}
			fmt.Printf("export KUBECONFIG=%s\n", quote(c.Kubeconfig()))
			if c.Form() == local.Existing {
				return nil
			}
			wrapper, err := writeWrapper(c)
			if err != nil {
				return err
			}
			fmt.Printf("export PATH=%s:$PATH\n", quote(filepath.Dir(wrapper)))
			return nil
		},
	}
}

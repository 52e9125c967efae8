// Copyright The Countersign Authors.
// SPDX-License-Identifier: Apache-2.0

// Command image writes the operator's image as an OCI archive, and the list of
// what is in it, without a container engine or a registry. The same sources and
// the same Go give the same bytes.
package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"github.com/countersign/countersign/hack/cluster/image"
	"github.com/countersign/countersign/hack/e2e/operator"
	"github.com/spf13/cobra"
)

// architectures are those that Linux nodes commonly have.
var architectures = []string{"amd64", "arm64"}

func main() {
	var dir, ref string
	cmd := &cobra.Command{
		Use: "image", Short: "Write the operator's image and its bill of materials", Args: cobra.NoArgs,
		SilenceUsage: true,
		RunE: func(cmd *cobra.Command, _ []string) error {
			root, err := operator.Root()
			if err != nil {
				return err
			}
			return write(cmd.Context(), root, dir, ref, cmd.OutOrStdout())
		},
	}
	cmd.Flags().StringVar(&dir, "dir", "dist", "directory of countersign-image.tar and countersign.cdx.json")
	cmd.Flags().StringVar(&ref, "ref", operator.Image, "name and tag of the image; the tag is its version")
	if err := cmd.ExecuteContext(context.Background()); err != nil {
		os.Exit(1)
	}
}

func write(ctx context.Context, root, dir, ref string, progress io.Writer) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	aside, err := os.MkdirTemp("", "countersign-image-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(aside)
	var programs []image.Program
	for _, arch := range architectures {
		fmt.Fprintln(progress, "building for linux/"+arch)
		p := image.Program{Arch: arch, File: filepath.Join(aside, arch)}
		if err := image.CompileFor(ctx, arch, root, ".", p.File); err != nil {
			return err
		}
		programs = append(programs, p)
	}
	_, version, _ := strings.Cut(filepath.Base(ref), ":")
	archive := filepath.Join(dir, "countersign-image.tar")
	err = create(archive, func(w io.Writer) error {
		digest, err := image.WriteIndex(w, image.Image{Ref: ref, Labels: labels(version, revision(ctx, root))}, programs...)
		if err == nil {
			fmt.Fprintf(progress, "%s is in %s, digest %s\n", ref, archive, digest)
		}
		return err
	})
	if err != nil {
		return err
	}
	bill := filepath.Join(dir, "countersign.cdx.json")
	err = create(bill, func(w io.Writer) error { return writeBill(w, version, programs...) })
	if err != nil {
		return err
	}
	fmt.Fprintf(progress, "what is in it is in %s (CycloneDX)\n", bill)
	return nil
}

// create leaves no file that is only partly written.
func create(file string, fill func(io.Writer) error) error {
	f, err := os.Create(file + ".part")
	if err != nil {
		return err
	}
	defer os.Remove(f.Name())
	if err := fill(f); err != nil {
		f.Close()
		return err
	}
	if err := f.Close(); err != nil {
		return err
	}
	return os.Rename(f.Name(), file)
}

// labels are those of the OCI image specification that never tell a time.
func labels(version, revision string) map[string]string {
	all := map[string]string{
		"org.opencontainers.image.title":       "Countersign",
		"org.opencontainers.image.description": "Blue/green releases on Kubernetes with approvals",
		"org.opencontainers.image.licenses":    "Apache-2.0",
		"org.opencontainers.image.source":      "https://github.com/countersign/countersign",
		"org.opencontainers.image.version":     version,
	}
	if revision != "" {
		all["org.opencontainers.image.revision"] = revision
	}
	return all
}

// revision is the commit that the sources are of, with what tells that they were
// changed since; empty outside of a repository.
func revision(ctx context.Context, root string) string {
	head, err := exec.CommandContext(ctx, "git", "-C", root, "rev-parse", "HEAD").Output()
	if err != nil {
		return ""
	}
	changes, err := exec.CommandContext(ctx, "git", "-C", root, "status", "--porcelain").Output()
	if err != nil || len(changes) > 0 {
		return strings.TrimSpace(string(head)) + "-dirty"
	}
	return strings.TrimSpace(string(head))
}

// Copyright The Countersign Authors.
// SPDX-License-Identifier: Apache-2.0

package operator

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// BuildHelm builds Helm, of the version that hack/chart pins, into dir.
func BuildHelm(ctx context.Context, root, dir string) (string, error) {
	program := filepath.Join(dir, "helm")
	return program, in(ctx, filepath.Join(root, "hack", "chart"), "go", "build", "-o", program, "helm.sh/helm/v4/cmd/helm")
}

// Export writes the tree of a revision of the repository into dir.
func Export(ctx context.Context, root, revision, dir string) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	archive := dir + ".tar"
	defer os.Remove(archive)
	if err := in(ctx, root, "git", "archive", "--output="+archive, revision); err != nil {
		return err
	}
	return in(ctx, dir, "tar", "-xf", archive)
}

// Package writes the image, countersign-image.tar, and the chart of this checkout
// into dir, as a release of it would, and returns the chart's file.
func Package(ctx context.Context, root, dir, ref string) (string, error) {
	if err := in(ctx, root, "go", "run", "./hack/image", "--dir", dir, "--ref", ref); err != nil {
		return "", err
	}
	if err := in(ctx, root, "go", "-C", "hack/chart", "run", ".", "-package", dir); err != nil {
		return "", err
	}
	charts, err := filepath.Glob(filepath.Join(dir, "countersign-*.tgz"))
	if err != nil || len(charts) != 1 {
		return "", fmt.Errorf("%d charts in %s, want one: %v", len(charts), dir, err)
	}
	return charts[0], nil
}

// in runs a command in a directory; what it prints is told if it fails.
func in(ctx context.Context, dir, program string, args ...string) error {
	cmd := exec.CommandContext(ctx, program, args...)
	cmd.Dir = dir
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("%s %s: %w\n%s", program, strings.Join(args, " "), err, out)
	}
	return nil
}

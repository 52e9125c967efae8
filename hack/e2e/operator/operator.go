// Copyright The Countersign Authors.
// SPDX-License-Identifier: Apache-2.0

// Package operator puts the operator of this checkout on a cluster of
// hack/cluster: in Pods, as an install would, or as a process of this machine,
// which can be killed at a chosen moment.
package operator

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"github.com/countersign/countersign/hack/cluster/build"
	"github.com/countersign/countersign/hack/cluster/image"
	"github.com/countersign/countersign/hack/cluster/local"
)

const (
	// Namespace of the operator, its keys and its lease.
	Namespace = "countersign-system"
	// Account is the operator's ServiceAccount.
	Account = "countersign-operator"
	// User is what the API server calls it.
	User = "system:serviceaccount:" + Namespace + ":" + Account
	// Webhook is the webhook's Deployment.
	Webhook = "countersign-webhook"
	// Lease says which of the operator's Pods leads.
	Lease = "countersign-operator"
	// Image is what config/manager runs.
	Image = "countersign.local/operator:v1"
)

// Root is the top of this checkout.
func Root() (string, error) {
	sources, err := build.Sources()
	if err != nil {
		return "", err
	}
	return filepath.Join(sources, "..", ".."), nil
}

// Deploy builds the operator's image, gives it to the node and installs
// everything in config/default. It returns when the operator is ready.
func Deploy(ctx context.Context, c *local.Cluster, progress io.Writer) error {
	root, err := Root()
	if err != nil {
		return err
	}
	dir, err := os.MkdirTemp("", "countersign-image-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	fmt.Fprintln(progress, "building the operator's image")
	archive := filepath.Join(dir, "operator.tar")
	if err := local.BuildImage(ctx, root, ".", archive, image.Image{Ref: Image}); err != nil {
		return err
	}
	if err := c.Import(ctx, archive); err != nil {
		return err
	}
	fmt.Fprintln(progress, "installing config/default")
	if err := apply(ctx, c, root, "config/crd"); err != nil {
		return err
	}
	if err := apply(ctx, c, root, "config/default"); err != nil {
		return err
	}
	fmt.Fprintln(progress, "waiting for the operator")
	// Pods of an image that was imported anew under the same name are replaced.
	for _, name := range []string{Account, Webhook} {
		if err := kubectl(ctx, c, root, "rollout", "restart", "deployment/"+name, "-n", Namespace); err != nil {
			return err
		}
	}
	for _, name := range []string{Account, Webhook} {
		if err := kubectl(ctx, c, root, "rollout", "status", "deployment/"+name, "-n", Namespace, "--timeout=120s"); err != nil {
			return fmt.Errorf("%w\n%s", err, Output(ctx, c, root, "logs", "deployment/"+name, "-n", Namespace, "--tail=20"))
		}
	}
	return nil
}

// apply waits for CustomResourceDefinitions to be served, because what follows
// may be of their kinds.
func apply(ctx context.Context, c *local.Cluster, root, dir string) error {
	if err := kubectl(ctx, c, root, "apply", "--server-side", "--force-conflicts", "-k", dir); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	for {
		// It fails at once on a definition that has no conditions at all yet.
		err := kubectl(ctx, c, root, "wait", "--for=condition=Established", "crd/releases.countersign.dev", "crd/approvalpolicies.countersign.dev", "--timeout=60s")
		if err == nil {
			return nil
		}
		select {
		case <-ctx.Done():
			return err
		case <-time.After(100 * time.Millisecond):
		}
	}
}

func kubectl(ctx context.Context, c *local.Cluster, dir string, args ...string) error {
	cmd := exec.CommandContext(ctx, c.Kubectl(), args...)
	cmd.Dir = dir
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	if err := c.Run(cmd); err != nil {
		return fmt.Errorf("kubectl %s: %w\n%s", strings.Join(args, " "), err, out.Bytes())
	}
	return nil
}

// Output is what kubectl prints, errors included: it is for people.
func Output(ctx context.Context, c *local.Cluster, dir string, args ...string) string {
	cmd := exec.CommandContext(ctx, c.Kubectl(), args...)
	cmd.Dir = dir
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	if err := c.Run(cmd); err != nil {
		fmt.Fprintf(&out, "(%v)", err)
	}
	return out.String()
}

// Copyright The Countersign Authors.
// SPDX-License-Identifier: Apache-2.0

package local

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"github.com/countersign/countersign/hack/cluster/build"
	"github.com/countersign/countersign/hack/cluster/image"
)

// DemoImage is the image of that version of the demo application; v1 to v5 are
// in every real cluster.
func DemoImage(version string) string { return "countersign.local/demoapp:" + version }

var demoVersions = []string{"v1", "v2", "v3", "v4", "v5"}

// Run starts a command against the cluster, as Start does, and awaits it.
func (c *Cluster) Run(cmd *exec.Cmd) error {
	done, err := c.Start(cmd)
	if err != nil {
		return err
	}
	return <-done
}

// complete gives a command the environment and the directory that it would have
// had outside.
func (c *Cluster) complete(cmd *exec.Cmd) (err error) {
	cmd.Env = append(c.environment(), cmd.Env...)
	if cmd.Dir == "" {
		cmd.Dir, err = os.Getwd()
	}
	return err
}

// Import gives the images of an OCI archive to the cluster's node.
func (c *Cluster) Import(ctx context.Context, archive string) error {
	if c.state.Form != Real {
		return fmt.Errorf("a cluster of form %s has no node of ours to import images to", c.state.Form)
	}
	f, err := os.Open(archive)
	if err != nil {
		return err
	}
	defer f.Close()
	cmd := ctr(ctx, c.bin, "images", "import", "-")
	cmd.Stdin = f
	return runQuietly(cmd, c.Run)
}

// KillContainer ends the process of a container, by the id that a Pod's status has,
// such as containerd://0a1b…, as a crash would.
func (c *Cluster) KillContainer(ctx context.Context, id string) error {
	if c.state.Form != Real {
		return fmt.Errorf("a cluster of form %s has no containers", c.state.Form)
	}
	_, id, _ = strings.Cut(id, "://")
	return runQuietly(ctr(ctx, c.bin, "tasks", "kill", "--signal", "SIGKILL", id), c.Run)
}

// BuildImage makes an archive of a Go program's package, one image for each of
// images. sources is the directory that pkg is relative to.
func BuildImage(ctx context.Context, sources, pkg, archive string, images ...image.Image) error {
	program := archive + ".program"
	defer os.Remove(program)
	if err := image.Compile(ctx, sources, pkg, program); err != nil {
		return err
	}
	f, err := os.Create(archive)
	if err != nil {
		return err
	}
	if err := image.Write(f, program, images...); err != nil {
		f.Close()
		return err
	}
	return f.Close()
}

// buildImages makes the archives that every real cluster gets.
func buildImages(ctx context.Context, sources, dir string) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	err := BuildImage(ctx, sources, "./images/pause", filepath.Join(dir, "pause.tar"), image.Image{Ref: pauseImage})
	if err != nil {
		return err
	}
	var demo []image.Image
	for _, v := range demoVersions {
		demo = append(demo, image.Image{Ref: DemoImage(v), Env: []string{"VERSION=" + v}})
	}
	return BuildImage(ctx, sources, "./images/demoapp", filepath.Join(dir, "demoapp.tar"), demo...)
}

// ctr is containerd's own client, in the namespace that the kubelet looks in.
func ctr(ctx context.Context, bin build.Binaries, args ...string) *exec.Cmd {
	return exec.CommandContext(ctx, bin.Path("ctr"), append([]string{"--address", containerdSocket, "--namespace", "k8s.io"}, args...)...)
}

func importArchive(ctx context.Context, bin build.Binaries, archive string) error {
	return runQuietly(ctr(ctx, bin, "images", "import", archive), (*exec.Cmd).Run)
}

func runQuietly(cmd *exec.Cmd, run func(*exec.Cmd) error) error {
	what := strings.Join(cmd.Args, " ") // before it is wrapped
	var out limited
	cmd.Stdout, cmd.Stderr = &out, &out
	if err := run(cmd); err != nil {
		return fmt.Errorf("%s: %w: %s", what, err, out.text)
	}
	return nil
}

// limited keeps the beginning of what a program says.
type limited struct{ text []byte }

func (l *limited) Write(p []byte) (int, error) {
	l.text = append(l.text, p[:min(len(p), 4000-len(l.text))]...)
	return len(p), nil
}

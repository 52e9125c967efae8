// Copyright The Countersign Authors.
// SPDX-License-Identifier: Apache-2.0

// Package build makes the programs of a cluster from pinned Go modules, once
// for each set of versions.
package build

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
)

// KubernetesVersion is the release that hack/cluster/kube/go.mod pins.
const KubernetesVersion = "v1.37.2"

// Set says which programs are wanted.
type Set int

const (
	ControlPlane Set = iota // etcd and the multicall Kubernetes program
	Fake                    // with kwok, for nodes that only pretend
	Real                    // with containerd, runc and the CNI plugins
)

// Binaries is a directory of programs.
type Binaries struct{ Dir string }

// Path is where the program of that name is.
func (b Binaries) Path(name string) string { return filepath.Join(b.Dir, name) }

// target is one run of the go command.
type target struct {
	name    string // told to the person who waits
	module  string // directory under hack/cluster
	pkgs    []string
	makes   []string          // the files that it leaves
	renames map[string]string // what go install calls a program, and what we call it
	flags   []string
	env     []string
	sets    []Set
}

var kubernetesNames = []string{"kube-apiserver", "kube-controller-manager", "kube-scheduler", "kubelet", "kube-proxy", "kubectl"}

func targets() []target {
	const version = "k8s.io/component-base/version."
	stamp := fmt.Sprintf("-s -w -X %[1]sgitVersion=%[2]s -X %[1]sgitMajor=1 -X %[1]sgitMinor=%[3]s -X %[1]sgitTreeState=clean",
		version, KubernetesVersion, strings.Split(KubernetesVersion, ".")[1])
	static := []string{"CGO_ENABLED=0"}
	return []target{
		{
			name: "etcd", module: "runtime", env: static, sets: []Set{ControlPlane, Fake, Real},
			pkgs: []string{"go.etcd.io/etcd/server/v3"}, makes: []string{"etcd"}, renames: map[string]string{"server": "etcd"},
		},
		{
			name:   "Kubernetes " + KubernetesVersion + " (the long one: about 13 minutes on two cores the first time)",
			module: "kube", env: static, sets: []Set{ControlPlane, Fake, Real},
			pkgs: []string{"."}, makes: []string{"kube"}, flags: []string{"-ldflags", stamp},
		},
		{
			name: "kwok", module: "kwok", env: static, sets: []Set{Fake},
			pkgs: []string{"sigs.k8s.io/kwok/cmd/kwok"}, makes: []string{"kwok"},
		},
		{
			name: "containerd and CNI plugins", module: "runtime", env: static, sets: []Set{Real},
			pkgs: []string{
				"github.com/containerd/containerd/v2/cmd/containerd",
				"github.com/containerd/containerd/v2/cmd/containerd-shim-runc-v2",
				"github.com/containerd/containerd/v2/cmd/ctr",
				"github.com/containernetworking/plugins/plugins/main/bridge",
				"github.com/containernetworking/plugins/plugins/main/loopback",
				"github.com/containernetworking/plugins/plugins/ipam/host-local",
			},
			makes: []string{"containerd", "containerd-shim-runc-v2", "ctr", "bridge", "loopback", "host-local"},
		},
		{
			// Without libseccomp runc refuses every sandbox, hence C.
			name: "runc", module: "runtime", env: []string{"CGO_ENABLED=1"}, sets: []Set{Real},
			pkgs: []string{"github.com/opencontainers/runc"}, makes: []string{"runc"}, flags: []string{"-tags", "seccomp"},
		},
	}
}

// Ensure builds what is missing of a set and returns where it is. Progress goes
// to out. Several processes may call it at once: one builds, the others wait.
func Ensure(ctx context.Context, set Set, out io.Writer) (Binaries, error) {
	sources, err := Sources()
	if err != nil {
		return Binaries{}, err
	}
	dir, err := versionDir(sources)
	if err != nil {
		return Binaries{}, err
	}
	b := Binaries{Dir: filepath.Join(dir, "bin")}
	if len(b.missing(set)) == 0 {
		return b, nil
	}
	if err := os.MkdirAll(b.Dir, 0o755); err != nil {
		return b, err
	}
	unlock, err := Lock(ctx, filepath.Join(dir, "lock"), out)
	if err != nil {
		return b, err
	}
	defer unlock()
	for i, t := range b.missing(set) { // asked again: who held the lock may have built it
		if err := b.build(ctx, sources, t, out); err != nil {
			return b, fmt.Errorf("build %d, %s: %w", i+1, t.name, err)
		}
	}
	return b, nil
}

func (b Binaries) missing(set Set) []target {
	var out []target
	for _, t := range targets() {
		if wants(t, set) && !b.has(t) {
			out = append(out, t)
		}
	}
	return out
}

func wants(t target, set Set) bool {
	for _, s := range t.sets {
		if s == set {
			return true
		}
	}
	return false
}

func (b Binaries) has(t target) bool {
	for _, name := range t.makes {
		if _, err := os.Stat(b.Path(name)); err != nil {
			return false
		}
	}
	return true
}

// build lets go install write to a directory aside and then renames, so that a
// program in the cache is always a whole one.
func (b Binaries) build(ctx context.Context, sources string, t target, out io.Writer) error {
	fmt.Fprintf(out, "building %s\n", t.name)
	start := time.Now()
	aside, err := os.MkdirTemp(filepath.Dir(b.Dir), "building-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(aside)
	args := append([]string{"install", "-trimpath", "-buildvcs=false"}, t.flags...)
	if len(t.flags) == 0 || t.flags[0] != "-ldflags" {
		args = append(args, "-ldflags", "-s -w")
	}
	cmd := exec.CommandContext(ctx, "go", append(args, t.pkgs...)...)
	cmd.Dir = filepath.Join(sources, t.module)
	cmd.Env = append(os.Environ(), append(t.env, "GOBIN="+aside, "GOFLAGS=-mod=readonly", "GOWORK=off", "GOOS=", "GOARCH=")...)
	stop := tick(ctx, out, t.name, start)
	output, err := cmd.CombinedOutput()
	stop()
	if err != nil {
		return fmt.Errorf("go %s: %w\n%s", strings.Join(cmd.Args[1:], " "), err, output)
	}
	fmt.Fprintf(out, "built %s in %s\n", strings.Join(t.makes, ", "), time.Since(start).Round(time.Second))
	return b.publish(aside, t)
}

func (b Binaries) publish(aside string, t target) error {
	for from, to := range t.renames {
		if err := os.Rename(filepath.Join(aside, from), filepath.Join(aside, to)); err != nil {
			return err
		}
	}
	for _, name := range t.makes {
		if name == "kube" {
			if err := b.linkKubernetes(); err != nil {
				return err
			}
		}
		if err := os.Rename(filepath.Join(aside, name), b.Path(name)); err != nil {
			return err
		}
	}
	return nil
}

func (b Binaries) linkKubernetes() error {
	for _, name := range kubernetesNames {
		_ = os.Remove(b.Path(name))
		if err := os.Symlink("kube", b.Path(name)); err != nil {
			return err
		}
	}
	return nil
}

// tick tells every half minute that a build still runs.
func tick(ctx context.Context, out io.Writer, name string, start time.Time) (stop func()) {
	ctx, cancel := context.WithCancel(ctx)
	go func() {
		t := time.NewTicker(30 * time.Second)
		defer t.Stop()
		for {
			select {
			case <-ctx.Done():
				return
			case <-t.C:
				fmt.Fprintf(out, "  still building %s (%s)\n", strings.Fields(name)[0], time.Since(start).Round(time.Second))
			}
		}
	}()
	return cancel
}

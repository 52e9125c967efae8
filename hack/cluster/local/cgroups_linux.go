// Copyright The Countersign Authors.
// SPDX-License-Identifier: Apache-2.0

package local

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

const cgroupMount = "/sys/fs/cgroup"

func (s *state) cgroup() string { return "countersign-" + s.Name }

// hierarchies are the roots of cgroup trees: one, or one for each controller
// where the machine still has version 1.
func hierarchies() ([]string, error) {
	if _, err := os.Stat(filepath.Join(cgroupMount, "cgroup.controllers")); err == nil {
		return []string{cgroupMount}, nil
	}
	return filepath.Glob(filepath.Join(cgroupMount, "*"))
}

// makeCgroups makes the root below which the kubelet keeps its pods, apart from
// any other kubelet's.
func (s *state) makeCgroups() error {
	roots, err := hierarchies()
	if err != nil {
		return err
	}
	for _, root := range roots {
		dir := filepath.Join(root, s.cgroup())
		if info, err := os.Lstat(root); err != nil || !info.IsDir() {
			continue // a symbolic link to another one
		}
		if err := os.MkdirAll(dir, 0o755); err != nil {
			return fmt.Errorf("make cgroup: %w", err)
		}
		if err := inheritCPUs(root, dir); err != nil {
			return err
		}
	}
	return enableControllers(roots)
}

// inheritCPUs fills what version 1 leaves empty in a new cpuset, where nothing
// can run until it is set.
func inheritCPUs(parent, child string) error {
	for _, file := range []string{"cpuset.cpus", "cpuset.mems"} {
		value, err := os.ReadFile(filepath.Join(parent, file))
		if err != nil {
			continue // not a cpuset, or version 2, which inherits by itself
		}
		if err := os.WriteFile(filepath.Join(child, file), value, 0o644); err != nil {
			return fmt.Errorf("set cpus of cgroup: %w", err)
		}
	}
	return nil
}

// enableControllers hands version 2's controllers down to the new root.
func enableControllers(roots []string) error {
	if len(roots) != 1 {
		return nil
	}
	names, err := os.ReadFile(filepath.Join(roots[0], "cgroup.controllers"))
	if err != nil {
		return nil //nolint:nilerr // version 1
	}
	for _, name := range strings.Fields(string(names)) {
		// One that cannot be had now is missed by the kubelet with a clear message.
		_ = os.WriteFile(filepath.Join(roots[0], "cgroup.subtree_control"), []byte("+"+name), 0o644)
	}
	return nil
}

func (s *state) removeCgroups() error {
	roots, err := hierarchies()
	if err != nil {
		return err
	}
	var errs []error
	for _, root := range roots {
		errs = append(errs, removeCgroup(filepath.Join(root, s.cgroup())))
	}
	return errors.Join(errs...)
}

// removeCgroup removes a tree from its leaves. Processes that were just killed
// may still be leaving.
func removeCgroup(dir string) error {
	var dirs []string
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err == nil && d.IsDir() {
			dirs = append(dirs, path)
		}
		return nil //nolint:nilerr // it may vanish while we look
	})
	if err != nil {
		return err
	}
	deadline := time.Now().Add(5 * time.Second)
	for _, d := range slices.Backward(dirs) {
		for {
			err := os.Remove(d)
			if err == nil || errors.Is(err, fs.ErrNotExist) {
				break
			}
			if time.Now().After(deadline) {
				return fmt.Errorf("remove cgroup: %w", err)
			}
			time.Sleep(pollEvery)
		}
	}
	return nil
}

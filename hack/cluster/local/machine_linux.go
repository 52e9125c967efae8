// Copyright The Countersign Authors.
// SPDX-License-Identifier: Apache-2.0

package local

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"
)

// What the kubelet sets for the whole machine, whatever its namespaces.
var machineSysctls = []string{
	"vm.overcommit_memory", "vm.panic_on_oom", "kernel.panic", "kernel.panic_on_oops",
	"kernel.keys.root_maxkeys", "kernel.keys.root_maxbytes",
}

// Directories that programs of a node use by fixed names. The cluster mounts
// memory over them in its own mount namespace; the host only lends the names.
var lentDirs = []string{"/var/lib/kubelet", "/var/lib/cni", "/var/log/containers", "/var/log/pods"}

// prepare writes down what the cluster will change on this machine.
func (s *state) prepare() error {
	if s.Form != Real {
		return s.save()
	}
	if err := s.chooseWork(); err != nil {
		return err
	}
	if err := s.remember(); err != nil {
		return err
	}
	if err := s.save(); err != nil { // before anything is made
		return err
	}
	for _, dir := range s.Made {
		if err := os.MkdirAll(dir, 0o755); err != nil {
			return err
		}
	}
	return s.makeCgroups()
}

// chooseWork looks for a directory that containerd can make overlays on, which
// is not one that is an overlay itself.
func (s *state) chooseWork() error {
	if err := os.MkdirAll(s.dir(), 0o700); err != nil {
		return err
	}
	tried := []string{s.file("work"), filepath.Join("/var/tmp", "countersign-"+s.Name)}
	for _, dir := range tried {
		var fs unix.Statfs_t
		if err := unix.Statfs(filepath.Dir(dir), &fs); err == nil && fs.Type != unix.OVERLAYFS_SUPER_MAGIC && fs.Type != unix.TMPFS_MAGIC {
			s.Work = dir
			return nil
		}
	}
	return fmt.Errorf("containers want a plain file system such as ext4 or xfs below one of %s: set COUNTERSIGN_CACHE to a directory on one", strings.Join(tried, ", "))
}

// remember writes down how the machine is. It takes over what another cluster
// remembers: how it is now is that cluster's doing.
func (s *state) remember() error {
	other, err := s.neighbour()
	if err != nil {
		return err
	}
	if other != nil {
		s.Sysctls, s.Made = maps.Clone(other.Sysctls), slices.Clone(other.Made)
		return nil
	}
	for _, dir := range lentDirs {
		if _, err := os.Stat(dir); errors.Is(err, fs.ErrNotExist) {
			s.Made = append(s.Made, dir)
		}
	}
	s.Sysctls = map[string]string{}
	for _, name := range machineSysctls {
		value, err := os.ReadFile(sysctlFile(name))
		if err != nil {
			continue // this kernel has none
		}
		s.Sysctls[name] = strings.TrimSpace(string(value))
	}
	return nil
}

// neighbour is another real cluster of this machine, or nil.
func (s *state) neighbour() (*state, error) {
	states, err := all()
	if err != nil {
		return nil, err
	}
	for _, o := range states {
		if o.Name != s.Name && o.Form == Real {
			return o, nil
		}
	}
	return nil, nil
}

// restore undoes what remember wrote down. While another cluster is there it
// leaves that to it: to remove a directory would also unmount what the other has
// mounted there.
func (s *state) restore() error {
	other, err := s.neighbour()
	if err != nil || other != nil {
		return err
	}
	var errs []error
	for name, value := range s.Sysctls {
		if now, err := os.ReadFile(sysctlFile(name)); err != nil || strings.TrimSpace(string(now)) == value {
			continue
		}
		errs = append(errs, setSysctl(name, value))
	}
	for _, dir := range slices.Backward(s.Made) {
		// Somebody may have filled it since: then it stays.
		if err := os.Remove(dir); err != nil && !errors.Is(err, fs.ErrNotExist) && !errors.Is(err, syscall.ENOTEMPTY) {
			errs = append(errs, err)
		}
	}
	return errors.Join(errs...)
}

func sysctlFile(name string) string {
	return filepath.Join("/proc/sys", strings.ReplaceAll(name, ".", "/"))
}

func setSysctl(name, value string) error {
	if err := os.WriteFile(sysctlFile(name), []byte(value), 0); err != nil {
		return fmt.Errorf("set sysctl %s to %s: %w", name, value, err)
	}
	return nil
}

// cleanMachine undoes what prepare and the kubelet did.
func (s *state) cleanMachine() error {
	if s.Form != Real {
		return nil
	}
	return errors.Join(s.removeCgroups(), s.restore())
}

// Copyright The Countersign Authors.
// SPDX-License-Identifier: Apache-2.0

package local

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"
)

func realEndpoint() endpoint {
	return endpoint{
		address: nodeAddress, bind: "0.0.0.0", port: 6443, etcd: 2379, peer: 2380,
		manager: 10257, schedule: 10259, services: serviceRange, fixed: true,
	}
}

// enterOwnWorld makes the new namespaces look like a machine: its own /proc,
// /sys and /run, a bridge with the node's address, and no way out.
func (s *state) enterOwnWorld() error {
	if err := unix.Sethostname([]byte(nodeName)); err != nil {
		return err
	}
	if err := s.mounts(); err != nil {
		return err
	}
	return network()
}

func (s *state) mounts() error {
	work := filepath.Join(runDir, "work")
	steps := []mount{
		{target: "/", flags: unix.MS_REC | unix.MS_PRIVATE}, // nothing leaks to the host
		{source: "proc", target: "/proc", kind: "proc"},
		// /sys shows the devices of the network namespace that mounts it; the
		// cgroup trees below it are carried over by way of /run.
		{source: "tmpfs", target: "/run", kind: "tmpfs", data: "mode=755"},
		{source: cgroupMount, target: "/run/cgroup", flags: unix.MS_BIND | unix.MS_REC},
		{source: "sysfs", target: "/sys", kind: "sysfs"},
		{source: "/run/cgroup", target: cgroupMount, flags: unix.MS_BIND | unix.MS_REC, keep: true},
		{source: s.Work, target: work, flags: unix.MS_BIND},
	}
	for _, dir := range lentDirs {
		steps = append(steps, mount{source: "tmpfs", target: dir, kind: "tmpfs", data: "mode=755"})
	}
	// Kubelet and containers pass mounts on to each other, inside.
	steps = append(steps, mount{target: "/", flags: unix.MS_REC | unix.MS_SHARED})
	if err := os.MkdirAll(s.Work, 0o700); err != nil {
		return err
	}
	for _, m := range steps {
		if err := m.do(); err != nil {
			return err
		}
	}
	return unix.Unmount("/run/cgroup", unix.MNT_DETACH)
}

type mount struct {
	source, target, kind, data string
	flags                      uintptr
	keep                       bool // the target is there already and cannot be made
}

func (m mount) do() error {
	if !m.keep {
		if err := os.MkdirAll(m.target, 0o755); err != nil {
			return err
		}
	}
	if err := unix.Mount(m.source, m.target, m.kind, m.flags, m.data); err != nil {
		return fmt.Errorf("mount %s on %s: %w", m.source, m.target, err)
	}
	return nil
}

func network() error {
	for _, line := range []string{
		"link set lo up",
		"link add node0 type bridge", // a dummy device is not to be had everywhere
		fmt.Sprintf("address add %s/%d dev node0", nodeAddress, nodeRange.Bits()),
		"link set node0 up",
		// Without a route to the Services the kernel refuses before kube-proxy's
		// rules see a packet. There is no default route.
		fmt.Sprintf("route add %s dev node0", serviceRange),
	} {
		if out, err := exec.Command("ip", strings.Fields(line)...).CombinedOutput(); err != nil {
			return fmt.Errorf("ip %s: %w: %s", line, err, out)
		}
	}
	if err := setSysctl("net.ipv4.ip_forward", "1"); err != nil {
		return err
	}
	// Pods that call each other through a Service want their answers translated
	// back, although these stay on the bridge.
	if bridgeFiltered() {
		return setSysctl("net.bridge.bridge-nf-call-iptables", "1")
	}
	return nil
}

// bridgeFiltered says whether the kernel can show a bridge's own traffic to
// kube-proxy's rules.
func bridgeFiltered() bool {
	_, err := os.Stat(sysctlFile("net.bridge.bridge-nf-call-iptables"))
	return err == nil
}

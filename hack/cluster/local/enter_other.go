// Copyright The Countersign Authors.
// SPDX-License-Identifier: Apache-2.0

//go:build !linux

package local

import (
	"context"
	"errors"
	"io"
	"net"
	"os/exec"
	"strconv"
	"syscall"
)

// Start starts a command against the cluster, with KUBECONFIG set. The channel
// yields how it ended, once.
func (c *Cluster) Start(cmd *exec.Cmd) (<-chan error, error) {
	if err := c.complete(cmd); err != nil {
		return nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	done := make(chan error, 1)
	go func() { done <- cmd.Wait() }()
	return done, nil
}

// DialContext connects to an address in the cluster's network, which is ours.
func (c *Cluster) DialContext(ctx context.Context, network, address string) (net.Conn, error) {
	var d net.Dialer
	return d.DialContext(ctx, network, address)
}

// Init is only for Linux, where a real cluster has a process 1.
func Init(string) error { return errors.New("a real node wants Linux") }

// Become is only for Linux, as Init is.
func Become(string, []string) error { return errors.New("a real node wants Linux") }

func (s *state) bringUpNode(context.Context, Options) (*ControlPlane, error) {
	return nil, errors.New("a real node wants Linux")
}

func (s *state) prepare() error      { return s.save() }
func (s *state) cleanMachine() error { return nil }

func firstCommand(Form) string { return "supervise" }

func detached(Form) *syscall.SysProcAttr { return &syscall.SysProcAttr{Setsid: true} }

// processStarted knows only that the process is there: the pid has to do.
func processStarted(pid int) string {
	if syscall.Kill(pid, 0) != nil {
		return ""
	}
	return strconv.Itoa(pid)
}

func sameProcess(pid int, started string) bool {
	return started != "" && processStarted(pid) == started
}

func ensurePackages(context.Context, io.Writer) error { return nil }

// Copyright The Countersign Authors.
// SPDX-License-Identifier: Apache-2.0

package local

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"runtime"
	"syscall"

	"golang.org/x/sys/unix"
)

// Start starts a command against the cluster: in its namespaces when it has
// some of its own, and with KUBECONFIG set. The host's files are all there. The
// command dies with this process. The channel yields how it ended, once.
func (c *Cluster) Start(cmd *exec.Cmd) (<-chan error, error) {
	if err := c.complete(cmd); err != nil {
		return nil, err
	}
	if cmd.SysProcAttr == nil {
		cmd.SysProcAttr = &syscall.SysProcAttr{}
	}
	if c.separate() {
		c.wrap(cmd)
	} else {
		cmd.SysProcAttr.Pdeathsig = syscall.SIGKILL
	}
	started, done := make(chan error), make(chan error, 1)
	go func() {
		// Never unlocked: a thread that has moved to other namespaces must end
		// with this goroutine. It stays until the command has ended, because a
		// parent's death means that of the thread.
		runtime.LockOSThread()
		err := c.enter("ipc", "uts", "net", "pid", "mnt")
		if err == nil {
			err = cmd.Start()
		}
		started <- err
		if err == nil {
			done <- cmd.Wait()
		}
	}()
	return done, <-started
}

// wrap lets the command start as our own program, which becomes the command once
// it has asked to die with its parent. Go's own Pdeathsig cannot ask from inside
// another pid namespace: a parent outside has no pid there and is taken for dead.
func (c *Cluster) wrap(cmd *exec.Cmd) {
	args := append([]string{c.Program(), "become", cmd.Path}, cmd.Args...)
	cmd.Path, cmd.Args = c.Program(), args
}

// Become asks the kernel to kill this process when its parent dies and turns it
// into another program. It is for the cluster's own use.
func Become(path string, args []string) error {
	if err := unix.Prctl(unix.PR_SET_PDEATHSIG, uintptr(syscall.SIGKILL), 0, 0, 0); err != nil {
		return err
	}
	return fmt.Errorf("run %s: %w", path, syscall.Exec(path, args, os.Environ()))
}

// enter moves the calling thread into namespaces of the cluster.
func (c *Cluster) enter(kinds ...string) error {
	if !c.separate() {
		return nil
	}
	if !c.state.alive() {
		return fmt.Errorf("cluster %s has ended: start it by `go run ./hack/cluster --name %s up`", c.state.Name, c.state.Name)
	}
	// The file system's root is shared among threads until one asks for its own.
	if err := unix.Unshare(unix.CLONE_FS); err != nil {
		return err
	}
	var files []*os.File
	for _, kind := range kinds { // all are opened first: /proc is another one after "mnt"
		f, err := os.Open(fmt.Sprintf("/proc/%d/ns/%s", c.state.Pid, kind))
		if err != nil {
			return err
		}
		defer f.Close()
		files = append(files, f)
	}
	for i, f := range files {
		if err := unix.Setns(int(f.Fd()), 0); err != nil {
			return fmt.Errorf("enter the %s namespace of cluster %s (it wants root): %w", kinds[i], c.state.Name, err)
		}
	}
	return nil
}

// DialContext connects to an address, a literal one, in the cluster's network.
func (c *Cluster) DialContext(ctx context.Context, network, address string) (net.Conn, error) {
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		return nil, err
	}
	if net.ParseIP(host) == nil {
		return nil, errors.New("there is no DNS in the cluster's network: dial an IP address")
	}
	type result struct {
		conn net.Conn
		err  error
	}
	out := make(chan result, 1)
	go func() {
		runtime.LockOSThread() // never unlocked, as above
		if err := c.enter("net"); err != nil {
			out <- result{err: err}
			return
		}
		var d net.Dialer
		conn, err := d.DialContext(ctx, network, address)
		out <- result{conn, err}
	}()
	r := <-out
	return r.conn, r.err
}

// Copyright The Countersign Authors.
// SPDX-License-Identifier: Apache-2.0

package local

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"syscall"
)

// Init is process 1 of a real cluster. It does what only process 1 can: it reaps
// whatever is orphaned, and ends the whole cluster by ending.
func Init(name string) error {
	if os.Getpid() != 1 {
		return errors.New("init is only for the cluster's own use")
	}
	report := os.NewFile(3, "report")
	child := exec.Command("/proc/self/exe", "--name", name, "supervise")
	child.Path, _ = os.Executable() // /proc is still the host's, where "self" is nobody
	child.Args[0] = child.Path
	child.Dir = "/"
	child.Stdout, child.Stderr = os.Stdout, os.Stderr
	child.ExtraFiles = []*os.File{report}
	if err := child.Start(); err != nil {
		return err
	}
	report.Close()
	for {
		var status syscall.WaitStatus
		pid, err := syscall.Wait4(-1, &status, 0, nil)
		switch {
		case errors.Is(err, syscall.EINTR):
		case err != nil:
			return err
		case pid == child.Process.Pid:
			return fmt.Errorf("the supervisor ended with status %d", status.ExitStatus())
		}
	}
}

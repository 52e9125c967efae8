// Copyright The Countersign Authors.
// SPDX-License-Identifier: Apache-2.0

package local

import (
	"bytes"
	"fmt"
	"os"
	"syscall"
)

// processStarted is when a process started, in the kernel's own unit; empty
// when there is no such process or only its exit status is left.
func processStarted(pid int) string {
	data, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return ""
	}
	// The second field is a name in brackets that may hold anything.
	fields := bytes.Fields(data[bytes.LastIndexByte(data, ')')+1:])
	const state, started = 0, 19
	if len(fields) <= started || fields[state][0] == 'Z' || fields[state][0] == 'X' {
		return ""
	}
	return string(fields[started])
}

func sameProcess(pid int, started string) bool {
	return started != "" && processStarted(pid) == started
}

// firstCommand is the hidden command that the first process runs.
func firstCommand(f Form) string {
	if f == Real {
		return "init"
	}
	return "supervise"
}

func detached(f Form) *syscall.SysProcAttr {
	attr := &syscall.SysProcAttr{Setsid: true}
	if f == Real {
		attr.Cloneflags = syscall.CLONE_NEWNET | syscall.CLONE_NEWNS | syscall.CLONE_NEWPID | syscall.CLONE_NEWUTS | syscall.CLONE_NEWIPC
	}
	return attr
}

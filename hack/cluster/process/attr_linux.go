// Copyright The Countersign Authors.
// SPDX-License-Identifier: Apache-2.0

package process

import "syscall"

// dieWithParent also gives the child a process group of its own, so that an
// interrupt typed at a terminal reaches us alone and we stop things in order.
func dieWithParent() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL, Setpgid: true}
}

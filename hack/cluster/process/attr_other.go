// Copyright The Countersign Authors.
// SPDX-License-Identifier: Apache-2.0

//go:build !linux

package process

import "syscall"

// dieWithParent cannot be had here: only Linux signals the death of a parent.
// The child shares our process group instead, which a terminal ends as one.
func dieWithParent() *syscall.SysProcAttr { return nil }

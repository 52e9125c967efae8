// Copyright The Countersign Authors.
// SPDX-License-Identifier: Apache-2.0

// Package command is the command line of kubectl countersign: it reads what there
// is, has package show say what it means, and writes annotations. Everything that
// it does is possible with plain kubectl.
package command

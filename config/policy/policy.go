// Copyright The Countersign Authors.
// SPDX-License-Identifier: Apache-2.0

// Package policy holds the admission policies, as the operator of this version
// wants to find them on the cluster.
package policy

import "embed"

// Files are the manifests.
//
//go:embed *.yaml
var Files embed.FS

// Copyright The Countersign Authors.
// SPDX-License-Identifier: Apache-2.0

// Package webhook holds the webhook's configuration, as the operator of this
// version wants to find it on the cluster.
package webhook

import _ "embed"

// Configuration is the manifest.
//
//go:embed configuration.yaml
var Configuration []byte

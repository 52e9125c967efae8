// Copyright The Countersign Authors.
// SPDX-License-Identifier: Apache-2.0

package local

import (
	"net/netip"
	"path/filepath"
)

const (
	nodeName    = "node-1"
	nodeAddress = "10.89.0.1"
	runDir      = "/run/countersign" // short, because socket paths may not be long
	pauseImage  = "countersign.local/pause:1"
)

// Ranges of a real cluster. They are in a network of their own, so they collide
// with nothing outside of it.
var (
	nodeRange = netip.MustParsePrefix("10.89.0.0/24")
	podRange  = netip.MustParsePrefix("10.244.0.0/16")

	containerdSocket = filepath.Join(runDir, "containerd.sock")
)

// Ranges are the addresses of a real cluster's node, pods and Services.
func Ranges() []netip.Prefix { return []netip.Prefix{nodeRange, podRange, serviceRange} }

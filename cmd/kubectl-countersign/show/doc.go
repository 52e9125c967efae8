// Copyright The Countersign Authors.
// SPDX-License-Identifier: Apache-2.0

// Package show turns what was read of a Release into what people and programs
// read: reports, and text made of them. It is pure: it reads no cluster, no clock
// and no terminal. What votes come to is asked of package approval, and what a
// digest covers of package digest.
package show

// Copyright The Countersign Authors.
// SPDX-License-Identifier: Apache-2.0

// Package local runs Kubernetes on this machine, from pinned Go modules: either
// a control plane alone, in a few seconds and without root, for tests that need
// a real API server; or a whole cluster with kubelet, containers and kube-proxy
// in Linux namespaces of its own, from which nothing can leave.
package local

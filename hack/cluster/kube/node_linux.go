// Copyright The Countersign Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"

	"github.com/spf13/cobra"
	proxy "k8s.io/kubernetes/cmd/kube-proxy/app"
	kubelet "k8s.io/kubernetes/cmd/kubelet/app"
)

// Only Linux runs nodes; elsewhere they are fake.
func init() {
	programs["kube-proxy"] = daemon(proxy.NewProxyCommand)
	programs["kubelet"] = daemon(func() *cobra.Command { return kubelet.NewKubeletCommand(context.Background()) })
}

// Copyright The Countersign Authors.
// SPDX-License-Identifier: Apache-2.0

package local

import (
	"context"
	"os"
	"path/filepath"

	"github.com/countersign/countersign/hack/cluster/process"
)

// bringUpNode starts containerd beside the control plane, then the kubelet and
// kube-proxy, in namespaces of their own.
func (s *state) bringUpNode(ctx context.Context, opts Options) (_ *ControlPlane, err error) {
	if err := s.enterOwnWorld(); err != nil {
		return nil, err
	}
	opts.endpoint = realEndpoint()
	c, err := StartControlPlane(ctx, opts)
	if err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			_ = c.Stop()
		}
	}()
	n := &node{ControlPlane: c, state: s}
	for _, step := range []func(context.Context) error{n.startContainerd, n.importImages, n.startKubelet, n.startProxy} {
		if err := step(ctx); err != nil {
			return nil, err
		}
	}
	return c, c.waitNodes(ctx, 1)
}

// node is the part of a real cluster that runs pods.
type node struct {
	*ControlPlane
	state *state
}

func (n *node) startContainerd(ctx context.Context) error {
	if err := n.writeContainerdFiles(); err != nil {
		return err
	}
	n.say("starting containerd")
	_, err := n.group.Start(process.Spec{
		Name: "containerd",
		Path: n.bin.Path("containerd"),
		Args: []string{"--config", n.file("containerd.toml")},
		Env:  []string{"PATH=" + n.bin.Dir + ":" + os.Getenv("PATH")}, // for its shim
		Log:  n.file("logs/containerd.log"),
	})
	if err != nil {
		return err
	}
	return n.await(ctx, "containerd serves", func(ctx context.Context) error {
		return ctr(ctx, n.bin, "version").Run()
	})
}

func (n *node) importImages(ctx context.Context) error {
	archives, err := filepath.Glob(n.file("images/*.tar"))
	if err != nil {
		return err
	}
	for _, archive := range archives {
		n.say("importing %s", filepath.Base(archive))
		if err := importArchive(ctx, n.bin, archive); err != nil {
			return err
		}
	}
	return nil
}

func (n *node) startKubelet(context.Context) error {
	config, err := n.programConfig("kubelet", "system:node:"+nodeName, "system:nodes")
	if err != nil {
		return err
	}
	serving, err := n.ca.Server("kubelet", nodeName, nodeAddress)
	if err != nil {
		return err
	}
	if err := n.ca.Write("kubelet", serving); err != nil {
		return err
	}
	if err := writeJSON(n.file("kubelet.json"), n.kubeletConfig()); err != nil {
		return err
	}
	return n.run("kubelet",
		"--config="+n.file("kubelet.json"),
		"--kubeconfig="+config,
		"--root-dir="+filepath.Join(runDir, "work", "kubelet"),
		"--cert-dir="+n.file("pki"),
		"--hostname-override="+nodeName,
		"--node-ip="+nodeAddress,
	)
}

func (n *node) startProxy(context.Context) error {
	config, err := n.programConfig("kube-proxy", "system:kube-proxy")
	if err != nil {
		return err
	}
	if err := writeJSON(n.file("kube-proxy.json"), n.proxyConfig(config)); err != nil {
		return err
	}
	return n.run("kube-proxy", "--config="+n.file("kube-proxy.json"))
}

func (n *node) writeContainerdFiles() error {
	if err := os.MkdirAll(n.file("cni"), 0o755); err != nil {
		return err
	}
	if err := writeJSON(n.file("cni/10-pods.conflist"), podNetwork()); err != nil {
		return err
	}
	return os.WriteFile(n.file("containerd.toml"), []byte(containerdConfig(n.bin.Dir, n.file("cni"))), 0o600)
}

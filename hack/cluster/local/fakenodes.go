// Copyright The Countersign Authors.
// SPDX-License-Identifier: Apache-2.0

package local

import (
	"context"
	_ "embed" // the stages of fake pods and nodes
	"fmt"
	"os"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

//go:embed fakenodes.yaml
var stages []byte

// startFakeNodes starts kwok, which plays kubelet for nodes that do not exist.
func (c *ControlPlane) startFakeNodes(ctx context.Context) error {
	if c.opts.FakeNodes == 0 {
		return nil
	}
	config, err := c.programConfig("kwok", "kwok", "system:masters", "system:nodes")
	if err != nil {
		return err
	}
	if err := os.WriteFile(c.file("stages.yaml"), stages, 0o644); err != nil {
		return err
	}
	err = c.run("kwok",
		"--kubeconfig="+config,
		"--config="+c.file("stages.yaml"),
		"--manage-all-nodes",
		"--node-lease-duration-seconds=40",
		"--cidr=10.244.0.1/16",
	)
	if err != nil {
		return err
	}
	client, err := c.client()
	if err != nil {
		return err
	}
	for i := range c.opts.FakeNodes {
		name := fmt.Sprintf("fake-%d", i)
		err := ignoreExists(client.CoreV1().Nodes().Create(ctx, &corev1.Node{ObjectMeta: metav1.ObjectMeta{
			Name:        name,
			Labels:      map[string]string{corev1.LabelHostname: name, corev1.LabelOSStable: "linux"},
			Annotations: map[string]string{"kwok.x-k8s.io/node": "fake"},
		}}, metav1.CreateOptions{}))
		if err != nil {
			return err
		}
	}
	return c.waitNodes(ctx, c.opts.FakeNodes)
}

// Copyright The Countersign Authors.
// SPDX-License-Identifier: Apache-2.0

package local

import (
	"context"
	"fmt"
	"time"

	authenticationv1 "k8s.io/api/authentication/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"

	"github.com/countersign/countersign/hack/cluster/identity"
)

const (
	pollEvery    = 50 * time.Millisecond
	startTimeout = 2 * time.Minute
)

// await polls until check returns nil, a program ends, or the time is up. What
// check last said is part of the error.
func (c *ControlPlane) await(ctx context.Context, what string, check func(context.Context) error) error {
	ctx, cancel := context.WithTimeout(ctx, startTimeout)
	defer cancel()
	tick := time.NewTicker(pollEvery)
	defer tick.Stop()
	for {
		last := check(ctx)
		if last == nil {
			return nil
		}
		select {
		case err := <-c.Failed():
			return fmt.Errorf("waiting until %s: %w", what, err)
		case <-ctx.Done():
			return fmt.Errorf("gave up waiting until %s: %w; logs are in %s", what, last, c.file("logs"))
		case <-tick.C:
		}
	}
}

func (c *ControlPlane) waitServing(ctx context.Context) error {
	client, err := c.client()
	if err != nil {
		return err
	}
	err = c.await(ctx, "the API server is ready", func(ctx context.Context) error {
		return client.RESTClient().Get().AbsPath("/readyz").Do(ctx).Error()
	})
	if err != nil {
		return err
	}
	return c.await(ctx, "people's tokens are accepted", c.checkPeople)
}

// checkPeople asks as one of them: all tokens have the same issuer, whose key
// the API server fetches in the background.
func (c *ControlPlane) checkPeople(ctx context.Context) error {
	person := identity.People()[0]
	cfg, err := c.Config(person.Name)
	if err != nil {
		return err
	}
	client, err := kubernetes.NewForConfig(cfg)
	if err != nil {
		return err
	}
	review := &authenticationv1.SelfSubjectReview{}
	got, err := client.AuthenticationV1().SelfSubjectReviews().Create(ctx, review, metav1.CreateOptions{})
	if err != nil {
		return err
	}
	if got.Status.UserInfo.Username != person.Email {
		return fmt.Errorf("the token of %s names %s", person.Email, got.Status.UserInfo.Username)
	}
	return nil
}

// waitDefaultAccount waits for what no pod can be made without.
func (c *ControlPlane) waitDefaultAccount(ctx context.Context) error {
	client, err := c.client()
	if err != nil {
		return err
	}
	return c.await(ctx, "the ServiceAccount default exists", func(ctx context.Context) error {
		_, err := client.CoreV1().ServiceAccounts(metav1.NamespaceDefault).Get(ctx, "default", metav1.GetOptions{})
		return err
	})
}

// waitNodes waits until that many nodes are ready.
func (c *ControlPlane) waitNodes(ctx context.Context, want int) error {
	client, err := c.client()
	if err != nil {
		return err
	}
	return c.await(ctx, fmt.Sprintf("%d node(s) are ready", want), func(ctx context.Context) error {
		nodes, err := client.CoreV1().Nodes().List(ctx, metav1.ListOptions{})
		if err != nil {
			return err
		}
		ready := 0
		for i := range nodes.Items {
			if nodeReady(&nodes.Items[i]) {
				ready++
			}
		}
		if ready < want {
			return fmt.Errorf("%d of %d nodes are ready", ready, want)
		}
		return nil
	})
}

func nodeReady(node *corev1.Node) bool {
	for _, c := range node.Status.Conditions {
		if c.Type == corev1.NodeReady {
			return c.Status == corev1.ConditionTrue
		}
	}
	return false
}

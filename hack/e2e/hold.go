// Copyright The Countersign Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/countersign/countersign/hack/cluster/local"
	"github.com/countersign/countersign/hack/e2e/operator"
)

// hold keeps the operator from switching Services: it can be ended with a decision
// on record and no Service written.
const hold = "hack/e2e/testdata/hold.yaml"

// awaitHold waits until the policy that holds the operator back has taken effect
// on Service shop of a namespace, or no longer has.
func awaitHold(ctx context.Context, c *local.Cluster, namespace string, held bool) error {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	for {
		output := operator.Output(ctx, c, ".", "patch", "service", "shop", "-n", namespace, "--dry-run=server",
			"--as", operator.User, "--type=merge", "-p",
			`{"metadata":{"annotations":{"countersign.dev/epoch":"99"}},"spec":{"selector":{"countersign.dev/colour":"green"}}}`)
		if strings.Contains(output, "held by the test") == held {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("the policy did not take effect: %s", output)
		case <-time.After(100 * time.Millisecond):
		}
	}
}

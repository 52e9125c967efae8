// Copyright The Countersign Authors.
// SPDX-License-Identifier: Apache-2.0

package rollout_test

import (
	"strings"
	"testing"

	"github.com/countersign/countersign/controllers/rollout"
)

// What the API server refuses for good is told in its own words.
func TestWriteRefused(t *testing.T) {
	n := rollout.WriteRefused("create Deployment prod/shop-green: exceeded quota")
	coverage.notice(n.Reason)
	if !n.Warning || !strings.HasPrefix(n.Message, "create Deployment prod/shop-green: exceeded quota; ") {
		t.Errorf("it says %+v", n)
	}
}

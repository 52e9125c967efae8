// Copyright The Countersign Authors.
// SPDX-License-Identifier: Apache-2.0

package admission

import (
	"context"
	"slices"
	"strings"

	"github.com/countersign/countersign/api/v1alpha1"
	"github.com/countersign/countersign/controllers/access"
	"github.com/countersign/countersign/controllers/approval"
	"github.com/countersign/countersign/controllers/receipt"
	"github.com/countersign/countersign/controllers/speccheck"
	authorizationv1 "k8s.io/api/authorization/v1"
)

// Permitter tells whom RBAC lets approve under a rule.
type Permitter interface {
	Permits(ctx context.Context, who access.Person, namespace, rule string) (bool, error)
}

// checkDemands refuses content that the policies do not let through whoever
// approves it, and warns of what keeps it back whoever votes.
func (w *Webhook) checkDemands(ctx context.Context, r *review) error {
	if !r.contentChanged {
		return nil
	}
	policies, err := w.policies(ctx, r)
	if err != nil {
		return err
	}
	if policy := approval.RequiresImageDigests(policies); policy != "" {
		if problems := speccheck.UnpinnedImages(r.now.Spec); len(problems) > 0 {
			return refuse("Image", "policy %s wants every image of Release %s by its digest, because a tag can be moved after it was approved: %s",
				policy, r.now.Name, strings.Join(problems, "; "))
		}
	}
	if len(approval.Demands(policies)) == 0 {
		r.warn("no ApprovalPolicy with rules covers namespace %s, so nobody can let Release %s through; ask the platform team for one: kubectl get approvalpolicies", r.now.Namespace, r.now.Name)
		return nil
	}
	authors, err := receipt.ParseAuthors(r.annotations[v1alpha1.AuthorsAnnotation])
	if err != nil {
		return err
	}
	for _, sentence := range approval.Unsatisfiable(policies, approval.Subject{Authors: authors}) {
		r.warn("nobody can let Release %s through as it is: %s", r.now.Name, sentence)
	}
	if held := approval.Held(policies); held != "" {
		r.warn("%s", held)
	}
	return nil
}

const (
	// maxGroups and maxGroupsLength bound the groups of a voter that a receipt can
	// record, in number and in bytes.
	maxGroups       = 128
	maxGroupsLength = 8192
)

// permitted are the rules under which RBAC lets the requester approve, and the
// groups that have to be on record so that it can be asked again.
func (w *Webhook) permitted(ctx context.Context, r *review, policies []approval.Policy) (rules, groups []string, err error) {
	asked := approval.RulesByRBAC(policies)
	user := r.req.UserInfo
	if len(asked) == 0 || w.Access == nil {
		return nil, nil, nil
	}
	if len(user.Groups) > maxGroups || len(strings.Join(user.Groups, "")) > maxGroupsLength {
		r.warn("you are in too many groups to be put on record, so that rules by RBAC do not let you approve: %s", strings.Join(asked, ", "))
		return nil, nil, nil
	}
	who := access.Person{User: user.Username, Groups: user.Groups, Extra: map[string]authorizationv1.ExtraValue{}}
	for key, value := range user.Extra {
		who.Extra[key] = authorizationv1.ExtraValue(value)
	}
	for _, rule := range asked {
		permits, err := w.Access.Permits(ctx, who, r.now.Namespace, rule)
		if err != nil {
			return nil, nil, err
		}
		if permits {
			rules = append(rules, rule)
		}
	}
	if len(rules) == 0 {
		return nil, nil, nil
	}
	return rules, slices.Clone(user.Groups), nil
}

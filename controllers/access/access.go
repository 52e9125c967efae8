// Copyright The Countersign Authors.
// SPDX-License-Identifier: Apache-2.0

// Package access asks the API server whom RBAC lets approve under a rule.
package access

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/countersign/countersign/api/v1alpha1"
	authorizationv1 "k8s.io/api/authorization/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/manager"
)

// What RBAC is asked for. There is no such resource: it only has a name.
const (
	Verb     = "approve"
	Resource = "approvalrules"
)

// superusers may do everything, whatever RBAC says. To be asked whether somebody
// is meant to approve, that is no answer.
const superusers = "system:masters"

// Person is somebody as the API server authenticated them.
type Person struct {
	User   string
	Groups []string
	Extra  map[string]authorizationv1.ExtraValue
}

// Reviewer asks by SubjectAccessReview.
type Reviewer struct {
	// Client has no cache: one that looks for its own writes there would look for
	// reviews, which nobody can list.
	Client client.Client
}

// NewReviewer asks the API server of a manager.
func NewReviewer(mgr manager.Manager) (Reviewer, error) {
	c, err := client.New(mgr.GetConfig(), client.Options{HTTPClient: mgr.GetHTTPClient(), Scheme: mgr.GetScheme(), Mapper: mgr.GetRESTMapper()})
	if err != nil {
		return Reviewer{}, fmt.Errorf("connect to ask RBAC: %w", err)
	}
	return Reviewer{Client: c}, nil
}

// Permits tells whether RBAC lets a person approve under a rule, by its ID, in a
// namespace. It never lets programs, nor those whom nothing is forbidden.
func (r Reviewer) Permits(ctx context.Context, who Person, namespace, rule string) (bool, error) {
	if who.User == "" || strings.HasPrefix(who.User, "system:") || slices.Contains(who.Groups, superusers) {
		return false, nil
	}
	review := &authorizationv1.SubjectAccessReview{Spec: authorizationv1.SubjectAccessReviewSpec{
		User: who.User, Groups: who.Groups, Extra: who.Extra,
		ResourceAttributes: &authorizationv1.ResourceAttributes{
			Namespace: namespace, Verb: Verb, Group: v1alpha1.GroupVersion.Group, Resource: Resource, Name: rule,
		},
	}}
	if err := r.Client.Create(ctx, review); err != nil {
		return false, fmt.Errorf("ask whether %s may %s %s/%s in namespace %s: %w", who.User, Verb, Resource, rule, namespace, err)
	}
	return review.Status.Allowed && !review.Status.Denied, nil
}

// Copyright The Countersign Authors.
// SPDX-License-Identifier: Apache-2.0

package access_test

import (
	"context"
	"errors"
	"testing"

	"github.com/countersign/countersign/controllers/access"
	authorizationv1 "k8s.io/api/authorization/v1"
	"k8s.io/client-go/kubernetes/scheme"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"
)

func TestPermits(t *testing.T) {
	for name, tc := range map[string]struct {
		reason string
		who    access.Person
		status authorizationv1.SubjectAccessReviewStatus
		err    error
		want   bool
		asked  bool
	}{
		"Allowed":    {"whom RBAC allows", access.Person{User: "bob", Groups: []string{"team"}}, authorizationv1.SubjectAccessReviewStatus{Allowed: true}, nil, true, true},
		"NotAllowed": {"no word is no permission", access.Person{User: "bob"}, authorizationv1.SubjectAccessReviewStatus{}, nil, false, true},
		"Denied":     {"a denial wins", access.Person{User: "bob"}, authorizationv1.SubjectAccessReviewStatus{Allowed: true, Denied: true}, nil, false, true},
		"NoAnswer":   {"no answer is no permission", access.Person{User: "bob"}, authorizationv1.SubjectAccessReviewStatus{Allowed: true}, errors.New("timeout"), false, true},
		"Superuser":  {"sec/54: who may do everything is not meant", access.Person{User: "root", Groups: []string{"system:masters"}}, authorizationv1.SubjectAccessReviewStatus{Allowed: true}, nil, false, false},
		"Program":    {"sec/34: programs do not approve, whatever they may do", access.Person{User: "system:serviceaccount:ci:bot"}, authorizationv1.SubjectAccessReviewStatus{Allowed: true}, nil, false, false},
		"Nobody":     {"nobody is nobody", access.Person{}, authorizationv1.SubjectAccessReviewStatus{Allowed: true}, nil, false, false},
	} {
		t.Run(name, func(t *testing.T) {
			var spec *authorizationv1.SubjectAccessReviewSpec
			c := fake.NewClientBuilder().WithScheme(scheme.Scheme).WithInterceptorFuncs(interceptor.Funcs{
				Create: func(_ context.Context, _ client.WithWatch, o client.Object, _ ...client.CreateOption) error {
					review := o.(*authorizationv1.SubjectAccessReview)
					spec, review.Status = &review.Spec, tc.status
					return tc.err
				},
			}).Build()
			got, err := access.Reviewer{Client: c}.Permits(t.Context(), tc.who, "prod", "p.owner")
			if got != tc.want || (err != nil) != (tc.err != nil) || (spec != nil) != tc.asked {
				t.Fatalf("%s: got %v, %v, asked %+v", tc.reason, got, err, spec)
			}
			want := authorizationv1.ResourceAttributes{Namespace: "prod", Verb: "approve", Group: "countersign.dev", Resource: "approvalrules", Name: "p.owner"}
			if spec != nil && (spec.User != tc.who.User || *spec.ResourceAttributes != want) {
				t.Errorf("it asks %+v", spec)
			}
		})
	}
}

// Copyright The Countersign Authors.
// SPDX-License-Identifier: Apache-2.0

package command

import (
	"context"
	"fmt"
	"time"

	"github.com/countersign/countersign/api/v1alpha1"
	"github.com/countersign/countersign/cmd/kubectl-countersign/show"
	"github.com/countersign/countersign/controllers/access"
	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	appsv1 "k8s.io/api/apps/v1"
	authenticationv1 "k8s.io/api/authentication/v1"
	authorizationv1 "k8s.io/api/authorization/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	utilruntime "k8s.io/apimachinery/pkg/util/runtime"
	"k8s.io/cli-runtime/pkg/genericclioptions"
	"k8s.io/cli-runtime/pkg/genericiooptions"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// Session is a connection to a cluster.
type Session struct {
	Client client.WithWatch
	// Namespace that is meant when no other is named.
	Namespace string
	// WhoAmI is whoever asks, as the API server authenticated them.
	WhoAmI func(context.Context) (*show.Person, error)
	Now    func() time.Time
}

// Connect opens a session when a command needs one.
type Connect func() (*Session, error)

// Scheme knows what the plugin reads and writes.
func Scheme() *runtime.Scheme {
	scheme := runtime.NewScheme()
	utilruntime.Must(clientgoscheme.AddToScheme(scheme))
	utilruntime.Must(v1alpha1.AddToScheme(scheme))
	return scheme
}

// mapper knows the resources without asking the API server for all that it has.
func mapper() meta.RESTMapper {
	m := meta.NewDefaultRESTMapper(nil)
	for scope, kinds := range map[meta.RESTScope][]schema.GroupVersionKind{
		meta.RESTScopeNamespace: {
			v1alpha1.GroupVersion.WithKind("Release"), appsv1.SchemeGroupVersion.WithKind("Deployment"),
			corev1.SchemeGroupVersion.WithKind("Service"), corev1.SchemeGroupVersion.WithKind("ConfigMap"),
		},
		meta.RESTScopeRoot: {
			v1alpha1.GroupVersion.WithKind("ApprovalPolicy"), corev1.SchemeGroupVersion.WithKind("Namespace"),
			admissionregistrationv1.SchemeGroupVersion.WithKind("ValidatingAdmissionPolicy"),
			admissionregistrationv1.SchemeGroupVersion.WithKind("ValidatingAdmissionPolicyBinding"),
			admissionregistrationv1.SchemeGroupVersion.WithKind("MutatingWebhookConfiguration"),
			authenticationv1.SchemeGroupVersion.WithKind("SelfSubjectReview"),
			authorizationv1.SchemeGroupVersion.WithKind("SelfSubjectAccessReview"),
		},
	} {
		for _, kind := range kinds {
			m.Add(kind, scope)
		}
	}
	return m
}

// FromFlags connects as kubectl does. What the API server warns of, such as what
// admission has to say about a vote, is written as it comes.
func FromFlags(flags *genericclioptions.ConfigFlags, streams genericiooptions.IOStreams) Connect {
	return func() (*Session, error) {
		config, err := flags.ToRESTConfig()
		if err != nil {
			return nil, fmt.Errorf("find the cluster: %w; see which there are: kubectl config get-contexts", err)
		}
		namespace, _, err := flags.ToRawKubeConfigLoader().Namespace()
		if err != nil {
			return nil, fmt.Errorf("find the namespace: %w; name it with -n", err)
		}
		config.WarningHandler = rest.NewWarningWriter(streams.ErrOut, rest.WarningWriterOptions{Deduplicate: true})
		c, err := client.NewWithWatch(config, client.Options{Scheme: Scheme(), Mapper: mapper()})
		if err != nil {
			return nil, fmt.Errorf("connect to %s: %w", config.Host, err)
		}
		s := &Session{Client: c, Namespace: namespace, Now: time.Now}
		s.WhoAmI = s.review
		return s, nil
	}
}

// review asks the API server who asks.
func (s *Session) review(ctx context.Context) (*show.Person, error) {
	var self authenticationv1.SelfSubjectReview
	err := s.Client.Create(ctx, &self)
	if uninstalled(err) {
		return nil, fmt.Errorf("the API server cannot say who you are, which Kubernetes 1.28 and later can; vote with kubectl annotate (%w)", err)
	}
	if err != nil {
		return nil, s.told(err, "create", "selfsubjectreviews")
	}
	return &show.Person{User: self.Status.UserInfo.Username, Groups: self.Status.UserInfo.Groups}, nil
}

// permitted are the rules, by their IDs, under which RBAC lets whoever asks approve.
func (s *Session) permitted(ctx context.Context, rules []string) (ids []string) {
	for _, id := range rules {
		review := &authorizationv1.SelfSubjectAccessReview{Spec: authorizationv1.SelfSubjectAccessReviewSpec{
			ResourceAttributes: &authorizationv1.ResourceAttributes{
				Namespace: s.Namespace, Verb: access.Verb, Group: v1alpha1.GroupVersion.Group, Resource: access.Resource, Name: id,
			},
		}}
		if s.Client.Create(ctx, review) == nil && review.Status.Allowed {
			ids = append(ids, id)
		}
	}
	return ids
}

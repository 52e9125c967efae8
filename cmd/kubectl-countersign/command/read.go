// Copyright The Countersign Authors.
// SPDX-License-Identifier: Apache-2.0

package command

import (
	"context"
	"fmt"

	"github.com/countersign/countersign/api/v1alpha1"
	"github.com/countersign/countersign/cmd/kubectl-countersign/show"
	"github.com/countersign/countersign/controllers/approval"
	"github.com/countersign/countersign/controllers/rollout"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// release reads one.
func (s *Session) release(ctx context.Context, name string) (*v1alpha1.Release, error) {
	rel := &v1alpha1.Release{}
	err := s.Client.Get(ctx, s.key(name), rel)
	if apierrors.IsNotFound(err) && !uninstalled(err) {
		return nil, s.missing(ctx, name)
	}
	return rel, s.told(err, "get", "releases")
}

func (s *Session) key(name string) client.ObjectKey {
	return client.ObjectKey{Namespace: s.Namespace, Name: name}
}

// world reads a Release and what it stands in, as far as whoever asks may.
func (s *Session) world(ctx context.Context, name string) (*show.World, error) {
	rel, err := s.release(ctx, name)
	if err != nil {
		return nil, err
	}
	w := &show.World{
		Release: *rel, Deployments: map[v1alpha1.Colour]*appsv1.Deployment{}, Services: map[string]*corev1.Service{},
		ConfigMaps: map[string]*corev1.ConfigMap{}, Now: s.Now(),
	}
	for _, c := range []v1alpha1.Colour{v1alpha1.Blue, v1alpha1.Green} {
		d := &appsv1.Deployment{}
		if ok, err := s.optional(ctx, w, rollout.WorkloadName(name, c), d, "deployments"); err != nil {
			return nil, err
		} else if ok {
			w.Deployments[c] = d
		}
	}
	for service := range served(rel) {
		svc := &corev1.Service{}
		if ok, err := s.optional(ctx, w, service, svc, "services"); err != nil {
			return nil, err
		} else if ok {
			w.Services[service] = svc
		}
	}
	return w, nil
}

// served are the names of the Services that the Release has or had.
func served(rel *v1alpha1.Release) map[string]bool {
	names := map[string]bool{}
	refs := rel.Spec.Services
	if a := rel.Status.Active; a != nil {
		refs = append(refs[:len(refs):len(refs)], a.Services...)
	}
	for _, ref := range refs {
		names[ref.Name], names[ref.PreviewName()] = true, true
	}
	return names
}

// optional reads what people may not be allowed to read, and notes that.
func (s *Session) optional(ctx context.Context, w *show.World, name string, into client.Object, resource string) (bool, error) {
	err := s.Client.Get(ctx, s.key(name), into)
	switch {
	case apierrors.IsNotFound(err):
		return false, nil
	case apierrors.IsForbidden(err):
		w.NotRead(fmt.Sprintf("you may not get %s in namespace %s, so that less is shown; ask for ClusterRole view there", resource, s.Namespace))
		return false, nil
	}
	return err == nil, s.told(err, "get", resource)
}

// people reads the policies and who asks.
func (s *Session) people(ctx context.Context, w *show.World) error {
	var policies v1alpha1.ApprovalPolicyList
	err := s.Client.List(ctx, &policies)
	if apierrors.IsForbidden(err) {
		w.Unread = append(w.Unread, "you may not list ApprovalPolicies, so that who could still approve is not shown; ask for ClusterRole release-viewer by a ClusterRoleBinding")
	} else if err != nil {
		return s.told(err, "list", "approvalpolicies")
	}
	w.Policies = policies.Items
	if w.Person, err = s.WhoAmI(ctx); err != nil {
		return err
	}
	applicable := approval.Applicable(w.Policies, w.Release.Namespace, w.Release.Spec.Approval)
	w.Person.Permitted = s.permitted(ctx, approval.RulesByRBAC(applicable))
	return nil
}

// contents reads what it takes to say what would be approved.
func (s *Session) contents(ctx context.Context, w *show.World) error {
	if err := s.people(ctx, w); err != nil {
		return err
	}
	system := &corev1.Namespace{}
	switch err := s.Client.Get(ctx, client.ObjectKey{Name: "kube-system"}, system); {
	case err == nil:
		w.Cluster = string(system.UID)
	case !apierrors.IsForbidden(err): // else the receipt of the authors tells
		return s.told(err, "get", "namespaces")
	}
	var copies []v1alpha1.ConfigCopy
	if a := w.Release.Status.Active; a != nil {
		copies = append(copies, a.Config...)
	}
	if c := w.Release.Status.Candidate; c != nil {
		copies = append(copies, c.Config...)
	}
	for _, c := range copies {
		if c.Kind != v1alpha1.ConfigMap || w.ConfigMaps[c.Copy] != nil {
			continue
		}
		m := &corev1.ConfigMap{}
		if ok, err := s.optional(ctx, w, c.Copy, m, "configmaps"); err != nil {
			return err
		} else if ok {
			w.ConfigMaps[c.Copy] = m
		}
	}
	return nil
}

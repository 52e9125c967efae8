// Copyright The Countersign Authors.
// SPDX-License-Identifier: Apache-2.0

package observe

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strconv"

	"github.com/countersign/countersign/api/v1alpha1"
	"github.com/countersign/countersign/controllers/rollout"
	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// serviceRefs are those of the spec, then those that the active content or a
// switch in progress leads besides.
func serviceRefs(rel *v1alpha1.Release) []v1alpha1.ServiceRef {
	refs := slices.Clone(rel.Spec.Services)
	add := func(more []v1alpha1.ServiceRef) {
		for _, r := range more {
			if !slices.ContainsFunc(refs, func(x v1alpha1.ServiceRef) bool { return x.Name == r.Name }) {
				refs = append(refs, r)
			}
		}
	}
	if a := rel.Status.Active; a != nil {
		add(a.Services)
	}
	if sw := rel.Status.Switch; sw != nil && sw.SettledAt == nil && sw.CancelledAt == nil {
		add(sw.To.Services)
	}
	return refs
}

func (o *Observer) services(ctx context.Context, s *rollout.Snapshot) error {
	for _, ref := range serviceRefs(&s.Release) {
		svc, err := o.service(ctx, s, ref)
		if err != nil {
			return err
		}
		s.Services = append(s.Services, svc)
	}
	if err := o.forgotten(ctx, s); err != nil {
		return err
	}
	return o.strays(ctx, s)
}

// forgotten are Services that carry the Release's marks and that it names no
// more: they are given back.
func (o *Observer) forgotten(ctx context.Context, s *rollout.Snapshot) error {
	marked, err := o.marked(ctx, s, v1alpha1.RoleActive)
	if err != nil {
		return err
	}
	for i := range marked {
		name := marked[i].Name
		if slices.ContainsFunc(s.Services, func(known rollout.Service) bool { return known.Name == name }) {
			continue
		}
		svc, err := o.service(ctx, s, v1alpha1.ServiceRef{Name: name})
		if err != nil {
			return err
		}
		s.Services = append(s.Services, svc)
	}
	return nil
}

// strays are previews of which no Service of the Release is the active one.
func (o *Observer) strays(ctx context.Context, s *rollout.Snapshot) error {
	marked, err := o.marked(ctx, s, v1alpha1.RolePreview)
	if err != nil {
		return err
	}
	for i := range marked {
		name := marked[i].Name
		if slices.ContainsFunc(s.Services, func(known rollout.Service) bool { return known.Preview.Name == name }) {
			continue
		}
		stray := rollout.Preview{Name: name}
		if err := o.preview(ctx, s, &stray); err != nil {
			return err
		}
		s.Strays = append(s.Strays, stray)
	}
	return nil
}

func (o *Observer) marked(ctx context.Context, s *rollout.Snapshot, role string) ([]corev1.Service, error) {
	var list corev1.ServiceList
	labels := client.MatchingLabels{v1alpha1.ReleaseLabel: s.Release.Name, v1alpha1.RoleLabel: role}
	if err := o.Client.List(ctx, &list, client.InNamespace(s.Release.Namespace), labels); err != nil {
		return nil, fmt.Errorf("list the Services of Release %s/%s: %w", s.Release.Namespace, s.Release.Name, err)
	}
	return list.Items, nil
}

func (o *Observer) service(ctx context.Context, s *rollout.Snapshot, ref v1alpha1.ServiceRef) (rollout.Service, error) {
	rel := &s.Release
	out := rollout.Service{Name: ref.Name}
	out.Preview.Name = ref.PreviewName()
	active, err := o.get(ctx, rel.Namespace, ref.Name)
	if err != nil {
		return out, err
	}
	if active != nil && active.DeletionTimestamp != nil {
		out.ResourceVersion = active.ResourceVersion
	} else if active != nil {
		out.Exists = true
		out.Owner = active.Labels[v1alpha1.ReleaseLabel]
		out.Deletable = active.Labels[v1alpha1.DeletableLabel] != ""
		out.Unsupported = unsupported(active)
		out.ResourceVersion = active.ResourceVersion
		out.Selector = active.Spec.Selector
		out.Colour, out.Parked = leadsTo(rel.Name, active.Spec.Selector)
		if led := rel.Status.Origin.Selector(ref.Name); len(led) > 0 && maps.Equal(led, active.Spec.Selector) {
			out.Colour = v1alpha1.Origin
		}
		out.Epoch = epochOf(active)
		out.Ports = active.Spec.Ports
		if out.Endpoints, err = o.endpoints(ctx, s, ref.Name); err != nil {
			return out, err
		}
	}
	return out, o.preview(ctx, s, &out.Preview)
}

func (o *Observer) preview(ctx context.Context, s *rollout.Snapshot, pv *rollout.Preview) error {
	svc, err := o.get(ctx, s.Release.Namespace, pv.Name)
	if err != nil || svc == nil || svc.DeletionTimestamp != nil {
		return err
	}
	pv.Exists = true
	pv.Foreign = svc.Labels[v1alpha1.ReleaseLabel] != s.Release.Name || svc.Labels[v1alpha1.RoleLabel] != v1alpha1.RolePreview
	pv.ResourceVersion = svc.ResourceVersion
	pv.Selector = svc.Spec.Selector
	pv.Colour, _ = leadsTo(s.Release.Name, svc.Spec.Selector)
	pv.Ports = svc.Spec.Ports
	found, err := slicesOf(ctx, o.Client, s, pv.Name)
	pv.Endpoints = count(s, found)
	return err
}

func (o *Observer) get(ctx context.Context, namespace, name string) (*corev1.Service, error) {
	var svc corev1.Service
	err := o.Client.Get(ctx, types.NamespacedName{Namespace: namespace, Name: name}, &svc)
	if apierrors.IsNotFound(err) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("get Service %s/%s: %w", namespace, name, err)
	}
	return &svc, nil
}

// leadsTo reads a selector. Only one that is exactly ours leads to a colour.
func leadsTo(release string, selector map[string]string) (colour v1alpha1.Colour, parked bool) {
	if len(selector) != 2 || selector[v1alpha1.ReleaseLabel] != release {
		return "", false
	}
	switch c := selector[v1alpha1.ColourLabel]; c {
	case string(v1alpha1.Blue), string(v1alpha1.Green):
		return v1alpha1.Colour(c), false
	case v1alpha1.ColourNone:
		return "", true
	}
	return "", false
}

// epochOf a Service; 0 when it has none or an unreadable one, so that the next
// switch writes a good one.
func epochOf(svc *corev1.Service) int64 {
	n, err := strconv.ParseInt(svc.Annotations[v1alpha1.EpochAnnotation], 10, 64)
	if err != nil || n < 0 {
		return 0
	}
	return n
}

func unsupported(svc *corev1.Service) string {
	switch {
	case svc.Spec.Type == corev1.ServiceTypeExternalName:
		return "is of type ExternalName, which has no selector to switch"
	case svc.Spec.ClusterIP == corev1.ClusterIPNone:
		return "is headless, so that its clients hold on to Pod addresses"
	case len(svc.Spec.Ports) == 0:
		return "has no ports"
	}
	return ""
}

// endpoints of an active Service. The cache holds the slices of claimed
// Services only, and those not before the label was copied to them: that there
// are none is believed of the API server alone.
func (o *Observer) endpoints(ctx context.Context, s *rollout.Snapshot, service string) (rollout.Endpoints, error) {
	found, err := slicesOf(ctx, o.Client, s, service)
	if err == nil && len(found) == 0 {
		found, err = slicesOf(ctx, o.Live, s, service)
	}
	return count(s, found), err
}

func slicesOf(ctx context.Context, reader client.Reader, s *rollout.Snapshot, service string) ([]discoveryv1.EndpointSlice, error) {
	var list discoveryv1.EndpointSliceList
	if err := reader.List(ctx, &list, client.InNamespace(s.Release.Namespace), client.MatchingLabels{discoveryv1.LabelServiceName: service}); err != nil {
		return nil, fmt.Errorf("list EndpointSlices of Service %s/%s: %w", s.Release.Namespace, service, err)
	}
	return list.Items, nil
}

// count the ready endpoints by whose Pods they are.
func count(s *rollout.Snapshot, found []discoveryv1.EndpointSlice) rollout.Endpoints {
	colours, outdated := map[string]v1alpha1.Colour{}, map[string]bool{}
	for _, c := range []v1alpha1.Colour{v1alpha1.Blue, v1alpha1.Green} {
		w := s.Workload(c)
		for _, pod := range w.Pods {
			colours[pod.Name], outdated[pod.Name] = c, pod.Revision != w.Revision
		}
	}
	seen := map[string]bool{}
	var e rollout.Endpoints
	for i := range found {
		for _, ep := range found[i].Endpoints {
			if ep.Conditions.Ready != nil && !*ep.Conditions.Ready {
				continue
			}
			pod := ""
			if ep.TargetRef != nil {
				pod = ep.TargetRef.Name
			}
			if pod != "" && seen[pod] {
				continue // dual-stack: the same Pod by another address
			}
			seen[pod] = true
			if outdated[pod] {
				e.Outdated++
			}
			switch colours[pod] {
			case v1alpha1.Blue:
				e.Blue++
			case v1alpha1.Green:
				e.Green++
			default:
				e.Other++
			}
		}
	}
	return e
}

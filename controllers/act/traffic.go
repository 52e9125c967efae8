// Copyright The Countersign Authors.
// SPDX-License-Identifier: Apache-2.0

package act

import (
	"context"
	"encoding/json"
	"fmt"
	"strconv"

	"github.com/countersign/countersign/api/v1alpha1"
	"github.com/countersign/countersign/controllers/rollout"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// servicePatch is a JSON merge patch of a Service. A nil value of a map entry
// removes the key.
type servicePatch struct {
	Metadata struct {
		ResourceVersion string             `json:"resourceVersion,omitempty"`
		Labels          map[string]*string `json:"labels,omitempty"`
		Annotations     map[string]*string `json:"annotations,omitempty"`
	} `json:"metadata"`
	Spec *serviceSpecPatch `json:"spec,omitempty"`
}

type serviceSpecPatch struct {
	Selector map[string]*string   `json:"selector,omitempty"`
	Ports    []corev1.ServicePort `json:"ports,omitempty"`
}

// selectorPatch replaces the selector have by want.
func selectorPatch(have, want map[string]string) *serviceSpecPatch {
	s := &serviceSpecPatch{Selector: map[string]*string{}}
	for k := range have {
		s.Selector[k] = nil
	}
	for k, v := range want {
		s.Selector[k] = &v
	}
	return s
}

func selectorOf(release, colour string) map[string]string {
	return map[string]string{v1alpha1.ReleaseLabel: release, v1alpha1.ColourLabel: colour}
}

func (p *servicePatch) mark(release, role string, epoch int64) {
	e := strconv.FormatInt(epoch, 10)
	p.Metadata.Labels = map[string]*string{v1alpha1.ReleaseLabel: &release, v1alpha1.RoleLabel: &role}
	p.Metadata.Annotations = map[string]*string{v1alpha1.EpochAnnotation: &e}
}

func (a *Actor) patchService(ctx context.Context, namespace, name string, p *servicePatch) error {
	data, err := json.Marshal(p)
	if err != nil {
		return fmt.Errorf("encode the patch of Service %s/%s: %w", namespace, name, err)
	}
	svc := &corev1.Service{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name}}
	if err := a.Client.Patch(ctx, svc, client.RawPatch(types.MergePatchType, data)); err != nil {
		return fmt.Errorf("patch Service %s/%s: %w", namespace, name, err)
	}
	return nil
}

func (a *Actor) claim(ctx context.Context, rel *v1alpha1.Release, c rollout.Claim) error {
	var p servicePatch
	p.Metadata.ResourceVersion = c.ResourceVersion
	p.mark(rel.Name, v1alpha1.RoleActive, c.Epoch)
	if c.Park {
		p.Spec = selectorPatch(c.Selector, selectorOf(rel.Name, v1alpha1.ColourNone))
	}
	if c.Back != nil {
		p.Spec = selectorPatch(c.Selector, c.Back)
	}
	return a.patchService(ctx, rel.Namespace, c.Service, &p)
}

func (a *Actor) shiftTraffic(ctx context.Context, rel *v1alpha1.Release, s rollout.ShiftTraffic) error {
	if s.Policies != nil {
		if err := a.policiesStand(ctx, rel.Namespace, s.Policies, s.Added); err != nil {
			return err
		}
		if err := a.configStands(ctx, rel.Namespace, s.Config); err != nil {
			return err
		}
		if !s.ValidUntil.IsZero() && !a.Now().Before(s.ValidUntil) {
			return ErrLapsed
		}
	}
	for _, svc := range s.Services {
		var p servicePatch
		p.Metadata.ResourceVersion = svc.ResourceVersion
		p.mark(rel.Name, v1alpha1.RoleActive, s.Epoch)
		want := selectorOf(rel.Name, string(s.To))
		if s.To == v1alpha1.Origin {
			want = svc.Back
		}
		if len(want) == 0 {
			return fmt.Errorf("Service %s/%s would lose its selector", rel.Namespace, svc.Name)
		}
		p.Spec = selectorPatch(svc.Selector, want)
		if err := a.patchService(ctx, rel.Namespace, svc.Name, &p); err != nil {
			return err
		}
	}
	return nil
}

func (a *Actor) fence(ctx context.Context, rel *v1alpha1.Release, f rollout.Fence) error {
	for _, svc := range f.Services {
		var p servicePatch
		p.Metadata.ResourceVersion = svc.ResourceVersion
		e := strconv.FormatInt(f.Epoch, 10)
		p.Metadata.Annotations = map[string]*string{v1alpha1.EpochAnnotation: &e}
		if err := a.patchService(ctx, rel.Namespace, svc.Name, &p); err != nil {
			return err
		}
	}
	return nil
}

func (a *Actor) pointPreview(ctx context.Context, rel *v1alpha1.Release, pv rollout.PointPreview) error {
	selector := selectorOf(rel.Name, string(pv.Colour))
	if pv.Exists {
		var p servicePatch
		p.Metadata.ResourceVersion = pv.ResourceVersion
		p.Spec = selectorPatch(pv.Selector, selector)
		p.Spec.Ports = previewPorts(pv.Ports)
		return a.patchService(ctx, rel.Namespace, pv.Preview, &p)
	}
	svc := ours(rel, pv.Preview, v1alpha1.RolePreview)
	svc.Spec = corev1.ServiceSpec{Selector: selector, Ports: previewPorts(pv.Ports)}
	if err := a.Client.Create(ctx, svc); err != nil {
		return fmt.Errorf("create preview Service %s/%s: %w", rel.Namespace, pv.Preview, err)
	}
	return nil
}

// ours is a Service with our labels.
func ours(rel *v1alpha1.Release, name, role string) *corev1.Service {
	return &corev1.Service{ObjectMeta: metav1.ObjectMeta{
		Namespace: rel.Namespace, Name: name,
		Labels: map[string]string{v1alpha1.ReleaseLabel: rel.Name, v1alpha1.RoleLabel: role},
	}}
}

// makeService creates a Service as one is that was claimed before the first switch.
func (a *Actor) makeService(ctx context.Context, rel *v1alpha1.Release, m rollout.MakeService) error {
	svc := ours(rel, m.Service, v1alpha1.RoleActive)
	svc.Annotations = map[string]string{v1alpha1.EpochAnnotation: "0"}
	svc.Spec = corev1.ServiceSpec{Type: corev1.ServiceTypeClusterIP, Selector: selectorOf(rel.Name, v1alpha1.ColourNone), Ports: m.Ports}
	if err := a.Client.Create(ctx, svc); err != nil {
		return fmt.Errorf("create Service %s/%s: %w", rel.Namespace, m.Service, err)
	}
	return nil
}

// previewPorts are the active Service's, but for node ports, which are its own.
func previewPorts(ports []corev1.ServicePort) []corev1.ServicePort {
	out := make([]corev1.ServicePort, len(ports))
	for i, p := range ports {
		p.NodePort = 0
		out[i] = p
	}
	return out
}

// markService says whether people may delete a Service.
func (a *Actor) markService(ctx context.Context, rel *v1alpha1.Release, m rollout.MarkService) error {
	var p servicePatch
	p.Metadata.ResourceVersion = m.ResourceVersion
	p.Metadata.Labels = map[string]*string{v1alpha1.DeletableLabel: nil}
	if m.Deletable {
		p.Metadata.Labels[v1alpha1.DeletableLabel] = new("true")
	}
	return a.patchService(ctx, rel.Namespace, m.Service, &p)
}

// surrender takes our marks off and leaves the object working.
func (a *Actor) surrender(ctx context.Context, rel *v1alpha1.Release, s rollout.Surrender) error {
	if s.Service == "" {
		return a.surrenderWorkload(ctx, rel, s.Colour)
	}
	var p servicePatch
	p.Metadata.ResourceVersion = s.ResourceVersion
	p.Metadata.Labels = map[string]*string{v1alpha1.ReleaseLabel: nil, v1alpha1.RoleLabel: nil, v1alpha1.DeletableLabel: nil}
	p.Metadata.Annotations = map[string]*string{v1alpha1.EpochAnnotation: nil}
	if err := a.patchService(ctx, rel.Namespace, s.Service, &p); !apierrors.IsNotFound(err) {
		return err
	}
	return nil
}

// Copyright The Countersign Authors.
// SPDX-License-Identifier: Apache-2.0

package observe

import (
	"cmp"
	"context"
	"fmt"
	"slices"

	"github.com/countersign/countersign/api/v1alpha1"
	"github.com/countersign/countersign/controllers/digest"
	"github.com/countersign/countersign/controllers/rollout"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

func (o *Observer) workloads(ctx context.Context, s *rollout.Snapshot) error {
	rel := &s.Release
	var pods corev1.PodList
	if err := o.Client.List(ctx, &pods, client.InNamespace(rel.Namespace), client.MatchingLabels{v1alpha1.ReleaseLabel: rel.Name}); err != nil {
		return fmt.Errorf("list Pods of Release %s/%s: %w", rel.Namespace, rel.Name, err)
	}
	for colour, w := range map[v1alpha1.Colour]*rollout.Workload{v1alpha1.Blue: &s.Blue, v1alpha1.Green: &s.Green} {
		if err := o.workload(ctx, rel, colour, w); err != nil {
			return err
		}
		w.Pods = podsOf(pods.Items, colour)
	}
	if err := o.jobs(ctx, s, pods.Items); err != nil {
		return err
	}
	return o.origin(ctx, s)
}

func (o *Observer) workload(ctx context.Context, rel *v1alpha1.Release, colour v1alpha1.Colour, w *rollout.Workload) error {
	w.Name = rollout.WorkloadName(rel.Name, colour)
	var d appsv1.Deployment
	key := types.NamespacedName{Namespace: rel.Namespace, Name: w.Name}
	err := o.Client.Get(ctx, key, &d)
	switch {
	case apierrors.IsNotFound(err) && expected(&rel.Status, colour):
		// The cache holds labelled Deployments only: another may have the name.
		err = o.Live.Get(ctx, key, &d)
	case err == nil && rel.Status.Active == nil && !expected(&rel.Status, colour):
		// The cache may be from before a Release of this name was deleted, which gave
		// it back and left it serving: what serves is told from what nobody approved by
		// whether it is ours.
		d = appsv1.Deployment{}
		err = o.Live.Get(ctx, key, &d)
	}
	if apierrors.IsNotFound(err) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("get Deployment %s/%s: %w", rel.Namespace, w.Name, err)
	}
	w.Foreign = d.Labels[v1alpha1.ReleaseLabel] != rel.Name || d.Labels[v1alpha1.ColourLabel] != string(colour)
	return fill(w, &d)
}

// fill takes over what any Deployment has.
func fill(w *rollout.Workload, d *appsv1.Deployment) (err error) {
	w.Name, w.Exists, w.ResourceVersion = d.Name, d.DeletionTimestamp == nil, d.ResourceVersion
	w.Revision = d.Spec.Template.Labels[v1alpha1.RevisionLabel]
	w.Template = d.Spec.Template
	w.Restarts = v1alpha1.ParseRestart(d.Spec.Template.Annotations[v1alpha1.RestartsAnnotation])
	if w.TemplateHash, err = digest.TemplateHash(d.Spec.Template); err != nil {
		return fmt.Errorf("hash the template of Deployment %s/%s: %w", d.Namespace, d.Name, err)
	}
	if d.Spec.Replicas != nil {
		w.Replicas = *d.Spec.Replicas
	}
	w.Settled = d.Status.ObservedGeneration >= d.Generation
	w.Total, w.Updated = d.Status.Replicas, d.Status.UpdatedReplicas
	w.Ready, w.Available = d.Status.ReadyReplicas, d.Status.AvailableReplicas
	return nil
}

// expected tells whether there should be a Deployment of a colour by now.
func expected(st *v1alpha1.ReleaseStatus, colour v1alpha1.Colour) bool {
	return st.Active != nil && st.Active.Colour == colour || st.Candidate != nil && st.Candidate.Colour == colour
}

func podsOf(pods []corev1.Pod, colour v1alpha1.Colour) []rollout.Pod {
	var out []rollout.Pod
	for i := range pods {
		p := &pods[i]
		if p.Labels[v1alpha1.ColourLabel] != string(colour) {
			continue
		}
		pod := rollout.Pod{
			Name: p.Name, IP: p.Status.PodIP, Revision: p.Labels[v1alpha1.RevisionLabel],
			Ready: isReady(p), Terminating: p.DeletionTimestamp != nil, Images: imagesOf(p),
		}
		if !pod.Ready && !pod.Terminating {
			pod.Trouble = troubleOf(p)
		}
		out = append(out, pod)
	}
	slices.SortFunc(out, func(a, b rollout.Pod) int { return cmp.Compare(a.Name, b.Name) })
	return out
}

func imagesOf(p *corev1.Pod) map[string]string {
	images := map[string]string{}
	for _, s := range slices.Concat(p.Status.InitContainerStatuses, p.Status.ContainerStatuses) {
		images[s.Name] = s.ImageID
	}
	return images
}

func isReady(p *corev1.Pod) bool {
	return slices.ContainsFunc(p.Status.Conditions, func(c corev1.PodCondition) bool {
		return c.Type == corev1.PodReady && c.Status == corev1.ConditionTrue
	})
}

// Copyright The Countersign Authors.
// SPDX-License-Identifier: Apache-2.0

package act

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"

	"github.com/countersign/countersign/api/v1alpha1"
	"github.com/countersign/countersign/controllers/jobcheck"
	"github.com/countersign/countersign/controllers/rollout"
	"github.com/countersign/countersign/controllers/snapshot"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// What a job check has when its spec does not say: the schema fills it in.
const (
	jobTimeout = 300
	jobTTL     = 3600
)

// jobOf is the Job of a check. Unlike what serves, it goes with its Release: it is
// of use to nobody then.
func jobOf(rel *v1alpha1.Release, s rollout.StartJob) (*batchv1.Job, error) {
	template, err := jobcheck.Template(s.Check.Job)
	if err != nil {
		return nil, fmt.Errorf("template of check %s: %w", s.Check.Name, err)
	}
	snapshot.Rewrite(&template, s.Config)
	labels := map[string]string{v1alpha1.ReleaseLabel: rel.Name, v1alpha1.CheckLabel: s.Check.Name}
	if template.Labels == nil {
		template.Labels = map[string]string{}
	}
	maps.Copy(template.Labels, labels)
	if template.Spec.RestartPolicy == "" {
		template.Spec.RestartPolicy = corev1.RestartPolicyNever
	}
	environment := jobcheck.Environment(rel, s.Colour, s.Digest, s.Targets)
	for _, containers := range [][]corev1.Container{template.Spec.InitContainers, template.Spec.Containers} {
		for i := range containers {
			containers[i].Env = slices.Concat(environment, containers[i].Env)
		}
	}
	timeout, ttl := int64(cmp.Or(s.Check.Job.TimeoutSeconds, jobTimeout)), cmp.Or(s.Check.Job.TTLSecondsAfterFinished, jobTTL)
	return &batchv1.Job{
		ObjectMeta: metav1.ObjectMeta{
			Namespace: rel.Namespace, Name: s.Name, Labels: labels,
			Annotations:     map[string]string{v1alpha1.DigestAnnotation: s.Digest, v1alpha1.TargetsAnnotation: s.Targets},
			OwnerReferences: []metav1.OwnerReference{*metav1.NewControllerRef(rel, v1alpha1.GroupVersion.WithKind("Release"))},
		},
		Spec: batchv1.JobSpec{
			Template: template, BackoffLimit: &s.Check.Job.BackoffLimit, ActiveDeadlineSeconds: &timeout, TTLSecondsAfterFinished: &ttl,
		},
	}, nil
}

func (a *Actor) startJob(ctx context.Context, rel *v1alpha1.Release, s rollout.StartJob) error {
	job, err := jobOf(rel, s)
	if err != nil {
		return err
	}
	if err := a.Client.Create(ctx, job); err != nil {
		return fmt.Errorf("create Job %s/%s: %w", job.Namespace, job.Name, err)
	}
	return nil
}

// dropJob deletes just the Job that was decided about, and with it its Pods.
func (a *Actor) dropJob(ctx context.Context, rel *v1alpha1.Release, d rollout.DropJob) error {
	job := &batchv1.Job{ObjectMeta: metav1.ObjectMeta{Namespace: rel.Namespace, Name: d.Name}}
	err := a.Client.Delete(ctx, job, client.Preconditions{UID: (*types.UID)(&d.UID)}, client.PropagationPolicy(metav1.DeletePropagationBackground))
	if client.IgnoreNotFound(err) != nil {
		return fmt.Errorf("delete Job %s/%s: %w", rel.Namespace, d.Name, err)
	}
	return nil
}

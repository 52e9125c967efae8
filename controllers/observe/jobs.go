// Copyright The Countersign Authors.
// SPDX-License-Identifier: Apache-2.0

package observe

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/countersign/countersign/api/v1alpha1"
	"github.com/countersign/countersign/controllers/rollout"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// jobs reads the Jobs of checks, and whatever has the name of one that is on
// record: the cache lags behind, and holds labelled ones only.
func (o *Observer) jobs(ctx context.Context, s *rollout.Snapshot, pods []corev1.Pod) error {
	rel := &s.Release
	var jobs batchv1.JobList
	if err := o.Client.List(ctx, &jobs, client.InNamespace(rel.Namespace), client.MatchingLabels{v1alpha1.ReleaseLabel: rel.Name}); err != nil {
		return fmt.Errorf("list Jobs of Release %s/%s: %w", rel.Namespace, rel.Name, err)
	}
	for _, name := range missing(rel.Status.Checks, jobs.Items) {
		var job batchv1.Job
		err := o.Live.Get(ctx, client.ObjectKey{Namespace: rel.Namespace, Name: name}, &job)
		if apierrors.IsNotFound(err) {
			continue
		}
		if err != nil {
			return fmt.Errorf("get Job %s/%s: %w", rel.Namespace, name, err)
		}
		jobs.Items = append(jobs.Items, job)
	}
	for i := range jobs.Items {
		s.Jobs = append(s.Jobs, jobOf(rel, &jobs.Items[i], pods))
	}
	slices.SortFunc(s.Jobs, func(a, b rollout.Job) int { return cmp.Compare(a.Name, b.Name) })
	return nil
}

// missing are the Jobs on record, of checks without a result, that are not among
// those that were read.
func missing(checks []v1alpha1.CheckStatus, jobs []batchv1.Job) (names []string) {
	for _, c := range checks {
		known := c.Job == nil || c.State == v1alpha1.CheckPassed || c.State == v1alpha1.CheckFailed ||
			slices.ContainsFunc(jobs, func(j batchv1.Job) bool { return j.Name == c.Job.Name })
		if !known {
			names = append(names, c.Job.Name)
		}
	}
	return names
}

func jobOf(rel *v1alpha1.Release, j *batchv1.Job, pods []corev1.Pod) rollout.Job {
	job := rollout.Job{
		Name: j.Name, UID: string(j.UID), Leaving: j.DeletionTimestamp != nil,
		Foreign: j.Labels[v1alpha1.ReleaseLabel] != rel.Name || !metav1.IsControlledBy(j, rel),
		Check:   j.Labels[v1alpha1.CheckLabel], Digest: j.Annotations[v1alpha1.DigestAnnotation], Targets: j.Annotations[v1alpha1.TargetsAnnotation],
	}
	for _, c := range j.Status.Conditions {
		if c.Status == corev1.ConditionTrue && (c.Type == batchv1.JobComplete || c.Type == batchv1.JobFailed) {
			job.Done, job.Succeeded, job.Reason = true, c.Type == batchv1.JobComplete, c.Reason
		}
	}
	for i := range pods {
		if !job.Succeeded && metav1.IsControlledBy(&pods[i], j) {
			job.Trouble = cmp.Or(troubleOf(&pods[i]), job.Trouble)
		}
	}
	return job
}

// troubleOf says what keeps a Pod from doing its work, or what ended it; empty if
// nothing does.
func troubleOf(p *corev1.Pod) string {
	for _, c := range p.Status.Conditions {
		if c.Type == corev1.PodScheduled && c.Status == corev1.ConditionFalse {
			return fmt.Sprintf("its Pod %s cannot be scheduled (%s)", p.Name, plain(c.Message, 200))
		}
	}
	images := map[string]string{}
	for _, c := range slices.Concat(p.Spec.InitContainers, p.Spec.Containers) {
		images[c.Name] = c.Image
	}
	for _, s := range slices.Concat(p.Status.InitContainerStatuses, p.Status.ContainerStatuses) {
		ended := s.State.Terminated
		if ended == nil {
			ended = s.LastTerminationState.Terminated
		}
		switch waits := s.State.Waiting; {
		case ended != nil && ended.ExitCode != 0 && ended.Message != "":
			return fmt.Sprintf("its container %s ended with exit code %d and says %q", s.Name, ended.ExitCode, plain(ended.Message, 200))
		case ended != nil && ended.ExitCode != 0:
			return fmt.Sprintf("its container %s ended with exit code %d", s.Name, ended.ExitCode)
		case waits != nil && waits.Reason != "" && waits.Reason != "ContainerCreating" && waits.Reason != "PodInitializing":
			return fmt.Sprintf("its container %s cannot start with image %s (%s)", s.Name, images[s.Name], steady(waits.Reason))
		}
	}
	return ""
}

// steady is a reason that does not come and go while nothing changes: an image that
// cannot be had is tried again and again.
func steady(reason string) string {
	if reason == "ErrImagePull" {
		return "ImagePullBackOff"
	}
	return reason
}

// plain is the beginning of a text of others in one line.
func plain(text string, n int) string {
	text = strings.Join(strings.Fields(strings.ToValidUTF8(text, "")), " ")
	if len(text) > n {
		text = strings.ToValidUTF8(text[:n], "") + "…"
	}
	return text
}

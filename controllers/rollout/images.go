// Copyright The Countersign Authors.
// SPDX-License-Identifier: Apache-2.0

package rollout

import (
	"fmt"
	"slices"
	"strings"

	"github.com/countersign/countersign/api/v1alpha1"
	"github.com/countersign/countersign/controllers/approval"
	"github.com/countersign/countersign/controllers/speccheck"
	corev1 "k8s.io/api/core/v1"
)

// findImageFaults finds images that are not named by their digest where a policy
// demands it. What serves already was let through before the demand.
func (p *plan) findImageFaults() {
	policy := approval.RequiresImageDigests(p.snap.Policies)
	if a := p.st.Active; policy == "" || a != nil && a.Revision == p.snap.Revision {
		return
	}
	for _, problem := range speccheck.UnpinnedImages(*p.spec()) {
		p.block(v1alpha1.ReasonImageNotPinned, fmt.Sprintf("%s, as policy %s demands", problem, policy))
	}
}

// wrongImage says which Pod of the candidate does not run what was approved, of
// the images that are named by their digest; empty if all do.
func (p *plan) wrongImage(c *v1alpha1.CandidateStatus) string {
	w := p.snap.Workload(c.Colour)
	containers := slices.Concat(w.Template.Spec.InitContainers, w.Template.Spec.Containers)
	containers = slices.DeleteFunc(containers, func(k corev1.Container) bool { return speccheck.ImageDigest(k.Image) == "" })
	if len(containers) == 0 {
		return ""
	}
	seen := int32(0)
	for _, pod := range w.Pods {
		if pod.Terminating || !pod.Ready {
			continue
		}
		seen++
		for _, k := range containers {
			if id := pod.Images[k.Name]; !strings.HasSuffix(id, speccheck.ImageDigest(k.Image)) {
				return fmt.Sprintf("container %s of Pod %s runs %q and not the image that was approved", k.Name, pod.Name, id)
			}
		}
	}
	if seen < p.candidateReplicas() {
		return "the images of the Pods are not all known"
	}
	return ""
}

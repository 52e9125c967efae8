// Copyright The Countersign Authors.
// SPDX-License-Identifier: Apache-2.0

package speccheck

import (
	"fmt"
	"slices"
	"strings"

	"github.com/countersign/countersign/api/v1alpha1"
	"github.com/countersign/countersign/controllers/jobcheck"
	corev1 "k8s.io/api/core/v1"
)

// UnpinnedImages lists the images of a spec that are not named by their digest,
// each a sentence that names the field and what to write. A tag can be moved after
// people approved what it stood for: also that of the Job that tests the content.
func UnpinnedImages(spec v1alpha1.ReleaseSpec) []string {
	problems := unpinnedImages("spec.template", spec.Template.Spec)
	for _, j := range jobs(spec) {
		if template, err := jobcheck.Template(j.Job); err == nil {
			problems = append(problems, unpinnedImages(jobField(j)+".template", template.Spec)...)
		}
	}
	return slices.Clip(problems)
}

func unpinnedImages(at string, pod corev1.PodSpec) (problems []string) {
	problem := func(field, name, image string) {
		if ImageDigest(image) == "" {
			problems = append(problems, fmt.Sprintf(
				"%s.spec.%s[name=%s].image is %q; write the image with its digest, NAME@sha256:<64 hex digits>", at, field, name, image))
		}
	}
	for _, c := range pod.InitContainers {
		problem("initContainers", c.Name, c.Image)
	}
	for _, c := range pod.Containers {
		problem("containers", c.Name, c.Image)
	}
	for _, c := range pod.EphemeralContainers {
		problem("ephemeralContainers", c.Name, c.Image)
	}
	for _, v := range pod.Volumes {
		if v.Image != nil {
			problem("volumes", v.Name, v.Image.Reference)
		}
	}
	if len(pod.Containers) == 0 {
		problems = append(problems, at+".spec.containers is empty; add the container that it runs")
	}
	return problems
}

// ImageDigest is the digest that an image is named by, as sha256:<64 hex digits>;
// empty if it is named by a tag, or not at all.
func ImageDigest(image string) string {
	name, digest, ok := strings.Cut(image, "@")
	hex, sha := strings.CutPrefix(digest, "sha256:")
	if !ok || name == "" || !sha || len(hex) != 64 || strings.Trim(hex, "0123456789abcdef") != "" {
		return ""
	}
	return digest
}

// Copyright The Countersign Authors.
// SPDX-License-Identifier: Apache-2.0

package speccheck

import (
	"fmt"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
)

// UnpinnedImages lists the images that are not named by their digest, each a
// sentence that names the field and what to write. A tag can be moved after people
// approved what it stood for.
func UnpinnedImages(pod corev1.PodSpec) (problems []string) {
	problem := func(field, name, image string) {
		if ImageDigest(image) == "" {
			problems = append(problems, fmt.Sprintf(
				"spec.template.spec.%s[name=%s].image is %q; write the image with its digest, NAME@sha256:<64 hex digits>", field, name, image))
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
		problems = append(problems, "spec.template.spec.containers is empty; add the container that runs the application")
	}
	return slices.Clip(problems)
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

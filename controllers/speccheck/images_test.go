// Copyright The Countersign Authors.
// SPDX-License-Identifier: Apache-2.0

package speccheck_test

import (
	"strings"
	"testing"

	"github.com/countersign/countersign/api/v1alpha1"
	"github.com/countersign/countersign/controllers/speccheck"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/runtime"
)

func TestUnpinnedImages(t *testing.T) {
	pinned := "example.com/app@sha256:" + strings.Repeat("0a", 32)
	of := func(image string) []corev1.Container { return []corev1.Container{{Name: "c", Image: image}} }
	for name, tc := range map[string]struct {
		pod  corev1.PodSpec
		says string
	}{
		"sec/10 digest":          {corev1.PodSpec{Containers: of(pinned)}, ""},
		"sec/10 tag and digest":  {corev1.PodSpec{Containers: of("example.com/app:v1@sha256:" + strings.Repeat("0a", 32))}, ""},
		"sec/10 tag":             {corev1.PodSpec{Containers: of("example.com/app:v1")}, `spec.template.spec.containers[name=c].image is "example.com/app:v1"; write the image with its digest`},
		"sec/10 nothing":         {corev1.PodSpec{}, "containers is empty"},
		"sec/10 no image":        {corev1.PodSpec{Containers: of("")}, "containers[name=c].image"},
		"sec/10 short digest":    {corev1.PodSpec{Containers: of("a@sha256:0a")}, "containers[name=c].image"},
		"sec/10 upper case":      {corev1.PodSpec{Containers: of("a@sha256:" + strings.Repeat("0A", 32))}, "containers[name=c].image"},
		"sec/10 other algorithm": {corev1.PodSpec{Containers: of("a@sha512:" + strings.Repeat("0a", 32))}, "containers[name=c].image"},
		"sec/10 no name":         {corev1.PodSpec{Containers: of("@sha256:" + strings.Repeat("0a", 32))}, "containers[name=c].image"},
		"sec/10 init":            {corev1.PodSpec{Containers: of(pinned), InitContainers: of("a:v1")}, "initContainers[name=c].image"},
		"sec/10 ephemeral": {corev1.PodSpec{Containers: of(pinned), EphemeralContainers: []corev1.EphemeralContainer{
			{EphemeralContainerCommon: corev1.EphemeralContainerCommon{Name: "c", Image: "a:v1"}}}}, "ephemeralContainers[name=c].image"},
		"sec/10 volume": {corev1.PodSpec{Containers: of(pinned), Volumes: []corev1.Volume{
			{Name: "c", VolumeSource: corev1.VolumeSource{Image: &corev1.ImageVolumeSource{Reference: "a:v1"}}}}}, "volumes[name=c].image"},
	} {
		t.Run(name, func(t *testing.T) {
			got := strings.Join(speccheck.UnpinnedImages(v1alpha1.ReleaseSpec{Template: corev1.PodTemplateSpec{Spec: tc.pod}}), "; ")
			if (got == "") != (tc.says == "") || !strings.Contains(got, tc.says) {
				t.Errorf("got %q, want %q", got, tc.says)
			}
		})
	}
}

// The Job that tests the content can be led elsewhere by its tag, too.
func TestUnpinnedImagesOfJobs(t *testing.T) {
	pinned := "example.com/app@sha256:" + strings.Repeat("0a", 32)
	for name, tc := range map[string]struct{ image, says string }{
		"sec/10 tag of a test":    {"test:1", `spec.checks.beforeSwitch[name=e2e].job.template.spec.containers[name=test].image is "test:1"; write the image with its digest`},
		"sec/10 digest of a test": {pinned, ""},
	} {
		t.Run(name, func(t *testing.T) {
			spec := v1alpha1.ReleaseSpec{Checks: &v1alpha1.Checks{BeforeSwitch: []v1alpha1.Check{{Name: "e2e", Job: &v1alpha1.JobCheck{
				Template: runtime.RawExtension{Raw: []byte(`{"spec":{"containers":[{"name":"test","image":"` + tc.image + `"}]}}`)},
			}}}}}
			spec.Template.Spec.Containers = []corev1.Container{{Name: "c", Image: pinned}}
			if got := strings.Join(speccheck.UnpinnedImages(spec), "; "); (got == "") != (tc.says == "") || !strings.Contains(got, tc.says) {
				t.Errorf("got %q, want %q", got, tc.says)
			}
		})
	}
}

// Copyright The Countersign Authors.
// SPDX-License-Identifier: Apache-2.0

package apiserver

import (
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/countersign/countersign/api/v1alpha1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

// TestRestart: the Pods of what serves are made anew by request, and by nothing
// else.
func TestRestart(t *testing.T) {
	s := openShop(t)
	digest := s.promote(t, "v1").Status.Active.Digest
	s.awaitStable(t)
	before, content := s.pods(t, "blue"), s.templateOf(t, "blue")
	refused(t, "a word", s.annotate(t, "dev", v1alpha1.RestartAnnotation, digest+"/now"), "countersign.dev/restart="+digest+"/1")
	refused(t, "in spec.template", s.apply(t, "dev", s.manifest(t, "v1", restarts(v1alpha1.RestartsAnnotation, "1"))), "take it out")
	if err := s.annotate(t, "dev", v1alpha1.RestartAnnotation, digest+"/1796000000"); err != nil {
		t.Fatal(err)
	}
	rel := s.await(t, "the Pods are made anew", func(r *v1alpha1.Release) bool {
		return r.Status.Active.Restart != nil && r.Status.Active.Restart.FinishedAt != nil
	})
	if by := rel.Status.Active.Restart.AskedBy; by != email("dev") {
		t.Errorf("on record is that %q asked, want %s", by, email("dev"))
	}
	if rel.Status.Phase != v1alpha1.PhaseStable || rel.Status.Active.Digest != digest || rel.Status.Candidate != nil || rel.Status.Epoch != 1 {
		t.Errorf("%s, epoch %d; want the content that was let through, and no switch", standing(rel), rel.Status.Epoch)
	}
	eventually(t, "only Pods that were made anew are left", func() string {
		after := s.pods(t, "blue")
		if len(after) != len(before) || slices.ContainsFunc(after, func(name string) bool { return slices.Contains(before, name) }) {
			return "the Pods are " + strings.Join(after, ", ")
		}
		return ""
	})
	after := s.templateOf(t, "blue")
	unstructured.RemoveNestedField(after, "metadata", "annotations")
	if !reflect.DeepEqual(content, after) {
		t.Errorf("the template was %v and is %v", content, after)
	}
	refused(t, "a smaller number", s.annotate(t, "dev", v1alpha1.RestartAnnotation, digest+"/5"), "larger than the last one")
}

// templateOf is that of the Deployment of a colour.
func (s *shop) templateOf(t *testing.T, colour string) map[string]any {
	t.Helper()
	d, err := s.admin.resource("deployments", s.namespace).Get(within(t), shopName+"-"+colour, metav1.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	template, _, err := unstructured.NestedMap(d.Object, "spec", "template")
	if err != nil {
		t.Fatal(err)
	}
	return template
}

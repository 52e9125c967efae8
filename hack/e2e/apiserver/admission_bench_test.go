// Copyright The Countersign Authors.
// SPDX-License-Identifier: Apache-2.0

package apiserver

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/countersign/countersign/api/v1alpha1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/dynamic"
)

// unguarded is where the same Releases are kept without any admission of ours.
const unguarded = "unguarded.example.com"

// BenchmarkAdmission is what the webhook and the policies add to a write of a
// Release. Beside the real one the same API server keeps a kind with the same
// schema in another group, which nobody guards; requests go to both in turn. All
// are dry-run: a write to etcd would take the same time for both and make the
// ratio look better.
func BenchmarkAdmission(b *testing.B) {
	s := openShop(b)
	s.mustApply(b, "dev", s.manifest(b, "v1"))
	digest := s.awaitCandidate(b)
	s.copyUnguarded(b)
	b.Run("content", func(b *testing.B) {
		s.compare(b, "dev", func(i int) map[string]any {
			version := "countersign.local/demoapp:w" + string(rune('a'+i%26))
			return map[string]any{"spec": map[string]any{"template": map[string]any{"spec": map[string]any{
				"containers": []any{map[string]any{"name": "app", "image": version}}}}}}
		})
	})
	b.Run("vote", func(b *testing.B) {
		s.compare(b, "alice", func(int) map[string]any {
			return map[string]any{"metadata": map[string]any{"annotations": map[string]any{v1alpha1.VotePrefix + "alice": digest}}}
		})
	})
}

// compare sends a patch to the guarded and to the unguarded object in turn.
func (s *shop) compare(b *testing.B, who string, patch func(int) map[string]any) {
	guarded := s.people[who].resource("releases", s.namespace)
	plain := s.people[who].client.Resource(schema.GroupVersionResource{Group: unguarded, Version: "v1alpha1", Resource: "releases"}).Namespace(s.namespace)
	var with, without, added []time.Duration
	for i := 0; b.Loop(); i++ {
		raw, err := json.Marshal(patch(i))
		if err != nil {
			b.Fatal(err)
		}
		first, second := guarded, plain
		if i%2 == 1 {
			first, second = plain, guarded
		}
		one, two := timePatch(b, first, raw), timePatch(b, second, raw)
		if i%2 == 1 {
			one, two = two, one
		}
		with, without, added = append(with, one), append(without, two), append(added, one-two)
	}
	b.ReportMetric(milliseconds(median(with)), "ms-with")
	b.ReportMetric(milliseconds(median(without)), "ms-without")
	b.ReportMetric(float64(median(with))/float64(median(without)), "ratio")
	b.ReportMetric(milliseconds(median(added)), "ms-added")
}

func timePatch(b *testing.B, client dynamic.ResourceInterface, patch []byte) time.Duration {
	b.Helper()
	start := time.Now()
	_, err := client.Patch(within(b), shopName, types.MergePatchType, patch, metav1.PatchOptions{DryRun: dryRun})
	if err != nil {
		b.Fatal(err)
	}
	return time.Since(start)
}

func median(d []time.Duration) time.Duration {
	d = slices.Clone(d)
	slices.Sort(d)
	return d[len(d)/2]
}

func milliseconds(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }

// copyUnguarded makes the unguarded kind, and in it the Release as it is.
func (s *shop) copyUnguarded(b *testing.B) {
	b.Helper()
	for _, o := range manifests(b, "crd") {
		if o.GetName() != "releases.countersign.dev" {
			continue
		}
		o.SetName("releases." + unguarded)
		all(set("spec.group", unguarded), drop("spec.names.shortNames"), drop("spec.names.categories"))(o)
		s.install(b, []*unstructured.Unstructured{o})
		b.Cleanup(func() { s.delete(b, o) })
	}
	s.install(b, documents(b, []byte(strings.ReplaceAll(`
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRole
metadata: {name: unguarded}
rules: [{apiGroups: [GROUP], resources: [releases], verbs: [get, patch]}]
`, "GROUP", unguarded))))
	s.allow(b, s.namespace, "unguarded", "group:developers", "group:qa")
	o, err := s.admin.resource("releases", s.namespace).Get(within(b), shopName, metav1.GetOptions{})
	if err != nil {
		b.Fatal(err)
	}
	o = applied(o)
	o.SetAPIVersion(unguarded + "/v1alpha1")
	o.SetFinalizers(nil)
	client := s.admin.client.Resource(schema.GroupVersionResource{Group: unguarded, Version: "v1alpha1", Resource: "releases"}).Namespace(s.namespace)
	eventually(b, "the unguarded Release is there", func() string {
		_, err := client.Apply(within(b), shopName, o, metav1.ApplyOptions{FieldManager: fixtureManager, Force: true})
		return text(err)
	})
}

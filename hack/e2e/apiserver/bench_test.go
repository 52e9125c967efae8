// Copyright The Countersign Authors.
// SPDX-License-Identifier: Apache-2.0

package apiserver

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/countersign/countersign/api/v1alpha1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/watch"
)

// BenchmarkVoteToSwitch is the time from the moment when the deciding vote is
// sent until a watch shows the Service with another selector.
func BenchmarkVoteToSwitch(b *testing.B) {
	s := openShop(b)
	var times []time.Duration
	for b.Loop() {
		b.StopTimer()
		s.mustApply(b, "dev", s.manifest(b, fmt.Sprintf("v%d", len(times)+1)))
		digest := s.awaitTested(b)
		s.mustVote(b, "alice", digest)
		s.await(b, "the first vote counts", func(r *v1alpha1.Release) bool { return r.Status.Approvals == "1/2" })
		changes := s.watchService(b)
		before := s.selector(b)
		b.StartTimer()
		times = append(times, s.timeSwitch(b, digest, before, changes))
		b.StopTimer()
		changes.Stop()
		s.awaitStable(b)
		b.StartTimer()
	}
	slices.Sort(times)
	b.ReportMetric(float64(times[len(times)/2].Microseconds())/1000, "ms-p50")
	b.ReportMetric(float64(times[len(times)*99/100].Microseconds())/1000, "ms-p99")
}

func (s *shop) watchService(b *testing.B) watch.Interface {
	b.Helper()
	changes, err := s.admin.resource("services", s.namespace).Watch(within(b), metav1.ListOptions{FieldSelector: "metadata.name=" + shopName})
	if err != nil {
		b.Fatal(err)
	}
	return changes
}

func (s *shop) timeSwitch(b *testing.B, digest, before string, changes watch.Interface) time.Duration {
	b.Helper()
	start := time.Now()
	s.mustVote(b, "bob", digest)
	timeout := time.After(patience)
	for {
		select {
		case e := <-changes.ResultChan():
			o, ok := e.Object.(*unstructured.Unstructured)
			if !ok {
				b.Fatalf("the watch ended: %v", e)
			}
			if got, _, _ := unstructured.NestedString(o.Object, "spec", "selector", v1alpha1.ColourLabel); got != before {
				return time.Since(start)
			}
		case <-timeout:
			b.Fatalf("no switch: %s", standing(s.release(b)))
		}
	}
}

// Copyright The Countersign Authors.
// SPDX-License-Identifier: Apache-2.0

package apiserver

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"
)

// TestAutoscaler writes the scale subresource of a Release, as a
// HorizontalPodAutoscaler does, from the first content to the deletion.
func TestAutoscaler(t *testing.T) {
	s := openShop(t)
	s.promote(t, "v1")
	s.awaitStable(t)
	t.Run("D14 D29 a size of zero is refused", func(t *testing.T) {
		refused(t, "an autoscaler with minReplicas 0", s.scale(within(t), 0), "spec.replicas", "greater than or equal to 1")
	})
	t.Run("D11 D16 D17 it never rests, and neither do annotations", s.restless)
	t.Run("D29 the size stays what it wrote", func(t *testing.T) {
		if err := s.scale(within(t), 4); err != nil {
			t.Fatal(err)
		}
		s.awaitSize(t, "green", 4)
		s.allow(t, s.namespace, "release-owner", email("carol"))
		carol := s.as(t, "carol")
		eventually(t, "carol deletes the Release, whose right is only just given", func() string {
			return text(deleteForGood(t, carol.resource("releases", s.namespace), shopName))
		})
		eventually(t, "the Release is gone", func() string {
			if list := s.list(t, "releases"); len(list) > 0 {
				return "it is there"
			}
			return ""
		})
		s.awaitSize(t, "green", 4)
	})
}

// restless promotes content while the size and an annotation change all the time.
func (s *shop) restless(t *testing.T) {
	ctx, cancel := context.WithCancel(within(t))
	ended := make(chan error, 1)
	go func() { ended <- s.disturb(ctx) }()
	s.mustApply(t, "dev", s.manifest(t, "v2"))
	digest := s.awaitTested(t)
	for _, who := range []string{"alice", "bob"} {
		// A vote is refused until the operator has seen the newest size.
		eventually(t, who+" votes", func() string { return text(s.vote(t, who, who, digest)) })
	}
	second := s.awaitActive(t, digest)
	s.awaitStable(t)
	cancel()
	if err := <-ended; err != nil {
		t.Error(err)
	}
	if got := s.selector(t); got != "green" || second.Status.Epoch != 2 {
		t.Errorf("Service shop leads to %q, epoch %d", got, second.Status.Epoch)
	}
	rel := s.release(t)
	s.awaitSize(t, "green", int64(*rel.Spec.Replicas))
	s.awaitSize(t, "blue", int64(*rel.Spec.Replicas))
}

// disturb writes until the context ends.
func (s *shop) disturb(ctx context.Context) error {
	for n := 0; ctx.Err() == nil; n++ {
		if err := s.scale(ctx, 1+n%4); err != nil && ctx.Err() == nil {
			return fmt.Errorf("scale, write %d: %w", n, err)
		}
		note := fmt.Sprintf(`{"metadata":{"annotations":{"example.com/seen":"%d"}}}`, n)
		_, err := s.people["dev"].resource("releases", s.namespace).Patch(ctx, shopName, types.MergePatchType, []byte(note), metav1.PatchOptions{})
		if err != nil && ctx.Err() == nil {
			return fmt.Errorf("annotate, write %d: %w", n, err)
		}
		select {
		case <-ctx.Done():
		case <-time.After(200 * time.Millisecond):
		}
	}
	return nil
}

func (s *shop) scale(ctx context.Context, n int) error {
	_, err := s.admin.resource("releases", s.namespace).Patch(ctx, shopName, types.MergePatchType,
		[]byte(fmt.Sprintf(`{"spec":{"replicas":%d}}`, n)), metav1.PatchOptions{FieldManager: "kube-controller-manager"}, "scale")
	return err
}

func (s *shop) awaitSize(t *testing.T, colour string, want int64) {
	t.Helper()
	eventually(t, fmt.Sprintf("Deployment shop-%s has %d replicas", colour, want), func() string {
		o, err := s.admin.resource("deployments", s.namespace).Get(within(t), shopName+"-"+colour, metav1.GetOptions{})
		if err != nil {
			return err.Error()
		}
		if got, _, _ := unstructured.NestedInt64(o.Object, "spec", "replicas"); got != want {
			return fmt.Sprintf("it has %d", got)
		}
		return ""
	})
}

func (s *shop) list(t *testing.T, resource string) []unstructured.Unstructured {
	t.Helper()
	list, err := s.admin.resource(resource, s.namespace).List(within(t), metav1.ListOptions{})
	if err != nil {
		t.Fatal(err)
	}
	return list.Items
}

// TestNoRightToAutoscalers: what the operator may not write it cannot leave
// behind in another state.
func TestNoRightToAutoscalers(t *testing.T) {
	for account, may := range rights {
		t.Run("D29 "+account, func(t *testing.T) {
			if i := slices.IndexFunc(may, func(r string) bool { return strings.Contains(r, "autoscaling") || strings.Contains(r, "*") }); i >= 0 {
				t.Errorf("it may %s", may[i])
			}
		})
	}
}

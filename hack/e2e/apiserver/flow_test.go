// Copyright The Countersign Authors.
// SPDX-License-Identifier: Apache-2.0

package apiserver

import (
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/countersign/countersign/api/v1alpha1"
	"github.com/countersign/countersign/hack/e2e/story"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/rest"
)

// TestLife is a Release from its first content to its end: promoted twice, sick
// and back, quiet, deleted.
func TestLife(t *testing.T) {
	s := openShop(t)
	first := s.promote(t, "v1")
	if got := s.selector(t); got != "blue" {
		t.Fatalf("after the first release Service shop leads to %q", got)
	}
	s.awaitStable(t)
	start := time.Now()
	second := s.promote(t, "v2")
	if got := s.selector(t); got != "green" || second.Status.Epoch != first.Status.Epoch+1 {
		t.Fatalf("after the second release Service shop leads to %q, epoch %d", got, second.Status.Epoch)
	}
	s.awaitStable(t)
	t.Logf("a whole cycle took %d API requests of the operator: %s", len(s.requests(t, start)), count(s.requests(t, start)))
	t.Run("D01 sick", s.sickAndBack)
	t.Run("D14 deleted", s.deletedAndServing)
}

// sickAndBack: content that loses its Pods while it is observed goes back.
func (s *shop) sickAndBack(t *testing.T) {
	third := s.promote(t, "v3", set("spec.observeSeconds", int64(60)))
	if got := s.selector(t); got != "blue" {
		t.Fatalf("after the third release Service shop leads to %q", got)
	}
	s.loseReadiness(t, "blue")
	rel := s.await(t, "it is switched back", func(r *v1alpha1.Release) bool {
		return r.Status.Epoch == third.Status.Epoch+1 && r.Status.Switch.SettledAt != nil
	})
	if got := s.selector(t); got != "green" || rel.Status.Switch.Reason != v1alpha1.SwitchRollback {
		t.Errorf("Service shop leads to %q: %s", got, standing(rel))
	}
	if rel.Status.Phase != v1alpha1.PhaseHalted {
		t.Errorf("%s; want the content halted", standing(rel))
	}
}

// loseReadiness is what kubelet writes when a Pod's probe fails.
func (s *shop) loseReadiness(t *testing.T, colour string) {
	t.Helper()
	kubelet := s.impersonating(t, "admin", rest.ImpersonationConfig{UserName: "kubelet", Groups: []string{"system:nodes", "system:masters"}})
	pods := kubelet.resource("pods", s.namespace)
	list, err := pods.List(within(t), metav1.ListOptions{LabelSelector: v1alpha1.ColourLabel + "=" + colour})
	if err != nil || len(list.Items) == 0 {
		t.Fatalf("%d Pods of %s: %v", len(list.Items), colour, err)
	}
	for i := range list.Items {
		patch := `{"status":{"conditions":[{"type":"Ready","status":"False"}]}}`
		_, err := pods.Patch(within(t), list.Items[i].GetName(), types.StrategicMergePatchType, []byte(patch), metav1.PatchOptions{}, "status")
		if err != nil {
			t.Fatal(err)
		}
	}
}

// deletedAndServing: the active colour outlives its Release, and is its owner's.
func (s *shop) deletedAndServing(t *testing.T) {
	for _, verb := range deleteVerbs {
		t.Run("sec/21 a developer cannot "+verb, func(t *testing.T) {
			err := deleteBy(within(t), s.people["dev"].resource("releases", s.namespace), verb, shopName)
			refused(t, "dev deletes the Release", err, "is forbidden")
		})
	}
	s.allow(t, s.namespace, "release-owner", email("carol"))
	carol := s.as(t, "carol")
	eventually(t, "carol deletes the Release, whose right is only just given", func() string {
		return text(deleteForGood(t, carol.resource("releases", s.namespace), shopName))
	})
	eventually(t, "the Release is gone", func() string {
		_, err := s.admin.resource("releases", s.namespace).Get(within(t), shopName, metav1.GetOptions{})
		if apierrors.IsNotFound(err) {
			return ""
		}
		return "it is there: " + text(err)
	})
	if got := s.selector(t); got != "green" {
		t.Errorf("Service shop leads to %q", got)
	}
	dev := s.people["dev"]
	for _, o := range []struct{ resource, name string }{{"services", shopName}, {"deployments", "shop-green"}} {
		got, err := dev.resource(o.resource, s.namespace).Get(within(t), o.name, metav1.GetOptions{})
		if err != nil {
			t.Fatal(err)
		}
		if got.GetLabels()[v1alpha1.ReleaseLabel] != "" {
			t.Errorf("%s %s still has the labels %v", o.resource, o.name, got.GetLabels())
		}
		label("team", "shop")(got)
		if _, err := dev.resource(o.resource, s.namespace).Update(within(t), got, metav1.UpdateOptions{}); err != nil {
			t.Errorf("dev changes what was given back: %v", err)
		}
	}
}

// TestQuiet: when nothing happens nothing is written (I13).
func TestQuiet(t *testing.T) {
	s := openShop(t)
	s.promote(t, "v1", set("spec.keepIdleSeconds", int64(1)))
	s.promoteAgain(t)
	eventually(t, "the events of what happened are written, which nobody waits for", func() string {
		if writes := s.writes(t, time.Now().Add(-3*time.Second)); len(writes) > 0 {
			return count(writes)
		}
		return ""
	})
	start := time.Now()
	time.Sleep(10 * time.Second) // there is nothing to wait for
	if writes := s.writes(t, start); len(writes) > 0 {
		t.Errorf("the operator wrote %d times: %s", len(writes), count(writes))
	}
}

// writes of the operator since a moment.
func (s *shop) writes(t testing.TB, since time.Time) []story.Request {
	t.Helper()
	return slices.DeleteFunc(s.requests(t, since), func(r story.Request) bool {
		return slices.Contains([]string{"get", "list", "watch"}, r.Verb)
	})
}

// promoteAgain waits until all that follows a switch is over.
func (s *shop) promoteAgain(t *testing.T) {
	t.Helper()
	s.awaitStable(t)
	s.promote(t, "v2", set("spec.keepIdleSeconds", int64(1)))
	s.awaitStable(t)
	eventually(t, "the former colour is scaled to zero and gone", func() string {
		o, err := s.admin.resource("deployments", s.namespace).Get(within(t), "shop-blue", metav1.GetOptions{})
		if err != nil {
			return err.Error()
		}
		if n, _, _ := unstructured.NestedInt64(o.Object, "status", "replicas"); n != 0 {
			return fmt.Sprintf("it has %d Pods", n)
		}
		return ""
	})
	s.awaitNoBudget(t, "blue")
	s.await(t, "the Release has seen it", func(r *v1alpha1.Release) bool { return r.Status.Former == nil })
}

// requests are those of the operator since a moment, but for its lease and what
// is about other namespaces.
func (s *shop) requests(t testing.TB, since time.Time) []story.Request {
	t.Helper()
	everything, err := story.Requests(s.plane.AuditLog())
	if err != nil {
		t.Fatal(err)
	}
	return slices.DeleteFunc(story.Between(everything, operatorUser, since, time.Now()), func(r story.Request) bool {
		return r.Resource == "leases" || r.Verb == "watch" || r.Namespace != "" && r.Namespace != s.namespace
	})
}

// count is for people.
func count(requests []story.Request) string {
	n := map[string]int{}
	for _, r := range requests {
		what := r.Verb + " " + r.Resource
		if r.Subresource != "" {
			what += "/" + r.Subresource
		}
		n[fmt.Sprintf("%s (%d)", what, r.Code)]++
	}
	var lines []string
	for what, times := range n {
		lines = append(lines, fmt.Sprintf("%d × %s", times, what))
	}
	slices.Sort(lines)
	return strings.Join(lines, ", ")
}

// TestNamespaceDeletion: no policy keeps a namespace from going.
func TestNamespaceDeletion(t *testing.T) {
	s := openShop(t)
	s.promote(t, "v1")
	if err := deleteForGood(t, s.admin.resource("namespaces", ""), s.namespace); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the namespace is gone", func() string {
		o, err := s.admin.resource("namespaces", "").Get(within(t), s.namespace, metav1.GetOptions{})
		if apierrors.IsNotFound(err) {
			return ""
		}
		if err != nil {
			return err.Error()
		}
		conditions, _, _ := unstructured.NestedSlice(o.Object, "status", "conditions")
		return fmt.Sprint(conditions)
	})
}

// TestOperatorHasItsRights looks for what the roles in config/rbac lack, after
// the operator has done all that the other tests made it do.
func TestOperatorHasItsRights(t *testing.T) {
	s := openShop(t)
	s.promote(t, "v1")
	everything, err := story.Requests(s.plane.AuditLog())
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range everything {
		if (r.User == operatorUser || r.User == webhookUser) && r.Code == 403 && s.exists(t, r.Namespace) {
			t.Errorf("%s was forbidden to %s %s/%s %s/%s", r.User, r.Verb, r.Resource, r.Subresource, r.Namespace, r.Name)
		}
	}
	for _, p := range []*part{s.operator.controller, s.operator.webhook} {
		raw, err := os.ReadFile(p.log)
		if err != nil {
			t.Fatal(err)
		}
		for line := range strings.Lines(string(raw)) {
			if strings.Contains(line, "is forbidden") && !strings.Contains(line, "because it is being terminated") {
				t.Errorf("the %s's log has %s", p.name, line)
			}
		}
	}
}

// exists tells whether a namespace does: in one that goes, nothing can be made.
func (s *shop) exists(t *testing.T, namespace string) bool {
	t.Helper()
	_, err := s.admin.resource("namespaces", "").Get(within(t), namespace, metav1.GetOptions{})
	return !apierrors.IsNotFound(err)
}

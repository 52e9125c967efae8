// Copyright The Countersign Authors.
// SPDX-License-Identifier: Apache-2.0

package apiserver

import (
	"strings"
	"testing"

	"github.com/countersign/countersign/api/v1alpha1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
)

// TestServiceIsMade: a Release whose Service nobody made, from its first content to
// its end.
func TestServiceIsMade(t *testing.T) {
	s := openShop(t)
	s.deleteService(t)
	ports := portsAre(port(80, fieldsOf{"name": "http", "targetPort": "http", "appProtocol": "http"}), port(8443, fieldsOf{"name": "tls", "targetPort": int64(8443)}))
	s.mustApply(t, "dev", s.manifest(t, "v1", ports))
	digest := s.awaitTested(t)
	made := s.readService(t)
	if made.Spec.Type != corev1.ServiceTypeClusterIP || made.Spec.ClusterIP == "" || len(made.Spec.Ports) != 2 || made.Spec.Ports[0].TargetPort.StrVal != "http" || *made.Spec.Ports[0].AppProtocol != "http" {
		t.Errorf("it is %+v", made.Spec)
	}
	if got := s.selector(t); got != v1alpha1.ColourNone || made.Labels[v1alpha1.RoleLabel] != v1alpha1.RoleActive || made.Annotations[v1alpha1.EpochAnnotation] != "0" {
		t.Errorf("before anything was let through it leads to %q, and is marked %v %v", got, made.Labels, made.Annotations)
	}
	s.mustVote(t, "alice", digest)
	s.mustVote(t, "bob", digest)
	first := s.awaitActive(t, digest)
	if first.Status.Sequence != 1 {
		t.Errorf("making it made other content: %d", first.Status.Sequence)
	}
	s.awaitStable(t)
	t.Run("nobody else deletes it", func(t *testing.T) {
		refused(t, "a deletion", s.people["dev"].resource("services", s.namespace).Delete(within(t), shopName, metav1.DeleteOptions{}), "user ")
	})
	t.Run("other ports", s.otherPorts)
	t.Run("made again", s.madeAgain)
	t.Run("it stays", s.serviceStays)
}

// otherPorts: what serves is left alone, and either remedy of the message mends it.
func (s *shop) otherPorts(t *testing.T) {
	s.mustApply(t, "dev", s.manifest(t, "v2", portsAre(port(81, nil))))
	rel := s.awaitStalled(t, v1alpha1.ReasonServicePortsDiffer)
	says := standing(rel)
	if want := "kubectl patch release shop -n " + s.namespace + ` --type=json -p '[{"op":"remove","path":"/spec/services/0/ports"}]'`; !strings.Contains(says, want) {
		t.Errorf("%s; want %q in it", says, want)
	}
	if got := s.selector(t); got != "blue" || s.readService(t).Spec.Ports[0].Port != 80 {
		t.Errorf("Service shop leads to %q", got)
	}
	s.mustApply(t, "dev", s.manifest(t, "v1", portsAre(port(80, fieldsOf{"name": "http", "targetPort": "http", "appProtocol": "http"}), port(8443, fieldsOf{"name": "tls", "targetPort": int64(8443)}))))
	s.awaitStable(t)
}

// madeAgain: somebody past the guards deletes what serves.
func (s *shop) madeAgain(t *testing.T) {
	before := s.release(t)
	s.withoutPolicies(t)
	s.deleteService(t)
	rel := s.await(t, "it is made again and led to what is active", func(r *v1alpha1.Release) bool {
		return r.Status.Epoch > before.Status.Epoch && r.Status.Switch.SettledAt != nil
	})
	if got := s.selector(t); got != string(rel.Status.Active.Colour) || rel.Status.Switch.Reason != v1alpha1.SwitchRepair || rel.Status.Active.Digest != before.Status.Active.Digest {
		t.Errorf("Service shop leads to %q: %s", got, standing(rel))
	}
}

// serviceStays when its Release is deleted, without our marks.
func (s *shop) serviceStays(t *testing.T) {
	if err := s.people["admin"].resource("releases", s.namespace).Delete(within(t), shopName, metav1.DeleteOptions{}); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the Release is gone", func() string {
		_, err := s.admin.resource("releases", s.namespace).Get(within(t), shopName, metav1.GetOptions{})
		if apierrors.IsNotFound(err) {
			return ""
		}
		return text(err) + " it is there"
	})
	if svc := s.readService(t); svc.Labels[v1alpha1.ReleaseLabel] != "" || s.selector(t) == v1alpha1.ColourNone {
		t.Errorf("it is %v %v", svc.Labels, svc.Spec.Selector)
	}
}

// TestServiceIsMissing: both remedies are named.
func TestServiceIsMissing(t *testing.T) {
	s := openShop(t)
	s.deleteService(t)
	s.mustApply(t, "dev", s.manifest(t, "v1"))
	says := standing(s.awaitStalled(t, v1alpha1.ReasonServiceMissing))
	for _, want := range []string{"create it in namespace " + s.namespace + ", without a selector", "set services[].ports, so that the operator makes it: kubectl edit release shop -n " + s.namespace} {
		if !strings.Contains(says, want) {
			t.Errorf("%s; want %q in it", says, want)
		}
	}
	s.promote(t, "v1", portsAre(port(80, nil)))
}

func (s *shop) awaitStalled(t *testing.T, reason string) *v1alpha1.Release {
	t.Helper()
	return s.await(t, "it stalls: "+reason, func(r *v1alpha1.Release) bool {
		for _, c := range r.Status.Conditions {
			if c.Type == v1alpha1.ConditionStalled && c.Reason == reason {
				return true
			}
		}
		return false
	})
}

func (s *shop) deleteService(t *testing.T) {
	t.Helper()
	if err := s.admin.resource("services", s.namespace).Delete(within(t), shopName, metav1.DeleteOptions{}); err != nil {
		t.Fatal(err)
	}
}

func (s *shop) readService(t *testing.T) *corev1.Service {
	t.Helper()
	o, err := s.admin.resource("services", s.namespace).Get(within(t), shopName, metav1.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	svc := &corev1.Service{}
	if err := runtime.DefaultUnstructuredConverter.FromUnstructured(o.Object, svc); err != nil {
		t.Fatal(err)
	}
	return svc
}

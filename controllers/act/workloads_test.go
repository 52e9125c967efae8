// Copyright The Countersign Authors.
// SPDX-License-Identifier: Apache-2.0

package act_test

import (
	"errors"
	"reflect"
	"strings"
	"testing"

	"github.com/countersign/countersign/api/v1alpha1"
	"github.com/countersign/countersign/controllers/rollout"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

func TestPointPreview(t *testing.T) {
	c := newCluster(t)
	pv := rollout.PointPreview{Service: "shop", Preview: "shop-preview", Colour: v1alpha1.Blue, Ports: service("shop").Spec.Ports}
	c.must(release(), pv)
	made := get[corev1.Service](c, "shop-preview")
	if made.Labels[v1alpha1.RoleLabel] != v1alpha1.RolePreview || made.Labels[v1alpha1.ReleaseLabel] != "shop" || made.Spec.Ports[0].NodePort != 0 {
		t.Errorf("it is %v %+v", made.Labels, made.Spec)
	}
	pv.Exists, pv.ResourceVersion, pv.Selector, pv.Colour = true, made.ResourceVersion, made.Spec.Selector, v1alpha1.Green
	c.must(release(), pv)
	if s := get[corev1.Service](c, "shop-preview").Spec.Selector; !reflect.DeepEqual(s, ours("green")) {
		t.Errorf("it leads to %v", s)
	}
	if err := c.carry(release(), pv); !apierrors.IsConflict(err) {
		t.Errorf("of another version: %v", err)
	}
}

// A Service that was not there leads nowhere, whoever makes it and whenever.
func TestMakeService(t *testing.T) {
	c := newCluster(t)
	m := rollout.MakeService{Service: "shop", Ports: service("shop").Spec.Ports}
	c.must(release(), m)
	made := get[corev1.Service](c, "shop")
	if !reflect.DeepEqual(made.Labels, map[string]string{v1alpha1.ReleaseLabel: "shop", v1alpha1.RoleLabel: v1alpha1.RoleActive}) || made.Annotations[v1alpha1.EpochAnnotation] != "0" {
		t.Errorf("its marks are %v %v", made.Labels, made.Annotations)
	}
	if made.Spec.Type != corev1.ServiceTypeClusterIP || !reflect.DeepEqual(made.Spec.Selector, ours("none")) || !reflect.DeepEqual(made.Spec.Ports, m.Ports) {
		t.Errorf("it is %+v", made.Spec)
	}
	if err := c.carry(release(), m); !apierrors.IsAlreadyExists(err) {
		t.Errorf("made twice: %v", err)
	}
}

// I17: what is given back works as before, without our marks.
func TestSurrender(t *testing.T) {
	c := newCluster(t, service("shop"))
	c.must(release(),
		rollout.Materialise{Colour: v1alpha1.Blue, Revision: "r1", Replicas: 3},
		rollout.ShiftTraffic{Epoch: 4, To: v1alpha1.Blue, Services: writes("shop")},
		rollout.Surrender{Service: "shop"}, rollout.Surrender{Colour: v1alpha1.Blue})
	svc, d := get[corev1.Service](c, "shop"), get[appsv1.Deployment](c, "shop-blue")
	if len(svc.Labels) > 0 || len(svc.Annotations) > 0 || !reflect.DeepEqual(svc.Spec.Selector, ours("blue")) {
		t.Errorf("the Service is %v %v %v", svc.Labels, svc.Annotations, svc.Spec.Selector)
	}
	if len(d.Labels) > 0 || *d.Spec.Replicas != 3 || d.Spec.Template.Labels[v1alpha1.ColourLabel] != "blue" {
		t.Errorf("the Deployment is %v %+v", d.Labels, d.Spec)
	}
}

// A restart changes a number in the template, and nothing else.
func TestRestart(t *testing.T) {
	c := newCluster(t)
	c.must(release(), rollout.Materialise{Colour: v1alpha1.Blue, Revision: "r1", Replicas: 3})
	was := get[appsv1.Deployment](c, "shop-blue")
	c.must(release(), rollout.Restart{Colour: v1alpha1.Blue, ResourceVersion: was.ResourceVersion, Number: 7})
	now := get[appsv1.Deployment](c, "shop-blue")
	if n := now.Spec.Template.Annotations[v1alpha1.RestartsAnnotation]; n != "7" {
		t.Errorf("the number is %q, want 7", n)
	}
	delete(now.Spec.Template.Annotations, v1alpha1.RestartsAnnotation)
	if !equality.Semantic.DeepEqual(was.Spec, now.Spec) || !reflect.DeepEqual(was.Labels, now.Labels) {
		t.Errorf("it was %+v and is %+v", was.Spec, now.Spec)
	}
	if err := c.carry(release(), rollout.Restart{Colour: v1alpha1.Blue, ResourceVersion: was.ResourceVersion, Number: 8}); !apierrors.IsConflict(err) {
		t.Errorf("of another version: %v", err)
	}
	c.must(release(), rollout.Remove{Colour: v1alpha1.Blue}, rollout.Materialise{Colour: v1alpha1.Blue, Revision: "r1", Replicas: 3, Restarts: 7})
	if n := get[appsv1.Deployment](c, "shop-blue").Spec.Template.Annotations[v1alpha1.RestartsAnnotation]; n != "7" {
		t.Errorf("made again, the number is %q, want 7", n)
	}
}

func TestRemove(t *testing.T) {
	c := newCluster(t, service("shop-preview"))
	c.must(release(), rollout.Materialise{Colour: v1alpha1.Green, Revision: "r1", Replicas: 3},
		rollout.Remove{Preview: "shop-preview"}, rollout.Remove{Colour: v1alpha1.Green})
	for _, o := range []client.Object{&corev1.Service{}, &appsv1.Deployment{}} {
		name := map[bool]string{true: "shop-preview", false: "shop-green"}[reflect.TypeOf(o) == reflect.TypeFor[*corev1.Service]()]
		if err := c.Get(t.Context(), client.ObjectKey{Namespace: "prod", Name: name}, o); !apierrors.IsNotFound(err) {
			t.Errorf("%s: %v", name, err)
		}
	}
	// What is gone already is no reason to stay.
	c.must(release(), rollout.Remove{Preview: "shop-preview"}, rollout.Remove{Colour: v1alpha1.Green},
		rollout.Surrender{Service: "gone"}, rollout.Surrender{Colour: v1alpha1.Blue})
}

// What has changed since it was read stays, to be looked at again.
func TestRemoveOnlyWhatWasRead(t *testing.T) {
	c := newCluster(t, service("shop-preview"))
	err := c.carry(release(), rollout.Remove{Preview: "shop-preview", ResourceVersion: "1"})
	if !apierrors.IsConflict(err) {
		t.Errorf("it goes, with error %v; want a conflict", err)
	}
	get[corev1.Service](c, "shop-preview")
}

func TestFinalizer(t *testing.T) {
	rel := release()
	c := newCluster(t, rel)
	c.must(rel, rollout.AddFinalizer{})
	got := get[v1alpha1.Release](c, "shop")
	if len(got.Finalizers) != 1 || rel.ResourceVersion != got.ResourceVersion {
		t.Errorf("it has %v at %s, and the reading is of %s", got.Finalizers, got.ResourceVersion, rel.ResourceVersion)
	}
	stale := release()
	if err := c.carry(stale, rollout.RemoveFinalizer{}); !apierrors.IsConflict(err) {
		t.Errorf("from a stale reading: %v", err)
	}
	c.must(rel, rollout.RemoveFinalizer{})
	if f := get[v1alpha1.Release](c, "shop").Finalizers; len(f) > 0 {
		t.Errorf("it still has %v", f)
	}
}

type unknown struct{ rollout.Action }

// Each action tells what could not be written, and nothing after it is tried.
func TestErrors(t *testing.T) {
	broken := errors.New("no answer")
	for want, action := range map[string]rollout.Action{
		"patch Service prod/shop":                  rollout.Claim{Service: "shop", ResourceVersion: "7"},
		"create Deployment prod/shop-green":        rollout.Materialise{Colour: v1alpha1.Green},
		"patch Deployment prod/shop-blue":          rollout.Scale{Colour: v1alpha1.Blue, Replicas: 9},
		"create Service prod/made":                 rollout.MakeService{Service: "made"},
		"create preview Service prod/p":            rollout.PointPreview{Preview: "p"},
		"patch Service prod/shop: ":                rollout.ShiftTraffic{Epoch: 1, To: v1alpha1.Blue, Services: writes("shop")},
		"patch Service prod/shop: no":              rollout.Fence{Epoch: 1, Services: writes("shop")},
		"patch Service prod/shop: no answer":       rollout.Surrender{Service: "shop"},
		"patch Deployment prod/shop-blue: no a":    rollout.Restart{Colour: v1alpha1.Blue, Number: 1},
		"patch Deployment prod/shop-blue: no":      rollout.Surrender{Colour: v1alpha1.Blue},
		"prod/p: no answer":                        rollout.Remove{Preview: "p"},
		"patch the finalizer of Release prod/shop": rollout.AddFinalizer{},
	} {
		t.Run(want, func(t *testing.T) {
			rel := release()
			c := newCluster(t, rel, service("shop"))
			c.must(rel, rollout.Materialise{Colour: v1alpha1.Blue, Revision: "r1", Replicas: 3})
			c.refuse, c.writes = broken, nil
			err := c.carry(rel, action, rollout.Fence{Epoch: 9, Services: writes("shop")})
			if !errors.Is(err, broken) || !strings.Contains(err.Error(), want) {
				t.Errorf("got %v, want %q around it", err, want)
			}
			if len(c.writes) != 1 {
				t.Errorf("it went on: %v", c.writes)
			}
		})
	}
	if err := newCluster(t).carry(release(), unknown{}); err == nil || !strings.Contains(err.Error(), "is not known") {
		t.Errorf("got %v", err)
	}
	if err := newCluster(t).carry(release(), rollout.Scale{Colour: v1alpha1.Blue}); !apierrors.IsNotFound(err) {
		t.Errorf("got %v", err)
	}
}

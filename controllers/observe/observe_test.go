// Copyright The Countersign Authors.
// SPDX-License-Identifier: Apache-2.0

package observe_test

import (
	"context"
	"crypto/ed25519"
	"errors"
	"fmt"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/countersign/countersign/api/v1alpha1"
	"github.com/countersign/countersign/controllers/observe"
	"github.com/countersign/countersign/controllers/receipt"
	"github.com/countersign/countersign/controllers/rollout"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"
)

// reader is a fake API server that counts what is read, and can refuse to
// answer about a kind.
type reader struct {
	client.Client
	read   map[string]int
	broken string
}

var errBroken = errors.New("no answer")

func newReader(t *testing.T, objects ...client.Object) *reader {
	t.Helper()
	scheme := runtime.NewScheme()
	if err := errors.Join(clientgoscheme.AddToScheme(scheme), v1alpha1.AddToScheme(scheme)); err != nil {
		t.Fatal(err)
	}
	r := &reader{read: map[string]int{}}
	about := func(o any) error {
		kind := strings.TrimSuffix(reflect.TypeOf(o).Elem().Name(), "List")
		r.read[kind]++
		if kind == r.broken {
			return errBroken
		}
		return nil
	}
	r.Client = fake.NewClientBuilder().WithScheme(scheme).WithObjects(objects...).WithInterceptorFuncs(interceptor.Funcs{
		Get: func(ctx context.Context, w client.WithWatch, key client.ObjectKey, o client.Object, opts ...client.GetOption) error {
			if err := about(o); err != nil {
				return err
			}
			return w.Get(ctx, key, o, opts...)
		},
		List: func(ctx context.Context, w client.WithWatch, l client.ObjectList, opts ...client.ListOption) error {
			if err := about(l); err != nil {
				return err
			}
			return w.List(ctx, l, opts...)
		},
	}).Build()
	return r
}

var noon = time.Date(2026, 11, 24, 12, 0, 0, 0, time.UTC)

func snapshot(t *testing.T, rel *v1alpha1.Release, cache, live *reader) (rollout.Snapshot, error) {
	t.Helper()
	o := observe.Observer{Client: cache, Live: live, Verifier: receipt.NewVerifier(ed25519.PublicKey(make([]byte, 32))), Cluster: "c1"}
	return o.Snapshot(t.Context(), rel, []rollout.CheckResult{{Name: "smoke"}}, noon)
}

func see(t *testing.T, objects ...client.Object) rollout.Snapshot {
	t.Helper()
	r := newReader(t, objects...)
	s, err := snapshot(t, release(), r, r)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func meta(name string, labels ...string) metav1.ObjectMeta {
	m := metav1.ObjectMeta{Namespace: "prod", Name: name, Labels: map[string]string{}}
	for i := 0; i < len(labels); i += 2 {
		m.Labels[labels[i]] = labels[i+1]
	}
	return m
}

func release() *v1alpha1.Release {
	return &v1alpha1.Release{
		ObjectMeta: meta("shop"),
		Spec: v1alpha1.ReleaseSpec{
			Services: []v1alpha1.ServiceRef{{Name: "shop"}},
			Template: corev1.PodTemplateSpec{Spec: corev1.PodSpec{Containers: []corev1.Container{{Name: "app", Image: "v1"}}}},
		},
	}
}

func deployment(colour string) *appsv1.Deployment {
	n := int32(3)
	d := &appsv1.Deployment{ObjectMeta: meta("shop-"+colour, v1alpha1.ReleaseLabel, "shop", v1alpha1.ColourLabel, colour)}
	d.Generation = 2
	d.Spec.Replicas = &n
	d.Spec.Template.Labels = map[string]string{v1alpha1.RevisionLabel: "r1"}
	d.Spec.Template.Annotations = map[string]string{v1alpha1.RestartsAnnotation: "7"}
	d.Status = appsv1.DeploymentStatus{ObservedGeneration: 2, Replicas: 4, UpdatedReplicas: 3, ReadyReplicas: 2, AvailableReplicas: 1}
	return d
}

func pod(name, colour string, ready bool) *corev1.Pod {
	p := &corev1.Pod{ObjectMeta: meta(name, v1alpha1.ReleaseLabel, "shop", v1alpha1.ColourLabel, colour, v1alpha1.RevisionLabel, "r1")}
	status := corev1.ConditionFalse
	if ready {
		status = corev1.ConditionTrue
	}
	p.Status = corev1.PodStatus{PodIP: "10.0.0.1", Conditions: []corev1.PodCondition{{Type: corev1.PodReady, Status: status}}}
	return p
}

func service(name string, change func(*corev1.Service)) *corev1.Service {
	s := &corev1.Service{ObjectMeta: meta(name, v1alpha1.ReleaseLabel, "shop")}
	s.Spec = corev1.ServiceSpec{Ports: []corev1.ServicePort{{Port: 80}}, Selector: map[string]string{v1alpha1.ReleaseLabel: "shop", v1alpha1.ColourLabel: "blue"}}
	if change != nil {
		change(s)
	}
	return s
}

// endpoints of a Service; a name with ! before it is not ready.
func endpoints(service, name string, pods ...string) *discoveryv1.EndpointSlice {
	s := &discoveryv1.EndpointSlice{ObjectMeta: meta(name, discoveryv1.LabelServiceName, service), AddressType: discoveryv1.AddressTypeIPv4}
	for i, p := range pods {
		p, unready := strings.CutPrefix(p, "!")
		ready := !unready
		e := discoveryv1.Endpoint{Addresses: []string{fmt.Sprintf("10.0.0.%d", i)}, Conditions: discoveryv1.EndpointConditions{Ready: &ready}}
		if p != "" {
			e.TargetRef = &corev1.ObjectReference{Kind: "Pod", Name: p}
		}
		s.Endpoints = append(s.Endpoints, e)
	}
	return s
}

func TestNothingIsThere(t *testing.T) {
	s := see(t)
	if s.Blue.Exists || s.Green.Exists || s.Blue.Name != "shop-blue" || len(s.Services) != 1 || s.Services[0].Exists || s.Services[0].Preview.Name != "shop-preview" {
		t.Errorf("it sees %+v", s)
	}
	if len(s.Policies) > 0 || s.Authors.Known || s.Authors.Why == "" || s.Revision == "" || s.Cluster != "c1" || !s.Now.Equal(noon) || len(s.Results) != 1 {
		t.Errorf("it sees %+v", s)
	}
}

// A Service that is being deleted is not there, and its name is not free.
func TestServiceIsLeaving(t *testing.T) {
	leaving := func(s *corev1.Service) {
		now := metav1.NewTime(noon)
		s.DeletionTimestamp, s.Finalizers = &now, []string{"service.kubernetes.io/load-balancer-cleanup"}
	}
	preview := service("shop-preview", func(s *corev1.Service) { s.Labels[v1alpha1.RoleLabel] = v1alpha1.RolePreview; leaving(s) })
	got := see(t, service("shop", leaving), preview).Services[0]
	if got.Exists || got.ResourceVersion == "" || got.Owner != "" || got.Preview.Exists {
		t.Errorf("it sees %+v", got)
	}
}

func TestWorkloads(t *testing.T) {
	leaving := deployment("green")
	now := metav1.NewTime(noon)
	leaving.DeletionTimestamp, leaving.Finalizers = &now, []string{"foregroundDeletion"}
	s := see(t, deployment("blue"), leaving, pod("b", "blue", true), pod("a", "blue", false), pod("x", "pink", true))
	b := s.Blue
	if !b.Exists || b.Foreign || b.Revision != "r1" || b.Restarts != 7 || b.Replicas != 3 || !b.Settled || b.Total != 4 || b.Updated != 3 || b.Ready != 2 || b.Available != 1 || b.ResourceVersion == "" {
		t.Errorf("blue is %+v", b)
	}
	if len(b.Pods) != 2 || b.Pods[0].Name != "a" || b.Pods[0].Ready || !b.Pods[1].Ready || b.Pods[1].IP != "10.0.0.1" || b.Pods[1].Revision != "r1" {
		t.Errorf("its Pods are %+v", b.Pods)
	}
	if s.Green.Exists || s.Green.ResourceVersion == "" {
		t.Errorf("one that is being deleted is %+v", s.Green)
	}
	foreign, unsettled := deployment("blue"), deployment("green")
	foreign.Labels[v1alpha1.ReleaseLabel] = "other"
	unsettled.Generation = 3
	if s := see(t, foreign, unsettled); !s.Blue.Foreign || s.Green.Settled {
		t.Errorf("blue is %+v, green %+v", s.Blue, s.Green)
	}
}

// I17: what a deleted Release of the same name gave back is not taken for what
// nobody approved because the cache has not heard of it.
func TestWorkloadGivenBack(t *testing.T) {
	given := deployment("blue")
	given.Labels = nil
	for name, there := range map[string][]client.Object{"given back": {given}, "gone since": nil} {
		t.Run(name, func(t *testing.T) {
			s, err := snapshot(t, release(), newReader(t, deployment("blue")), newReader(t, there...))
			if err != nil || s.Blue.Exists != (there != nil) || s.Blue.Foreign != (there != nil) {
				t.Errorf("blue is %+v, %v", s.Blue, err)
			}
		})
	}
	rel, live := release(), newReader(t, given)
	rel.Status.Active = &v1alpha1.ActiveStatus{Content: v1alpha1.Content{Colour: "green"}}
	if _, err := snapshot(t, rel, newReader(t, deployment("blue")), live); err != nil || live.read["Deployment"] != 1 {
		t.Errorf("once something was let through, the cache is asked: %v, %v", live.read, err)
	}
}

func TestServices(t *testing.T) {
	for name, tc := range map[string]struct {
		change func(*corev1.Service)
		right  func(rollout.Service) bool
	}{
		"ours": {nil, func(s rollout.Service) bool {
			return s.Owner == "shop" && s.Colour == "blue" && !s.Parked && s.Unsupported == ""
		}},
		"parked": {func(s *corev1.Service) { s.Spec.Selector[v1alpha1.ColourLabel] = v1alpha1.ColourNone },
			func(s rollout.Service) bool { return s.Parked && s.Colour == "" }},
		"a key more": {func(s *corev1.Service) { s.Spec.Selector["app"] = "x" }, func(s rollout.Service) bool { return s.Colour == "" && !s.Parked }},
		"a key less": {func(s *corev1.Service) { delete(s.Spec.Selector, v1alpha1.ReleaseLabel) }, func(s rollout.Service) bool { return s.Colour == "" }},
		"another Release's selector": {func(s *corev1.Service) { s.Spec.Selector[v1alpha1.ReleaseLabel] = "x" },
			func(s rollout.Service) bool { return s.Colour == "" }},
		"another colour": {func(s *corev1.Service) { s.Spec.Selector[v1alpha1.ColourLabel] = "pink" }, func(s rollout.Service) bool { return s.Colour == "" }},
		"an epoch": {func(s *corev1.Service) { s.Annotations = map[string]string{v1alpha1.EpochAnnotation: "7"} },
			func(s rollout.Service) bool { return s.Epoch == 7 }},
		"an epoch that is none": {func(s *corev1.Service) { s.Annotations = map[string]string{v1alpha1.EpochAnnotation: "x7"} },
			func(s rollout.Service) bool { return s.Epoch == 0 }},
		"an epoch below zero": {func(s *corev1.Service) { s.Annotations = map[string]string{v1alpha1.EpochAnnotation: "-7"} },
			func(s rollout.Service) bool { return s.Epoch == 0 }},
		"headless":     {func(s *corev1.Service) { s.Spec.ClusterIP = corev1.ClusterIPNone }, func(s rollout.Service) bool { return strings.Contains(s.Unsupported, "headless") }},
		"ExternalName": {func(s *corev1.Service) { s.Spec.Type = corev1.ServiceTypeExternalName }, func(s rollout.Service) bool { return strings.Contains(s.Unsupported, "ExternalName") }},
		"no ports":     {func(s *corev1.Service) { s.Spec.Ports = nil }, func(s rollout.Service) bool { return strings.Contains(s.Unsupported, "no ports") }},
	} {
		t.Run(name, func(t *testing.T) {
			if s := see(t, service("shop", tc.change)).Services[0]; !s.Exists || !tc.right(s) {
				t.Errorf("it sees %+v", s)
			}
		})
	}
}

func TestEndpoints(t *testing.T) {
	was := pod("was", "blue", true)
	was.Labels[v1alpha1.RevisionLabel] = "r0"
	s := see(t, service("shop", nil), deployment("blue"), deployment("green"), pod("b", "blue", true), pod("g", "green", true), was,
		endpoints("shop", "v4", "b", "!g", "stranger", ""), endpoints("shop", "v6", "b"), endpoints("shop", "lag", "was"), endpoints("other", "o", "g"))
	if got, want := s.Services[0].Endpoints, (rollout.Endpoints{Blue: 2, Other: 2, Outdated: 1}); got != want {
		t.Errorf("got %+v, want %+v", got, want)
	}
}

func TestPreview(t *testing.T) {
	preview := service("shop-preview", func(s *corev1.Service) { s.Labels[v1alpha1.RoleLabel] = v1alpha1.RolePreview })
	s := see(t, service("shop", nil), preview, pod("b", "blue", true), endpoints("shop-preview", "p", "b"))
	if p := s.Services[0].Preview; !p.Exists || p.Foreign || p.Colour != "blue" || p.Endpoints.Blue != 1 {
		t.Errorf("it sees %+v", p)
	}
	if p := see(t, service("shop", nil), service("shop-preview", nil)).Services[0].Preview; !p.Foreign {
		t.Errorf("without the role it is %+v", p)
	}
}

// A preview that is no Service's any more is seen, and a Service of somebody else
// is not.
func TestStrays(t *testing.T) {
	role := func(name, role string) *corev1.Service {
		return service(name, func(s *corev1.Service) { s.Labels[v1alpha1.RoleLabel] = role })
	}
	s := see(t, service("shop", nil), role("shop-preview", v1alpha1.RolePreview), role("was", v1alpha1.RolePreview), role("x", "x"))
	if len(s.Strays) != 1 || s.Strays[0].Name != "was" || !s.Strays[0].Exists || s.Strays[0].Foreign || len(s.Services) != 1 {
		t.Errorf("it sees %+v of %+v", s.Strays, s.Services)
	}
}

// Services that lead to the active content, or are about to, are seen also when
// the spec does not name them any more.
func TestServicesBesidesTheSpec(t *testing.T) {
	r := newReader(t)
	rel := release()
	content := func(name string) v1alpha1.Content {
		return v1alpha1.Content{Services: []v1alpha1.ServiceRef{{Name: "shop"}, {Name: name}}}
	}
	rel.Status.Active = &v1alpha1.ActiveStatus{Content: content("admin")}
	rel.Status.Switch = &v1alpha1.SwitchStatus{To: content("api")}
	s, err := snapshot(t, rel, r, r)
	if err != nil || len(s.Services) != 3 || s.Services[1].Name != "admin" || s.Services[2].Name != "api" {
		t.Errorf("it sees %+v, %v", s.Services, err)
	}
	settled := metav1.NewMicroTime(noon)
	rel.Status.Switch.SettledAt = &settled
	if s, err = snapshot(t, rel, r, r); err != nil || len(s.Services) != 2 {
		t.Errorf("it sees %+v, %v", s.Services, err)
	}
}

func TestErrors(t *testing.T) {
	for kind, want := range map[string]string{
		"ApprovalPolicy": "list ApprovalPolicies", "Pod": "list Pods of Release prod/shop", "Deployment": "get Deployment prod/shop-",
		"Service": "get Service prod/shop", "PodDisruptionBudget": "list PodDisruptionBudgets in namespace prod", "EndpointSlice": "list EndpointSlices of Service prod/shop",
	} {
		t.Run(kind, func(t *testing.T) {
			r := newReader(t, service("shop", nil))
			r.broken = kind
			if _, err := snapshot(t, release(), r, r); !errors.Is(err, errBroken) || !strings.Contains(err.Error(), want) {
				t.Errorf("got %v, want %q around it", err, want)
			}
		})
	}
}

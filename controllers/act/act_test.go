// Copyright The Countersign Authors.
// SPDX-License-Identifier: Apache-2.0

package act_test

import (
	"context"
	"errors"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/countersign/countersign/api/v1alpha1"
	"github.com/countersign/countersign/controllers/act"
	"github.com/countersign/countersign/controllers/approval"
	"github.com/countersign/countersign/controllers/rollout"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"
)

// cluster is a fake API server. It is here to see what is written and to refuse
// it; how a real one behaves is tested on a real one (hack/e2e).
type cluster struct {
	*testing.T
	client.WithWatch
	actor act.Actor
	// refuse is returned for every write, and read for every live reading.
	refuse, read error
	writes       []string
}

func newCluster(t *testing.T, objects ...client.Object) *cluster {
	t.Helper()
	scheme := runtime.NewScheme()
	if err := errors.Join(clientgoscheme.AddToScheme(scheme), v1alpha1.AddToScheme(scheme)); err != nil {
		t.Fatal(err)
	}
	c := &cluster{T: t}
	write := func(verb string, o client.Object) error {
		c.writes = append(c.writes, verb+" "+o.GetName())
		return c.refuse
	}
	c.WithWatch = fake.NewClientBuilder().WithScheme(scheme).WithObjects(objects...).WithStatusSubresource(&v1alpha1.Release{}).
		WithInterceptorFuncs(interceptor.Funcs{
			Create: func(ctx context.Context, w client.WithWatch, o client.Object, opts ...client.CreateOption) error {
				if err := write("create", o); err != nil {
					return err
				}
				return w.Create(ctx, o, opts...)
			},
			Patch: func(ctx context.Context, w client.WithWatch, o client.Object, p client.Patch, opts ...client.PatchOption) error {
				if err := write("patch", o); err != nil {
					return err
				}
				return w.Patch(ctx, o, p, opts...)
			},
			Delete: func(ctx context.Context, w client.WithWatch, o client.Object, opts ...client.DeleteOption) error {
				if err := write("delete", o); err != nil {
					return err
				}
				if err := sameUID(ctx, w, o, opts); err != nil {
					return err
				}
				return w.Delete(ctx, o, opts...)
			},
			List: func(ctx context.Context, w client.WithWatch, l client.ObjectList, opts ...client.ListOption) error {
				if c.read != nil {
					return c.read
				}
				return w.List(ctx, l, opts...)
			},
		}).Build()
	c.actor = act.Actor{Client: c, Live: c, Now: time.Now}
	return c
}

// sameUID is the precondition that the fake does not look at.
func sameUID(ctx context.Context, r client.Reader, o client.Object, opts []client.DeleteOption) error {
	var d client.DeleteOptions
	d.ApplyOptions(opts)
	have := o.DeepCopyObject().(client.Object)
	if d.Preconditions == nil || d.Preconditions.UID == nil || r.Get(ctx, client.ObjectKeyFromObject(o), have) != nil || have.GetUID() == *d.Preconditions.UID {
		return nil
	}
	return apierrors.NewConflict(schema.GroupResource{}, o.GetName(), errors.New("it is another object"))
}

func (c *cluster) carry(rel *v1alpha1.Release, actions ...rollout.Action) error {
	return c.actor.Carry(c.Context(), rel, actions)
}

func (c *cluster) must(rel *v1alpha1.Release, actions ...rollout.Action) {
	c.Helper()
	if err := c.carry(rel, actions...); err != nil {
		c.Fatal(err)
	}
}

func get[T any, P interface {
	*T
	client.Object
}](c *cluster, name string) *T {
	c.Helper()
	var o T
	if err := c.Get(c.Context(), client.ObjectKey{Namespace: "prod", Name: name}, P(&o)); err != nil {
		c.Fatal(err)
	}
	return &o
}

func release() *v1alpha1.Release {
	return &v1alpha1.Release{
		ObjectMeta: metav1.ObjectMeta{Namespace: "prod", Name: "shop", ResourceVersion: "7"},
		Spec: v1alpha1.ReleaseSpec{
			ProgressDeadlineSeconds: 600, MinReadySeconds: 5,
			Template: corev1.PodTemplateSpec{
				ObjectMeta: metav1.ObjectMeta{Labels: map[string]string{"app": "shop"}},
				Spec:       corev1.PodSpec{Containers: []corev1.Container{{Name: "app", Image: "v1"}}},
			},
		},
	}
}

func service(name string) *corev1.Service {
	return &corev1.Service{
		ObjectMeta: metav1.ObjectMeta{Namespace: "prod", Name: name, ResourceVersion: "7"},
		Spec: corev1.ServiceSpec{
			Selector: map[string]string{"app": "shop", "tier": "web"},
			Ports:    []corev1.ServicePort{{Name: "http", Port: 80, NodePort: 30080}},
		},
	}
}

func ours(colour string) map[string]string {
	return map[string]string{v1alpha1.ReleaseLabel: "shop", v1alpha1.ColourLabel: colour}
}

func writes(names ...string) (out []rollout.ServiceWrite) {
	for _, n := range names {
		out = append(out, rollout.ServiceWrite{Name: n, ResourceVersion: "7", Selector: service(n).Spec.Selector})
	}
	return out
}

func TestClaim(t *testing.T) {
	c := newCluster(t, service("shop"), service("admin"))
	c.must(release(),
		rollout.Claim{Service: "shop", ResourceVersion: "7", Selector: service("shop").Spec.Selector, Epoch: 3},
		rollout.Claim{Service: "admin", ResourceVersion: "7", Selector: service("admin").Spec.Selector, Park: true})
	shop, admin := get[corev1.Service](c, "shop"), get[corev1.Service](c, "admin")
	if shop.Labels[v1alpha1.ReleaseLabel] != "shop" || shop.Labels[v1alpha1.RoleLabel] != v1alpha1.RoleActive || shop.Annotations[v1alpha1.EpochAnnotation] != "3" {
		t.Errorf("it is marked %v %v", shop.Labels, shop.Annotations)
	}
	if !reflect.DeepEqual(shop.Spec.Selector, service("shop").Spec.Selector) {
		t.Errorf("its selector is now %v", shop.Spec.Selector)
	}
	if !reflect.DeepEqual(admin.Spec.Selector, ours("none")) || admin.Annotations[v1alpha1.EpochAnnotation] != "0" {
		t.Errorf("parked it is %v %v", admin.Spec.Selector, admin.Annotations)
	}
}

func TestShiftTraffic(t *testing.T) {
	c := newCluster(t, service("shop"), service("admin"))
	c.must(release(), rollout.ShiftTraffic{Epoch: 4, To: v1alpha1.Green, Services: writes("shop", "admin")})
	for _, name := range []string{"shop", "admin"} {
		svc := get[corev1.Service](c, name)
		if !reflect.DeepEqual(svc.Spec.Selector, ours("green")) || svc.Annotations[v1alpha1.EpochAnnotation] != "4" || svc.Labels[v1alpha1.ReleaseLabel] != "shop" {
			t.Errorf("I4: %s is %v %v %v", name, svc.Spec.Selector, svc.Labels, svc.Annotations)
		}
		if svc.Spec.Ports[0].NodePort != 30080 {
			t.Errorf("its ports are now %v", svc.Spec.Ports)
		}
	}
}

// A Service that changed since is not written, nor any after it.
func TestShiftTrafficOfAnotherVersion(t *testing.T) {
	c := newCluster(t, service("shop"), service("admin"))
	w := writes("shop", "admin")
	w[0].ResourceVersion = "6"
	err := c.carry(release(), rollout.ShiftTraffic{Epoch: 4, To: v1alpha1.Green, Services: w})
	if !apierrors.IsConflict(err) || !strings.Contains(err.Error(), "patch Service prod/shop") {
		t.Errorf("got %v", err)
	}
	for _, name := range []string{"shop", "admin"} {
		if svc := get[corev1.Service](c, name); !reflect.DeepEqual(svc.Spec.Selector, service(name).Spec.Selector) {
			t.Errorf("%s leads to %v", name, svc.Spec.Selector)
		}
	}
}

func policy() *v1alpha1.ApprovalPolicy {
	return &v1alpha1.ApprovalPolicy{
		ObjectMeta: metav1.ObjectMeta{Name: "prod"},
		Spec:       v1alpha1.ApprovalPolicySpec{Namespaces: []string{"prod"}, Rules: []v1alpha1.ApprovalRule{{Name: "qa", Count: 1, Users: []string{"bob"}}}},
	}
}

// I1: a promotion is held when the policies, read live, are not those that it
// was judged by. Going back reads none.
func TestPoliciesAreReadAgain(t *testing.T) {
	judged := approval.Applicable([]v1alpha1.ApprovalPolicy{*policy()}, "prod", nil)
	stricter, second := policy(), policy()
	stricter.Spec.Rules[0].Count, second.Name = 2, "another"
	added := &v1alpha1.AddedApproval{Rules: []v1alpha1.ApprovalRule{{Name: "lead", Count: 1, Users: []string{"erin"}}}}
	for name, tc := range map[string]struct {
		live   []client.Object
		judged []approval.Policy
		added  *v1alpha1.AddedApproval
		read   error
		holds  bool
	}{
		"the same":                {live: []client.Object{policy()}, judged: judged},
		"one is stricter":         {live: []client.Object{stricter}, judged: judged, holds: true},
		"one more":                {live: []client.Object{policy(), second}, judged: judged, holds: true},
		"none any more":           {judged: judged, holds: true},
		"the Release adds":        {live: []client.Object{policy()}, judged: judged, added: added, holds: true},
		"judged by none":          {live: []client.Object{policy()}, judged: []approval.Policy{}, holds: true},
		"they cannot be read":     {live: []client.Object{policy()}, judged: judged, read: errors.New("no answer"), holds: true},
		"going back asks nobody":  {live: []client.Object{stricter}},
		"going back reads nobody": {read: errors.New("no answer")},
	} {
		t.Run(name, func(t *testing.T) {
			c := newCluster(t, append(tc.live, service("shop"))...)
			c.read = tc.read
			err := c.carry(release(), rollout.ShiftTraffic{Epoch: 4, To: v1alpha1.Green, Policies: tc.judged, Added: tc.added, Services: writes("shop")})
			if (err != nil) != tc.holds || len(c.writes) > 0 == tc.holds {
				t.Errorf("got %v and writes %v, want held %v", err, c.writes, tc.holds)
			}
			if err != nil && tc.read == nil != errors.Is(err, act.ErrPoliciesChanged) {
				t.Errorf("got %v", err)
			}
		})
	}
}

// I1: a promotion that comes too late is held, and one that has begun is not.
func TestPromotionComesTooLate(t *testing.T) {
	judged := approval.Applicable([]v1alpha1.ApprovalPolicy{*policy()}, "prod", nil)
	until := time.Date(2026, 3, 2, 9, 0, 0, 0, time.UTC)
	for name, tc := range map[string]struct {
		until, now time.Time
		holds      bool
	}{
		"just before":     {until: until, now: until.Add(-time.Nanosecond)},
		"D30 just then":   {until: until, now: until, holds: true},
		"D30 later":       {until: until, now: until.Add(time.Hour), holds: true},
		"it never lapses": {now: until},
	} {
		t.Run(name, func(t *testing.T) {
			c := newCluster(t, policy(), service("shop"))
			c.actor.Now = func() time.Time { return tc.now }
			err := c.carry(release(), rollout.ShiftTraffic{Epoch: 4, To: v1alpha1.Green, Policies: judged, ValidUntil: tc.until, Services: writes("shop")})
			if errors.Is(err, act.ErrLapsed) != tc.holds || err != nil != tc.holds || act.Held(err) != tc.holds || len(c.writes) > 0 == tc.holds {
				t.Errorf("got %v and writes %v, want held %v", err, c.writes, tc.holds)
			}
		})
	}
}

func TestFence(t *testing.T) {
	c := newCluster(t, service("shop"))
	c.must(release(), rollout.Fence{Epoch: 5, Services: writes("shop")})
	svc := get[corev1.Service](c, "shop")
	if svc.Annotations[v1alpha1.EpochAnnotation] != "5" || !reflect.DeepEqual(svc.Spec.Selector, service("shop").Spec.Selector) {
		t.Errorf("it is %v %v", svc.Annotations, svc.Spec.Selector)
	}
}

func TestMaterialise(t *testing.T) {
	c := newCluster(t)
	c.must(release(), rollout.Materialise{Colour: v1alpha1.Blue, Revision: "r1", Replicas: 3})
	d := get[appsv1.Deployment](c, "shop-blue")
	if len(d.OwnerReferences) > 0 {
		t.Errorf("I17: it goes with the Release: %v", d.OwnerReferences)
	}
	if l := d.Spec.Template.Labels; l["app"] != "shop" || l[v1alpha1.RevisionLabel] != "r1" || l[v1alpha1.ColourLabel] != "blue" || *d.Spec.Replicas != 3 {
		t.Errorf("it has %v and %d replicas", l, *d.Spec.Replicas)
	}
	if u := d.Spec.Strategy.RollingUpdate.MaxUnavailable.IntValue(); u != 0 || d.Spec.MinReadySeconds != 5 || *d.Spec.ProgressDeadlineSeconds != 600 {
		t.Errorf("it rolls with %+v", d.Spec)
	}
	rel := release()
	rel.Spec.Template.Spec.Containers[0].Image = "v2"
	again := rollout.Materialise{Colour: v1alpha1.Blue, ResourceVersion: d.ResourceVersion, Revision: "r2", Replicas: 2}
	c.must(rel, again)
	next := get[appsv1.Deployment](c, "shop-blue")
	if next.Spec.Template.Spec.Containers[0].Image != "v2" || next.Spec.Template.Labels[v1alpha1.RevisionLabel] != "r2" || *next.Spec.Replicas != 2 {
		t.Errorf("it is now %+v", next.Spec)
	}
	if err := c.carry(rel, again); !apierrors.IsConflict(err) {
		t.Errorf("of another version: %v", err)
	}
	again.ResourceVersion = ""
	if err := c.carry(rel, again); !apierrors.IsAlreadyExists(err) {
		t.Errorf("made twice: %v", err)
	}
	if rel.Spec.Template.Labels[v1alpha1.RevisionLabel] != "" {
		t.Errorf("the spec was changed: %v", rel.Spec.Template.Labels)
	}
}

func TestScale(t *testing.T) {
	c := newCluster(t)
	c.must(release(), rollout.Materialise{Colour: v1alpha1.Blue, Revision: "r1", Replicas: 3})
	d := get[appsv1.Deployment](c, "shop-blue")
	c.must(release(), rollout.Scale{Colour: v1alpha1.Blue, ResourceVersion: d.ResourceVersion, Replicas: 0})
	next := get[appsv1.Deployment](c, "shop-blue")
	if *next.Spec.Replicas != 0 || !reflect.DeepEqual(next.Spec.Template, d.Spec.Template) {
		t.Errorf("it is now %+v", next.Spec)
	}
	if err := c.carry(release(), rollout.Scale{Colour: v1alpha1.Blue, ResourceVersion: d.ResourceVersion, Replicas: 3}); !apierrors.IsConflict(err) {
		t.Errorf("of another version: %v", err)
	}
}

// What is swept is taken off the Release as it was read, and nothing else.
func TestSweep(t *testing.T) {
	stored := release()
	stored.Annotations = map[string]string{"approvals.countersign.dev/a": "x", "receipts.approvals.countersign.dev/a": "y", "approvals.countersign.dev/b": "z", "team": "shop"}
	c := newCluster(t, stored)
	rel := get[v1alpha1.Release](c, "shop")
	keys := []string{"approvals.countersign.dev/a", "receipts.approvals.countersign.dev/a"}
	c.must(rel, rollout.Sweep{Annotations: keys})
	got := get[v1alpha1.Release](c, "shop")
	if want := (map[string]string{"approvals.countersign.dev/b": "z", "team": "shop"}); !reflect.DeepEqual(got.Annotations, want) || !reflect.DeepEqual(rel.Annotations, want) || got.ResourceVersion != rel.ResourceVersion {
		t.Errorf("stored is %+v, in hand %+v", got.ObjectMeta, rel.ObjectMeta)
	}
	rel.ResourceVersion = "7"
	if err := c.actor.Carry(t.Context(), rel, []rollout.Action{rollout.Sweep{Annotations: []string{"team"}}}); !apierrors.IsConflict(err) {
		t.Errorf("got %v, want a conflict", err)
	}
}

// Copyright The Countersign Authors.
// SPDX-License-Identifier: Apache-2.0

package controllers_test

import (
	"context"
	"crypto/ed25519"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/countersign/countersign/api/v1alpha1"
	"github.com/countersign/countersign/controllers"
	"github.com/countersign/countersign/controllers/receipt"
	"github.com/countersign/countersign/controllers/rollout"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"
)

// rig is a Reconciler on a fake API server, which is here for the order of
// things and for errors; conflicts as they really are come in the simulation
// and on a real API server.
type rig struct {
	*testing.T
	controllers.Reconciler
	// log has everything that is done, in order.
	log    []string
	told   []rollout.Notice
	refuse map[string]error
	now    time.Time
}

var (
	shop     = types.NamespacedName{Namespace: "prod", Name: "shop"}
	conflict = apierrors.NewConflict(schema.GroupResource{Resource: "x"}, "x", errors.New("it changed"))
)

func newRig(t *testing.T, objects ...client.Object) *rig {
	t.Helper()
	scheme := runtime.NewScheme()
	if err := errors.Join(clientgoscheme.AddToScheme(scheme), v1alpha1.AddToScheme(scheme)); err != nil {
		t.Fatal(err)
	}
	r := &rig{T: t, refuse: map[string]error{}, now: time.Date(2026, 11, 24, 12, 0, 0, 0, time.UTC)}
	c := fake.NewClientBuilder().WithScheme(scheme).WithObjects(objects...).WithStatusSubresource(&v1alpha1.Release{}).WithInterceptorFuncs(r.funcs()).Build()
	r.Reconciler = controllers.Reconciler{
		Client: c, Live: c, Checks: r, Verifier: receipt.NewVerifier(ed25519.PublicKey(make([]byte, 32))), Cluster: "c1",
		Now: func() time.Time { return r.now }, Teller: r,
	}
	return r
}

func (r *rig) funcs() interceptor.Funcs {
	return interceptor.Funcs{
		Get: func(ctx context.Context, w client.WithWatch, key client.ObjectKey, o client.Object, opts ...client.GetOption) error {
			if err := r.refuse["get "+reflect.TypeOf(o).Elem().Name()]; err != nil {
				return err
			}
			return w.Get(ctx, key, o, opts...)
		},
		Create: func(ctx context.Context, w client.WithWatch, o client.Object, opts ...client.CreateOption) error {
			if err := r.done("create " + o.GetName()); err != nil {
				return err
			}
			return w.Create(ctx, o, opts...)
		},
		Patch: func(ctx context.Context, w client.WithWatch, o client.Object, p client.Patch, opts ...client.PatchOption) error {
			if err := r.done("patch " + reflect.TypeOf(o).Elem().Name() + " " + o.GetName()); err != nil {
				return err
			}
			return w.Patch(ctx, o, p, opts...)
		},
		SubResourcePatch: func(ctx context.Context, c client.Client, sub string, o client.Object, p client.Patch, opts ...client.SubResourcePatchOption) error {
			data, err := p.Data(o)
			if err == nil && !strings.Contains(string(data), `"resourceVersion":"`+o.GetResourceVersion()+`"`) {
				r.Errorf("the status is written without the version that was read: %s", data)
			}
			if err := r.done(sub + " " + o.GetName()); err != nil {
				return err
			}
			return c.SubResource(sub).Patch(ctx, o, p, opts...)
		},
	}
}

func (r *rig) done(what string) error {
	r.log = append(r.log, what)
	return r.refuse[what]
}

// The rig runs the checks and is told.

func (r *rig) Sync(_ types.NamespacedName, runs []rollout.CheckRun) {
	r.log = append(r.log, fmt.Sprintf("sync %d", len(runs)))
}
func (r *rig) Results(types.NamespacedName) []rollout.CheckResult { return nil }
func (r *rig) Forget(types.NamespacedName)                        { r.log = append(r.log, "forget") }
func (r *rig) Conflict()                                          { r.log = append(r.log, "conflict") }
func (r *rig) Gone(types.NamespacedName)                          { r.log = append(r.log, "gone") }
func (r *rig) Tell(_ *v1alpha1.Release, _ v1alpha1.ReleaseStatus, notices []rollout.Notice) {
	r.log = append(r.log, fmt.Sprintf("tell %d", len(notices)))
	r.told = notices
}

func (r *rig) reconcile() (reconcile.Result, error) {
	r.log = nil
	return r.Reconcile(r.Context(), reconcile.Request{NamespacedName: shop})
}

func (r *rig) wants(want ...string) {
	r.Helper()
	if !slices.Equal(r.log, want) {
		r.Errorf("it did %q, want %q", r.log, want)
	}
}

func objects() []client.Object {
	return []client.Object{
		&v1alpha1.Release{
			ObjectMeta: metav1.ObjectMeta{Namespace: "prod", Name: "shop", UID: "u1", Generation: 1},
			Spec: v1alpha1.ReleaseSpec{
				Services: []v1alpha1.ServiceRef{{Name: "shop"}}, ProgressDeadlineSeconds: 600,
				Template: corev1.PodTemplateSpec{Spec: corev1.PodSpec{Containers: []corev1.Container{{Name: "app", Image: "v1"}}}},
			},
		},
		&corev1.Service{ObjectMeta: metav1.ObjectMeta{Namespace: "prod", Name: "shop"}, Spec: corev1.ServiceSpec{Ports: []corev1.ServicePort{{Port: 80}}}},
	}
}

// I9: the decision is on record before anything is done about it, and it is told
// once it is.
func TestOrder(t *testing.T) {
	r := newRig(t, objects()...)
	result, err := r.reconcile()
	if err != nil {
		t.Fatal(err)
	}
	r.wants("status shop", "sync 0", "patch Release shop", "patch Service shop", "create shop-blue", "tell 1")
	if result.RequeueAfter != 600*time.Second {
		t.Errorf("it looks again in %s, want when the deadline is over", result.RequeueAfter)
	}
}

// I13: the same world gets no write.
func TestQuiet(t *testing.T) {
	r := newRig(t, objects()...)
	for range 5 {
		if _, err := r.reconcile(); err != nil {
			t.Fatal(err)
		}
	}
	r.wants("sync 0", "tell 0")
}

// A world that has moved on is looked at again soon, and nothing is said.
func TestRefused(t *testing.T) {
	for name, tc := range map[string]struct {
		at   string
		with error
		want []string
	}{
		"D10 D11 the commit, so that nothing is done or told": {"status shop", conflict, []string{"status shop", "conflict"}},
		"D10 D11 a write, after the commit":                   {"patch Service shop", conflict, []string{"status shop", "sync 0", "patch Release shop", "patch Service shop", "tell 1", "conflict"}},
		"D10 something that is there already": {"create shop-blue", apierrors.NewAlreadyExists(schema.GroupResource{}, "x"),
			[]string{"status shop", "sync 0", "patch Release shop", "patch Service shop", "create shop-blue", "tell 1", "conflict"}},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t, objects()...)
			r.refuse[tc.at] = tc.with
			result, err := r.reconcile()
			if err != nil || result.RequeueAfter != 20*time.Millisecond {
				t.Errorf("got %v and %v", result, err)
			}
			r.wants(tc.want...)
			delete(r.refuse, tc.at)
			for range 5 {
				if _, err := r.reconcile(); err != nil {
					t.Fatal(err)
				}
			}
			r.wants("sync 0", "tell 0")
		})
	}
}

// A namespace that is being deleted takes nothing in: that is no error, and not
// asked about all the time.
func TestTerminatingNamespace(t *testing.T) {
	r := newRig(t, objects()...)
	terminating := apierrors.NewForbidden(schema.GroupResource{}, "x", errors.New("it is being terminated"))
	terminating.ErrStatus.Details.Causes = append(terminating.ErrStatus.Details.Causes,
		metav1.StatusCause{Type: corev1.NamespaceTerminatingCause, Message: "namespace prod is being terminated"})
	r.refuse["create shop-blue"] = fmt.Errorf("create: %w", terminating)
	if result, err := r.reconcile(); err != nil || result.RequeueAfter != time.Second {
		t.Errorf("got %v and %v, want to look again in a second", result, err)
	}
}

// What trying again does not mend is told to people; what it may mend is not.
func TestRefusedForGood(t *testing.T) {
	quota := apierrors.NewForbidden(schema.GroupResource{Group: "apps", Resource: "deployments"}, "shop-blue", errors.New("exceeded quota: pods"))
	for name, tc := range map[string]struct {
		with error
		told bool
	}{
		"a quota":                        {quota, true},
		"what is not valid":              {apierrors.NewInvalid(schema.GroupKind{Kind: "Deployment"}, "shop-blue", nil), true},
		"no answer":                      {errors.New("no answer"), false},
		"an API server that is too busy": {apierrors.NewTooManyRequests("later", 1), false},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t, objects()...)
			r.refuse["create shop-blue"] = tc.with
			if _, err := r.reconcile(); !errors.Is(err, tc.with) {
				t.Errorf("got %v", err)
			}
			last := r.told[len(r.told)-1]
			if told := last.Reason == rollout.NoticeWriteRefused && last.Warning; told != tc.told {
				t.Errorf("told is %+v", r.told)
			}
			if tc.told && !strings.Contains(last.Message, tc.with.Error()+"; it is tried again and again: see what refuses it") {
				t.Errorf("it says %q", last.Message)
			}
		})
	}
}

func TestErrorsAreReturned(t *testing.T) {
	broken := errors.New("no answer")
	for at, want := range map[string]string{
		"get Release": "get Release prod/shop", "get Service": "get Service prod/shop",
		"status shop": "write the status of Release prod/shop", "patch Service shop": "patch Service prod/shop",
	} {
		t.Run(at, func(t *testing.T) {
			r := newRig(t, objects()...)
			r.refuse[at] = broken
			if _, err := r.reconcile(); !errors.Is(err, broken) || !strings.Contains(err.Error(), want) {
				t.Errorf("got %v, want %q around it", err, want)
			}
			if slices.Contains(r.log, "conflict") {
				t.Errorf("it counts as a conflict: %v", r.log)
			}
		})
	}
}

func TestAReleaseThatIsGone(t *testing.T) {
	r := newRig(t)
	if result, err := r.reconcile(); err != nil || result.RequeueAfter != 0 {
		t.Errorf("got %v and %v", result, err)
	}
	r.wants("forget", "gone")
}

func TestWithoutATeller(t *testing.T) {
	r := newRig(t, objects()...)
	r.Teller = nil
	r.refuse["patch Service shop"] = conflict
	if _, err := r.reconcile(); err != nil {
		t.Error(err)
	}
}

// inFlight is a promotion of the first content that was recorded, of two Services
// of which one was led to blue before the operator died.
func inFlight() []client.Object {
	all := objects()
	rel := all[0].(*v1alpha1.Release)
	rel.Finalizers = []string{v1alpha1.Finalizer}
	rel.Spec.Services = append(rel.Spec.Services, v1alpha1.ServiceRef{Name: "admin"})
	rel.Status = v1alpha1.ReleaseStatus{Epoch: 1, Switch: &v1alpha1.SwitchStatus{
		Epoch: 1, Reason: v1alpha1.SwitchPromote, IntendedAt: metav1.NewMicroTime(time.Unix(0, 0)),
		To: v1alpha1.Content{Colour: v1alpha1.Blue, Digest: "sha256:x", Services: rel.Spec.Services},
	}}
	admin := all[1].DeepCopyObject().(*corev1.Service)
	admin.Name = "admin"
	admin.Labels = map[string]string{v1alpha1.ReleaseLabel: "shop"}
	admin.Annotations = map[string]string{v1alpha1.EpochAnnotation: "1"}
	admin.Spec.Selector = map[string]string{v1alpha1.ReleaseLabel: "shop", v1alpha1.ColourLabel: "blue"}
	return append(all, admin)
}

// A promotion goes on after a crash; it is held when the policies, read live,
// are not those of the cache.
func TestPoliciesChanged(t *testing.T) {
	r := newRig(t, inFlight()...)
	if _, err := r.reconcile(); err != nil || !slices.Contains(r.log, "patch Service shop") {
		t.Errorf("it does not go on: %v, %v", r.log, err)
	}
	r = newRig(t, inFlight()...)
	r.Live = newRig(t, &v1alpha1.ApprovalPolicy{
		ObjectMeta: metav1.ObjectMeta{Name: "prod"},
		Spec:       v1alpha1.ApprovalPolicySpec{Namespaces: []string{"prod"}, Rules: []v1alpha1.ApprovalRule{{Name: "qa", Count: 1, Users: []string{"bob"}}}},
	}).Client
	result, err := r.reconcile()
	if err != nil || result.RequeueAfter != 20*time.Millisecond {
		t.Errorf("got %v and %v", result, err)
	}
	r.wants("status shop", "sync 0", "tell 0", "conflict")
}

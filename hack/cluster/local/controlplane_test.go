// Copyright The Countersign Authors.
// SPDX-License-Identifier: Apache-2.0

package local

import (
	"context"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	authenticationv1 "k8s.io/api/authentication/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"

	"github.com/countersign/countersign/hack/cluster/identity"
)

const credentialID = "authentication.kubernetes.io/credential-id"

func TestControlPlaneKnowsPeople(t *testing.T) {
	c := start(t, Options{})
	for _, p := range identity.People() {
		t.Run(p.Name, func(t *testing.T) {
			got := whoami(t, configOf(t, c, p.Name))
			if got.Username != p.Email {
				t.Errorf("username is %q, want %q", got.Username, p.Email)
			}
			for _, g := range p.Groups {
				if !slices.Contains(got.Groups, g) {
					t.Errorf("groups %v lack %q", got.Groups, g)
				}
			}
			ids := got.Extra[credentialID]
			if len(ids) != 1 || !strings.HasPrefix(ids[0], "JTI=") {
				t.Errorf("credential id is %q, want one that starts with JTI=", ids)
			}
		})
	}
	t.Run("impersonated", func(t *testing.T) {
		cfg := configOf(t, c, "mallory")
		cfg.Impersonate = rest.ImpersonationConfig{UserName: "alice@example.com"}
		got := whoami(t, cfg)
		if got.Username != "alice@example.com" {
			t.Errorf("username is %q: mallory may not impersonate", got.Username)
		}
		if ids := got.Extra[credentialID]; len(ids) != 0 {
			t.Errorf("an impersonated request has the credential id %q", ids)
		}
	})
	t.Run("rights", func(t *testing.T) { checkRights(t, c) })
	t.Run("audit log", func(t *testing.T) {
		log, err := os.ReadFile(c.AuditLog())
		if err != nil {
			t.Fatal(err)
		}
		if !strings.Contains(string(log), `"username":"carol@example.com"`) {
			t.Error("carol's request is not in the audit log")
		}
	})
}

func checkRights(t *testing.T, c *ControlPlane) {
	create := func(user string) error {
		client := kubernetes.NewForConfigOrDie(configOf(t, c, user))
		_, err := client.CoreV1().ConfigMaps("default").Create(t.Context(),
			&corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{GenerateName: "x-"}}, metav1.CreateOptions{})
		return err
	}
	if err := create("dev"); err != nil {
		t.Errorf("dev cannot edit: %v", err)
	}
	if err := create("alice"); !apierrors.IsForbidden(err) {
		t.Errorf("alice edits, with error %v; want forbidden", err)
	}
}

func TestServiceAccountConfig(t *testing.T) {
	c := start(t, Options{})
	admin := kubernetes.NewForConfigOrDie(configOf(t, c, identity.Admin))
	_, err := admin.CoreV1().ServiceAccounts("default").Create(t.Context(),
		&corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Name: "robot"}}, metav1.CreateOptions{})
	if err != nil {
		t.Fatal(err)
	}
	cfg, err := c.ServiceAccountConfig(t.Context(), "default", "robot")
	if err != nil {
		t.Fatal(err)
	}
	if got := whoami(t, cfg).Username; got != "system:serviceaccount:default:robot" {
		t.Errorf("username is %q", got)
	}
}

func TestStopLeavesNothing(t *testing.T) {
	c := start(t, Options{})
	dir := c.Dir()
	if err := c.Stop(); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(dir); !os.IsNotExist(err) {
		t.Errorf("%s is still there", dir)
	}
}

func TestFakeNodesRunPods(t *testing.T) {
	c := start(t, Options{FakeNodes: 1})
	client := kubernetes.NewForConfigOrDie(configOf(t, c, "dev"))
	for _, name := range []string{"ready", "unready"} {
		pod := &corev1.Pod{
			ObjectMeta: metav1.ObjectMeta{Name: name},
			Spec:       corev1.PodSpec{Containers: []corev1.Container{{Name: "app", Image: "countersign.local/demoapp:v1"}}},
		}
		if name == "unready" {
			pod.Annotations = map[string]string{"local.countersign.dev/unready": ""}
		}
		if _, err := client.CoreV1().Pods("default").Create(t.Context(), pod, metav1.CreateOptions{}); err != nil {
			t.Fatal(err)
		}
	}
	var pod *corev1.Pod
	err := c.await(t.Context(), "the pod runs", func(ctx context.Context) (err error) {
		pod, err = client.CoreV1().Pods("default").Get(ctx, "ready", metav1.GetOptions{})
		if err == nil && pod.Status.Phase != corev1.PodRunning {
			err = os.ErrNotExist
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	if id := pod.Status.ContainerStatuses[0].ImageID; !strings.HasPrefix(id, "countersign.local/demoapp:v1@sha256:") {
		t.Errorf("imageID is %q", id)
	}
	other, err := client.CoreV1().Pods("default").Get(t.Context(), "unready", metav1.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if other.Status.Phase == corev1.PodRunning {
		t.Error("the pod that is annotated unready runs")
	}
}

func start(t *testing.T, opts Options) *ControlPlane {
	t.Helper()
	if testing.Short() {
		t.Skip("starts a real API server")
	}
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Minute) // the first start builds Kubernetes
	defer cancel()
	opts.Progress = t.Output()
	c, err := StartControlPlane(ctx, opts)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := c.Stop(); err != nil {
			t.Error(err)
		}
	})
	return c
}

func configOf(t *testing.T, c *ControlPlane, user string) *rest.Config {
	t.Helper()
	cfg, err := c.Config(user)
	if err != nil {
		t.Fatal(err)
	}
	return cfg
}

func whoami(t *testing.T, cfg *rest.Config) authenticationv1.UserInfo {
	t.Helper()
	client, err := kubernetes.NewForConfig(cfg)
	if err != nil {
		t.Fatal(err)
	}
	got, err := client.AuthenticationV1().SelfSubjectReviews().Create(t.Context(),
		&authenticationv1.SelfSubjectReview{}, metav1.CreateOptions{})
	if err != nil {
		t.Fatal(err)
	}
	return got.Status.UserInfo
}

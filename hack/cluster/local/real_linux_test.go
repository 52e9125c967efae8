// Copyright The Countersign Authors.
// SPDX-License-Identifier: Apache-2.0

package local

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
)

// TestReal starts a whole cluster, so it is only run when it is asked for:
// COUNTERSIGN_REAL=1 go test ./hack/cluster/local -run TestReal
func TestReal(t *testing.T) {
	if os.Getenv("COUNTERSIGN_REAL") == "" {
		t.Skip("COUNTERSIGN_REAL is not set")
	}
	before := sysctls(t)
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Minute)
	defer cancel()
	c, running, err := Up(ctx, UpOptions{Name: "test-real", Form: Real, Progress: t.Output()})
	if err != nil {
		t.Fatal(err)
	}
	if running {
		t.Fatal("it ran already")
	}
	down := func() error {
		_, err := Down(context.WithoutCancel(ctx), "test-real", t.Output())
		return err
	}
	t.Cleanup(func() { _ = down() })
	checkPod(ctx, t, c)
	checkRun(t, c)
	if err := down(); err != nil {
		t.Fatal(err)
	}
	if after := sysctls(t); after != before {
		t.Errorf("sysctls were %s and are %s", before, after)
	}
	left, err := filepath.Glob(cgroupMount + "/*/countersign-test-real")
	if err != nil || len(left) > 0 {
		t.Errorf("cgroups are left: %v", left)
	}
	if _, err := os.Stat(c.state.dir()); !errors.Is(err, fs.ErrNotExist) {
		t.Error("the state is left")
	}
}

func checkPod(ctx context.Context, t *testing.T, c *Cluster) {
	cfg, err := c.Config("dev")
	if err != nil {
		t.Fatal(err)
	}
	pods := kubernetes.NewForConfigOrDie(cfg).CoreV1().Pods("default")
	_, err = pods.Create(ctx, &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Name: "app"},
		Spec: corev1.PodSpec{Containers: []corev1.Container{{
			Name: "app", Image: DemoImage("v3"), ImagePullPolicy: corev1.PullNever,
		}}},
	}, metav1.CreateOptions{})
	if err != nil {
		t.Fatal(err)
	}
	var pod *corev1.Pod
	until(t, "the pod runs", func() bool {
		if pod, err = pods.Get(ctx, "app", metav1.GetOptions{}); err != nil {
			t.Fatal(err)
		}
		return pod.Status.Phase == corev1.PodRunning
	})
	client := &http.Client{Transport: &http.Transport{DialContext: c.DialContext}}
	var body []byte
	until(t, "the pod answers", func() bool {
		response, err := client.Get(fmt.Sprintf("http://%s:8080/", pod.Status.PodIP))
		if err != nil {
			return false // the server opens its port after the container has started
		}
		defer response.Body.Close()
		if body, err = io.ReadAll(response.Body); err != nil {
			t.Fatal(err)
		}
		return true
	})
	if want := `{"pod":"app","version":"v3"}`; strings.TrimSpace(string(body)) != want {
		t.Errorf("the pod answers %q, want %s", body, want)
	}
}

// checkRun runs a program of the host inside, from a directory of the host.
func checkRun(t *testing.T, c *Cluster) {
	cmd := exec.Command("sh", "-c", "ip route show default; cat file; hostname; exit 7")
	cmd.Dir = t.TempDir()
	if err := os.WriteFile(filepath.Join(cmd.Dir, "file"), []byte("hello\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	var out limited
	cmd.Stdout, cmd.Stderr = &out, &out
	err := c.Run(cmd)
	var exit *exec.ExitError
	if !errors.As(err, &exit) || exit.ExitCode() != 7 {
		t.Errorf("error is %v, want exit status 7", err)
	}
	// No default route: nothing inside can reach anything outside.
	if got := string(out.text); got != "hello\n"+nodeName+"\n" {
		t.Errorf("output is %q", got)
	}
}

func until(t *testing.T, what string, done func() bool) {
	t.Helper()
	for deadline := time.Now().Add(time.Minute); !done(); time.Sleep(pollEvery) {
		if time.Now().After(deadline) {
			t.Fatalf("gave up waiting until %s", what)
		}
	}
}

func sysctls(t *testing.T) string {
	t.Helper()
	var all []string
	for _, name := range machineSysctls {
		value, err := os.ReadFile(sysctlFile(name))
		if err != nil {
			continue
		}
		all = append(all, name+"="+strings.TrimSpace(string(value)))
	}
	return strings.Join(all, " ")
}

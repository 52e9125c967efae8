// Copyright The Countersign Authors.
// SPDX-License-Identifier: Apache-2.0

package build

import (
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func TestPinnedVersion(t *testing.T) {
	sources, err := Sources()
	if err != nil {
		t.Fatal(err)
	}
	module, err := os.ReadFile(filepath.Join(sources, "kube", "go.mod"))
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(string(module), "k8s.io/kubernetes "+KubernetesVersion+"\n") {
		t.Errorf("KubernetesVersion is %s, which kube/go.mod does not require", KubernetesVersion)
	}
}

func TestVersionDirFollowsTheModules(t *testing.T) {
	t.Setenv("COUNTERSIGN_CACHE", t.TempDir())
	sources := t.TempDir()
	if err := os.Mkdir(filepath.Join(sources, "kube"), 0o755); err != nil {
		t.Fatal(err)
	}
	key := func(content string) string {
		if err := os.WriteFile(filepath.Join(sources, "kube", "go.sum"), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		dir, err := versionDir(sources)
		if err != nil {
			t.Fatal(err)
		}
		return dir
	}
	one, two := key("one"), key("two")
	if one == two {
		t.Error("another go.sum leads to the same programs")
	}
	if again := key("one"); again != one {
		t.Errorf("the same modules lead to %s and %s", one, again)
	}
}

func TestEveryProgramIsMade(t *testing.T) {
	for set, names := range map[Set][]string{
		ControlPlane: {"etcd", "kube"},
		Fake:         {"etcd", "kube", "kwok"},
		Real:         {"etcd", "kube", "containerd", "containerd-shim-runc-v2", "ctr", "bridge", "loopback", "host-local", "runc"},
	} {
		made := map[string]bool{}
		for _, t := range (Binaries{Dir: "/nowhere"}).missing(set) {
			for _, name := range t.makes {
				made[name] = true
			}
		}
		for _, name := range names {
			if !made[name] {
				t.Errorf("set %d lacks %s", set, name)
			}
		}
		if len(made) != len(names) {
			t.Errorf("set %d makes %v, want %v", set, made, names)
		}
	}
}

func TestLockWaits(t *testing.T) {
	file := filepath.Join(t.TempDir(), "lock")
	unlock, err := Lock(t.Context(), file, io.Discard)
	if err != nil {
		t.Fatal(err)
	}
	short, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if _, err := Lock(short, file, io.Discard); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("a second lock: error is %v, want it to wait", err)
	}
	unlock()
	again, err := Lock(t.Context(), file, io.Discard)
	if err != nil {
		t.Fatal(err)
	}
	again()
}

// Copyright The Countersign Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

const address = "https://downloads.example/countersign/v1.2.3"

// pretend gives a program that says for what it was built.
func pretend(_ context.Context, p platform, to string) error {
	return os.WriteFile(to, []byte("#!/bin/sh\necho "+p.OS+"/"+p.Arch+"\n"), 0o755)
}

// krew installs from each archive what was built for that platform.
func TestInstall(t *testing.T) {
	dir := t.TempDir()
	if err := write(t.Context(), "v1.2.3", address, dir, pretend); err != nil {
		t.Fatal(err)
	}
	for _, p := range platforms {
		t.Run(p.OS+"/"+p.Arch, func(t *testing.T) {
			home := t.TempDir()
			archive := filepath.Join(dir, "kubectl-countersign_v1.2.3_"+p.OS+"_"+p.Arch+".tar.gz")
			env := []string{"KREW_ROOT=" + home, "KREW_OS=" + p.OS, "KREW_ARCH=" + p.Arch, "KREW_NO_UPGRADE_CHECK=1"}
			err := tool(t.Context(), env, "sigs.k8s.io/krew/cmd/krew", "install", "--manifest="+filepath.Join(dir, "countersign.yaml"), "--archive="+archive)
			if err != nil {
				t.Fatal(err)
			}
			program := filepath.Join(home, "store", "countersign", "v1.2.3", p.Bin())
			got, err := os.ReadFile(program)
			if err != nil || !strings.Contains(string(got), p.OS+"/"+p.Arch) {
				t.Errorf("it installed %q, %v", got, err)
			}
			if info, err := os.Stat(program); err == nil && info.Mode()&0o111 == 0 {
				t.Error("nobody may run it")
			}
		})
	}
	t.Run("an archive that was changed", func(t *testing.T) {
		other := filepath.Join(t.TempDir(), "other.tar.gz")
		if err := os.WriteFile(other, []byte("another"), 0o644); err != nil {
			t.Fatal(err)
		}
		env := []string{"KREW_ROOT=" + t.TempDir(), "KREW_OS=linux", "KREW_ARCH=amd64", "KREW_NO_UPGRADE_CHECK=1"}
		err := tool(t.Context(), env, "sigs.k8s.io/krew/cmd/krew", "install", "--manifest="+filepath.Join(dir, "countersign.yaml"), "--archive="+other)
		if err == nil || !strings.Contains(err.Error(), "checksum") {
			t.Errorf("krew says %v", err)
		}
	})
	t.Run("the sums", func(t *testing.T) {
		cmd := exec.Command("sha256sum", "--check", "--strict", "SHA256SUMS")
		cmd.Dir = dir
		if out, err := cmd.CombinedOutput(); err != nil || bytes.Count(out, []byte(": OK")) != len(platforms) {
			t.Errorf("%v\n%s", err, out)
		}
	})
}

// The same sources give the same bytes.
func TestSameBytes(t *testing.T) {
	var sums []string
	for range 2 {
		sum, err := pack(t.Context(), platforms[0], []byte("license"), filepath.Join(t.TempDir(), "a.tar.gz"), pretend)
		if err != nil {
			t.Fatal(err)
		}
		sums = append(sums, sum)
	}
	if sums[0] != sums[1] {
		t.Errorf("%s, then %s", sums[0], sums[1])
	}
}

func TestRefused(t *testing.T) {
	broken := func(context.Context, platform, string) error { return errors.New("it does not build") }
	for name, c := range map[string]struct {
		version, address string
		build            func(context.Context, platform, string) error
		wants            string
	}{
		"no version":             {"", address, pretend, "-version"},
		"a version without v":    {"1.2.3", address, pretend, "-version"},
		"no address":             {"v1.2.3", "", pretend, "-address"},
		"an address without TLS": {"v1.2.3", "http://downloads.example", pretend, "-address"},
		"what does not build":    {"v1.2.3", address, broken, "it does not build"},
	} {
		t.Run(name, func(t *testing.T) {
			err := write(t.Context(), c.version, c.address, t.TempDir(), c.build)
			if err == nil || !strings.Contains(err.Error(), c.wants) {
				t.Errorf("%v, want %q", err, c.wants)
			}
		})
	}
	t.Run("what krew does not take", func(t *testing.T) {
		file := filepath.Join(t.TempDir(), "countersign.yaml")
		r := release{Version: "v1.2.3", Archives: []archive{{platform: platforms[0], Address: address, Sum: "no sum"}}}
		if err := writeManifest(file, r); err != nil {
			t.Fatal(err)
		}
		if err := check(t.Context(), file); err == nil || !strings.Contains(err.Error(), "sha256") {
			t.Errorf("krew says %v", err)
		}
	})
}

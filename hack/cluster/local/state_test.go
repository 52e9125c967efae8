// Copyright The Countersign Authors.
// SPDX-License-Identifier: Apache-2.0

package local

import (
	"errors"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"strings"
	"testing"
)

func TestNames(t *testing.T) {
	for name, good := range map[string]bool{
		"local": true, "a": true, "ci-2": true,
		"": false, "-a": false, "a-": false, "A": false, "../x": false, "a/b": false, "1a": false, strings.Repeat("a", 21): false,
	} {
		if _, err := stateDir(name); (err == nil) != good {
			t.Errorf("%q: error is %v", name, err)
		}
	}
}

func TestAliveKnowsTheProcess(t *testing.T) {
	cmd := exec.Command("cat") // ends with its input
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	s := &state{Name: "x", Pid: cmd.Process.Pid, Started: processStarted(cmd.Process.Pid)}
	if !s.alive() {
		t.Error("a running process is taken for dead")
	}
	other := &state{Name: "x", Pid: s.Pid, Started: s.Started + "1"}
	if other.alive() {
		t.Error("a later process with the same pid is taken for ours")
	}
	in.Close()
	if err := cmd.Wait(); err != nil {
		t.Fatal(err)
	}
	if s.alive() {
		t.Error("an ended process is taken for alive")
	}
}

func TestDownAfterACrash(t *testing.T) {
	t.Setenv("COUNTERSIGN_CACHE", t.TempDir())
	s := &state{Name: "gone", Form: Fake, Pid: 1 << 22, Started: "1"}
	if err := s.save(); err != nil {
		t.Fatal(err)
	}
	list, err := List(t.Context())
	if err != nil || len(list) != 1 || !strings.HasPrefix(list[0].State, "dead") {
		t.Errorf("status is %+v, error %v; want one that is dead", list, err)
	}
	if _, err := Open(t.Context(), "gone"); err == nil || !strings.Contains(err.Error(), "up`") {
		t.Errorf("error is %v, want one that names the next command", err)
	}
	if was, err := Down(t.Context(), "gone", io.Discard); err != nil || !was {
		t.Errorf("down says %v, error %v", was, err)
	}
	if _, err := os.Stat(s.dir()); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("%s is still there", s.dir())
	}
	if was, err := Down(t.Context(), "gone", io.Discard); err != nil || was {
		t.Errorf("a second down says %v, error %v", was, err)
	}
}

func TestEndpointsDiffer(t *testing.T) {
	e, err := loopback()
	if err != nil {
		t.Fatal(err)
	}
	seen := map[int]bool{}
	for _, port := range []int{e.port, e.etcd, e.peer, e.manager, e.schedule} {
		if port == 0 || seen[port] {
			t.Errorf("ports are %+v, want five of their own", e)
		}
		seen[port] = true
	}
	if e.serviceIP() != "10.96.0.1" {
		t.Errorf("the API server's Service is %s", e.serviceIP())
	}
}

// Copyright The Countersign Authors.
// SPDX-License-Identifier: Apache-2.0

package process

import (
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

func shell(t *testing.T, script string) Spec {
	t.Helper()
	return Spec{Name: "shell", Path: "/bin/sh", Args: []string{"-c", script}, Log: filepath.Join(t.TempDir(), "logs", "shell.log")}
}

func TestErrTellsTheEndOfTheLog(t *testing.T) {
	p, err := Start(shell(t, "echo the reason; exit 3"))
	if err != nil {
		t.Fatal(err)
	}
	<-p.Done()
	if got := p.Err().Error(); !strings.Contains(got, "exit status 3") || !strings.HasSuffix(got, "the reason") {
		t.Errorf("error is %q", got)
	}
}

func TestStartFails(t *testing.T) {
	spec := shell(t, "")
	spec.Path = "/no/such/program"
	if _, err := Start(spec); err == nil {
		t.Error("a program that is not there starts")
	}
}

func TestGroup(t *testing.T) {
	g := NewGroup()
	stays, err := g.Start(shell(t, "exec sleep 600"))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := g.Start(shell(t, "exit 1")); err != nil {
		t.Fatal(err)
	}
	if err := <-g.Failed(); !strings.Contains(err.Error(), "exit status 1") {
		t.Errorf("failure is %v", err)
	}
	g.Stop(10 * time.Second)
	g.Stop(0) // again does nothing
	select {
	case <-stays.Done():
	default:
		t.Error("a child of the group still runs")
	}
	select {
	case err := <-g.Failed():
		t.Errorf("a child that was stopped counts as failed: %v", err)
	default:
	}
}

func TestStopKillsTheStubborn(t *testing.T) {
	spec := shell(t, `trap "" TERM; echo deaf; while :; do sleep 0.1; done`)
	p, err := Start(spec)
	if err != nil {
		t.Fatal(err)
	}
	waitFor(t, func() bool { log, _ := os.ReadFile(spec.Log); return strings.Contains(string(log), "deaf") })
	p.Stop(50 * time.Millisecond)
	if err := syscall.Kill(p.Pid(), 0); err == nil {
		t.Error("it still runs")
	}
}

// TestChildDiesWithParent runs this test in a process that is killed.
func TestChildDiesWithParent(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("only Linux signals the death of a parent")
	}
	if file := os.Getenv("PROCESS_TEST_PID_FILE"); file != "" {
		p, err := Start(shell(t, "exec sleep 600"))
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file+".new", []byte(strconv.Itoa(p.Pid())), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Rename(file+".new", file); err != nil {
			t.Fatal(err)
		}
		<-p.Done()
		return
	}
	file := filepath.Join(t.TempDir(), "pid")
	parent := exec.Command(os.Args[0], "-test.run=^TestChildDiesWithParent$")
	parent.Env = append(os.Environ(), "PROCESS_TEST_PID_FILE="+file, "TMPDIR="+t.TempDir())
	if err := parent.Start(); err != nil {
		t.Fatal(err)
	}
	var pid int
	waitFor(t, func() bool {
		data, err := os.ReadFile(file)
		if err != nil {
			return false
		}
		pid, err = strconv.Atoi(string(data))
		return err == nil
	})
	if err := parent.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = parent.Wait() // it was killed
	waitFor(t, func() bool { return !running(pid) })
}

// running takes a process of which only the exit status is left for ended.
func running(pid int) bool {
	stat, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/stat")
	return err == nil && !strings.Contains(string(stat), ") Z ")
}

func waitFor(t *testing.T, done func() bool) {
	t.Helper()
	for deadline := time.Now().Add(10 * time.Second); !done(); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("gave up waiting")
		}
	}
}

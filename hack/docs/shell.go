// Copyright The Countersign Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/countersign/countersign/hack/cluster/build"
	"github.com/countersign/countersign/hack/cluster/local"
)

// commandDeadline is longer than any command of a document takes once the
// programs of the cluster are built.
const commandDeadline = 20 * time.Minute

// shell is a reader's shell: what one block sets is there in the next.
type shell struct {
	cmd     *exec.Cmd
	in      io.WriteCloser
	codes   *bufio.Reader
	scratch string
}

func newShell(ctx context.Context, dir string) (*shell, error) {
	scratch, err := os.MkdirTemp("", "countersign-docs-")
	if err != nil {
		return nil, err
	}
	s := &shell{cmd: exec.CommandContext(ctx, "bash", "--noprofile", "--norc"), scratch: scratch}
	s.cmd.Dir = dir
	s.cmd.Env = append(os.Environ(), local.NameVariable+"="+clusterName)
	s.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	s.cmd.Cancel = s.kill
	read, write, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	s.codes = bufio.NewReader(read)
	s.cmd.ExtraFiles = []*os.File{write}
	s.cmd.Stderr = os.Stderr
	if s.in, err = s.cmd.StdinPipe(); err != nil {
		return nil, err
	}
	if err := s.cmd.Start(); err != nil {
		return nil, err
	}
	return s, errors.Join(write.Close(), s.say("set -o pipefail"))
}

func (s *shell) say(line string) error {
	_, err := io.WriteString(s.in, line+"\n")
	return err
}

// run gives what a command printed, on both streams, and how it ended.
func (s *shell) run(ctx context.Context, command string) (out string, code int, err error) {
	script, result := filepath.Join(s.scratch, "command"), filepath.Join(s.scratch, "output")
	if err := os.WriteFile(script, []byte(command+"\n"), 0o600); err != nil {
		return "", 0, err
	}
	if err := s.say(fmt.Sprintf(". '%s' >'%s' 2>&1 </dev/null; echo $? >&3", script, result)); err != nil {
		return "", 0, err
	}
	// A command that hangs is ended with its shell.
	late := time.AfterFunc(commandDeadline, func() { _ = s.kill() })
	line, readErr := s.codes.ReadString('\n')
	inTime := late.Stop()
	printed, err := os.ReadFile(result)
	switch {
	case ctx.Err() != nil:
		return string(printed), 0, ctx.Err()
	case !inTime:
		return string(printed), 0, fmt.Errorf("did not end within %s", commandDeadline)
	case readErr != nil:
		return string(printed), 0, errors.New("it ended the shell")
	case err != nil:
		return "", 0, err
	}
	code, err = strconv.Atoi(strings.TrimSpace(line))
	return string(printed), code, err
}

func (s *shell) kill() error { return syscall.Kill(-s.cmd.Process.Pid, syscall.SIGKILL) }

func (s *shell) close() {
	_ = s.in.Close()
	_ = s.cmd.Wait()
	_ = os.RemoveAll(s.scratch)
}

// split finds the commands of a block: a command ends with the line with which
// bash has all of it.
func split(text string, line int) ([]step, error) {
	var steps []step
	var open []string
	for at, l := range strings.Split(strings.TrimSuffix(text, "\n"), "\n") {
		if len(open) == 0 && (strings.TrimSpace(l) == "" || strings.HasPrefix(strings.TrimSpace(l), "#")) {
			continue
		}
		open = append(open, l)
		if strings.HasSuffix(l, `\`) || !complete(strings.Join(open, "\n")) {
			continue
		}
		steps = append(steps, step{line: line + at + 1 - len(open), command: strings.Join(open, "\n")})
		open = nil
	}
	if len(open) > 0 {
		return nil, fmt.Errorf("%d: bash cannot read this:\n%s", line, strings.Join(open, "\n"))
	}
	return steps, nil
}

// complete says whether bash reads a text without a complaint, such as that a
// loop or a here-document has no end.
func complete(text string) bool {
	cmd := exec.Command("bash", "-n")
	cmd.Stdin = strings.NewReader(text + "\n")
	var complaint bytes.Buffer
	cmd.Stderr = &complaint
	return cmd.Run() == nil && complaint.Len() == 0
}

// clone copies what git has, or would have, to a directory that is always the
// same, so that Go finds again what it has built there.
func clone(ctx context.Context, root string) (string, error) {
	cache, err := build.CacheDir()
	if err != nil {
		return "", err
	}
	dir := filepath.Join(cache, "docs-test")
	if err := os.RemoveAll(dir); err != nil {
		return "", err
	}
	list := exec.CommandContext(ctx, "git", "ls-files", "-z", "--cached", "--others", "--exclude-standard")
	list.Dir = root
	names, err := list.Output()
	if err != nil {
		return "", fmt.Errorf("git ls-files: %w", err)
	}
	for name := range strings.SplitSeq(strings.TrimSuffix(string(names), "\x00"), "\x00") {
		if err := copyFile(filepath.Join(root, name), filepath.Join(dir, name)); err != nil && !errors.Is(err, os.ErrNotExist) {
			return "", err // one that does not exist is about to be removed from git
		}
	}
	return dir, nil
}

func copyFile(from, to string) error {
	info, err := os.Stat(from)
	if err != nil {
		return err
	}
	content, err := os.ReadFile(from)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(to), 0o755); err != nil {
		return err
	}
	return os.WriteFile(to, content, info.Mode().Perm())
}

// Copyright The Countersign Authors.
// SPDX-License-Identifier: Apache-2.0

package local

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"syscall"
	"time"
)

// Down ends a cluster and removes everything that it left, also after a crash.
// It says whether there was one.
func Down(ctx context.Context, name string, progress io.Writer) (was bool, err error) {
	unlock, err := lockCluster(ctx, name, progress)
	if err != nil {
		return false, err
	}
	defer unlock()
	s, err := load(name)
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	return true, clean(ctx, s)
}

func clean(ctx context.Context, s *state) error {
	if err := s.kill(ctx); err != nil {
		return err
	}
	errs := []error{s.cleanMachine()}
	for _, dir := range []string{s.Work, s.dir()} {
		if dir != "" {
			errs = append(errs, os.RemoveAll(dir))
		}
	}
	return errors.Join(errs...)
}

// kill ends the first process. Of a real cluster it is process 1 of its own pid
// namespace: the kernel kills all others with it.
func (s *state) kill(ctx context.Context) error {
	sig := syscall.SIGKILL
	if s.Form != Real {
		sig = syscall.SIGTERM // it stops its children, which only Linux would kill with it
	}
	deadline := time.Now().Add(20 * time.Second)
	for s.alive() {
		if time.Now().After(deadline) {
			return fmt.Errorf("process %d of cluster %s does not end", s.Pid, s.Name)
		}
		if err := syscall.Kill(s.Pid, sig); err != nil && !errors.Is(err, syscall.ESRCH) {
			return fmt.Errorf("kill process %d: %w", s.Pid, err)
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(pollEvery):
		}
	}
	return nil
}

// Copyright The Countersign Authors.
// SPDX-License-Identifier: Apache-2.0

package build

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"syscall"
	"time"
)

// CacheDir is where everything that this program keeps lies:
// $COUNTERSIGN_CACHE, or the person's cache directory, and countersign in it.
func CacheDir() (string, error) {
	base := os.Getenv("COUNTERSIGN_CACHE")
	if base == "" {
		var err error
		if base, err = os.UserCacheDir(); err != nil {
			return "", fmt.Errorf("no cache directory: set COUNTERSIGN_CACHE to one: %w", err)
		}
	}
	base, err := filepath.Abs(base)
	return filepath.Join(base, "countersign"), err
}

// Sources finds the directory hack/cluster of the repository: above the working
// directory or, for a program that was built without -trimpath, where this file was.
func Sources() (string, error) {
	var starts []string
	if wd, err := os.Getwd(); err == nil {
		starts = append(starts, wd)
	}
	if _, file, _, ok := runtime.Caller(0); ok && filepath.IsAbs(file) {
		starts = append(starts, filepath.Dir(file))
	}
	for _, start := range starts {
		for dir := start; ; dir = filepath.Dir(dir) {
			if _, err := os.Stat(filepath.Join(dir, "hack", "cluster", "kube", "go.mod")); err == nil {
				return filepath.Join(dir, "hack", "cluster"), nil
			}
			if dir == filepath.Dir(dir) {
				break
			}
		}
	}
	return "", errors.New("cannot find hack/cluster: run this inside the repository")
}

// versionDir names the cache by everything that decides what the programs are.
func versionDir(sources string) (string, error) {
	cache, err := CacheDir()
	if err != nil {
		return "", err
	}
	h := sha256.New()
	fmt.Fprintf(h, "%s/%s %v\n", runtime.GOOS, runtime.GOARCH, targets())
	for _, pattern := range []string{"kube/*", "runtime/*", "kwok/*"} {
		files, err := filepath.Glob(filepath.Join(sources, pattern))
		if err != nil {
			return "", err
		}
		for _, file := range files {
			data, err := os.ReadFile(file)
			if err != nil {
				return "", err
			}
			fmt.Fprintf(h, "%s %d\n", filepath.Base(file), len(data))
			h.Write(data)
		}
	}
	return filepath.Join(cache, KubernetesVersion+"-"+hex.EncodeToString(h.Sum(nil))[:12]), nil
}

// Lock takes an exclusive lock that the kernel frees when this process ends.
func Lock(ctx context.Context, file string, out io.Writer) (unlock func(), err error) {
	f, err := os.OpenFile(file, os.O_CREATE|os.O_RDWR, 0o644)
	if err != nil {
		return nil, err
	}
	told := false
	for {
		err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
		if err == nil {
			return func() { f.Close() }, nil
		}
		if !errors.Is(err, syscall.EWOULDBLOCK) {
			f.Close()
			return nil, fmt.Errorf("lock %s: %w", file, err)
		}
		if !told {
			told = true
			fmt.Fprintln(out, "another process is at the same: waiting for it")
		}
		select {
		case <-ctx.Done():
			f.Close()
			return nil, ctx.Err()
		case <-time.After(200 * time.Millisecond):
		}
	}
}

// Copyright The Countersign Authors.
// SPDX-License-Identifier: Apache-2.0

package local

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"time"

	"github.com/countersign/countersign/hack/cluster/build"
)

// UpOptions say which cluster to start.
type UpOptions struct {
	Name     string    // empty: DefaultName
	Form     Form      // empty: Real for root on Linux, else Fake
	Progress io.Writer // nil: nobody is told
}

// Words by which the cluster's first process ends its report.
const (
	reportReady  = "READY"
	reportFailed = "FAILED "
)

// Up starts a cluster that outlives this process and returns when its node is
// ready. One that runs already is returned as it is, with running set.
func Up(ctx context.Context, opts UpOptions) (c *Cluster, running bool, err error) {
	if opts.Name == "" {
		opts.Name = DefaultName
	}
	if opts.Form == "" {
		opts.Form = BestForm()
	}
	if opts.Progress == nil {
		opts.Progress = io.Discard
	}
	unlock, err := lockCluster(ctx, opts.Name, opts.Progress)
	if err != nil {
		return nil, false, err
	}
	defer unlock()
	switch s, err := load(opts.Name); {
	case errors.Is(err, fs.ErrNotExist):
	case err != nil:
		return nil, false, err
	case s.alive():
		if err := awaitReady(ctx, opts.Name); err != nil {
			return nil, true, err
		}
		c, err := Open(ctx, opts.Name)
		return c, true, err
	default:
		fmt.Fprintf(opts.Progress, "removing what cluster %s left when it died\n", opts.Name)
		if err := clean(ctx, s); err != nil {
			return nil, false, err
		}
	}
	if err := create(ctx, opts); err != nil {
		return nil, false, err
	}
	c, err = Open(ctx, opts.Name)
	return c, false, err
}

// awaitReady waits for a cluster whose Up was killed while it started.
func awaitReady(ctx context.Context, name string) error {
	ctx, cancel := context.WithTimeout(ctx, startTimeout)
	defer cancel()
	for {
		s, err := load(name)
		if err != nil {
			return err
		}
		if s.Ready {
			return nil
		}
		if !s.alive() {
			return fmt.Errorf("cluster %s died while it started: run `up` again", name)
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("cluster %s is still not ready: run `down` and `up`", name)
		case <-time.After(pollEvery):
		}
	}
}

// BestForm is the most real form that this machine and person can run.
func BestForm() Form {
	if runtime.GOOS == "linux" && os.Geteuid() == 0 {
		return Real
	}
	return Fake
}

func lockCluster(ctx context.Context, name string, progress io.Writer) (func(), error) {
	dir, err := stateDir(name)
	if err != nil {
		return nil, err
	}
	if err := os.MkdirAll(filepath.Dir(dir), 0o700); err != nil {
		return nil, err
	}
	return build.Lock(ctx, dir+".lock", progress)
}

func create(ctx context.Context, opts UpOptions) error {
	if err := Build(ctx, opts.Form, opts.Progress); err != nil {
		return err
	}
	s := &state{Name: opts.Name, Form: opts.Form}
	err := s.prepare()
	if err == nil {
		err = s.start(ctx, opts.Progress)
	}
	if err != nil {
		return errors.Join(err, s.keepLogs(), clean(context.WithoutCancel(ctx), s))
	}
	return nil
}

// Build makes sure that everything is there that a form wants: the host's
// packages and the programs. The first time takes long; after that it does nothing.
func Build(ctx context.Context, form Form, progress io.Writer) error {
	if form == Real {
		if BestForm() != Real {
			return errors.New("a real node wants root on Linux: use --form fake for a control plane with a fake node, or set KUBECONFIG and use --form existing")
		}
		if err := ensurePackages(ctx, progress); err != nil {
			return err
		}
	}
	_, err := build.Ensure(ctx, set(form), progress)
	return err
}

// start builds this very program, runs it as the cluster's first process and
// follows its report until it is ready.
func (s *state) start(ctx context.Context, progress io.Writer) error {
	sources, err := build.Sources()
	if err != nil {
		return err
	}
	program := s.file("cluster")
	cmd := exec.CommandContext(ctx, "go", "build", "-o", program, ".")
	cmd.Dir = sources
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("build hack/cluster: %w\n%s", err, out)
	}
	if s.Form == Real {
		fmt.Fprintln(progress, "building the images")
		if err := buildImages(ctx, sources, s.file("images")); err != nil {
			return err
		}
	}
	report, err := s.launch(program)
	if err != nil {
		return err
	}
	defer report.Close()
	stop := context.AfterFunc(ctx, func() { report.Close() })
	defer stop()
	err = s.follow(report, progress)
	if ctx.Err() != nil {
		return fmt.Errorf("interrupted: %w", context.Cause(ctx))
	}
	return err
}

// launch starts the first process, detached, with the end of a pipe to report to.
func (s *state) launch(program string) (io.ReadCloser, error) {
	if err := os.MkdirAll(s.file("logs"), 0o755); err != nil {
		return nil, err
	}
	log, err := os.Create(s.file("logs/cluster.log"))
	if err != nil {
		return nil, err
	}
	defer log.Close()
	r, w, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	defer w.Close()
	first := exec.Command(program, "--name", s.Name, firstCommand(s.Form))
	first.Dir = "/"
	first.Stdout, first.Stderr = log, log
	first.ExtraFiles = []*os.File{w} // becomes descriptor 3
	first.SysProcAttr = detached(s.Form)
	if err := first.Start(); err != nil {
		r.Close()
		return nil, fmt.Errorf("start the cluster's first process: %w", err)
	}
	s.Pid = first.Process.Pid
	s.Started = processStarted(s.Pid)
	go func() { _ = first.Wait() }() // reaped if it ends while we follow it
	return r, s.save()
}

func (s *state) follow(report io.Reader, progress io.Writer) error {
	lines := bufio.NewScanner(report)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		line := lines.Text()
		if line == reportReady {
			return nil
		}
		if reason, ok := strings.CutPrefix(line, reportFailed); ok {
			return errors.New(strings.ReplaceAll(reason, "\x00", "\n"))
		}
		fmt.Fprintln(progress, line)
	}
	return fmt.Errorf("the cluster ended before it was ready: %s", tailOf(s.file("logs/cluster.log")))
}

// keepLogs puts the logs of a failed start where clean does not reach.
func (s *state) keepLogs() error {
	kept := s.dir() + "-failed-logs"
	if err := os.RemoveAll(kept); err != nil {
		return err
	}
	if err := os.Rename(s.file("logs"), kept); err != nil {
		return nil //nolint:nilerr // it failed before there were logs
	}
	return fmt.Errorf("its logs are kept in %s", kept)
}

func tailOf(file string) string {
	data, err := os.ReadFile(file)
	if err != nil {
		return err.Error()
	}
	return string(data[max(0, len(data)-2000):])
}

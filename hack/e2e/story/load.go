// Copyright The Countersign Authors.
// SPDX-License-Identifier: Apache-2.0

package story

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"syscall"
	"time"

	"github.com/countersign/countersign/hack/cluster/load"
	"github.com/countersign/countersign/hack/cluster/local"
)

// Load is a client of a Service that runs while a story is told.
type Load struct {
	cmd    *exec.Cmd
	done   <-chan error
	report string
}

// maxLoad bounds a load that nobody ends.
const maxLoad = 20 * time.Minute

// Traffic is what a client sends.
type Traffic struct {
	// Name of the client and of its files.
	Name string
	URL  string
	// Rate is in requests a second.
	Rate int
	// Connections are how many are kept open; none: each request opens its own.
	Connections int
	// Timeout of each request; 0: 5 s.
	Timeout time.Duration
	// Limit bounds a load that nobody ends.
	Limit time.Duration
	// Trace is the file that gets a line for each request; none if empty.
	Trace string
}

// StartLoad sends rate requests a second, each on a new connection, to the
// Service at url until the load is stopped. dir takes the report.
func StartLoad(c *local.Cluster, dir, url string, rate int) (*Load, error) {
	return Send(c, dir, Traffic{Name: "load", URL: url, Rate: rate, Limit: maxLoad})
}

// Send sends requests until the load is stopped. dir takes the report.
func Send(c *local.Cluster, dir string, r Traffic) (*Load, error) {
	l := &Load{report: filepath.Join(dir, r.Name+".json")}
	l.cmd = exec.Command(c.Program(), "--name", c.Name(), "load", "--url", r.URL, "--rate", strconv.Itoa(r.Rate),
		"--connections", strconv.Itoa(r.Connections), "--duration", r.Limit.String(), "--report", l.report, "--trace", r.Trace)
	if r.Timeout > 0 {
		l.cmd.Args = append(l.cmd.Args, "--timeout", r.Timeout.String())
	}
	l.cmd.Stderr = os.Stderr
	var err error
	if l.done, err = c.Start(l.cmd); err != nil {
		return nil, fmt.Errorf("start the load: %w", err)
	}
	return l, nil
}

// Stop ends the load and tells what came of it.
func (l *Load) Stop(ctx context.Context) (load.Summary, error) {
	var s load.Summary
	if err := l.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		return s, fmt.Errorf("stop the load: %w", err)
	}
	select {
	case err := <-l.done:
		if err != nil {
			return s, fmt.Errorf("the load: %w", err)
		}
	case <-ctx.Done():
		return s, ctx.Err()
	}
	raw, err := os.ReadFile(l.report)
	if err != nil {
		return s, err
	}
	return s, json.Unmarshal(raw, &s)
}

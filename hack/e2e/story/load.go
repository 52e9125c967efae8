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

// StartLoad sends rate requests a second, each on a new connection, to the
// Service at url until the load is stopped. dir takes the report.
func StartLoad(c *local.Cluster, dir, url string, rate int) (*Load, error) {
	l := &Load{report: filepath.Join(dir, "load.json")}
	l.cmd = exec.Command(c.Program(), "--name", c.Name(), "load", "--url", url,
		"--rate", strconv.Itoa(rate), "--duration", maxLoad.String(), "--report", l.report)
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

// Copyright The Countersign Authors.
// SPDX-License-Identifier: Apache-2.0

package local

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"

	"github.com/countersign/countersign/hack/cluster/build"
	"github.com/countersign/countersign/hack/cluster/identity"
)

// Supervise starts everything of a cluster and stays until it is told to end or
// something else ends. It is run by Up, which reads its report.
func Supervise(name string) error {
	s, err := load(name)
	if err != nil {
		return err
	}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, syscall.SIGINT)
	defer stop()
	report := os.NewFile(3, "report")
	if report == nil {
		return fmt.Errorf("supervise is only for the cluster's own use")
	}
	c, err := s.bringUp(ctx, report)
	if err != nil {
		// One line, whatever is in it.
		fmt.Fprintln(report, reportFailed+strings.ReplaceAll(err.Error(), "\n", "\x00"))
		return err
	}
	defer c.Stop()
	// Here and not in Up, which may have been killed meanwhile. Read again,
	// because Up wrote down our pid after we had started.
	if s, err = load(name); err != nil {
		return err
	}
	s.Ready = true
	if err := s.save(); err != nil {
		return err
	}
	fmt.Fprintln(report, reportReady)
	report.Close()
	return stay(ctx, c)
}

func (s *state) bringUp(ctx context.Context, report *os.File) (*ControlPlane, error) {
	opts := Options{Dir: s.dir(), ControllerManager: true, scheduler: true, Progress: report}
	if s.Form == Fake {
		opts.FakeNodes = 1
		return StartControlPlane(ctx, opts)
	}
	opts.binaries = build.Real
	return s.bringUpNode(ctx, opts)
}

func stay(ctx context.Context, c *ControlPlane) error {
	c.opts.Progress = os.Stdout
	renew := time.NewTicker(identity.TokenLife / 2)
	defer renew.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case err := <-c.Failed():
			return err
		case <-renew.C:
			if err := c.renewTokens(); err != nil {
				return err
			}
		}
	}
}

// Copyright The Countersign Authors.
// SPDX-License-Identifier: Apache-2.0

package process

import (
	"sync"
	"time"
)

// Group is a set of children that stop together, the newest first.
type Group struct {
	mu     sync.Mutex
	all    []*Process
	failed chan error
	closed bool
}

// NewGroup makes an empty group.
func NewGroup() *Group { return &Group{failed: make(chan error, 1)} }

// Start starts one more child.
func (g *Group) Start(spec Spec) (*Process, error) {
	p, err := Start(spec)
	if err != nil {
		return nil, err
	}
	g.mu.Lock()
	g.all = append(g.all, p)
	g.mu.Unlock()
	go g.watch(p)
	return p, nil
}

func (g *Group) watch(p *Process) {
	<-p.Done()
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.closed {
		return
	}
	select {
	case g.failed <- p.Err():
	default: // the first failure is the one to tell
	}
}

// Failed yields the first child that ended without being stopped.
func (g *Group) Failed() <-chan error { return g.failed }

// Stop stops every child; it may be called again.
func (g *Group) Stop(grace time.Duration) {
	g.mu.Lock()
	g.closed = true
	all := g.all
	g.all = nil
	g.mu.Unlock()
	for i := len(all) - 1; i >= 0; i-- {
		all[i].Stop(grace)
	}
}

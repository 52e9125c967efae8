// Copyright The Countersign Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"os/exec"
	"slices"
	"strings"
	"sync"
)

// atOnce is how many guards are out at once, each in an overlay of its own.
const atOnce = 2

// baselines run each test once with every guard in its place. A test that fails
// anyway notices nothing.
type baselines struct {
	mu   sync.Mutex
	runs map[string]func() error
}

func (b *baselines) run(test []string) error {
	key := strings.Join(test, " ")
	b.mu.Lock()
	once, known := b.runs[key]
	if !known {
		once = sync.OnceValue(func() error {
			if out, err := exec.Command("go", append([]string{"test", "-count=1", "-vet=off"}, test...)...).CombinedOutput(); err != nil {
				return fmt.Errorf("with every guard in its place: go test %s: %w\n%s", key, err, out)
			}
			return nil
		})
		b.runs[key] = once
	}
	b.mu.Unlock()
	return once()
}

// run tries all guards.
func run(guards []guard, o options) tally {
	guards = slices.DeleteFunc(guards, func(g guard) bool { return !strings.Contains(g.name, o.only) })
	before := baselines{runs: map[string]func() error{}}
	queue := make(chan guard)
	var wait sync.WaitGroup
	var mu sync.Mutex
	killed := 0
	for range atOnce {
		wait.Go(func() {
			for g := range queue {
				var by, output string
				var err error
				if o.baseline {
					err = before.run(g.test)
				}
				if err == nil {
					by, output, err = g.try()
				}
				mu.Lock()
				if o.judge(g, by, output, err) {
					killed++
				}
				mu.Unlock()
			}
		})
	}
	for _, g := range guards {
		queue <- g
	}
	close(queue)
	wait.Wait()
	return tally{tried: len(guards), killed: killed}
}

// judge tells whether a test noticed.
func (o options) judge(g guard, by, output string, err error) bool {
	switch {
	case err != nil:
		o.tell(g.name, g.invariant, fmt.Sprintf("BROKEN: %v", err))
	case by == "":
		o.tell(g.name, g.invariant, "SURVIVED")
		if o.verbose {
			fmt.Println(output)
		}
	default:
		o.tell(g.name, g.invariant, "killed: "+by)
		return true
	}
	return false
}

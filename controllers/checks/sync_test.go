// Copyright The Countersign Authors.
// SPDX-License-Identifier: Apache-2.0

package checks

import (
	"context"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/countersign/countersign/api/v1alpha1"
	"k8s.io/apimachinery/pkg/types"
)

func TestSync(t *testing.T) {
	for name, test := range map[string]func(*bench){
		"other Pods are asked from the next round on": func(b *bench) {
			b.prober.Sync(shop, []Run{run(since, "d1", "a")})
			b.after(0)
			b.prober.Sync(shop, []Run{run(since, "d1", "b")})
			b.after(5 * time.Second)
			if !slices.Equal(b.asked, []string{"a", "b"}) {
				b.Errorf("asked %v", b.asked)
			}
		},
		"D06 what answered and is no target any more proves nothing": func(b *bench) {
			b.prober.Sync(shop, []Run{run(before, "d1", "a")})
			b.during = func() { b.prober.Sync(shop, []Run{run(before, "d1", "b")}) }
			b.after(0)
			b.wants(running)
			b.after(5 * time.Second)
			b.wants(passed)
		},
		"nor does it when it has another address": func(b *bench) {
			moved := run(before, "d1", "a")
			moved.Targets[0].IP = "127.0.0.2"
			b.prober.Sync(shop, []Run{run(before, "d1", "a")})
			b.during = func() { b.prober.Sync(shop, []Run{moved}) }
			b.after(0)
			b.wants(running)
		},
		"nor that it did not answer": func(b *bench) {
			b.tell("a", true)
			b.prober.Sync(shop, with(run(since, "d1", "a"), func(c *v1alpha1.Check) { c.FailureThreshold = 1 }))
			b.during = func() {
				b.prober.Sync(shop, with(run(since, "d1", "b"), func(c *v1alpha1.Check) { c.FailureThreshold = 1 }))
			}
			b.after(0)
			b.wants(running)
		},
		"while it waits for its first run it stops when it is not declared": func(b *bench) {
			b.prober.Sync(shop, with(run(since, "d1", "a"), func(c *v1alpha1.Check) { c.InitialDelaySeconds = 3600 }))
			b.after(time.Second)
			b.prober.Forget(shop)
			b.after(2 * time.Hour)
			if b.rounds() != 0 {
				b.Errorf("it ran %d times", b.rounds())
			}
		},
		"many Pods are asked, not all at the same time": func(b *bench) {
			var now, most int
			b.prober.question = func(context.Context, types.NamespacedName, Run) (question, error) {
				return func(context.Context, Target) error {
					b.mu.Lock()
					now++
					most = max(most, now)
					b.mu.Unlock()
					time.Sleep(time.Millisecond)
					b.mu.Lock()
					now--
					b.asked = append(b.asked, "")
					b.mu.Unlock()
					return nil
				}, nil
			}
			b.prober.Sync(shop, []Run{run(since, "d1", slices.Repeat([]string{"a"}, 1000)...)})
			b.after(time.Second)
			b.wants(passed)
			if b.rounds() != 1000 || most != askedAtOnce {
				b.Errorf("%d were asked, %d at once", b.rounds(), most)
			}
		},
		"Pods that come while it waits do not make it run twice": func(b *bench) {
			late := func(pods ...string) []Run {
				return with(run(before, "d1", pods...), func(c *v1alpha1.Check) { c.InitialDelaySeconds = 30 })
			}
			b.prober.Sync(shop, late())
			b.after(time.Second)
			b.prober.Sync(shop, late("a"))
			b.after(30 * time.Second)
			if b.rounds() != 1 {
				b.Errorf("it ran %d times", b.rounds())
			}
		},
		"a Prometheus is asked once about all Pods": func(b *bench) {
			b.prober.Sync(shop, with(run(since, "d1", "a", "b", "c"), func(c *v1alpha1.Check) {
				c.HTTP, c.Prometheus = nil, &v1alpha1.PrometheusCheck{}
			}))
			b.after(0)
			b.wants(passed)
			if b.rounds() != 1 {
				b.Errorf("it was asked %d times", b.rounds())
			}
		},
		"declared again it goes on": func(b *bench) {
			b.prober.Sync(shop, []Run{run(since, "d1", "a")})
			b.after(0)
			for range 10 {
				b.prober.Sync(shop, []Run{run(since, "d1", "a")})
			}
			b.after(time.Second)
			if b.rounds() != 1 {
				b.Errorf("it ran %d times", b.rounds())
			}
		},
		"another digest starts from nothing": func(b *bench) {
			b.tell("a", true)
			b.prober.Sync(shop, []Run{run(since, "d1", "a")})
			b.after(10 * time.Second)
			b.wants(failed)
			b.prober.Sync(shop, []Run{run(since, "d2", "a")})
			b.wants(running)
			if d := b.prober.Results(shop)[0].Digest; d != "d2" {
				b.Errorf("the result is of %s", d)
			}
		},
		"another round does, too": func(b *bench) {
			b.prober.Sync(shop, []Run{run(before, "d1", "a")})
			b.after(0)
			b.wants(passed)
			again := run(before, "d1", "a", "b")
			again.Round = 1
			b.tell("b", true)
			b.prober.Sync(shop, []Run{again})
			b.wants(running)
			b.after(0)
			b.wants(running)
			if r := b.prober.Results(shop)[0].Round; r != 1 {
				b.Errorf("the result is of round %d", r)
			}
		},
		"another check of the same name does, too": func(b *bench) {
			b.prober.Sync(shop, []Run{run(before, "d1", "a")})
			b.after(0)
			b.wants(passed)
			b.prober.Sync(shop, with(run(before, "d1", "a"), func(c *v1alpha1.Check) { c.HTTP.Path = "/other" }))
			b.wants(running)
		},
		"what is not declared stops": func(b *bench) {
			b.prober.Sync(shop, []Run{run(before, "d1", "a"), run(since, "d1", "b")})
			b.after(0)
			b.wants(passed, passed)
			b.prober.Sync(shop, nil)
			b.wants()
			n := b.rounds()
			b.after(time.Hour)
			if b.rounds() != n {
				b.Errorf("it goes on")
			}
		},
		"what is forgotten stops": func(b *bench) {
			b.prober.Sync(shop, []Run{run(since, "d1", "a")})
			b.after(0)
			b.prober.Forget(shop)
			b.after(time.Hour)
			if b.rounds() != 1 || len(b.prober.Results(shop)) != 0 {
				b.Errorf("it goes on: %d rounds", b.rounds())
			}
		},
		"nothing is launched once it has stopped": func(b *bench) {
			b.stop()
			b.after(0)
			b.prober.Sync(shop, []Run{run(since, "d1", "a")})
			b.after(time.Hour)
			if b.rounds() != 0 {
				b.Errorf("it ran %d times", b.rounds())
			}
		},
	} {
		t.Run(name, func(t *testing.T) { inBubble(t, test) })
	}
}

// What is declared before the start runs from the start on.
func TestDeclaredBeforeStart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := &bench{T: t, sick: map[string]bool{}, silent: map[string]bool{}, begun: time.Now()}
		b.prober = NewProber(nil, func(types.NamespacedName) {})
		b.prober.question = b.question
		b.prober.Sync(shop, []Run{run(since, "d1", "a")})
		b.wants(running)
		ctx, stop := context.WithCancel(t.Context())
		go func() { _ = b.prober.Start(ctx) }()
		synctest.Wait()
		b.wants(passed)
		stop()
		synctest.Wait()
	})
}

// The manager waits for what it started, and so does the Prober.
func TestItEndsWithItsLoops(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := NewProber(nil, func(types.NamespacedName) {})
		p.question = func(context.Context, types.NamespacedName, Run) (question, error) {
			return func(context.Context, Target) error { time.Sleep(3 * time.Second); return nil }, nil
		}
		p.Sync(shop, []Run{run(since, "d1", "a")})
		begun := time.Now()
		ctx, stop := context.WithTimeout(t.Context(), time.Second)
		defer stop()
		if err := p.Start(ctx); err != nil || time.Since(begun) != 3*time.Second {
			t.Errorf("it ends with %v after %s", err, time.Since(begun))
		}
	})
}

func TestMessagesDoNotCountOn(t *testing.T) {
	inBubble(t, func(b *bench) {
		b.tell("a", true)
		b.prober.Sync(shop, []Run{run(since, "d1", "a")})
		b.after(10 * time.Second)
		first := b.prober.Results(shop)[0]
		b.after(time.Hour)
		if again := b.prober.Results(shop)[0]; again != first || strings.Contains(again.Message, "4 times") {
			b.Errorf("got %+v, before %+v", again, first)
		}
	})
}

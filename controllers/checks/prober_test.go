// Copyright The Countersign Authors.
// SPDX-License-Identifier: Apache-2.0

package checks

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/countersign/countersign/api/v1alpha1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/intstr"
)

// bench is a Prober in a bubble of virtual time, with Pods that answer as told.
type bench struct {
	*testing.T
	prober *Prober
	stop   context.CancelFunc

	mu   sync.Mutex
	sick map[string]bool
	// asked has the Pods in the order in which they were asked, news the times
	// at which a change was told.
	asked []string
	news  []time.Duration
	begun time.Time
}

var shop = types.NamespacedName{Namespace: "prod", Name: "shop"}

func inBubble(t *testing.T, test func(*bench)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		b := &bench{T: t, sick: map[string]bool{}, begun: time.Now()}
		b.prober = NewProber(func(types.NamespacedName) {
			b.mu.Lock()
			defer b.mu.Unlock()
			b.news = append(b.news, time.Since(b.begun))
		})
		b.prober.ask = b.answer
		ctx, stop := context.WithCancel(t.Context())
		b.stop = stop
		done := make(chan error, 1)
		go func() { done <- b.prober.Start(ctx) }()
		synctest.Wait()
		test(b)
		stop()
		if err := <-done; err != nil {
			t.Errorf("it ends with %v", err)
		}
		synctest.Wait() // a goroutine that is left fails the bubble
	})
}

func (b *bench) answer(ctx context.Context, target Target, _ v1alpha1.HTTPCheck, _ time.Duration) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.asked = append(b.asked, target.Pod)
	if b.sick[target.Pod] {
		return errors.New("Pod " + target.Pod + " answered 500")
	}
	return ctx.Err()
}

// tell says how Pods are from now on.
func (b *bench) tell(pod string, sick bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.sick[pod] = sick
}

func (b *bench) after(d time.Duration) {
	time.Sleep(d) // virtual
	synctest.Wait()
}

func (b *bench) wants(states ...v1alpha1.CheckState) {
	b.Helper()
	var got []v1alpha1.CheckState
	for _, r := range b.prober.Results(shop) {
		if r.Message == "" {
			b.Errorf("no message in %+v", r)
		}
		got = append(got, r.State)
	}
	if !slices.Equal(got, states) {
		b.Errorf("at %s the states are %v, want %v; %+v", time.Since(b.begun), got, states, b.prober.Results(shop))
	}
}

func (b *bench) rounds() int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return len(b.asked)
}

// run asks every five seconds and fails after the third failure.
func run(stage v1alpha1.CheckStage, digest string, pods ...string) Run {
	r := Run{Stage: stage, Digest: digest, Check: v1alpha1.Check{
		Name: "live", HTTP: v1alpha1.HTTPCheck{Path: "/", Port: intstr.FromInt32(80)},
		PeriodSeconds: 5, TimeoutSeconds: 1, SuccessThreshold: 1, FailureThreshold: 3,
	}}
	for _, p := range pods {
		r.Targets = append(r.Targets, Target{Pod: p, IP: "127.0.0.1", Port: 80})
	}
	return r
}

func with(r Run, change func(*v1alpha1.Check)) []Run {
	change(&r.Check)
	return []Run{r}
}

const (
	before = v1alpha1.StageBeforeSwitch
	since  = v1alpha1.StageAfterSwitch

	running = v1alpha1.CheckRunning
	passed  = v1alpha1.CheckPassed
	failed  = v1alpha1.CheckFailed
)

func TestThresholds(t *testing.T) {
	for name, test := range map[string]func(*bench){
		"the first round is run at once": func(b *bench) {
			b.prober.Sync(shop, []Run{run(since, "d1", "a")})
			b.after(0)
			b.wants(passed)
		},
		"success counts in a row": func(b *bench) {
			b.prober.Sync(shop, with(run(before, "d1", "a"), func(c *v1alpha1.Check) { c.SuccessThreshold = 3 }))
			b.after(9 * time.Second)
			b.wants(running)
			b.tell("a", true)
			b.after(2 * time.Second)
			b.tell("a", false)
			b.after(10 * time.Second)
			b.wants(running)
			b.after(5 * time.Second)
			b.wants(passed)
		},
		"failure counts in a row": func(b *bench) {
			b.tell("a", true)
			b.prober.Sync(shop, []Run{run(before, "d1", "a")})
			b.after(9 * time.Second)
			b.wants(running)
			b.after(time.Second)
			b.wants(failed)
			if m := b.prober.Results(shop)[0].Message; m != "3 times in a row: Pod a answered 500" {
				b.Errorf("the message is %q", m)
			}
		},
		"what failed stays failed": func(b *bench) {
			b.tell("a", true)
			b.prober.Sync(shop, []Run{run(since, "d1", "a")})
			b.after(10 * time.Second)
			b.tell("a", false)
			b.after(time.Minute)
			b.wants(failed)
		},
		"before the switch, what passed stays passed": func(b *bench) {
			b.prober.Sync(shop, []Run{run(before, "d1", "a")})
			b.after(0)
			b.tell("a", true)
			b.after(5 * time.Second)
			b.wants(passed)
		},
		"after the switch, it passes as long as it does": func(b *bench) {
			b.prober.Sync(shop, []Run{run(since, "d1", "a")})
			b.after(0)
			b.tell("a", true)
			b.after(5 * time.Second)
			b.wants(running)
			b.tell("a", false)
			b.after(5 * time.Second)
			b.wants(passed)
		},
		"with a threshold of one, failure is told within one period": func(b *bench) {
			b.prober.Sync(shop, with(run(since, "d1", "a"), func(c *v1alpha1.Check) { c.FailureThreshold = 1 }))
			b.after(7 * time.Second)
			b.tell("a", true)
			b.after(3 * time.Second)
			b.wants(failed)
			if last := b.news[len(b.news)-1]; last != 10*time.Second {
				b.Errorf("it is told at %v, want at 10s", b.news)
			}
		},
		"every Pod has to answer": func(b *bench) {
			b.tell("b", true)
			b.prober.Sync(shop, with(run(since, "d1", "a", "b", "c"), func(c *v1alpha1.Check) { c.FailureThreshold = 1 }))
			b.after(0)
			b.wants(failed)
		},
		"nobody to ask is neither": func(b *bench) {
			b.prober.Sync(shop, []Run{run(since, "d1")})
			b.after(time.Minute)
			b.wants(running)
			b.prober.Sync(shop, []Run{run(since, "d1", "a")})
			b.after(0) // at once
			b.wants(passed)
			b.prober.Sync(shop, []Run{run(since, "d1")})
			b.after(5 * time.Second)
			b.wants(running)
		},
		"a change is told once": func(b *bench) {
			b.prober.Sync(shop, []Run{run(since, "d1", "a")})
			b.after(time.Minute)
			if len(b.news) != 1 {
				b.Errorf("told at %v", b.news)
			}
		},
	} {
		t.Run(name, func(t *testing.T) { inBubble(t, test) })
	}
}

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
		b := &bench{T: t, sick: map[string]bool{}, begun: time.Now()}
		b.prober = NewProber(func(types.NamespacedName) {})
		b.prober.ask = b.answer
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
		p := NewProber(func(types.NamespacedName) {})
		p.ask = func(context.Context, Target, v1alpha1.HTTPCheck, time.Duration) error {
			time.Sleep(3 * time.Second)
			return nil
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

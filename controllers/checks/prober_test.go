// Copyright The Countersign Authors.
// SPDX-License-Identifier: Apache-2.0

package checks

import (
	"context"
	"errors"
	"slices"
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

	mu     sync.Mutex
	sick   map[string]bool
	silent map[string]bool
	// during happens while the next Pod is asked.
	during func()
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
		b := &bench{T: t, sick: map[string]bool{}, silent: map[string]bool{}, begun: time.Now()}
		b.prober = NewProber(nil, func(types.NamespacedName) {
			b.mu.Lock()
			defer b.mu.Unlock()
			b.news = append(b.news, time.Since(b.begun))
		})
		b.prober.question = b.question
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

func (b *bench) question(context.Context, types.NamespacedName, Run) (question, error) {
	return b.answer, nil
}

func (b *bench) answer(ctx context.Context, target Target) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.asked = append(b.asked, target.Pod)
	if during := b.during; during != nil {
		b.during = nil
		b.mu.Unlock()
		during()
		b.mu.Lock()
	}
	switch {
	case b.silent[target.Pod]:
		return unclearf("nobody knows how Pod %s is", target.Pod)
	case b.sick[target.Pod]:
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

// hush says whether it can be found out how Pods are from now on.
func (b *bench) hush(pod string, silent bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.silent[pod] = silent
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
		Name: "live", HTTP: &v1alpha1.HTTPCheck{Path: "/", Port: intstr.FromInt32(80)},
		PeriodSeconds: 5, TimeoutSeconds: 1, SuccessThreshold: 1, FailureThreshold: 3,
	}}
	for _, p := range pods {
		r.Targets = append(r.Targets, Target{Pod: p, IP: "127.0.0.1", Port: 80})
	}
	return r
}

func with(r Run, change func(*v1alpha1.Check)) []Run {
	r.Check = *r.Check.DeepCopy()
	change(&r.Check)
	return []Run{r}
}

const (
	before = v1alpha1.StageBeforeSwitch
	since  = v1alpha1.StageAfterSwitch

	running = v1alpha1.CheckRunning
	passed  = v1alpha1.CheckPassed
	failed  = v1alpha1.CheckFailed
	unsure  = v1alpha1.CheckInconclusive
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
		"what could not be found out is not passed": func(b *bench) {
			b.hush("a", true)
			b.prober.Sync(shop, with(run(before, "d1", "a"), func(c *v1alpha1.Check) { c.FailureThreshold = 1 }))
			b.after(time.Hour)
			b.wants(unsure)
			if len(b.news) != 1 {
				b.Errorf("told at %v", b.news)
			}
			b.hush("a", false)
			b.after(5 * time.Second)
			b.wants(passed)
			b.hush("a", true)
			b.after(5 * time.Second)
			b.wants(passed) // it stays so, before the switch
		},
		"after the switch, neither": func(b *bench) {
			b.prober.Sync(shop, []Run{run(since, "d1", "a")})
			b.after(0)
			b.hush("a", true)
			b.after(5 * time.Second)
			b.wants(unsure)
		},
		"it ends a row of successes": func(b *bench) {
			b.prober.Sync(shop, with(run(before, "d1", "a"), func(c *v1alpha1.Check) { c.SuccessThreshold = 2 }))
			b.after(0)
			b.hush("a", true)
			b.after(5 * time.Second)
			b.hush("a", false)
			b.after(5 * time.Second)
			b.wants(running)
		},
		"it does not end a row of failures": func(b *bench) {
			b.tell("a", true)
			b.prober.Sync(shop, with(run(since, "d1", "a"), func(c *v1alpha1.Check) { c.FailureThreshold = 2 }))
			b.after(0)
			b.hush("a", true)
			b.after(5 * time.Second)
			b.wants(unsure)
			b.hush("a", false)
			b.after(5 * time.Second)
			b.wants(failed)
		},
		"a failure counts for more": func(b *bench) {
			b.hush("a", true)
			b.tell("b", true)
			b.prober.Sync(shop, with(run(since, "d1", "a", "b", "c"), func(c *v1alpha1.Check) { c.FailureThreshold = 1 }))
			b.after(0)
			b.wants(failed)
		},
		"the first run is as late as asked for": func(b *bench) {
			b.prober.Sync(shop, with(run(since, "d1", "a"), func(c *v1alpha1.Check) { c.InitialDelaySeconds = 30 }))
			b.after(29 * time.Second)
			b.wants(running)
			b.after(time.Second)
			b.wants(passed)
		},
		"a latest failure is told before it is one too many": func(b *bench) {
			b.tell("a", true)
			b.prober.Sync(shop, []Run{run(since, "d1", "a")})
			b.after(5 * time.Second)
			b.wants(running)
			if m := b.prober.Results(shop)[0].Message; m != "it does not pass: Pod a answered 500" || len(b.news) != 1 {
				b.Errorf("the message is %q, told at %v", m, b.news)
			}
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

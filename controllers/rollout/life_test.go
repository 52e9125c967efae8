// Copyright The Countersign Authors.
// SPDX-License-Identifier: Apache-2.0

package rollout_test

import (
	"fmt"
	"maps"
	"slices"
	"testing"
	"time"

	"github.com/countersign/countersign/api/v1alpha1"
	"github.com/countersign/countersign/controllers/approval"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"pgregory.net/rapid"
)

// Whatever happens to a Release, each decision keeps to the rules (examine,
// permitted), and once nothing happens any more it comes to rest.
func TestAnyLife(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		l := &life{T: t, w: newWorld(t, withChecks, withTwoServices, onCall), rollbacks: map[int64]int64{}}
		for range rapid.IntRange(1, 40).Draw(t, "events") {
			names := slices.Sorted(maps.Keys(l.events()))
			l.events()[rapid.SampledFrom(names).Draw(t, "event")]()
			for range rapid.IntRange(0, 4).Draw(t, "steps") {
				l.step()
			}
		}
		l.calm()
		for range 60 {
			if !l.step() {
				l.w.quiet()
				return
			}
		}
		t.Fatalf("it does not come to rest: %v", l.w.did[len(l.w.did)-6:])
	})
}

type life struct {
	*rapid.T
	w         *world
	rollbacks map[int64]int64
}

func (l *life) step() bool {
	before := l.w.rel.Status.DeepCopy()
	busy := l.w.step()
	now := l.w.rel.Status
	if now.Epoch < before.Epoch {
		l.Errorf("I5: the epoch goes from %d to %d", before.Epoch, now.Epoch)
	}
	if sw := now.Switch; sw != nil && sw.Reason == v1alpha1.SwitchRollback && sw.Epoch != before.Epoch && now.Epoch != before.Epoch {
		from := before.Active.Epoch
		if other, is := l.rollbacks[from]; is && other != sw.Epoch && sw.To.Colour != before.Active.Colour {
			l.Errorf("I11: epoch %d is gone back from by %d and %d", from, other, sw.Epoch)
		}
		l.rollbacks[from] = sw.Epoch
	}
	for c, m := range l.w.colours {
		if f := now.Former; f != nil && f.Colour == c && m.exists && now.Active.FinishedAt == nil && m.replicas == 0 {
			l.Errorf("I3: %s is kept and has no Pods", c)
		}
	}
	return busy
}

// calm ends all trouble but leaves the content and the votes as they are.
func (l *life) calm() {
	w := l.w
	w.writes, w.lag, w.problems = 1<<30, false, nil
	w.policies, w.authors = newWorld(l, onCall).policies, newWorld(l).authors
	for _, m := range w.colours {
		m.missing, m.slow, m.foreign = 0, false, false
		if m.leaving {
			*m = colour{}
		}
	}
	for _, name := range []string{"shop", "admin"} {
		if w.services[name] == nil {
			w.addService(name)
		}
		svc := w.services[name]
		svc.others, svc.unsupported = 0, ""
		if svc.owner == "other" {
			svc.owner = ""
		}
	}
}

func (l *life) colour() *colour {
	return l.w.colours[rapid.SampledFrom([]v1alpha1.Colour{blue, green}).Draw(l.T, "colour")]
}

func (l *life) service() *service {
	name := rapid.SampledFrom([]string{"shop", "admin", "shop-preview"}).Draw(l.T, "service")
	if svc := l.w.services[name]; svc != nil {
		l.w.touch(&svc.version, func() {})
		return svc
	}
	return l.w.addService(name)
}

func (l *life) user() string {
	return rapid.SampledFrom([]string{"bob", "carol", "dev", "zoe"}).Draw(l.T, "user")
}

func (l *life) events() map[string]func() {
	w := l.w
	all := map[string]func(){
		"edit": func() { w.edit(fmt.Sprintf("v%d", rapid.IntRange(1, 3).Draw(l.T, "image"))) },
		"approve": func() {
			if w.rel.Status.Candidate != nil {
				w.approve(l.user())
			}
		},
		"reject": func() {
			if w.rel.Status.Candidate != nil {
				w.reject(l.user())
			}
		},
		"glass": func() {
			if w.rel.Status.Candidate != nil {
				w.breakGlass(func(g *approval.Glass) { g.User = l.user() })
			}
		},
		"no glass": func() { w.glasses = nil },
		"review": func() {
			if len(w.rel.Status.Reviews) > 0 {
				w.lookAt(l.user())
			}
		},
		"withdraw": func() { w.withdraw(l.user()) },
		"time": func() {
			w.now = w.now.Add(rapid.SampledFrom([]time.Duration{0, time.Second, 15 * time.Second, 601 * time.Second, time.Hour, 25 * time.Hour}).Draw(l.T, "time"))
		},
		"author":  func() { w.authors.Names = []string{l.user()} },
		"forgery": func() { w.authors.Known = !w.authors.Known },
		"lag":     func() { w.lag = !w.lag },
		"crash":   func() { w.writes = rapid.IntRange(0, 2).Draw(l.T, "writes") },
		"heal":    func() { w.writes = 1 << 30 },
		"restart": func() { w.results = nil },
		"delete": func() {
			if now := metav1.NewTime(w.now); rapid.IntRange(0, 9).Draw(l.T, "really") == 0 {
				w.rel.DeletionTimestamp = &now
			}
		},
	}
	maps.Copy(all, l.mischief())
	return all
}

// mischief is what others do to the objects of a Release.
func (l *life) mischief() map[string]func() {
	w := l.w
	return map[string]func(){
		"pods": func() { c := l.colour(); c.missing = rapid.Int32Range(0, 5).Draw(l.T, "missing") },
		"slow": func() { c := l.colour(); c.slow = !c.slow },
		"gone": func() { *l.colour() = colour{} },
		"drift": func() {
			if c := l.colour(); c.exists {
				w.touch(&c.version, func() { c.template = template("evil") })
			}
		},
		"pause": func() { w.respec(func(s *v1alpha1.ReleaseSpec) { s.Paused = !s.Paused }) },
		"scale": func() { w.scale(rapid.Int32Range(1, 5).Draw(l.T, "replicas")) },
		"services": func() {
			w.respec(func(s *v1alpha1.ReleaseSpec) {
				s.Services = []v1alpha1.ServiceRef{{Name: "shop"}}
				if rapid.Bool().Draw(l.T, "two") {
					s.Services = append(s.Services, v1alpha1.ServiceRef{Name: "admin"})
				}
			})
		},
		"policy": func() {
			w.policies = nil
			if rapid.Bool().Draw(l.T, "any") {
				w.policies = []approval.Policy{{Name: "prod", BreakGlass: newWorld(l, onCall).policies[0].BreakGlass, ValidFor: rapid.SampledFrom([]time.Duration{time.Minute, time.Hour}).Draw(l.T, "validFor"), Rules: newWorld(l).policies[0].Rules}}
			}
		},
		"selector": func() {
			svc := l.service()
			svc.selector = rapid.SampledFrom([]map[string]string{nil, ours("blue"), ours("green"), ours("none"), {"app": "shop"}, {"app": "legacy"}}).Draw(l.T, "selector")
		},
		"no service": func() {
			delete(w.services, rapid.SampledFrom([]string{"shop", "admin", "shop-preview"}).Draw(l.T, "deleted"))
		},
		"foreign": func() { l.service().owner = rapid.SampledFrom([]string{"", "other", "shop"}).Draw(l.T, "owner") },
		"headless": func() {
			l.service().unsupported = rapid.SampledFrom([]string{"", "is headless"}).Draw(l.T, "unsupported")
		},
		"problem": func() {
			w.problems = rapid.SampledFrom([][]string{nil, {"spec.x is wrong; mend it"}}).Draw(l.T, "problem")
		},
		"sick": func() {
			w.outcomes["live"] = rapid.SampledFrom([]v1alpha1.CheckState{v1alpha1.CheckFailed, v1alpha1.CheckPassed, v1alpha1.CheckRunning}).Draw(l.T, "live")
		},
		"smoke": func() {
			w.outcomes["smoke"] = rapid.SampledFrom([]v1alpha1.CheckState{v1alpha1.CheckFailed, v1alpha1.CheckPassed, v1alpha1.CheckRunning}).Draw(l.T, "smoke")
		},
	}
}

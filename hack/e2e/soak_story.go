// Copyright The Countersign Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"fmt"
	"io"
	"path/filepath"
	"sync/atomic"
	"time"

	"github.com/countersign/countersign/api/v1alpha1"
	"github.com/countersign/countersign/hack/cluster/identity"
	"github.com/countersign/countersign/hack/cluster/local"
	"github.com/countersign/countersign/hack/e2e/operator"
	"github.com/countersign/countersign/hack/e2e/story"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/yaml"
)

const (
	soakReplicas = 2
	// drainEach is after how many promotions it is waited until the former colour
	// is scaled to zero. After the others the next content takes its place.
	drainEach = 5
	// afterLast is how long the traffic goes on after the last switch.
	afterLast = 5 * time.Second
)

// soakRelease is what is released again and again. The check fails at once, so
// that the time to go back is that of one round.
const soakRelease = `
apiVersion: countersign.dev/v1alpha1
kind: Release
metadata: {namespace: shop, name: shop}
spec:
  replicas: 2
  services: [{name: shop}]
  observeSeconds: 3
  keepIdleSeconds: 3
  template:
    metadata: {labels: {app: shop}}
    spec:
      containers:
      - name: app
        image: countersign.local/demoapp:v1
        imagePullPolicy: Never
        env: [{name: VERSION, value: p0}]
        ports: [{name: http, containerPort: 8080}]
        readinessProbe: {httpGet: {path: /readyz, port: http}, periodSeconds: 1}
  checks:
    beforeSwitch: [{name: smoke, http: {path: /healthz, port: http}}]
    afterSwitch: [{name: live, periodSeconds: 1, failureThreshold: 1, http: {path: /healthz, port: http}}]
`

// soakPeriod is that of check live.
const soakPeriod = time.Second

// soaker promotes and rolls back, and writes down what it did.
type soaker struct {
	*story.Story
	ctx     context.Context
	cluster *local.Cluster
	options soakOptions
	out     io.Writer
	// people act with credentials of their own.
	people map[string]client.Client

	started time.Time
	// underWay is from when on requests are sent and switches are counted.
	underWay              time.Time
	promotions, rollbacks atomic.Int32
	// moves are the switches as they should be, from that of the first release.
	moves []move
	sick  map[string]time.Time
	pods  map[types.UID]int32 // restarts of the operator and of the webhook, at the start
}

// move is one switch that has to happen, in the next epoch.
type move struct {
	rollback bool
	to       string
}

func newSoaker(ctx context.Context, c *local.Cluster, o soakOptions, out io.Writer) (*soaker, error) {
	root, err := operator.Root()
	if err != nil {
		return nil, err
	}
	told, err := story.Tell(ctx, c, root, types.NamespacedName{Namespace: "shop", Name: "shop"}, out)
	if err != nil {
		return nil, err
	}
	s := &soaker{
		Story: told, ctx: ctx, cluster: c, options: o, out: out, started: time.Now(),
		people: map[string]client.Client{}, sick: map[string]time.Time{},
	}
	for _, name := range []string{"dev", "alice", "bob"} {
		config, err := c.Config(name)
		if err != nil {
			return nil, err
		}
		if s.people[name], err = client.New(config, client.Options{Scheme: told.Client.Scheme()}); err != nil {
			return nil, err
		}
	}
	return s, nil
}

// firstRelease is let through before there is traffic, and before what is counted.
func (s *soaker) firstRelease() {
	for _, file := range []string{"namespace", "people", "policy", "service"} {
		s.Do(identity.Admin, "apply", "-f", filepath.Join(samples, file+".yaml"))
	}
	rel := &v1alpha1.Release{}
	if err := yaml.UnmarshalStrict([]byte(soakRelease), rel); err != nil {
		s.Fail("read the Release: %w", err)
	}
	if s.Err() == nil {
		if err := s.people["dev"].Create(s.ctx, rel); err != nil {
			s.Fail("create the Release: %w", err)
		}
	}
	s.vote(s.AwaitCandidate(0))
	s.moves = append(s.moves, move{to: "p0"})
	s.awaitMove()
	s.AwaitPhase(v1alpha1.PhaseStable)
	var err error
	if s.pods, err = s.operatorPods(); err != nil {
		s.Fail("list the operator's Pods: %w", err)
	}
	s.underWay = time.Now()
}

func (s *soaker) progress() string {
	return fmt.Sprintf("[%4.0f s] promotion %d/%d, rollback %d/%d", time.Since(s.started).Seconds(),
		s.promotions.Load(), s.options.promotions, s.rollbacks.Load(), s.options.rollbacks)
}

func (s *soaker) switchAll(ctx context.Context) {
	for i := 1; i <= s.options.promotions && s.Err() == nil; i++ {
		s.promote(i)
		if s.options.fallsSick(i) {
			s.fallSick(ctx)
		} else if rel := s.AwaitPhase(v1alpha1.PhaseStable); i%drainEach == 0 {
			s.awaitDrained(rel)
		}
	}
	select { // what comes after the last switch counts as well
	case <-ctx.Done():
	case <-time.After(afterLast):
	}
}

// promote releases another version with the votes of two people.
func (s *soaker) promote(i int) {
	version := fmt.Sprintf("p%d", i)
	s.vote(s.AwaitCandidate(s.edit(version)))
	s.moves = append(s.moves, move{to: version})
	rel := s.awaitMove()
	s.wantsWarm(rel)
	if s.Err() == nil {
		s.promotions.Add(1)
	}
}

// edit is a developer who changes the version; it returns the sequence number of
// what was there before.
func (s *soaker) edit(version string) int64 {
	rel := &v1alpha1.Release{}
	if s.Err() != nil {
		return 0
	}
	if err := s.people["dev"].Get(s.ctx, s.Release, rel); err != nil {
		s.Fail("get the Release: %w", err)
		return 0
	}
	base := client.MergeFrom(rel.DeepCopy())
	rel.Spec.Template.Spec.Containers[0].Env[0].Value = version
	if err := s.people["dev"].Patch(s.ctx, rel, base); err != nil {
		s.Fail("release version %s: %w", version, err)
	}
	return rel.Status.Sequence
}

// vote is alice's and bob's approval.
func (s *soaker) vote(rel *v1alpha1.Release) {
	for _, name := range []string{"alice", "bob"} {
		if s.Err() != nil {
			return
		}
		patch := fmt.Sprintf(`{"metadata":{"annotations":{%q:%q}}}`, v1alpha1.VotePrefix+name, digestOf(rel))
		if err := s.people[name].Patch(s.ctx, rel.DeepCopy(), client.RawPatch(types.MergePatchType, []byte(patch))); err != nil {
			s.Fail("%s approves: %w", name, err)
		}
	}
}

// awaitMove waits for the last move to be settled. Each has an epoch of its own:
// a switch that nobody caused is a failure.
func (s *soaker) awaitMove() *v1alpha1.Release {
	epoch, reason := int64(len(s.moves)), v1alpha1.SwitchPromote
	if s.moves[epoch-1].rollback {
		reason = v1alpha1.SwitchRollback
	}
	rel := s.Await(fmt.Sprintf("epoch %d is settled", epoch), func(r *v1alpha1.Release) bool {
		sw := r.Status.Switch
		return sw != nil && sw.Epoch >= epoch && sw.SettledAt != nil
	})
	if sw := rel.Status.Switch; s.Err() == nil && (sw.Epoch != epoch || sw.Reason != reason) {
		s.Fail("the last switch is epoch %d, %s (%s), want epoch %d, %s", sw.Epoch, sw.Reason, sw.Message, epoch, reason)
	}
	return rel
}

// fallSick makes what was just promoted sick, and waits until what was there
// before serves again.
func (s *soaker) fallSick(ctx context.Context) {
	if s.Err() != nil {
		return
	}
	failing, before := s.moves[len(s.moves)-1].to, s.moves[len(s.moves)-2].to
	rel := s.Await("the Release is there", func(*v1alpha1.Release) bool { return true })
	var pods corev1.PodList
	if err := s.Client.List(ctx, &pods, client.InNamespace(s.Release.Namespace), ofActive(rel)); err != nil {
		s.Fail("list the Pods: %w", err)
		return
	}
	s.sick[failing] = time.Now()
	for i := range pods.Items {
		if pods.Items[i].DeletionTimestamp == nil {
			if err := postSick(ctx, s.cluster, &pods.Items[i]); err != nil {
				s.Fail("make Pod %s sick: %w", pods.Items[i].Name, err)
			}
		}
	}
	s.moves = append(s.moves, move{rollback: true, to: before})
	s.awaitMove()
	s.AwaitPhase(v1alpha1.PhaseHalted)
	if s.Err() == nil {
		s.rollbacks.Add(1)
	}
}

// wantsWarm holds the operator to it that the former colour stands complete
// while the release is observed.
func (s *soaker) wantsWarm(rel *v1alpha1.Release) {
	if s.Err() != nil {
		return
	}
	if rel.Status.Former == nil {
		s.Fail("nothing is kept for going back while version %s is observed", s.moves[len(s.moves)-1].to)
		return
	}
	d := s.deployment(rel.Status.Former.Colour)
	if d.Status.ReadyReplicas < soakReplicas {
		s.Fail("%d Pods of %s, which is kept for going back, are ready, want %d", d.Status.ReadyReplicas, d.Name, soakReplicas)
	}
}

// awaitDrained waits until the former colour is scaled to zero, which may not be
// before it was kept for as long as the Release says.
func (s *soaker) awaitDrained(rel *v1alpha1.Release) {
	if s.Err() != nil {
		return
	}
	keep := time.Duration(rel.Status.Active.KeepIdleSeconds) * time.Second
	idle := rel.Status.Active.Colour.Other()
	rel = s.Await("the former colour is let go", func(r *v1alpha1.Release) bool { return r.Status.Former == nil })
	if kept := time.Since(rel.Status.Active.FinishedAt.Time); s.Err() == nil && kept < keep {
		s.Fail("the former colour was let go %s after the release was finished, want at least %s", kept, keep)
	}
	s.awaitScaledDown(idle)
}

func (s *soaker) awaitScaledDown(colour v1alpha1.Colour) {
	ctx, cancel := context.WithTimeout(s.ctx, 30*time.Second)
	defer cancel()
	for s.Err() == nil {
		d := s.deployment(colour)
		if s.Err() == nil && *d.Spec.Replicas == 0 {
			return
		}
		select {
		case <-ctx.Done():
			s.Fail("Deployment %s has not been scaled to zero", d.Name)
		case <-time.After(100 * time.Millisecond):
		}
	}
}

func (s *soaker) deployment(colour v1alpha1.Colour) *appsv1.Deployment {
	d := &appsv1.Deployment{}
	key := types.NamespacedName{Namespace: s.Release.Namespace, Name: s.Release.Name + "-" + string(colour)}
	if err := s.Client.Get(s.ctx, key, d); err != nil {
		s.Fail("get Deployment %s: %w", key, err)
	}
	return d
}

// Copyright The Countersign Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"fmt"
	"io"
	"strings"
	"sync/atomic"
	"time"

	"github.com/countersign/countersign/api/v1alpha1"
	"github.com/countersign/countersign/hack/cluster/identity"
	"github.com/countersign/countersign/hack/cluster/local"
	"github.com/countersign/countersign/hack/e2e/operator"
	"github.com/countersign/countersign/hack/e2e/story"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/yaml"
)

const (
	soakReplicas = 2
	// Of so many promotions, the one after which it is waited until the former
	// colour is scaled to zero. After the others the next content takes its place.
	drainEach, drainAt = 5, 3
	// afterLast is how long the traffic goes on after the last switch.
	afterLast = 5 * time.Second
)

// soakRelease is what is released again and again. The check fails at once, so
// that the time to go back is that of one round.
const soakRelease = `
apiVersion: countersign.dev/v1alpha1
kind: Release
metadata: {namespace: soak, name: shop}
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
	// endpoints are shown when a request failed.
	endpoints *endpointJournal
	pods      map[types.UID]int32 // restarts of the operator and of the webhook, at the start
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
	told, err := story.Tell(ctx, c, root, types.NamespacedName{Namespace: "soak", Name: "shop"}, out)
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
	s.Apply(identity.Admin, "who has to agree in namespace "+s.Release.Namespace, strings.ReplaceAll(stageManifest, "NAMESPACE", s.Release.Namespace))
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
		} else if rel := s.AwaitPhase(v1alpha1.PhaseStable); i%drainEach == drainAt {
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

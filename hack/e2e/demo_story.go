// Copyright The Countersign Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/countersign/countersign/api/v1alpha1"
	"github.com/countersign/countersign/hack/cluster/identity"
	"github.com/countersign/countersign/hack/cluster/load"
	"github.com/countersign/countersign/hack/cluster/local"
	"github.com/countersign/countersign/hack/e2e/operator"
	"github.com/countersign/countersign/hack/e2e/story"
	"k8s.io/apimachinery/pkg/types"
)

const (
	samples  = "config/samples"
	loadRate = 200
)

// demo is the story of three releases of the sample.
type demo struct {
	*story.Story
	cluster *local.Cluster
	root    string
	// real is false where Pods only pretend to run.
	real bool
	// observe is how many seconds a release is observed.
	observe int
	sickAt  time.Time
}

func newDemo(ctx context.Context, c *local.Cluster) (*demo, error) {
	root, err := operator.Root()
	if err != nil {
		return nil, err
	}
	s, err := story.Tell(ctx, c, root, types.NamespacedName{Namespace: "shop", Name: "shop"}, os.Stdout)
	if err != nil {
		return nil, err
	}
	return &demo{Story: s, cluster: c, root: root, real: c.Form() == local.Real, observe: 20}, nil
}

func tellDemo(ctx context.Context, c *local.Cluster) error {
	d, err := newDemo(ctx, c)
	if err != nil {
		return err
	}
	d.firstRelease()
	sum, err := d.underLoad(ctx, func() {
		d.secondRelease()
		d.thirdRelease(ctx)
	})
	if err := errors.Join(d.Err(), err); err != nil {
		return err
	}
	return d.conclude(sum)
}

// underLoad does something while a client sends requests, where there is
// something that can answer them.
func (d *demo) underLoad(ctx context.Context, do func()) (sum load.Summary, err error) {
	if d.Err() != nil {
		return sum, d.Err()
	}
	if !d.real {
		do()
		return sum, nil
	}
	work, err := os.MkdirTemp("", "countersign-demo-")
	if err != nil {
		return sum, err
	}
	defer os.RemoveAll(work)
	d.Say("a client sends %d requests a second from now on, each on a new connection", loadRate)
	client, err := story.StartLoad(d.cluster, work, "http://shop.shop/", loadRate)
	if err != nil {
		return sum, err
	}
	do()
	sum, err = client.Stop(ctx)
	fmt.Printf("\n# the client: %s\n", sum)
	return sum, err
}

// apply is a developer's kubectl apply of the sample with another version of
// the application.
func (d *demo) apply(user, version, change string) {
	raw, err := os.ReadFile(filepath.Join(d.root, samples, "release.yaml"))
	if err != nil {
		d.Fail("read the sample: %w", err)
		return
	}
	manifest := strings.Replace(string(raw), "demoapp:v1", "demoapp:"+version, 1)
	if !d.real { // nothing would answer the checks
		manifest, _, _ = strings.Cut(manifest, "  checks:\n")
	}
	what := fmt.Sprintf("%s/release.yaml with demoapp:%s", samples, version)
	manifest = strings.Replace(manifest, "observeSeconds: 20", fmt.Sprintf("observeSeconds: %d", d.observe), 1)
	if change != "" {
		manifest = strings.Replace(manifest, "        imagePullPolicy", change+"        imagePullPolicy", 1)
		what += " and another environment"
	}
	d.Apply(user, what, manifest)
}

func (d *demo) firstRelease() {
	d.Chapter("The platform team sets the stage: who has to agree in namespace shop")
	for _, file := range []string{"namespace", "people", "policy", "service"} {
		d.Do(identity.Admin, "apply", "-f", filepath.Join(samples, file+".yaml"))
	}
	d.Chapter("A developer applies the first release; nothing serves before people agree")
	d.apply("dev", "v1", "")
	rel := d.AwaitCandidate(0)
	d.show()
	d.approve("alice", rel)
	d.approve("bob", rel)
	d.AwaitPhase(v1alpha1.PhaseStable)
	d.show()
}

func (d *demo) secondRelease() {
	d.Chapter("Version 2: the author, somebody in another's slot and an impersonator are refused")
	before := d.current().Status.Sequence
	d.apply("dev", "v2", "")
	rel := d.AwaitCandidate(before)
	d.show()
	digest := digestOf(rel)
	d.Refused("dev", []string{"dev@example.com changed the content"}, d.vote("dev", digest)...)
	d.Refused("mallory", []string{"slot alice belongs to alice@example.com"}, d.vote("alice", digest)...)
	d.Refused("mallory", []string{"--as"}, append(d.vote("alice", digest), "--as", "alice@example.com", "--as-group", "qa")...)
	d.approve("alice", rel)
	d.approve("bob", rel)
	d.awaitSwitch(rel)
	d.AwaitPhase(v1alpha1.PhaseStable)
	d.show()
}

func (d *demo) thirdRelease(ctx context.Context) {
	d.Chapter("Version 3 is edited after a vote: the vote no longer counts")
	before := d.current().Status.Sequence
	d.apply("dev", "v3", "")
	rel := d.AwaitCandidate(before)
	d.approve("alice", rel)
	d.apply("dev", "v3", "        env:\n        - {name: BANNER, value: sale}\n")
	rel = d.AwaitCandidate(rel.Status.Sequence)
	d.Do(identity.Admin, "get", "release", "shop", "-n", "shop", "-o", "jsonpath={range .status.votes[*]}{.slot}: counted={.counted}, {.why}{\"\\n\"}{end}")
	if d.Err() == nil && (len(rel.Status.Votes) == 0 || rel.Status.Votes[0].Counted) {
		d.Fail("alice's vote on other content still counts")
	}
	d.approve("alice", rel)
	d.approve("bob", rel)
	d.awaitSwitch(rel)
	d.show()

	d.Chapter("Version 3 falls sick: it is rolled back before anybody is asked")
	d.fallSick(ctx)
	d.Await("version 2 serves again", func(r *v1alpha1.Release) bool {
		return r.Status.Phase == v1alpha1.PhaseHalted && r.Status.Active != nil && r.Status.Active.Epoch == 4
	})
	d.show()
	d.history()
}

func (d *demo) history() {
	d.Do(identity.Admin, "get", "release", "shop", "-n", "shop", "-o", "jsonpath={range .status.history[*]}epoch {.epoch} {.reason} {.colour} {.digest} {.approvers}{\"\\n\"}{end}")
}

func digestOf(rel *v1alpha1.Release) string {
	if rel.Status.Candidate == nil {
		return ""
	}
	return rel.Status.Candidate.Digest
}

func (d *demo) vote(slot, digest string) []string {
	return []string{"annotate", "release", "shop", "-n", "shop", "--overwrite", v1alpha1.VotePrefix + slot + "=" + digest}
}

func (d *demo) approve(user string, rel *v1alpha1.Release) {
	d.Do(user, d.vote(user, digestOf(rel))...)
}

func (d *demo) show() { d.Do(identity.Admin, "get", "release", "shop", "-n", "shop") }

func (d *demo) current() *v1alpha1.Release {
	return d.Await("the Release is there", func(*v1alpha1.Release) bool { return true })
}

// awaitSwitch waits until the content is active and all endpoints are its.
func (d *demo) awaitSwitch(candidate *v1alpha1.Release) {
	digest := digestOf(candidate)
	d.Await("traffic is switched", func(r *v1alpha1.Release) bool {
		return r.Status.Active != nil && r.Status.Active.Digest == digest && r.Status.Switch.SettledAt != nil
	})
}

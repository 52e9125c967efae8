// Copyright The Countersign Authors.
// SPDX-License-Identifier: Apache-2.0

package sim

import (
	"encoding/json"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/countersign/countersign/api/v1alpha1"
	"github.com/countersign/countersign/controllers/checks"
	"k8s.io/apimachinery/pkg/types"
)

// oracle keeps its own books of what happened, from the writes alone, and
// judges each write of the operator by them. It does not use the code under
// test: who voted what it knows from who asked, not from receipts.
type oracle struct {
	sim *sim
	// uid of the Release that the books are of.
	uid types.UID
	// votes by slot, as they stand.
	votes map[string]ballot
	// slots that users have taken.
	slots map[string]string
	emergencies
	// authors of the spec since the last promotion, and those of contents that were
	// rolled back from and not promoted with what builds on them since.
	authors, inherited map[string]bool
	// offered contents by digest.
	offered map[string]offer
	// commits by epoch.
	commits map[int64]*commitment
	// landed epochs by digest: contents that were promoted.
	promoted map[string]*commitment
	// passed is on how many Pods each check of a content did, and fewest how many a
	// content had to have, at least, since it is offered.
	passed, fewest map[string]int32
	// failed are digests of which a check failed.
	failed map[string]bool
	// moves has the version at which a Service moved in an epoch.
	moves map[move]int64
	// foreign is the version of the last change of a selector by somebody else.
	foreign map[string]int64
	// asked is what somebody asks for, by annotation.
	asked map[string]ask
	// returned are the contents that were gone back from.
	returned map[string]bool
	// anew are the restarts that were on record, by Deployment and number.
	anew map[string]bool
	// rollbacks from an epoch.
	rollbacks map[int64]int64
	// tampered is the version of the last change of a Deployment by somebody else.
	tampered map[string]int64
	// editedAt is the version of the last change of the spec or status of the Release.
	editedAt int64
	// repairedAt is when repairs landed.
	repairedAt []time.Time
	// templateAt is the version of the last change of a template.
	templateAt int64
	// configAt is the version of the last change of a ConfigMap or Secret by
	// somebody else, and held is what it ever held.
	configAt map[v1alpha1.ConfigRef]int64
	held     map[v1alpha1.ConfigRef]map[string]bool
	// known are the Jobs that the operator had seen and nobody else deleted.
	known map[string]bool
	// copies that the operator made.
	copies map[v1alpha1.ConfigRef]copied
}

// ballot is a vote that somebody cast.
type ballot struct {
	user    string
	digest  string
	rejects bool
	at      time.Time
}

// offer is what people could see when they voted on a digest.
type offer struct {
	content, image string
	// policies that were in force, as far as the operator knew.
	policies []*v1alpha1.ApprovalPolicy
}

// commitment is the record of a decision to switch.
type commitment struct {
	epoch  int64
	reason v1alpha1.SwitchReason
	to     v1alpha1.Content
	image  string
	// active digest at that time.
	active string
	// votes, authors and demands at that version.
	votes   map[string]ballot
	authors map[string]bool
	glasses map[string]ballot
	// by broke the glass; empty if nobody did.
	by string
	// config is what the content is configured with.
	config    map[string]string
	added     *v1alpha1.AddedApproval
	at        time.Time
	moved     bool
	landed    bool
	cancelled bool
	// goneOn is the version of the first step after it was called off.
	goneOn int64
}

type move struct {
	service string
	epoch   int64
}

func newOracle(s *sim) *oracle {
	o := &oracle{sim: s, foreign: map[string]int64{}, tampered: map[string]int64{}}
	o.configAt, o.held, o.copies = map[v1alpha1.ConfigRef]int64{}, map[v1alpha1.ConfigRef]map[string]bool{}, map[v1alpha1.ConfigRef]copied{}
	o.open("")
	return o
}

// open begins the books of a Release.
func (o *oracle) open(uid types.UID) {
	o.uid = uid
	o.votes, o.slots = map[string]ballot{}, map[string]string{}
	o.authors, o.inherited = map[string]bool{}, map[string]bool{}
	o.offered, o.commits, o.promoted = map[string]offer{}, map[int64]*commitment{}, map[string]*commitment{}
	o.emergencies, o.asked = newEmergencies(), map[string]ask{}
	o.known, o.returned = map[string]bool{}, map[string]bool{}
	o.anew = map[string]bool{}
	o.passed, o.fewest, o.moves, o.rollbacks = map[string]int32{}, map[string]int32{}, map[move]int64{}, map[int64]int64{}
	o.failed, o.repairedAt = map[string]bool{}, nil
}

// contentOf is all of a spec that is approved.
func contentOf(spec v1alpha1.ReleaseSpec) string {
	spec.Replicas, spec.PreviewReplicas, spec.RevisionHistoryLimit, spec.Paused = nil, nil, nil, false
	raw, err := json.Marshal(spec)
	if err != nil {
		panic(err)
	}
	return string(raw)
}

// observe is told of each write.
func (o *oracle) observe(r record) {
	switch r.key.kind {
	case kindRelease:
		o.observeRelease(r)
	case kindService:
		o.observeService(r)
	case kindDeployment:
		o.observeDeployment(r)
	case kindJob:
		o.observeJob(r)
	case kindConfigMap, kindSecret:
		o.observeConfig(r)
	}
}

func (o *oracle) observeRelease(r record) {
	o.editedAt = r.version
	switch {
	case r.after == nil:
		o.sim.seen.phase(phaseOf(r.before), "gone")
	case r.before == nil:
		o.open(r.after.GetUID())
		o.authors[r.actor] = true
	case r.verb == verbStatus:
		if isOperator(r.actor) {
			o.sized(r.after.(*v1alpha1.Release))
			o.status(r.actor, r.before.(*v1alpha1.Release), r.after.(*v1alpha1.Release))
		}
	case !isOperator(r.actor):
		before, after := r.before.(*v1alpha1.Release), r.after.(*v1alpha1.Release)
		o.sized(after)
		o.edited(r.actor, before, after)
		o.voted(r.actor, before, after)
		o.spoke(r.actor, before, after)
		o.requested(r.actor, before, after)
	}
}

// edited keeps the books of authors.
func (o *oracle) edited(actor string, before, after *v1alpha1.Release) {
	if contentOf(before.Spec) == contentOf(after.Spec) {
		return
	}
	if o.nothingPending(before) {
		o.authors, o.inherited = map[string]bool{}, map[string]bool{}
	}
	o.authors[actor] = true
}

// writers are all who wrote something of the content in the spec.
func (o *oracle) writers() map[string]bool {
	all := maps.Clone(o.authors)
	maps.Copy(all, o.inherited)
	return all
}

// nothingPending tells whether what is in the spec is what was promoted, and
// the operator has seen it.
func (o *oracle) nothingPending(rel *v1alpha1.Release) bool {
	st := rel.Status
	if st.Candidate != nil || st.Active == nil || st.ObservedGeneration != rel.Generation {
		return false
	}
	c := o.promoted[st.Active.Digest]
	return c != nil && o.offered[c.to.Digest].content == contentOf(rel.Spec)
}

// voted keeps the books of votes.
func (o *oracle) voted(actor string, before, after *v1alpha1.Release) {
	for slot, was := range votesIn(before) {
		if _, still := votesIn(after)[slot]; !still {
			o.cast(actor, slot, was, "")
		}
	}
	for slot, now := range votesIn(after) {
		if was := votesIn(before)[slot]; was != now {
			o.cast(actor, slot, was, now)
		}
	}
}

func (o *oracle) cast(actor, slot, was, now string) {
	had, known := o.votes[slot]
	if actor == intruder {
		delete(o.votes, slot)
		return
	}
	if known && had.user != actor {
		o.sim.violate("I6", "%s changed the vote of %s from %q to %q", actor, had.user, was, now)
	}
	if now == "" {
		delete(o.votes, slot)
		return
	}
	digest, rejects := strings.CutPrefix(now, "reject:")
	o.votes[slot] = ballot{user: actor, digest: digest, rejects: rejects, at: o.sim.clock}
	o.slots[actor] = slot
	o.sim.seen.add("votes")
}

func votesIn(rel *v1alpha1.Release) map[string]string {
	out := map[string]string{}
	for key, value := range rel.Annotations {
		if slot, is := strings.CutPrefix(key, v1alpha1.VotePrefix); is {
			out[slot] = value
		}
	}
	return out
}

// checkPassed notes that a check really passed.
func (o *oracle) checkPassed(run checks.Run) {
	o.passedOn(run.Digest, run.Check.Name, len(run.Targets))
}

// operatorNamed is the process behind an actor; nil when it has ended.
func (s *sim) operatorNamed(name string) *operator {
	i := slices.IndexFunc(s.operators, func(x *operator) bool { return x.name == name })
	if i < 0 {
		return nil
	}
	return s.operators[i]
}

func (o *oracle) commitment(before *v1alpha1.Release, sw *v1alpha1.SwitchStatus) *commitment {
	c := &commitment{
		epoch: sw.Epoch, reason: sw.Reason, to: sw.To, image: o.offered[sw.To.Digest].image,
		votes: maps.Clone(o.votes), glasses: maps.Clone(o.glasses), authors: o.writers(), added: before.Spec.Approval, at: sw.IntendedAt.Time,
	}
	c.config = o.configOf(sw.To.Colour)
	if before.Status.Active != nil {
		c.active = before.Status.Active.Digest
	}
	return c
}

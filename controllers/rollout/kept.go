// Copyright The Countersign Authors.
// SPDX-License-Identifier: Apache-2.0

package rollout

import (
	"fmt"
	"slices"
	"strings"

	"github.com/countersign/countersign/api/v1alpha1"
	"github.com/countersign/countersign/controllers/digest"
	corev1 "k8s.io/api/core/v1"
)

// defaultKept is spec.revisionHistoryLimit when it is not set.
const defaultKept = 5

// KeptRecord is content with the live template that it ran with: all that it takes
// to bring a colour to it again.
type KeptRecord struct {
	Content  v1alpha1.Content       `json:"content"`
	Template corev1.PodTemplateSpec `json:"template"`
}

// Kept is a record as it was read.
type Kept struct {
	Name, UID string
	// Hash of what it holds; empty when that cannot be read.
	Hash string
	KeptRecord
}

// KeptName is the name of the record with a hash. Another hash is another record:
// none is ever changed.
func KeptName(release, hash string) string {
	return release + "-" + strings.TrimPrefix(hash, "sha256:")[:16]
}

// keepContents records what was let through, so that it can be gone back to when no
// colour holds it any more. Status says first what the record has to hold: nobody
// else can make one that is gone back to.
func (p *plan) keepContents() {
	a, limit := p.st.Active, int(orDefault(p.spec().RevisionHistoryLimit, defaultKept))
	if a != nil && a.Failed == "" && limit > 0 && p.moving() == nil {
		p.keepContent(a)
	}
	others := 0
	p.st.Kept = slices.DeleteFunc(p.st.Kept, func(k v1alpha1.KeptContent) bool {
		if a != nil && k.Digest == a.Digest {
			return a.Failed != "" || limit == 0
		}
		others++
		return others > limit
	})
}

// keepContent records the active content while its colour holds it, and again when
// its record is gone.
func (p *plan) keepContent(a *v1alpha1.ActiveStatus) {
	i := slices.IndexFunc(p.st.Kept, func(k v1alpha1.KeptContent) bool { return k.Digest == a.Digest })
	w := p.snap.Workload(a.Colour)
	if !p.kept(a.Content) || i >= 0 && p.snap.Record(p.st.Kept[i]) != nil {
		return
	}
	record := KeptRecord{Content: *a.Content.DeepCopy(), Template: *w.Template.DeepCopy()}
	record.Content.Restart = nil // of the Pods that it has now, and no content
	delete(record.Template.Annotations, v1alpha1.RestartsAnnotation)
	hash, err := digest.Kept(record.Content, record.Template)
	if err != nil {
		return // without a canonical form it had no digest either
	}
	if i < 0 {
		p.st.Kept = slices.Insert(p.st.Kept, 0, v1alpha1.KeptContent{Digest: a.Digest, Epoch: a.Epoch, Since: a.Since})
		i = 0
	}
	k := &p.st.Kept[i]
	k.Hash, k.Revision = hash, KeptName(p.snap.Release.Name, hash)
	p.do(KeepContent{Name: k.Revision, KeptRecord: record})
}

// Record of a kept content; nil if it is gone, or is not what was recorded.
func (s *Snapshot) Record(k v1alpha1.KeptContent) *KeptRecord {
	for i := range s.Kept {
		if r := &s.Kept[i]; r.Name == k.Revision && r.Hash == k.Hash && r.Hash != "" {
			return &r.KeptRecord
		}
	}
	return nil
}

// forget takes content off the list of what can be gone back to: it was gone back
// from.
func (p *plan) forget(digest string) {
	p.st.Kept = slices.DeleteFunc(p.st.Kept, func(k v1alpha1.KeptContent) bool { return k.Digest == digest })
}

// dropKept deletes the records of what is not kept.
func (p *plan) dropKept() {
	for _, r := range p.snap.Kept {
		listed := slices.ContainsFunc(p.st.Kept, func(k v1alpha1.KeptContent) bool { return k.Revision == r.Name })
		if !listed || p.snap.Release.DeletionTimestamp != nil {
			p.do(DropKept{Name: r.Name, UID: r.UID})
		}
	}
}

// asksFor is the kept content that somebody asks to go back to, and who does. The
// one before is gone back to at once, elsewhere, while its colour holds it.
func (p *plan) asksFor() (k *v1alpha1.KeptContent, by string) {
	for i := range p.st.Kept {
		if by := p.requester(v1alpha1.RollbackAnnotation, p.st.KeptRequest(p.st.Kept[i])); by != "" {
			return &p.st.Kept[i], by
		}
	}
	return nil, ""
}

// goBackFar brings the idle colour to kept content that somebody asks for, and leads
// the traffic there once all its Pods are available. Nobody votes: it was let through
// before. Until then everything else that would use the colour waits.
func (p *plan) goBackFar() {
	k, by := p.asksFor()
	if k == nil || p.moving() != nil {
		return
	}
	a := p.st.Active
	hindrance := func(why string) {
		p.alarm(v1alpha1.ReasonRollbackImpossible, fmt.Sprintf("%s asked to go back to %s, and %s; to take the request back: %s",
			by, short(k.Digest), why, p.annotate(v1alpha1.RollbackAnnotation+"-")))
	}
	record, w := p.snap.Record(*k), p.snap.Workload(a.Colour.Other())
	switch {
	case p.st.Former != nil && p.st.Former.Digest == k.Digest && p.wayBack() != nil:
		p.goBackFor(by, p.st.Former.Content)
	case p.observing():
		why := "that takes the place of what can be gone back to at once while the active content is observed"
		if p.back() != nil {
			why += "; go back to that first: " + p.annotate(v1alpha1.RollbackAnnotation+"="+a.RollbackRequest())
		}
		hindrance(why)
	case record == nil:
		hindrance(fmt.Sprintf("ControllerRevision %s, which holds it, is gone or was changed by someone else", k.Revision))
	case w.Foreign:
		hindrance(fmt.Sprintf("Deployment %s, which it needs, does not belong to this Release", w.Name))
	default:
		p.restoring = k
		p.restore(*k, *record, by, hindrance)
	}
}

// restore takes the next step towards kept content in the idle colour.
func (p *plan) restore(k v1alpha1.KeptContent, record KeptRecord, by string, hindrance func(string)) {
	content := record.Content
	content.Colour = p.st.Active.Colour.Other()
	w := p.snap.Workload(content.Colour)
	switch {
	case !p.fenced() || p.cameThrough() || p.reachable(content.Colour) || w.leaving():
		return
	case !p.restoreConfig(content.Config):
		hindrance("a copy of its ConfigMaps and Secrets is gone, and the original is not what it was; put that back")
		return
	case !p.copied(content.Config):
		return
	case !w.Exists || w.Revision != content.Revision || w.TemplateHash != content.TemplateHash || w.Restarts != 0:
		if f := p.st.Former; f != nil && f.Colour == content.Colour {
			p.st.Former = nil
		}
		p.do(Materialise{
			Colour: content.Colour, ResourceVersion: w.ResourceVersion, Revision: content.Revision, Replicas: p.replicas(), Template: &record.Template,
		})
		return
	}
	if w.Replicas != p.replicas() {
		p.do(Scale{Colour: content.Colour, ResourceVersion: w.ResourceVersion, Replicas: p.replicas()})
	}
	if !w.Complete(max(p.replicas(), p.liveReady())) {
		return
	}
	p.pointPreviews(content.Colour)
	if !p.previewsComplete(content.Colour, p.replicas()) {
		return
	}
	content.Services = slices.DeleteFunc(p.following(content.Services), func(s v1alpha1.ServiceRef) bool { return !p.named(s.Name) })
	p.goBackFor(by, content)
}

// restoreConfig asks for the copies that kept content needs and that do not stand. It
// tells whether they can be had: an original that has moved on cannot be copied.
func (p *plan) restoreConfig(config []v1alpha1.ConfigCopy) bool {
	for _, c := range config {
		have := p.copyOf(c)
		if p.stands(c) || have != nil && (have.Unread || have.Unused && have.Hash == c.Hash) {
			continue
		}
		if have != nil && have.Foreign || !slices.Contains(p.snap.Config.Wanted, c) {
			return false
		}
	}
	p.copyConfig(config)
	return true
}

// recreate makes the Deployment that serves again, whose content the spec does not
// say any more, when somebody deleted it and there is nothing better to go back to.
func (p *plan) recreate(a *v1alpha1.ActiveStatus) {
	var record *KeptRecord
	for _, k := range p.st.Kept {
		if k.Digest == a.Digest {
			record = p.snap.Record(k)
		}
	}
	to := p.wayBack()
	switch {
	case to != nil && !a.Irreversible:
		p.startRollback(*to, "the Deployment that serves was deleted")
	case record != nil && p.restoreConfig(a.Config):
		if p.copied(a.Config) {
			p.do(Materialise{Colour: a.Colour, Revision: a.Revision, Replicas: p.replicas(), Restarts: a.Restart.Last(), Template: &record.Template})
		}
	case a.Irreversible:
		p.askPeople("the Deployment that serves was deleted")
	}
}

// Copyright The Countersign Authors.
// SPDX-License-Identifier: Apache-2.0

package rollout

import (
	"fmt"
	"slices"
	"strings"

	"github.com/countersign/countersign/api/v1alpha1"
	"github.com/countersign/countersign/controllers/snapshot"
)

// Config is what of ConfigMaps and Secrets there is.
type Config struct {
	// Wanted are those that the spec's template refers to and that are copied, as
	// they are now.
	Wanted []v1alpha1.ConfigCopy
	// Live are those that Pods use themselves.
	Live []v1alpha1.ConfigRef
	// Missing lists what has to be mended before they can be copied, each a
	// sentence that names the field and the remedy.
	Missing []string
	// Copies of the Release, and objects of others with a name that a copy needs.
	Copies []Copy
}

// Copy is an object that is, or stands in the way of, a copy.
type Copy struct {
	v1alpha1.ConfigRef
	UID, ResourceVersion string
	// Foreign is true when it does not carry the Release's label.
	Foreign bool
	// Unused is true when it is marked so.
	Unused bool
	// Hash of what it holds. Empty for one that nothing needs.
	Hash string
	// Unread is true when it is not known what it holds. It does not stand then,
	// but nor is it known to be lost.
	Unread bool
}

// findConfigFaults lists what is missing, and what stands in the way of copies.
func (p *plan) findConfigFaults() {
	for _, problem := range p.snap.Config.Missing {
		p.block(v1alpha1.ReasonConfigMissing, problem)
	}
	for _, c := range p.snap.Config.Wanted {
		if have := p.copyOf(c); have != nil && have.Foreign {
			p.wake(p.snap.Now.Add(unwatched))
			p.block(v1alpha1.ReasonConfigForeign, fmt.Sprintf(
				"%s %s stands where the copy of %s belongs, and is somebody else's; delete it: kubectl delete %s %s -n %s",
				c.Kind, c.Copy, c.Name, strings.ToLower(string(c.Kind)), c.Copy, p.snap.Release.Namespace))
		}
	}
}

func (p *plan) copyOf(c v1alpha1.ConfigCopy) *Copy {
	for i := range p.snap.Config.Copies {
		if have := &p.snap.Config.Copies[i]; have.ConfigRef == (v1alpha1.ConfigRef{Kind: c.Kind, Name: c.Copy}) {
			return have
		}
	}
	return nil
}

// stands tells whether a copy is there to stay and holds what it should.
func (p *plan) stands(c v1alpha1.ConfigCopy) bool {
	have := p.copyOf(c)
	return have != nil && !have.Foreign && !have.Unused && c.Hash != "" && have.Hash == c.Hash
}

// copied tells whether all copies of a content stand.
func (p *plan) copied(config []v1alpha1.ConfigCopy) bool {
	return !slices.ContainsFunc(config, func(c v1alpha1.ConfigCopy) bool { return !p.stands(c) })
}

// copyConfig asks for the copies that do not stand. It tells whether they will
// when that is done; not if something has to go first.
func (p *plan) copyConfig(config []v1alpha1.ConfigCopy) bool {
	free := true
	for _, c := range config {
		switch have := p.copyOf(c); {
		case p.stands(c):
		case have == nil:
			p.once(CopyConfig{c})
		case have.Unused && have.Hash == c.Hash && c.Hash != "":
			p.once(MarkConfig{have.ConfigRef, have.ResourceVersion, false})
		case !have.Foreign && !have.Unread:
			free = false
			p.once(DropConfig{have.ConfigRef, have.UID, have.ResourceVersion})
		default:
			free = false
		}
	}
	return free
}

// once asks for an action that several contents may need: they share copies.
func (p *plan) once(a Action) {
	if !slices.Contains(p.actions, a) {
		p.do(a)
	}
}

// keepConfig restores copies that the serving and the kept content use and that
// somebody took away. Where the original has moved on, only people can help.
func (p *plan) keepConfig() {
	if p.st.Active != nil {
		p.keepCopies(&p.st.Active.Content, "new Pods of it cannot start as approved; release a candidate, or put the original back")
	}
	if p.st.Former != nil {
		p.keepCopies(&p.st.Former.Content, "new Pods of it cannot start as approved, and it is what traffic would go back to; put the original back")
	}
}

func (p *plan) keepCopies(content *v1alpha1.Content, harm string) {
	for _, c := range content.Config {
		have := p.copyOf(c)
		switch {
		case p.stands(c) || have != nil && have.Unread:
		case have != nil && have.Unused && have.Hash == c.Hash:
			p.copyConfig([]v1alpha1.ConfigCopy{c})
		case slices.Contains(p.snap.Config.Wanted, c) && (have == nil || !have.Foreign):
			p.copyConfig([]v1alpha1.ConfigCopy{c})
			p.note(true, NoticeConfigRestored, fmt.Sprintf(
				"%s %s, the copy of %s that %s uses, was deleted or changed by someone else and is made anew", c.Kind, c.Copy, c.Name, content.Colour))
		default:
			p.alarm(v1alpha1.ReasonConfigLost, fmt.Sprintf(
				"%s %s, the copy of %s that %s uses, was deleted or changed by someone else, and %s is not what it was: %s",
				c.Kind, c.Copy, c.Name, content.Colour, c.Name, harm))
		}
	}
}

// collect marks and then removes copies that nothing uses: neither a content on record nor the
// template of a colour, whatever is on record.
func (p *plan) collect() {
	used := p.references(v1alpha1.Blue, v1alpha1.Green)
	contents := [][]v1alpha1.ConfigCopy{p.snap.Config.Wanted}
	if p.st.Active != nil {
		contents = append(contents, p.st.Active.Config)
	}
	if p.st.Former != nil {
		contents = append(contents, p.st.Former.Config)
	}
	if p.st.Candidate != nil {
		contents = append(contents, p.st.Candidate.Config)
	}
	if sw := p.inFlight(); sw != nil {
		contents = append(contents, sw.To.Config)
	}
	for _, k := range p.st.Kept {
		if record := p.snap.Record(k); record != nil {
			contents = append(contents, record.Content.Config)
		}
	}
	for _, c := range slices.Concat(contents...) {
		used = append(used, v1alpha1.ConfigRef{Kind: c.Kind, Name: c.Copy})
	}
	for _, have := range p.snap.Config.Copies {
		switch {
		case have.Foreign || slices.Contains(used, have.ConfigRef):
		case have.Unused:
			p.once(DropConfig{have.ConfigRef, have.UID, have.ResourceVersion})
		default:
			p.once(MarkConfig{have.ConfigRef, have.ResourceVersion, true})
		}
	}
}

// references are what the templates of colours refer to.
func (p *plan) references(colours ...v1alpha1.Colour) (refs []v1alpha1.ConfigRef) {
	for _, colour := range colours {
		for _, s := range snapshot.Sources(p.snap.Workload(colour).Template) {
			refs = append(refs, s.ConfigRef)
		}
	}
	return refs
}

// deleteConfig leaves the copies that colours go on using to their owners, and
// removes the others.
func (p *plan) deleteConfig(staying []v1alpha1.Colour) {
	used := p.references(staying...)
	for _, have := range p.snap.Config.Copies {
		switch {
		case have.Foreign:
		case slices.Contains(used, have.ConfigRef):
			p.do(SurrenderConfig{have.ConfigRef, have.ResourceVersion})
		default:
			p.do(DropConfig{have.ConfigRef, have.UID, have.ResourceVersion})
		}
	}
}

// stranger says what of the configuration somebody changed whom nobody knows.
func (p *plan) stranger(c *v1alpha1.CandidateStatus) string {
	return snapshot.Unwitnessed(*p.spec(), c, p.st.Active)
}

// configNote tells voters about what they cannot see in the Release.
func (p *plan) configNote() string {
	what := p.stranger(p.st.Candidate)
	switch {
	case what == "":
		return ""
	case len(p.snap.Config.Live) > 0:
		return " (an approval covers the name of " + what + ", not what it holds)"
	}
	return " (" + what + " is new or was changed since the last promotion)"
}

// specRevision of the snapshot, where it is not the content's.
func (p *plan) specRevision() string {
	if p.snap.SpecRevision == p.snap.Revision {
		return ""
	}
	return p.snap.SpecRevision
}

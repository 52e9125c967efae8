// Copyright The Countersign Authors.
// SPDX-License-Identifier: Apache-2.0

package sim

import (
	"maps"
	"slices"

	"github.com/countersign/countersign/api/v1alpha1"
)

// copied is what a copy holds, and of what it is one.
type copied struct{ source, value string }

// observeConfig keeps the books of what ConfigMaps and Secrets held, and of what
// the operator copied.
func (o *oracle) observeConfig(r record) {
	ref := v1alpha1.ConfigRef{Kind: v1alpha1.ConfigMap, Name: r.key.Name}
	if r.key.kind == kindSecret {
		ref.Kind = v1alpha1.Secret
	}
	value, _ := o.sim.valueOf(ref)
	switch {
	case isOperator(r.actor) && r.before == nil:
		c := copied{r.after.GetAnnotations()[v1alpha1.ConfigSourceAnnotation], value}
		o.copyMade(ref, c)
	case isOperator(r.actor) && r.after == nil:
		o.copyDropped(r, ref)
	case !isOperator(r.actor):
		o.configAt[ref] = r.version
		if o.held[ref] == nil {
			o.held[ref] = map[string]bool{"": true} // nothing, before it was there
		}
		o.held[ref][value] = true
	}
}

// copyMade: a copy holds what the original held, and its name stands for that
// alone.
func (o *oracle) copyMade(ref v1alpha1.ConfigRef, c copied) {
	if had, known := o.copies[ref]; known && had != c {
		o.sim.violate("I1", "%s %s is a copy of %v, and was of %v", ref.Kind, ref.Name, c, had)
	}
	source := v1alpha1.ConfigRef{Kind: ref.Kind, Name: c.source}
	if !o.held[source][c.value] && c.value != "" {
		o.sim.violate("I1", "%s %s holds %q, and %s never did", ref.Kind, ref.Name, c.value, c.source)
	}
	o.copies[ref] = c
}

// copyDropped: I2 and I3. What serves or is kept finds its environment.
func (o *oracle) copyDropped(r record, ref v1alpha1.ConfigRef) {
	if o.configAt[ref] > 0 || o.excused(r.actor, o.templateAt, kindDeployment) {
		return // somebody else has spoilt it, or the Deployment was changed since
	}
	for _, d := range o.sim.deployments() {
		if slices.Contains(referencesOf(d), ref) {
			o.sim.violate("I2", "%s %s is dropped, and Deployment %s refers to it", ref.Kind, ref.Name, d.Name)
		}
	}
}

// configOf is what a colour is configured with, by the books; nil when it is not
// known.
func (o *oracle) configOf(colour v1alpha1.Colour) map[string]string {
	out := map[string]string{}
	for _, ref := range referencesOf(o.sim.deployment(colour)) {
		c, known := o.copies[ref]
		if !known {
			return nil
		}
		out[c.source] = c.value
	}
	return out
}

// unwitnessed tells whether a content is configured otherwise than the active
// one, which nobody knows who did.
func (o *oracle) unwitnessed(c *commitment) bool {
	was := map[string]string{}
	if active := o.promoted[c.active]; active != nil {
		was = active.config
	}
	return !maps.Equal(was, c.config)
}

// configStands: I1. What gets the traffic is configured with what was approved,
// and the originals were still so when the operator looked last.
func (o *oracle) configStands(by *operator, c *commitment) {
	for _, ref := range referencesOf(o.sim.deployment(c.to.Colour)) {
		want, known := o.copies[ref]
		if !known {
			o.sim.violate("I1", "epoch %d leads to %s, which takes its environment from %s %s, which is no copy", c.epoch, c.to.Colour, ref.Kind, ref.Name)
		}
		source := v1alpha1.ConfigRef{Kind: ref.Kind, Name: want.source}
		for _, x := range []v1alpha1.ConfigRef{ref, source} {
			looked, has := by.looked[configKey(x)]
			if !has {
				o.sim.violate("I1", "traffic moves in epoch %d, and %s %s was not read again", c.epoch, x.Kind, x.Name)
			}
			if got, _ := o.sim.valueOf(x); got != want.value && o.configAt[x] <= looked {
				o.sim.violate("I1", "traffic moves in epoch %d, and %s %s holds %q, not %q", c.epoch, x.Kind, x.Name, got, want.value)
			}
		}
	}
}

// configAtRest: I12. What is on record finds its environment, or people are told;
// and nothing is left behind.
func (s *sim) configAtRest(rel *v1alpha1.Release, told bool) {
	st, used := rel.Status, map[v1alpha1.ConfigRef]bool{}
	for _, colour := range []v1alpha1.Colour{v1alpha1.Blue, v1alpha1.Green} {
		kept := st.Active != nil && st.Active.Colour == colour || st.Former != nil && st.Former.Colour == colour
		for _, ref := range referencesOf(s.deployment(colour)) {
			used[ref] = true
			want := s.oracle.copies[ref]
			if got, there := s.valueOf(ref); kept && (!there || got != want.value) && !told {
				s.violate("I12", "%s %s, which %s uses, holds %q, not %q, and nobody is told", ref.Kind, ref.Name, colour, got, want.value)
			}
		}
	}
	contents := [][]v1alpha1.ConfigCopy{}
	if st.Active != nil {
		contents = append(contents, st.Active.Config)
	}
	if st.Former != nil {
		contents = append(contents, st.Former.Config)
	}
	if st.Candidate != nil {
		contents = append(contents, st.Candidate.Config)
	}
	for _, content := range s.recordedContents() {
		contents = append(contents, content.Config)
	}
	for _, c := range slices.Concat(contents...) {
		used[v1alpha1.ConfigRef{Kind: c.Kind, Name: c.Copy}] = true
	}
	for _, kind := range []v1alpha1.ConfigKind{v1alpha1.ConfigMap, v1alpha1.Secret} {
		for _, o := range s.server.shelves[configKind(kind)].sorted(labelled) {
			if !used[v1alpha1.ConfigRef{Kind: kind, Name: o.GetName()}] {
				s.violate("I13", "%s %s is left behind", kind, o.GetName())
			}
		}
	}
}

// Copyright The Countersign Authors.
// SPDX-License-Identifier: Apache-2.0

package snapshot

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/countersign/countersign/api/v1alpha1"
	"github.com/countersign/countersign/controllers/jobcheck"
	corev1 "k8s.io/api/core/v1"
)

// Source is an object that a template refers to, at one place or several.
type Source struct {
	v1alpha1.ConfigRef
	// Keys that it has to have, and the place that needs each.
	Keys []Key
	// Required is a place that needs the object; empty when all of them say
	// optional.
	Required string
}

// Key is an entry of an object that some place needs.
type Key struct{ Name, Field string }

// Sources are the objects that a template refers to, by kind and name.
func Sources(template corev1.PodTemplateSpec) []Source {
	return sorted(gather(nil, "spec.template", template))
}

// sources are the objects that a spec's templates refer to: that of the colours,
// and those of Jobs that test them. One that cannot be read refers to nothing:
// package speccheck refuses it.
func sources(spec v1alpha1.ReleaseSpec) []Source {
	all := gather(nil, "spec.template", spec.Template)
	if spec.Checks == nil {
		return sorted(all)
	}
	for _, c := range spec.Checks.BeforeSwitch {
		if c.Job == nil {
			continue
		}
		if template, err := jobcheck.Template(c.Job); err == nil {
			all = gather(all, fmt.Sprintf("spec.checks.beforeSwitch[name=%s].job.template", c.Name), template)
		}
	}
	return sorted(all)
}

func sorted(sources []Source) []Source {
	slices.SortFunc(sources, func(a, b Source) int { return compare(a.ConfigRef, b.ConfigRef) })
	return sources
}

// gather adds what one more template, which the spec has at a field, refers to.
func gather(sources []Source, at string, template corev1.PodTemplateSpec) []Source {
	visit(&template.Spec, at+".spec", func(p place) {
		if *p.name == "" {
			return
		}
		ref := v1alpha1.ConfigRef{Kind: p.kind, Name: *p.name}
		i := slices.IndexFunc(sources, func(s Source) bool { return s.ConfigRef == ref })
		if i < 0 {
			i, sources = len(sources), append(sources, Source{ConfigRef: ref})
		}
		if p.optional {
			return
		}
		if sources[i].Required == "" {
			sources[i].Required = p.field
		}
		for _, key := range p.keys {
			sources[i].Keys = append(sources[i].Keys, Key{key, p.field})
		}
	})
	return sources
}

func compare(a, b v1alpha1.ConfigRef) int {
	return cmp.Or(cmp.Compare(a.Kind, b.Kind), cmp.Compare(a.Name, b.Name))
}

// Split parts what a spec's templates refer to into what is copied and what the
// Pods use themselves.
func Split(spec v1alpha1.ReleaseSpec) (copied []Source, live []v1alpha1.ConfigRef) {
	for _, s := range sources(spec) {
		if spec.SnapshotsConfig() && !slices.Contains(exceptions(spec), s.ConfigRef) {
			copied = append(copied, s)
		} else {
			live = append(live, s.ConfigRef)
		}
	}
	return copied, live
}

func exceptions(spec v1alpha1.ReleaseSpec) []v1alpha1.ConfigRef {
	if spec.Config == nil {
		return nil
	}
	return spec.Config.Live
}

// Found is an object as it was read.
type Found struct {
	// Exists is false when it was looked for and is not there.
	Exists bool
	// Denied says why it cannot be read; empty if it can.
	Denied string
	// Hash of what it holds.
	Hash string
	// Keys that it has.
	Keys []string
}

// Owner is the Release that copies are made for.
type Owner struct{ Namespace, Name, UID string }

// Resolve says what the copies of sources are, and what has to be mended first:
// sentences that name the field and what to do. found has one entry for each
// source; a source without one counts as not there.
func Resolve(owner Owner, sources []Source, found map[v1alpha1.ConfigRef]Found) (copies []v1alpha1.ConfigCopy, missing []string) {
	for _, s := range sources {
		f := found[s.ConfigRef]
		if problem := s.problem(owner.Namespace, f); problem != "" {
			missing = append(missing, problem)
		}
		copies = append(copies, v1alpha1.ConfigCopy{
			Kind: s.Kind, Name: s.Name, Copy: CopyName(owner, s.ConfigRef, f.Hash), Hash: f.Hash, Absent: !f.Exists,
		})
	}
	return copies, missing
}

func (s Source) problem(namespace string, f Found) string {
	kind := strings.ToLower(string(s.Kind))
	switch {
	case f.Denied != "":
		return fmt.Sprintf("%s %s, to which the template refers, cannot be read: %s; let the operator get it, or name it in spec.config.live",
			s.Kind, s.Name, f.Denied)
	case !f.Exists && s.Required != "":
		return fmt.Sprintf("%s %s does not exist, and %s needs it; create it: kubectl create %s %s -n %s, or set optional: true there",
			s.Kind, s.Name, s.Required, createWord(kind), s.Name, namespace)
	case f.Hash == "":
		return fmt.Sprintf("what %s %s holds is not known", s.Kind, s.Name)
	}
	for _, key := range s.Keys {
		if f.Exists && !slices.Contains(f.Keys, key.Name) {
			return fmt.Sprintf("%s %s has no key %s, and %s needs it; add it: kubectl edit %s %s -n %s, or set optional: true there",
				s.Kind, s.Name, key.Name, key.Field, kind, s.Name, namespace)
		}
	}
	return ""
}

func createWord(kind string) string {
	if kind == "secret" {
		return "secret generic"
	}
	return kind
}

// Rewrite makes a template use copies. What has no copy is left as it is.
func Rewrite(template *corev1.PodTemplateSpec, copies []v1alpha1.ConfigCopy) {
	visit(&template.Spec, "", func(p place) {
		for _, c := range copies {
			if c.Kind == p.kind && c.Name == *p.name {
				*p.name = c.Copy
				return
			}
		}
	})
}

// Unwitnessed says what of the configuration of a candidate somebody changed whom
// nobody knows, for admission of a Release does not see who writes ConfigMaps and
// Secrets. What is the same as in the active content was approved with it. Empty
// if there is nothing.
func Unwitnessed(spec v1alpha1.ReleaseSpec, candidate *v1alpha1.CandidateStatus, active *v1alpha1.ActiveStatus) string {
	if _, live := Split(spec); len(live) > 0 {
		return fmt.Sprintf("%s %s, which is not copied", live[0].Kind, live[0].Name)
	}
	if candidate == nil {
		return ""
	}
	var approved []v1alpha1.ConfigCopy
	if active != nil {
		approved = active.Config
	}
	for _, now := range candidate.Config {
		was := slices.IndexFunc(approved, func(a v1alpha1.ConfigCopy) bool { return a.Kind == now.Kind && a.Name == now.Name })
		if was < 0 && !now.Absent || was >= 0 && approved[was].Hash != now.Hash {
			return fmt.Sprintf("%s %s", now.Kind, now.Name)
		}
	}
	return ""
}

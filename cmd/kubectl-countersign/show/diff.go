// Copyright The Countersign Authors.
// SPDX-License-Identifier: Apache-2.0

package show

import (
	"encoding/json"
	"fmt"
	"strings"

	"github.com/countersign/countersign/api/v1alpha1"
	"github.com/countersign/countersign/controllers/approval"
	"github.com/countersign/countersign/controllers/digest"
	corev1 "k8s.io/api/core/v1"
)

// Diff is what would be approved, as it differs from what serves.
type Diff struct {
	Name      string `json:"name"`
	Namespace string `json:"namespace"`
	// Serves and Candidate are their digests, in full. Empty if there is none.
	Serves    string `json:"serves,omitempty"`
	Candidate string `json:"candidate,omitempty"`
	// Proposed is true while there is a candidate.
	Proposed bool `json:"proposed"`
	// Halted says why the candidate was given up.
	Halted  string   `json:"halted,omitempty"`
	Authors []string `json:"authors,omitempty"`
	// Irreversible is true when the candidate cannot be gone back from without harm.
	Irreversible bool   `json:"irreversible,omitempty"`
	Parts        []Part `json:"parts,omitempty"`
	// Digest tells whether that of the candidate is what this plugin computes.
	Digest Recomputed `json:"digest"`
	Notes  []string   `json:"notes,omitempty"`
}

// Part of a content and how it differs.
type Part struct {
	Name    string   `json:"name"`
	Changes []Change `json:"changes,omitempty"`
	// Says what there is to know besides.
	Says []string `json:"says,omitempty"`
}

// DiffOf is what would be approved.
func DiffOf(w *World) Diff {
	st := w.status()
	d := Diff{Name: w.Release.Name, Namespace: w.Release.Namespace, Notes: append(older(&w.Release), w.Unread...)}
	if st.Active != nil {
		d.Serves = st.Active.Digest
	}
	c := st.Candidate
	if c == nil {
		return d
	}
	d.Candidate, d.Proposed, d.Authors, d.Irreversible = c.Digest, true, c.Authors, w.Release.Spec.Irreversible
	if c.Halted != nil {
		d.Halted = c.Halted.Reason
	}
	d.Parts = []Part{w.templates(), w.services(), w.checks(), w.config(), w.parameters(), w.demands()}
	d.Digest = recompute(w)
	return d
}

func (w *World) templates() Part {
	part, st := Part{Name: "Pod template"}, w.status()
	var before, after any
	if a := st.Active; a != nil {
		if d := w.Deployments[a.Colour]; d != nil {
			before = original(d.Spec.Template, a.Config)
			if hash, err := digest.TemplateHash(d.Spec.Template); err == nil && hash != a.TemplateHash {
				part.Says = append(part.Says, fmt.Sprintf("Deployment %s, which serves, does not hold what was let through: somebody changed it", d.Name))
			}
		} else {
			part.Says = append(part.Says, "what serves could not be read, so that all of the candidate is shown")
		}
	}
	c := st.Candidate
	if d := w.Deployments[c.Colour]; d != nil && w.holds(c) {
		after = original(d.Spec.Template, c.Config)
	} else {
		after = digest.Content(w.Release.Spec.Template)
		part.Says = append(part.Says, "the candidate does not stand in its colour, or could not be read there: this is the template of the spec, without what the API server fills in")
	}
	part.Changes = changes("", before, after)
	return part
}

// holds tells whether the colour of the candidate holds it.
func (w *World) holds(c *v1alpha1.CandidateStatus) bool {
	d := w.Deployments[c.Colour]
	if d == nil || c.TemplateHash == "" {
		return false
	}
	hash, err := digest.TemplateHash(d.Spec.Template)
	return err == nil && hash == c.TemplateHash
}

// original is a live template with the names that its author wrote in place of those
// of copies: whether a copy holds something else is told apart.
func original(template corev1.PodTemplateSpec, config []v1alpha1.ConfigCopy) any {
	raw, err := json.Marshal(digest.Content(template))
	if err != nil {
		return nil
	}
	text := string(raw)
	for _, c := range config {
		text = strings.ReplaceAll(text, fmt.Sprintf("%q", c.Copy), fmt.Sprintf("%q", c.Name))
	}
	return json.RawMessage(text)
}

// led is a Service as far as it is approved.
type ledService struct {
	Name    string               `json:"name"`
	Preview string               `json:"preview"`
	Ports   []corev1.ServicePort `json:"ports,omitempty"`
}

func (w *World) services() Part {
	part := Part{Name: "Services"}
	led := func(refs []v1alpha1.ServiceRef) (all []ledService) {
		for _, ref := range refs {
			s := ledService{Name: ref.Name, Preview: ref.PreviewName()}
			if svc := w.Services[ref.Name]; svc != nil {
				s.Ports = digest.Stable(svc.Spec.Ports)
			}
			all = append(all, s)
		}
		return all
	}
	var before []ledService
	if a := w.status().Active; a != nil {
		before = led(a.Services)
	}
	part.Changes = changes("services", before, led(w.Release.Spec.Services))
	return part
}

func (w *World) checks() Part {
	part := Part{Name: "Checks"}
	var before []v1alpha1.Check
	if a := w.status().Active; a != nil {
		before = a.AfterSwitch
	}
	now := w.Release.Spec.Checks
	if now == nil {
		now = &v1alpha1.Checks{}
	}
	part.Changes = changes("afterSwitch", before, now.AfterSwitch)
	if w.status().Active == nil {
		part.Changes = append(part.Changes, changes("beforeSwitch", nil, now.BeforeSwitch)...)
		return part
	}
	names := make([]string, 0, len(now.BeforeSwitch))
	for _, c := range now.BeforeSwitch {
		names = append(names, c.Name)
	}
	if len(names) > 0 {
		part.Says = append(part.Says, "before the switch it is tested by "+strings.Join(names, ", ")+"; those of what serves are not on record: kubectl get release "+w.Release.Name+" -n "+w.Release.Namespace+" -o jsonpath='{.spec.checks.beforeSwitch}'")
	}
	return part
}

func (w *World) config() Part {
	part, st := Part{Name: "ConfigMaps and Secrets"}, w.status()
	had := map[string]v1alpha1.ConfigCopy{}
	if st.Active != nil {
		for _, c := range st.Active.Config {
			had[string(c.Kind)+" "+c.Name] = c
		}
	}
	for _, c := range st.Candidate.Config {
		key := string(c.Kind) + " " + c.Name
		was, is := had[key]
		delete(had, key)
		if is && was.Hash == c.Hash && was.Absent == c.Absent {
			continue
		}
		part.Changes = append(part.Changes, w.contents(key, c, was)...)
	}
	for key, c := range had {
		part.Changes = append(part.Changes, Change{Path: key, Before: &c.Hash})
	}
	if w.Release.Spec.Config != nil && !w.Release.Spec.SnapshotsConfig() {
		part.Says = append(part.Says, "what they hold is not approved: config.snapshot is false, and it can change at any time")
	}
	return part
}

// contents is how a ConfigMap or Secret differs. What a Secret holds is never shown.
func (w *World) contents(key string, c, was v1alpha1.ConfigCopy) []Change {
	all := []Change{{Path: key, After: &c.Hash}}
	if was.Hash != "" {
		all[0].Before = &was.Hash
	}
	if now := w.ConfigMaps[c.Copy]; c.Kind == v1alpha1.ConfigMap && now != nil {
		var before any
		if then := w.ConfigMaps[was.Copy]; then != nil {
			before = then.Data
		}
		all = append(all, changes(key+" data", before, now.Data)...)
	}
	return all
}

// parameters that the status has of what serves.
type parameters struct {
	Irreversible          bool                    `json:"irreversible"`
	DeletionPolicy        v1alpha1.DeletionPolicy `json:"deletionPolicy"`
	ObserveSeconds        int32                   `json:"observeSeconds"`
	KeepIdleSeconds       *int32                  `json:"keepIdleSeconds"`
	ReadinessGraceSeconds *int32                  `json:"readinessGraceSeconds"`
}

func (w *World) parameters() Part {
	part, spec := Part{Name: "Parameters"}, &w.Release.Spec
	deletion := func(p v1alpha1.DeletionPolicy) v1alpha1.DeletionPolicy {
		if p == "" {
			return v1alpha1.RetainOnDeletion
		}
		return p
	}
	var before any
	if a := w.status().Active; a != nil {
		before = parameters{a.Irreversible, deletion(a.DeletionPolicy), a.ObserveSeconds, &a.KeepIdleSeconds, &a.ReadinessGraceSeconds}
	}
	part.Changes = changes("", before, parameters{spec.Irreversible, deletion(spec.DeletionPolicy), spec.ObserveSeconds, spec.KeepIdleSeconds, spec.ReadinessGraceSeconds})
	part.Says = append(part.Says, fmt.Sprintf("minReadySeconds is %d and progressDeadlineSeconds is %d, as approved with it", spec.MinReadySeconds, spec.ProgressDeadlineSeconds))
	return part
}

// demands are the policies that the digest covers against those that are in force.
func (w *World) demands() Part {
	part := Part{Name: "Policies"}
	covered, inForce, err := w.covered()
	switch {
	case err != nil:
		part.Says = []string{err.Error()}
	case len(inForce) == 0 && len(w.Unread) > 0:
		part.Says = []string{"the policies in force could not be read"}
	default:
		part.Changes = changes("", byName(covered), byName(inForce))
		part.Says = []string{"the digest covers those that are in force"}
		if len(part.Changes) > 0 {
			part.Says = []string{"before: what the digest covers; after: what is in force, and judged as well"}
		}
	}
	return part
}

func byName(policies []approval.Policy) map[string]approval.Policy {
	all := map[string]approval.Policy{}
	for _, p := range policies {
		all[p.Name] = p
	}
	return all
}

// covered are the policies that the candidate's digest covers, and those in force.
func (w *World) covered() (covered, inForce []approval.Policy, err error) {
	inForce = approval.Demands(approval.Applicable(w.Policies, w.Release.Namespace, w.Release.Spec.Approval))
	text := w.status().Candidate.Policies
	if text == "" {
		return inForce, inForce, nil
	}
	covered, err = approval.Thaw(text)
	return covered, inForce, err
}

// Text is the difference for a person.
func (d Diff) Text(style Style) string {
	p := &page{Style: style}
	p.line(cell{fmt.Sprintf("Release %s in namespace %s", d.Name, d.Namespace), strong})
	rows := [][]cell{{text("serves"), text("%s", orNothing(d.Serves))}}
	if !d.Proposed {
		p.table(rows)
		p.line(text("There is no candidate: what serves is the newest content, or nothing was applied yet."))
		p.notes(d.Notes)
		return p.String()
	}
	rows = append(rows, []cell{text("candidate"), text("%s", orNothing(d.Candidate))}, []cell{text("changed by"), text("%s", strings.Join(d.Authors, ", "))})
	p.table(rows)
	if d.Irreversible {
		p.line(cell{"  The candidate is marked irreversible: once it serves, nothing goes back from it by itself.", bad})
	}
	if d.Halted != "" {
		p.line(cell{fmt.Sprintf("  The candidate was given up (%s) and cannot be approved.", d.Halted), doubtful})
	}
	var same []string
	for _, part := range d.Parts {
		if len(part.Changes)+len(part.Says) > 0 {
			p.part(part)
		} else {
			same = append(same, part.Name)
		}
	}
	if len(same) > 0 && d.Serves != "" {
		p.section("The same as what serves")
		p.line(text("  %s", strings.Join(same, ", ")))
	}
	p.recomputed(d.Digest)
	p.notes(d.Notes)
	return p.String()
}

func orNothing(digest string) string {
	if digest == "" {
		return "nothing"
	}
	return digest
}

func (p *page) part(part Part) {
	p.section(part.Name)
	for _, c := range part.Changes {
		switch {
		case c.Before == nil:
			p.line(cell{fmt.Sprintf("  + %s: %s", c.Path, *c.After), good})
		case c.After == nil:
			p.line(cell{fmt.Sprintf("  - %s: %s", c.Path, *c.Before), bad})
		default:
			p.line(cell{fmt.Sprintf("  ~ %s: %s -> %s", c.Path, *c.Before, *c.After), doubtful})
		}
	}
	for _, says := range part.Says {
		p.sentences(says, plain)
	}
}

func (p *page) recomputed(r Recomputed) {
	p.section("Digest")
	switch {
	case r.Matches:
		p.line(cell{"  matches: computed here from what the API server has, it is the candidate's", good})
	case r.Computed != "":
		p.line(cell{"  DOES NOT MATCH: computed here from what the API server has, it is " + r.Computed, bad})
	default:
		p.line(cell{"  not computed here", doubtful})
	}
	for _, why := range r.Why {
		p.sentences(why, plain)
	}
}

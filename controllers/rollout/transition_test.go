// Copyright The Countersign Authors.
// SPDX-License-Identifier: Apache-2.0

package rollout_test

import (
	"fmt"
	"maps"
	"os"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/countersign/countersign/api/v1alpha1"
	"github.com/countersign/countersign/controllers/rollout"
	"k8s.io/apimachinery/pkg/util/intstr"
)

// transition is a change of one field of the spec.
type transition struct {
	change func(*v1alpha1.ReleaseSpec)
	// content is true when the change is a candidate that people have to agree to;
	// otherwise it takes effect at once, and nobody is asked.
	content bool
	// seen tells whether the changed world differs, but for what is on record.
	seen func(*world) bool
}

// transitions has one for every field. A field without one fails the test.
func transitions() map[string]transition {
	active := func(is func(*v1alpha1.ActiveStatus) bool) func(*world) bool {
		return func(w *world) bool { return is(w.rel.Status.Active) }
	}
	released := active(func(a *v1alpha1.ActiveStatus) bool { return a.Sequence == 2 })
	return map[string]transition{
		"replicas":        {func(s *v1alpha1.ReleaseSpec) { s.Replicas = ptr(int32(5)) }, false, func(w *world) bool { return w.serves().replicas == 5 }},
		"previewReplicas": {func(s *v1alpha1.ReleaseSpec) { s.PreviewReplicas = ptr(int32(1)) }, false, (*world).wouldPreview},
		"template": {func(s *v1alpha1.ReleaseSpec) { s.Template = template("v2") }, true, func(w *world) bool {
			return w.serves().template.Spec.Containers[0].Image == "v2"
		}},
		"services": {func(s *v1alpha1.ReleaseSpec) {
			s.Services = []v1alpha1.ServiceRef{{Name: "shop", Preview: "next", Ports: []v1alpha1.ServicePort{{Name: "http", Port: 80, TargetPort: &intstr.IntOrString{}}}}}
		}, true, func(w *world) bool {
			return w.services["next"] != nil && len(w.rel.Status.Active.Services[0].Ports) == 1
		}},
		"config": {func(s *v1alpha1.ReleaseSpec) { s.Config = &v1alpha1.ConfigSpec{Snapshot: ptr(false)} }, true, released},
		"checks": {func(s *v1alpha1.ReleaseSpec) {
			s.Checks = &v1alpha1.Checks{AfterSwitch: []v1alpha1.Check{check("live")}}
		}, true, active(func(a *v1alpha1.ActiveStatus) bool { return len(a.AfterSwitch) == 1 })},
		"disruptionBudget": {func(s *v1alpha1.ReleaseSpec) {
			s.DisruptionBudget = &v1alpha1.DisruptionBudget{MaxUnavailable: ptr(intstr.FromInt32(2))}
		}, false, func(w *world) bool { return w.budgetOfActive() == "2" }},
		"minReadySeconds":         {func(s *v1alpha1.ReleaseSpec) { s.MinReadySeconds = 7 }, true, released},
		"observeSeconds":          {func(s *v1alpha1.ReleaseSpec) { s.ObserveSeconds = 7 }, true, active(func(a *v1alpha1.ActiveStatus) bool { return a.ObserveSeconds == 7 })},
		"keepIdleSeconds":         {func(s *v1alpha1.ReleaseSpec) { s.KeepIdleSeconds = ptr(int32(7)) }, true, active(func(a *v1alpha1.ActiveStatus) bool { return a.KeepIdleSeconds == 7 })},
		"progressDeadlineSeconds": {func(s *v1alpha1.ReleaseSpec) { s.ProgressDeadlineSeconds = 70 }, true, released},
		"readinessGraceSeconds":   {func(s *v1alpha1.ReleaseSpec) { s.ReadinessGraceSeconds = ptr(int32(7)) }, true, active(func(a *v1alpha1.ActiveStatus) bool { return a.ReadinessGraceSeconds == 7 })},
		"approval": {func(s *v1alpha1.ReleaseSpec) {
			s.Approval = &v1alpha1.AddedApproval{Rules: []v1alpha1.ApprovalRule{{Name: "lead", Count: 1, Users: []string{"carol"}}}}
		}, true, released},
		"workloadRef":          {func(s *v1alpha1.ReleaseSpec) { s.WorkloadRef = &v1alpha1.WorkloadRef{Name: "legacy"} }, true, released},
		"irreversible":         {func(s *v1alpha1.ReleaseSpec) { s.Irreversible = true }, true, active(func(a *v1alpha1.ActiveStatus) bool { return a.Irreversible })},
		"deletionPolicy":       {func(s *v1alpha1.ReleaseSpec) { s.DeletionPolicy = v1alpha1.DeleteOnDeletion }, true, active(func(a *v1alpha1.ActiveStatus) bool { return a.DeletionPolicy == v1alpha1.DeleteOnDeletion })},
		"revisionHistoryLimit": {func(s *v1alpha1.ReleaseSpec) { s.RevisionHistoryLimit = ptr(int32(0)) }, false, func(w *world) bool { return len(w.records) == 0 }},
		"paused":               {func(s *v1alpha1.ReleaseSpec) { s.Paused = true }, false, func(w *world) bool { return w.condition(v1alpha1.ConditionPaused).Status == "True" }},
	}
}

// wouldPreview tells whether other content would be prepared with one Pod.
func (w *world) wouldPreview() bool {
	s := w.snapshot()
	s.Revision = "other"
	return slices.ContainsFunc(rollout.Decide(s).Actions, func(a rollout.Action) bool {
		m, is := a.(rollout.Materialise)
		return is && m.Replicas == 1
	})
}

// serves is the colour that does.
func (w *world) serves() *colour { return w.colours[w.rel.Status.Active.Colour] }

func (w *world) budgetOfActive() string {
	return w.workload(w.rel.Status.Active.Colour).Budget.MaxUnavailable
}

// fields of the spec as people write them.
func fields() (names []string) {
	spec := reflect.TypeFor[v1alpha1.ReleaseSpec]()
	for i := range spec.NumField() {
		name, _, _ := strings.Cut(spec.Field(i).Tag.Get("json"), ",")
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

// TestTransitions changes each field of a Release that serves and rests, and changes
// it back: the world is what it was, but for what is on record of it.
func TestTransitions(t *testing.T) {
	all := transitions()
	if want := slices.Sorted(maps.Keys(all)); !slices.Equal(fields(), want) {
		t.Fatalf("the spec has the fields %q, and there are transitions of %q", fields(), want)
	}
	for name, tr := range all {
		t.Run(name, func(t *testing.T) {
			w := serving(t)
			w.pass(2 * time.Hour)
			before, spec := w.picture(), *w.rel.Spec.DeepCopy()
			w.become(tr, func(s *v1alpha1.ReleaseSpec) { tr.change(s) })
			if !tr.seen(w) {
				t.Errorf("the change is not to be seen: %s", w.picture())
			}
			w.become(tr, func(s *v1alpha1.ReleaseSpec) { *s = spec })
			if tr.seen(w) {
				t.Error("the change is still to be seen after it was changed back")
			}
			if after := w.picture(); after != before {
				t.Errorf("changed and changed back, it is another world:\n%s\nand was\n%s", after, before)
			}
		})
	}
}

// become brings a change to its end, with everybody's good will.
func (w *world) become(tr transition, change func(*v1alpha1.ReleaseSpec)) {
	w.t.Helper()
	epoch := w.rel.Status.Epoch
	w.respec(change)
	w.run()
	if asked := w.rel.Status.Candidate != nil; asked != tr.content {
		w.t.Fatalf("people are asked: %t, want %t", asked, tr.content)
	}
	if tr.content {
		w.approve("bob")
		w.approve("carol")
		w.run()
	}
	w.pass(3 * time.Hour)
	if switched := w.rel.Status.Epoch != epoch; switched != tr.content {
		w.t.Errorf("traffic was switched: %t, want %t; it waits for %s", switched, tr.content, w.rel.Status.WaitingFor)
	}
}

// picture is what serves and what there is, without the names of the colours and
// what counts up.
func (w *world) picture() string {
	a, out := w.rel.Status.Active, &strings.Builder{}
	content := a.Content
	content.Colour, content.Digest, content.Sequence = "", "", 0
	fmt.Fprintf(out, "%s %s\n%+v\n", w.rel.Status.Phase, w.rel.Status.WaitingFor, content)
	for _, c := range []v1alpha1.Colour{a.Colour, a.Colour.Other()} {
		m := w.colours[c]
		fmt.Fprintf(out, "active=%t: %d Pods", c == a.Colour, m.replicas)
		if c == a.Colour {
			fmt.Fprintf(out, " of %+v, budget %+v", m.template, w.workload(c).Budget.MaxUnavailable)
		}
		fmt.Fprintln(out)
	}
	for _, name := range slices.Sorted(maps.Keys(w.services)) {
		svc := w.services[name]
		fmt.Fprintf(out, "%s: preview=%t active=%t %v\n", name, svc.preview, svc.selector[v1alpha1.ColourLabel] == string(a.Colour), svc.ports)
	}
	for _, c := range w.rel.Status.Conditions {
		fmt.Fprintf(out, "%s=%s %s\n", c.Type, c.Status, c.Reason)
	}
	return out.String()
}

// TestTransitionsAreDocumented: people find what a change of each field does.
func TestTransitionsAreDocumented(t *testing.T) {
	raw, err := os.ReadFile("../../docs/operations.md")
	if err != nil {
		t.Fatal(err)
	}
	for name, tr := range transitions() {
		effect := "at once"
		if tr.content {
			effect = "content"
		}
		if row := fmt.Sprintf("| `%s` | %s |", name, effect); !strings.Contains(string(raw), row) {
			t.Errorf("docs/operations.md has no row that begins with %q", row)
		}
	}
}

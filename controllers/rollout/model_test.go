// Copyright The Countersign Authors.
// SPDX-License-Identifier: Apache-2.0

package rollout_test

import (
	"fmt"
	"maps"
	"reflect"
	"strings"

	"github.com/countersign/countersign/api/v1alpha1"
	"github.com/countersign/countersign/controllers/rollout"
	"github.com/countersign/countersign/controllers/snapshot"
	corev1 "k8s.io/api/core/v1"
)

// run decides and acts until there is nothing left to do. It has to come to an
// end by itself: a quiet world gets no writes (I13).
func (w *world) run() {
	w.t.Helper()
	for range 25 {
		if !w.step() {
			w.quiet()
			return
		}
	}
	w.t.Fatalf("it does not come to rest; the last actions: %v", w.did[max(0, len(w.did)-6):])
}

// step decides once, commits and acts, and tells whether that did anything.
func (w *world) step() bool {
	w.t.Helper()
	s := w.snapshot()
	d := rollout.Decide(s)
	w.last = d
	w.examine(s, d)
	idle := len(d.Actions) == 0 && reflect.DeepEqual(s.Release.Status, d.Status)
	w.rel.Status = *d.Status.DeepCopy()
	for _, n := range d.Notices {
		w.told = append(w.told, n.Reason)
		coverage.notice(n.Reason)
	}
	idle = !w.probe(d.Checks) && idle
	for _, a := range d.Actions {
		w.permitted(s, d, a)
		if !w.carry(a) {
			break
		}
	}
	if sw := w.rel.Status.Switch; sw != nil && sw.Reason.Promotes() && sw.CancelledAt == nil {
		w.promoted[sw.To.Digest] = true
	}
	return !idle
}

// probe lets the declared checks find what they find, and tells whether that is
// news.
func (w *world) probe(runs []rollout.CheckRun) bool {
	var results []rollout.CheckResult
	for _, r := range runs {
		state := w.outcomes[r.Check.Name]
		if state == "" {
			state = v1alpha1.CheckPassed
		}
		found := rollout.CheckResult{Stage: r.Stage, Name: r.Check.Name, Digest: r.Digest, Round: r.Round, State: state, Message: "as told", At: w.now}
		for _, had := range w.results {
			if had.Stage == found.Stage && had.Name == found.Name && had.Digest == found.Digest && had.State == found.State {
				found.At = had.At
			}
		}
		results = append(results, found)
	}
	news := !reflect.DeepEqual(results, w.results)
	w.results = results
	return news
}

// carry does what package act does, and tells whether to go on.
func (w *world) carry(a rollout.Action) bool {
	switch a := a.(type) {
	case rollout.KeepBudget, rollout.DropBudget, rollout.SurrenderBudget:
		return w.writeBudget(a)
	case rollout.KeepContent, rollout.DropKept:
		return w.writeKept(a)
	}
	w.did = append(w.did, spell(a))
	switch a := a.(type) {
	case rollout.AddFinalizer:
		w.rel.Finalizers = []string{v1alpha1.Finalizer}
	case rollout.RemoveFinalizer:
		w.rel.Finalizers = nil
	case rollout.Materialise:
		return w.materialise(a)
	case rollout.CopyConfig, rollout.MarkConfig, rollout.DropConfig, rollout.SurrenderConfig:
		return w.writeConfig(a)
	case rollout.StartJob, rollout.DropJob:
		return w.writeJob(a)
	case rollout.Scale:
		m := w.colours[a.Colour]
		return w.fresh(m.version, a.ResourceVersion) && w.touch(&m.version, func() { m.replicas = a.Replicas; m.missing = min(m.missing, a.Replicas) })
	case rollout.Restart:
		m := w.colours[a.Colour]
		return w.fresh(m.version, a.ResourceVersion) && w.touch(&m.version, func() { m.numbered(a.Number) })
	case rollout.Claim:
		svc := w.services[a.Service]
		return w.fresh(svc.version, a.ResourceVersion) && w.touch(&svc.version, func() {
			svc.owner, svc.epoch = "shop", a.Epoch
			if a.Park {
				svc.selector = ours(v1alpha1.ColourNone)
			}
			if a.Back != nil {
				svc.selector = a.Back
			}
		})
	case rollout.MakeService:
		return w.makeService(a)
	case rollout.MarkService:
		svc := w.services[a.Service]
		return w.fresh(svc.version, a.ResourceVersion) && w.touch(&svc.version, func() { svc.deletable = a.Deletable })
	case rollout.PointPreview:
		return w.pointPreview(a)
	case rollout.ShiftTraffic:
		return w.write(a.Services, a.Epoch, ours(string(a.To)))
	case rollout.Fence:
		return w.write(a.Services, a.Epoch, nil)
	case rollout.DrainOrigin:
		return w.fresh(w.origin.version, a.ResourceVersion) && w.touch(&w.origin.version, func() { w.origin.replicas = 0 })
	case rollout.Sweep:
		for _, key := range a.Annotations {
			delete(w.rel.Annotations, key)
		}
	case rollout.Surrender:
		if a.Service != "" {
			w.services[a.Service].owner, w.services[a.Service].epoch = "", 0
		} else {
			w.colours[a.Colour].foreign = true
		}
	case rollout.Remove:
		if a.Preview != "" {
			delete(w.services, a.Preview)
		} else {
			w.colours[a.Colour] = &colour{}
		}
	}
	return true
}

func ours(colour string) map[string]string {
	return map[string]string{v1alpha1.ReleaseLabel: "shop", v1alpha1.ColourLabel: colour}
}

func (w *world) fresh(have int, read string) bool { return fmt.Sprint(have) == read }

func (w *world) touch(version *int, change func()) bool {
	w.version++
	*version = w.version
	change()
	return true
}

func (w *world) materialise(a rollout.Materialise) bool {
	m := w.colours[a.Colour]
	switch {
	case a.ResourceVersion == "" && (m.exists || m.leaving):
		return false
	case a.ResourceVersion != "" && !w.fresh(m.version, a.ResourceVersion):
		return false
	}
	return w.touch(&m.version, func() {
		m.exists, m.revision, m.replicas, m.missing = true, a.Revision, a.Replicas, 0
		m.template = *w.rel.Spec.Template.DeepCopy()
		if a.Template != nil {
			m.template = *a.Template.DeepCopy()
		}
		snapshot.Rewrite(&m.template, a.Config)
		m.template.Spec.RestartPolicy = corev1.RestartPolicyAlways
		if m.older = 0; a.Restarts > 0 {
			m.template.Annotations = map[string]string{v1alpha1.RestartsAnnotation: fmt.Sprint(a.Restarts)}
		}
	})
}

// numbered makes the Pods anew, by a number in the template.
func (m *colour) numbered(restart int64) {
	m.template = *m.template.DeepCopy()
	if m.template.Annotations == nil {
		m.template.Annotations = map[string]string{}
	}
	m.template.Annotations[v1alpha1.RestartsAnnotation] = fmt.Sprint(restart)
	if m.older = 0; m.stubborn {
		m.older = m.replicas
	}
}

func (w *world) pointPreview(a rollout.PointPreview) bool {
	svc := w.services[a.Preview]
	if a.Exists != (svc != nil) {
		return false
	}
	if svc == nil {
		svc = w.addService(a.Preview)
		svc.owner, svc.preview = "shop", true
	}
	return w.touch(&svc.version, func() { svc.selector, svc.ports = ours(string(a.Colour)), a.Ports })
}

func (w *world) makeService(a rollout.MakeService) bool {
	if w.services[a.Service] != nil {
		return false
	}
	svc := w.addService(a.Service)
	svc.owner, svc.selector, svc.ports = "shop", ours(v1alpha1.ColourNone), a.Ports
	if w.unwanted[a.Service] {
		delete(w.services, a.Service)
	}
	return true
}

// write is one write for each Service, each refused when the Service changed or
// its epoch does not grow, as the admission policy has it.
func (w *world) write(writes []rollout.ServiceWrite, epoch int64, selector map[string]string) bool {
	for _, write := range writes {
		svc := w.services[write.Name]
		if svc == nil || !w.fresh(svc.version, write.ResourceVersion) || w.writes == 0 {
			return false
		}
		if epoch <= svc.epoch {
			w.t.Errorf("I5: Service %s has epoch %d and is written with %d", write.Name, svc.epoch, epoch)
		}
		w.writes--
		w.touch(&svc.version, func() {
			svc.epoch = epoch
			if selector != nil {
				svc.selector, svc.owner = selector, "shop"
			}
			if write.Back != nil {
				svc.selector = write.Back
			}
		})
	}
	return true
}

// follow brings the endpoints to the selectors.
func (w *world) follow() {
	if w.lag {
		return
	}
	for _, svc := range w.services {
		svc.endpoints = rollout.Endpoints{Other: svc.others}
		if w.origin != nil && selects(svc.selector, w.origin.template.Labels) {
			svc.endpoints.Other += int(w.origin.ready())
		}
		for c, m := range w.colours {
			labels := map[string]string{v1alpha1.ReleaseLabel: "shop", v1alpha1.ColourLabel: string(c), "app": m.template.Labels["app"]}
			if !selects(svc.selector, labels) {
				continue
			}
			if c == blue {
				svc.endpoints.Blue = int(m.ready())
			} else {
				svc.endpoints.Green = int(m.ready())
			}
		}
	}
}

func selects(selector, labels map[string]string) bool {
	for k, v := range selector {
		if labels[k] != v {
			return false
		}
	}
	return len(selector) > 0
}

// read is a Service and its preview as package observe reads them.
func (w *world) read(ref v1alpha1.ServiceRef) rollout.Service {
	out := rollout.Service{Name: ref.Name, Preview: rollout.Preview{Name: ref.PreviewName()}}
	if svc := w.services[ref.Name]; svc != nil && svc.leaving {
		out.ResourceVersion = fmt.Sprint(svc.version)
	} else if svc != nil {
		out.Exists, out.Owner, out.Unsupported = true, svc.owner, svc.unsupported
		out.ResourceVersion, out.Selector, out.Epoch = fmt.Sprint(svc.version), svc.selector, svc.epoch
		out.Deletable = svc.deletable
		out.Colour, out.Parked = leadsTo(svc.selector)
		if led := w.rel.Status.Origin.Selector(ref.Name); led != nil && maps.Equal(led, svc.selector) {
			out.Colour = v1alpha1.Origin
		}
		out.Ports, out.Endpoints = svc.ports, svc.endpoints
	}
	if pv := w.services[ref.PreviewName()]; pv != nil {
		out.Preview.Exists, out.Preview.Foreign = true, !pv.preview
		out.Preview.ResourceVersion, out.Preview.Selector = fmt.Sprint(pv.version), pv.selector
		out.Preview.Colour, _ = leadsTo(pv.selector)
		out.Preview.Ports, out.Preview.Endpoints = pv.ports, pv.endpoints
	}
	return out
}

func leadsTo(selector map[string]string) (v1alpha1.Colour, bool) {
	if len(selector) != 2 || selector[v1alpha1.ReleaseLabel] != "shop" {
		return "", false
	}
	c := selector[v1alpha1.ColourLabel]
	if c == v1alpha1.ColourNone {
		return "", true
	}
	return v1alpha1.Colour(c), false
}

// spell names an action as scenarios write it.
func spell(a rollout.Action) string {
	kind := strings.TrimPrefix(fmt.Sprintf("%T", a), "rollout.")
	switch a := a.(type) {
	case rollout.Claim:
		if a.Park {
			return fmt.Sprintf("Park %s", a.Service)
		}
		if a.Back != nil {
			return fmt.Sprintf("LeadBack %s", a.Service)
		}
		return fmt.Sprintf("Claim %s", a.Service)
	case rollout.MakeService:
		return "MakeService " + a.Service
	case rollout.Materialise:
		return fmt.Sprintf("Materialise %s %d", a.Colour, a.Replicas)
	case rollout.StartJob:
		return "StartJob " + a.Check.Name
	case rollout.DropJob:
		return "DropJob"
	case rollout.Scale:
		return fmt.Sprintf("Scale %s %d", a.Colour, a.Replicas)
	case rollout.Restart:
		return fmt.Sprintf("Restart %s %d", a.Colour, a.Number)
	case rollout.MarkService:
		return fmt.Sprintf("Mark %s %t", a.Service, a.Deletable)
	case rollout.PointPreview:
		return fmt.Sprintf("PointPreview %s %s", a.Preview, a.Colour)
	case rollout.ShiftTraffic:
		return fmt.Sprintf("Shift %s epoch %d", a.To, a.Epoch)
	case rollout.Fence:
		return fmt.Sprintf("Fence epoch %d", a.Epoch)
	case rollout.Surrender:
		return "Surrender " + a.Service + string(a.Colour)
	case rollout.CopyConfig:
		return "CopyConfig " + a.Name
	case rollout.MarkConfig:
		return fmt.Sprintf("MarkConfig %s %t", a.Name, a.Unused)
	case rollout.DropConfig:
		return "DropConfig " + a.Name
	case rollout.SurrenderConfig:
		return "SurrenderConfig " + a.Name
	case rollout.Remove:
		return "Remove " + a.Preview + string(a.Colour)
	}
	return kind
}

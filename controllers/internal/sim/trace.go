// Copyright The Countersign Authors.
// SPDX-License-Identifier: Apache-2.0

package sim

import (
	"fmt"
	"maps"
	"runtime/debug"
	"slices"
	"strings"

	"github.com/countersign/countersign/api/v1alpha1"
	appsv1 "k8s.io/api/apps/v1"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	policyv1 "k8s.io/api/policy/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// asDefect is what a panic says of a simulation.
func asDefect(s *sim, p any) *defect {
	if d, is := p.(*defect); is {
		return d
	}
	return &defect{Seed: s.seed, Step: s.steps, Invariant: "no panic", Message: fmt.Sprintf("%v\n%s", p, debug.Stack())}
}

// trace is the last lines of what happened, all of it when lines is 0.
func (s *sim) trace(lines int) string {
	type line struct {
		version int64
		text    string
	}
	var all []line
	for _, n := range s.notes {
		all = append(all, line{n.version, fmt.Sprintf("%4d        -- %s", n.step, n.text)})
	}
	for _, r := range s.server.history {
		if text := describe(r); text != "" {
			all = append(all, line{r.version, fmt.Sprintf("%4d %s %-22s %s %s", r.step, r.at.Format("15:04:05"), r.actor, r.key, text)})
		}
	}
	// Notes stand after the write that they followed.
	slices.SortStableFunc(all, func(a, b line) int {
		if a.version != b.version {
			return int(a.version - b.version)
		}
		return strings.Compare(map[bool]string{true: "1"}[strings.Contains(a.text, "-- ")], map[bool]string{true: "1"}[strings.Contains(b.text, "-- ")])
	})
	if lines > 0 && len(all) > lines {
		all = all[len(all)-lines:]
	}
	var b strings.Builder
	for _, l := range all {
		b.WriteString(l.text + "\n")
	}
	return b.String()
}

// describe says what a write changed; empty when it is of no interest.
func describe(r record) string {
	if r.after == nil {
		return "is gone"
	}
	if r.verb == verbDelete || r.after.GetDeletionTimestamp() != nil && (r.before == nil || r.before.GetDeletionTimestamp() == nil) {
		return "is to be deleted"
	}
	was := ""
	if r.before != nil {
		was = digestOf(r.before)
	}
	now := digestOf(r.after)
	if was == now {
		return ""
	}
	return now
}

// digestOf is an object in one line.
func digestOf(o client.Object) string {
	switch o := o.(type) {
	case *v1alpha1.Release:
		return releaseLine(o)
	case *v1alpha1.ApprovalPolicy:
		return fmt.Sprintf("rules %v authors %t valid %s persons %d least %d hold %q windows %t glass %t", o.Spec.Rules, o.Spec.AuthorsMayApprove,
			o.Spec.ValidFor.Duration, len(o.Spec.Persons), o.Spec.MinDistinctPersons, o.Spec.Hold, o.Spec.Windows != nil, o.Spec.BreakGlass != nil)
	case *appsv1.Deployment:
		return fmt.Sprintf("%s x%d ready %d/%d available %d labels %v", o.Spec.Template.Spec.Containers[0].Image, *o.Spec.Replicas,
			o.Status.ReadyReplicas, o.Status.Replicas, o.Status.AvailableReplicas, labelled(o))
	case *corev1.Pod:
		return fmt.Sprintf("%s ready %t", imageOf(o), ready(o))
	case *corev1.Service:
		return fmt.Sprintf("selects %v epoch %q ours %t", short(o.Spec.Selector), epochText(o), labelled(o))
	case *batchv1.Job:
		return fmt.Sprintf("%.19s asks %s ended %v", o.Annotations[v1alpha1.DigestAnnotation], environment(o, v1alpha1.EnvAddresses), o.Status.Conditions)
	case *appsv1.ControllerRevision:
		return fmt.Sprintf("%.19s", o.Annotations[v1alpha1.DigestAnnotation])
	case *discoveryv1.EndpointSlice:
		var pods []string
		for _, ep := range o.Endpoints {
			pods = append(pods, fmt.Sprintf("%s %t", ep.TargetRef.Name, *ep.Conditions.Ready))
		}
		return fmt.Sprint(pods)
	case *policyv1.PodDisruptionBudget:
		return fmt.Sprintf("maxUnavailable %s of %v ours %t", o.Spec.MaxUnavailable, o.Spec.Selector.MatchLabels, labelled(o))
	}
	return ""
}

func short(selector map[string]string) string {
	var out []string
	for _, k := range slices.Sorted(maps.Keys(selector)) {
		out = append(out, strings.TrimPrefix(k, "countersign.dev/")+"="+selector[k])
	}
	return strings.Join(out, ",")
}

func releaseLine(o *v1alpha1.Release) string {
	st := o.Status
	out := fmt.Sprintf("gen %d %s x%d", o.Generation, o.Spec.Template.Spec.Containers[0].Image, *o.Spec.Replicas)
	for _, slot := range slotsOf(o) {
		value := o.Annotations[v1alpha1.VotePrefix+slot]
		out += fmt.Sprintf(" %s:%.18s", slot, value)
	}
	out += fmt.Sprintf(" | %s epoch %d", st.Phase, st.Epoch)
	if a := st.Active; a != nil {
		out += fmt.Sprintf(" active %s %.12s finished %t", a.Colour, a.Digest, a.FinishedAt != nil)
	}
	if f := st.Former; f != nil {
		out += fmt.Sprintf(" former %s", f.Colour)
	}
	if c := st.Candidate; c != nil {
		out += fmt.Sprintf(" candidate %d %s %.12s %s ready %t tested %t on %d approvals %s", c.Sequence, c.Colour, c.Digest, c.Size, c.ReadyAt != nil, c.TestedAt != nil, c.TestedReplicas, st.Approvals)
		if c.Halted != nil {
			out += " halted " + c.Halted.Reason
		}
	}
	if sw := st.Switch; sw != nil {
		out += fmt.Sprintf(" switch %d %s to %s patched %t settled %t cancelled %t", sw.Epoch, sw.Reason, sw.To.Colour,
			sw.PatchedAt != nil, sw.SettledAt != nil, sw.CancelledAt != nil)
	}
	if c := conditionOf(&st, v1alpha1.ConditionStalled); c != nil {
		out += " stalled " + c.Reason
	}
	return out
}

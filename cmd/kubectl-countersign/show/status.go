// Copyright The Countersign Authors.
// SPDX-License-Identifier: Apache-2.0

package show

import (
	"fmt"
	"slices"
	"strings"

	"github.com/countersign/countersign/api/v1alpha1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// Roles of a colour.
const (
	RoleServes    = "serves"
	RoleCandidate = "candidate"
	RoleFormer    = "former"
	RoleIdle      = "idle"
)

// Status is how a Release stands.
type Status struct {
	Name       string         `json:"name"`
	Namespace  string         `json:"namespace"`
	Phase      v1alpha1.Phase `json:"phase,omitempty"`
	WaitingFor string         `json:"waitingFor,omitempty"`
	Approvals  string         `json:"approvals,omitempty"`
	// Colours, what serves first.
	Colours []Colour               `json:"colours"`
	Checks  []v1alpha1.CheckStatus `json:"checks,omitempty"`
	Votes   []v1alpha1.VoteStatus  `json:"votes,omitempty"`
	// Because is what the operator says about where the Release stands.
	Because string `json:"because,omitempty"`
	// Wrong is true when Because is about something that people have to mend.
	Wrong bool      `json:"wrong,omitempty"`
	Next  []Command `json:"next,omitempty"`
	Notes []string  `json:"notes,omitempty"`
}

// Colour is a colour and what it holds.
type Colour struct {
	Colour v1alpha1.Colour `json:"colour"`
	Role   string          `json:"role"`
	Digest string          `json:"digest,omitempty"`
	// Sequence number of the content.
	Sequence int64    `json:"sequence,omitempty"`
	Authors  []string `json:"authors,omitempty"`
	// Ready of Replicas Pods are. Unset if the Deployment could not be read.
	Ready    *int32 `json:"ready,omitempty"`
	Replicas *int32 `json:"replicas,omitempty"`
	// Services that lead to it, as their selectors say.
	Services []string `json:"services,omitempty"`
	// About says since when, and until when, it holds what it does.
	About string `json:"about,omitempty"`
}

// Command is one that can be run next.
type Command struct {
	Line string `json:"line"`
	For  string `json:"for"`
}

// StatusOf is how the Release stands.
func StatusOf(w *World) Status {
	st := w.status()
	s := Status{
		Name: w.Release.Name, Namespace: w.Release.Namespace, Phase: st.Phase, WaitingFor: st.WaitingFor, Approvals: st.Approvals,
		Colours: w.colours(), Checks: st.Checks, Votes: st.Votes, Next: next(&w.Release, "status"), Notes: append(older(&w.Release), w.Unread...),
	}
	s.Because, s.Wrong = because(&w.Release)
	return s
}

// colours are those that hold something, what serves first.
func (w *World) colours() (all []Colour) {
	st := w.status()
	if o := st.KeptOrigin(); o != nil && st.Active == nil {
		all = append(all, Colour{Colour: v1alpha1.Origin, Role: RoleServes, About: "Deployment " + o.Name + ", from before the Release"})
	}
	if a := st.Active; a != nil {
		about := fmt.Sprintf("epoch %d, since %s", a.Epoch, clock(a.Since.Time))
		if a.FinishedAt == nil {
			about += ", watched"
		}
		all = append(all, w.colour(RoleServes, a.Colour, a.Digest, a.Sequence, a.Authors, about))
	}
	if f := st.Former; f != nil {
		about := "kept for going back while what serves is watched"
		if f.KeepUntil != nil {
			about = "kept for going back until " + clock(f.KeepUntil.Time)
		}
		all = append(all, w.colour(RoleFormer, f.Colour, f.Digest, f.Sequence, f.Authors, about))
	}
	if c := st.Candidate; c != nil {
		about := "since " + clock(c.Since.Time)
		if c.Halted != nil {
			about = fmt.Sprintf("given up at %s (%s)", clock(c.Halted.At.Time), c.Halted.Reason)
		} else if st.Former != nil && st.Former.Colour == c.Colour {
			about += ", prepared when " + string(c.Colour) + " is not needed for going back"
		}
		all = append(all, w.colour(RoleCandidate, c.Colour, c.Digest, c.Sequence, c.Authors, about))
	}
	if st.Active != nil && len(all) == 1 {
		all = append(all, w.colour(RoleIdle, st.Active.Colour.Other(), "", 0, nil, ""))
	}
	return all
}

func (w *World) colour(role string, c v1alpha1.Colour, digest string, sequence int64, authors []string, about string) Colour {
	out := Colour{Colour: c, Role: role, Digest: digest, Sequence: sequence, Authors: authors, About: about}
	if d := w.Deployments[c]; d != nil {
		replicas := int32(1)
		if d.Spec.Replicas != nil {
			replicas = *d.Spec.Replicas
		}
		out.Ready, out.Replicas = &d.Status.ReadyReplicas, &replicas
	}
	for _, ref := range w.Release.Spec.Services {
		for _, name := range []string{ref.Name, ref.PreviewName()} {
			if svc := w.Services[name]; svc != nil && svc.Spec.Selector[v1alpha1.ColourLabel] == string(c) && svc.Spec.Selector[v1alpha1.ReleaseLabel] == w.Release.Name {
				out.Services = append(out.Services, name)
			}
		}
	}
	return out
}

// because is the condition that says most about where the Release stands.
func because(rel *v1alpha1.Release) (message string, wrong bool) {
	is := func(kind string, status metav1.ConditionStatus) *metav1.Condition {
		if c := meta.FindStatusCondition(rel.Status.Conditions, kind); c != nil && c.Status == status {
			return c
		}
		return nil
	}
	if c := is(v1alpha1.ConditionStalled, metav1.ConditionTrue); c != nil {
		return c.Message, true
	}
	available := is(v1alpha1.ConditionAvailable, metav1.ConditionFalse)
	if available != nil && rel.Status.Active != nil {
		return available.Message, true
	}
	if c := is(v1alpha1.ConditionReady, metav1.ConditionFalse); c != nil && rel.Status.Phase != v1alpha1.PhaseAwaitingApproval {
		return c.Message, false
	}
	if rel.Status.Candidate != nil && rel.Status.Phase != v1alpha1.PhaseObserving {
		if c := meta.FindStatusCondition(rel.Status.Conditions, v1alpha1.ConditionApproved); c != nil {
			return c.Message, false
		}
	}
	if c := meta.FindStatusCondition(rel.Status.Conditions, v1alpha1.ConditionReady); c != nil {
		return c.Message, false
	}
	return "the operator has not looked at it yet; see whether it runs: kubectl get deployments -n countersign-system", true
}

func condition(rel *v1alpha1.Release, kind, reason string) bool {
	c := meta.FindStatusCondition(rel.Status.Conditions, kind)
	return c != nil && c.Reason == reason
}

// Line is a command of the plugin about a Release.
func Line(rel *v1alpha1.Release, verb string, more ...string) string {
	return strings.Join(append([]string{"kubectl countersign", verb, rel.Name, "-n", rel.Namespace}, more...), " ")
}

// next are the commands that help from where the Release stands, but for the one that
// was just run.
func next(rel *v1alpha1.Release, just string) (commands []Command) {
	add := func(verb, why string) {
		if verb != just {
			commands = append(commands, Command{Line(rel, verb), why})
		}
	}
	st := &rel.Status
	c := st.Candidate
	vetoed := condition(rel, v1alpha1.ConditionStalled, v1alpha1.ReasonRejected)
	frozen := condition(rel, v1alpha1.ConditionApproved, v1alpha1.ReasonGateFrozen)
	if frozen {
		add("doctor", "what of the gate is not intact")
	}
	if c != nil && c.Digest != "" && c.Halted != nil {
		add("diff", "how what was given up differs from what serves")
	}
	if c != nil && c.Digest != "" && c.Halted == nil {
		add("diff", "what would be approved")
		add("explain", "why each vote counts or not, and who could still approve")
		if vetoed {
			add("withdraw", "for who rejects it, to take that back")
		}
		if !frozen && !vetoed && !condition(rel, v1alpha1.ConditionApproved, v1alpha1.ReasonQuorumMet) {
			add("approve", "to let it through")
			add("reject", "to keep it out")
		}
	}
	if c != nil && c.Halted != nil && c.Halted.Retryable() {
		add("retry", "to try it again as it is")
	}
	if rel.Spec.Paused {
		add("resume", "to go on")
	}
	if st.Former != nil || (st.Active != nil && st.KeptOrigin() != nil) {
		add("rollback", "to go back, at once")
	} else if slices.ContainsFunc(st.Kept, func(k v1alpha1.KeptContent) bool { return st.KeptRequest(k) != "" }) {
		add("history", "what can be gone back to")
	}
	return commands
}

// older says what the status lacks that an operator of this version writes.
func older(rel *v1alpha1.Release) (notes []string) {
	missing := func(field string) {
		notes = append(notes, "status."+field+" is missing: the operator or its CustomResourceDefinition is older than this plugin, which can show less of it; update both: kubectl apply --server-side -k config/default")
	}
	st := &rel.Status
	switch c := st.Candidate; {
	case st.ObservedGeneration == 0 && len(st.Conditions) > 0:
		missing("observedGeneration")
	case c != nil && c.Digest != "" && c.Halted == nil && c.Size == "":
		missing("candidate.size")
	case st.Active != nil && st.Active.FinishedAt != nil && st.Active.Failed == "" && len(st.Kept) == 0 && rel.Spec.RevisionHistoryLimit == nil:
		missing("kept")
	}
	if st.ObservedGeneration != 0 && st.ObservedGeneration < rel.Generation {
		notes = append(notes, "the operator has not looked at the newest spec yet; if this stays, see whether it runs: kubectl get deployments -n countersign-system")
	}
	return notes
}

// Text is the status for a person.
func (s Status) Text(style Style) string {
	p := &page{Style: style}
	phase := cell{string(s.Phase), good}
	switch {
	case s.Wrong:
		phase.tone = bad
	case s.WaitingFor != "":
		phase.tone = doubtful
	}
	p.line(cell{fmt.Sprintf("Release %s in namespace %s:", s.Name, s.Namespace), strong}, phase)
	if s.WaitingFor != "" {
		p.line(text("It waits for %s.", s.WaitingFor))
	}
	p.text.WriteByte('\n')
	p.colours(s.Colours)
	p.checks(s.Checks)
	p.votes(s.Votes, s.Approvals)
	p.section("Why it stands there")
	reason := plain
	if s.Wrong {
		reason = bad
	}
	p.sentences(s.Because, reason)
	p.commands(s.Next)
	p.notes(s.Notes)
	return p.String()
}

func (p *page) colours(colours []Colour) {
	if len(colours) == 0 {
		p.line(text("  Nothing serves, and there is no candidate yet."))
		return
	}
	var rows [][]cell
	for _, c := range colours {
		role := cell{c.Role, plain}
		switch c.Role {
		case RoleServes:
			role.tone = good
		case RoleCandidate:
			role.tone = doubtful
		}
		rows = append(rows, []cell{{"[" + string(c.Colour) + "]", strong}, role, text("%s", p.held(c)), text("%s", pods(c)), text("%s", led(c))})
	}
	p.table(rows)
	for _, c := range colours {
		about := []string{}
		if c.Sequence > 0 {
			about = append(about, fmt.Sprintf("content %d", c.Sequence))
		}
		if len(c.Authors) > 0 {
			about = append(about, "by "+strings.Join(c.Authors, ", "))
		}
		if c.About != "" {
			about = append(about, c.About)
		}
		if len(about) > 0 {
			p.line(text("  %s: %s", c.Colour, strings.Join(about, ", ")))
		}
	}
}

func (p *page) held(c Colour) string {
	if c.Role == RoleIdle || c.Colour == v1alpha1.Origin {
		return "-"
	}
	return p.digest(c.Digest)
}

func pods(c Colour) string {
	if c.Replicas == nil {
		return "-"
	}
	return fmt.Sprintf("%d/%d Pods ready", *c.Ready, *c.Replicas)
}

func led(c Colour) string {
	if len(c.Services) == 0 {
		return ""
	}
	return "<-- Service " + strings.Join(c.Services, ", ")
}

func (p *page) checks(checks []v1alpha1.CheckStatus) {
	if len(checks) == 0 {
		return
	}
	p.section("Checks")
	tones := map[v1alpha1.CheckState]tone{v1alpha1.CheckPassed: good, v1alpha1.CheckFailed: bad, v1alpha1.CheckInconclusive: doubtful}
	stages := map[v1alpha1.CheckStage]string{v1alpha1.StageBeforeSwitch: "before the switch", v1alpha1.StageAfterSwitch: "after the switch"}
	var rows [][]cell
	for _, c := range checks {
		rows = append(rows, []cell{{string(c.State), tones[c.State]}, text("%s", c.Name), text("%s", stages[c.Stage]), text("%s", p.digest(c.Digest)), text("%s", c.Message)})
	}
	p.table(rows)
}

func (p *page) votes(votes []v1alpha1.VoteStatus, approvals string) {
	if len(votes) == 0 && approvals == "" {
		return
	}
	title := "Votes"
	if approvals != "" {
		title += ": " + approvals
	}
	p.section(title)
	if len(votes) == 0 {
		p.line(text("  Nobody has voted."))
	}
	var rows [][]cell
	for _, v := range votes {
		rows = append(rows, voteRow(v))
	}
	p.table(rows)
}

func voteRow(v v1alpha1.VoteStatus) []cell {
	counts := cell{"does not count", doubtful}
	if v.Counted {
		counts = cell{"counts", good}
	}
	if v.Counted && v.Decision == "reject" {
		counts.tone = bad
	}
	who, does := v.User, v.Decision+"s"
	if who == "" {
		who = "slot " + v.Slot
	}
	if v.Decision == "approve" {
		does = "approves"
	}
	if v.Decision == "" {
		does = "-"
	}
	return []cell{counts, text("%s", who), text("%s", does), text("%s", clocked(v.At)), text("%s", v.Why)}
}

func clocked(t *metav1.Time) string {
	if t == nil {
		return "-"
	}
	return clock(t.Time)
}

func (p *page) commands(commands []Command) {
	if len(commands) == 0 {
		return
	}
	p.section("Next")
	var rows [][]cell
	for _, c := range commands {
		rows = append(rows, []cell{text("%s", c.Line), text("%s", c.For)})
	}
	p.table(rows)
}

func (p *page) notes(notes []string) {
	if len(notes) == 0 {
		return
	}
	p.section("Notes")
	for _, note := range notes {
		p.sentences(note, doubtful)
	}
}

// Copyright The Countersign Authors.
// SPDX-License-Identifier: Apache-2.0

package show

import (
	"go/parser"
	"go/token"
	"path/filepath"
	"strings"
	"testing"

	"github.com/countersign/countersign/api/v1alpha1"
	"github.com/countersign/countersign/controllers/snapshot"
	corev1 "k8s.io/api/core/v1"
)

// TestPrintable: what authors wrote cannot hide itself from who looks at it.
func TestPrintable(t *testing.T) {
	for text, want := range map[string]string{
		"plain, with ümläut":     "plain, with ümläut",
		"a\x1b[2Kb":              `a\u001b[2Kb`,
		"two\nlines":             `two\nlines`,
		"right \u202e to left":   `right \u202e to left`,
		"nothing\u200bto see":    `nothing\u200bto see`,
		"a\rb":                   `a\u000db`,
		"next line\u2028of text": `next line\u2028of text`,
	} {
		if got := printable(text); got != want {
			t.Errorf("printable(%q) is %q, want %q", text, got, want)
		}
	}
	p := &page{}
	p.part(Part{Name: "x", Changes: changes("", map[string]string{"a": "1"}, map[string]string{"a": "\x1b[8m2"})})
	if strings.Contains(p.String(), "\x1b") {
		t.Errorf("%q has an escape sequence that its author wrote", p)
	}
}

func TestColour(t *testing.T) {
	page := func(s Style) string { return Status{Name: "shop", Phase: v1alpha1.PhaseStable}.Text(s) }
	if strings.Contains(page(Style{}), "\x1b") || !strings.Contains(page(Style{Colour: true}), "\x1b[32mStable\x1b[0m") {
		t.Error("colours are written where none are wanted, or none where they are")
	}
}

func TestChanges(t *testing.T) {
	type m = map[string]any
	for _, row := range []struct {
		name          string
		before, after any
		want          string
	}{
		{"nothing", m{"a": 1}, m{"a": 1}, ""},
		{"a value", m{"a": 1}, m{"a": 2}, "~a 1 2"},
		{"added and taken away", m{"a": 1}, m{"b": true}, "-a 1 +b true"},
		{"by names", m{"l": []any{m{"name": "x", "v": 1}, m{"name": "y", "v": 2}}}, m{"l": []any{m{"name": "y", "v": 3}, m{"name": "x", "v": 1}}}, "~l[y].v 2 3"},
		{"by places, when names are taken twice", m{"l": []any{m{"name": "x", "v": 1}, m{"name": "x", "v": 2}}}, m{"l": []any{m{"name": "x", "v": 1}, m{"name": "x", "v": 3}}}, "~l[1].v 2 3"},
		{"a key with dots", m{"a": m{"x.y/z": "1"}}, m{"a": m{"x.y/z": "2"}}, `~a["x.y/z"] 1 2`},
		{"large numbers", m{"a": int64(9007199254740993)}, m{"a": int64(9007199254740992)}, "~a 9007199254740993 9007199254740992"},
		{"from nothing", nil, m{"a": m{}}, "+a {}"},
	} {
		var got []string
		for _, c := range changes("", row.before, row.after) {
			switch {
			case c.Before == nil:
				got = append(got, "+"+c.Path+" "+*c.After)
			case c.After == nil:
				got = append(got, "-"+c.Path+" "+*c.Before)
			default:
				got = append(got, "~"+c.Path+" "+*c.Before+" "+*c.After)
			}
		}
		if strings.Join(got, " ") != row.want {
			t.Errorf("%s: %q, want %q", row.name, got, row.want)
		}
	}
}

// TestConfig: what a ConfigMap holds is shown, and of a Secret that it differs.
func TestConfig(t *testing.T) {
	holds := func(value string) *corev1.ConfigMap {
		return &corev1.ConfigMap{Data: map[string]string{"level": value}}
	}
	hash := func(m *corev1.ConfigMap) string { return snapshot.NewHasher(nil).ConfigMap(m) }
	w := &World{ConfigMaps: map[string]*corev1.ConfigMap{"shop-log-1": holds("info"), "shop-log-2": holds("debug")}}
	w.Release.Status.Active = &v1alpha1.ActiveStatus{Content: v1alpha1.Content{Config: []v1alpha1.ConfigCopy{
		{Kind: v1alpha1.ConfigMap, Name: "log", Copy: "shop-log-1", Hash: hash(holds("info"))},
		{Kind: v1alpha1.Secret, Name: "key", Copy: "shop-key-1", Hash: "hmac-sha256:1"},
		{Kind: v1alpha1.Secret, Name: "gone", Copy: "shop-gone-1", Hash: "hmac-sha256:3"},
	}}}
	c := &v1alpha1.CandidateStatus{Config: []v1alpha1.ConfigCopy{
		{Kind: v1alpha1.ConfigMap, Name: "log", Copy: "shop-log-2", Hash: hash(holds("debug"))},
		{Kind: v1alpha1.Secret, Name: "key", Copy: "shop-key-2", Hash: "hmac-sha256:2"},
	}}
	w.Release.Status.Candidate = c
	p := &page{}
	p.part(w.config())
	for _, want := range []string{"~ ConfigMap log data.level: info -> debug", "~ Secret key: hmac-sha256:1 -> hmac-sha256:2", "- Secret gone: hmac-sha256:3"} {
		if !strings.Contains(p.String(), want) {
			t.Errorf("it says\n%s\nwant %q", p, want)
		}
	}
	r := Recomputed{Matches: true}
	if w.copies(c, &r); !r.Matches || !strings.Contains(strings.Join(r.Why, "; "), "of 1 Secret only the operator") {
		t.Errorf("copies that are right: %+v", r)
	}
	w.ConfigMaps["shop-log-2"] = holds("trace")
	if w.copies(c, &r); r.Matches || !strings.Contains(strings.Join(r.Why, "; "), "ConfigMap shop-log-2 does not hold") {
		t.Errorf("a copy that was changed: %+v", r)
	}
}

func TestHistoryOfBreakGlass(t *testing.T) {
	h := History{Name: "shop", Switches: []v1alpha1.HistoryEntry{
		{Epoch: 2, BreakGlass: &v1alpha1.BrokenGlass{By: "erin", Ticket: "INC-1", Reason: "down"}},
		{Epoch: 1, AskedBy: "dev"},
	}}
	if text := h.Text(Style{}); !strings.Contains(text, "erin by break-glass (INC-1: down), not reviewed yet") || !strings.Contains(text, "dev asked") {
		t.Error(text)
	}
}

func TestGuardsOfTheGate(t *testing.T) {
	for guard, why := range map[string]string{GuardPolicies: "you may not read them", GuardKeys: "you may not read it"} {
		g := &Gate{Unread: map[string]string{GuardPolicies: "x", GuardBindings: "x", GuardWebhook: "x", GuardKeys: "x", GuardProcesses: "x", GuardSelfTest: "x"}}
		g.Unread[guard] = why
		c := CheckupOf(g)
		if text := c.Text(Style{}); !c.Intact() || strings.Contains(text, "The gate is intact") || !strings.Contains(text, why) {
			t.Errorf("what cannot be seen is taken for something else:\n%s", text)
		}
	}
}

// TestPure: reports are made of values that somebody else has read.
func TestPure(t *testing.T) {
	files, err := filepath.Glob("*.go")
	if err != nil || len(files) < 5 {
		t.Fatalf("%d files: %v", len(files), err)
	}
	for _, file := range files {
		if strings.HasSuffix(file, "_test.go") {
			continue
		}
		f, err := parser.ParseFile(token.NewFileSet(), file, nil, parser.ImportsOnly)
		if err != nil {
			t.Fatal(err)
		}
		for _, spec := range f.Imports {
			for _, impure := range []string{"os", "io", "net", "context", "math/rand", "log", "sigs.k8s.io/controller-runtime", "k8s.io/client-go", "golang.org/x/term"} {
				if path := strings.Trim(spec.Path.Value, `"`); path == impure || strings.HasPrefix(path, impure+"/") {
					t.Errorf("%s imports %s", file, path)
				}
			}
		}
	}
}

// TestDiff: what cannot be compared is said, and not taken for the same.
func TestDiff(t *testing.T) {
	w := &World{}
	w.Release.Name, w.Release.Namespace = "shop", "prod"
	w.Release.Spec.Irreversible = true
	w.Release.Spec.Checks = &v1alpha1.Checks{
		BeforeSwitch: []v1alpha1.Check{{Name: "smoke"}}, AfterSwitch: []v1alpha1.Check{{Name: "live", PeriodSeconds: 9}},
	}
	w.Release.Status.Active = &v1alpha1.ActiveStatus{Content: v1alpha1.Content{
		Colour: v1alpha1.Blue, Digest: "sha256:1", AfterSwitch: []v1alpha1.Check{{Name: "live", PeriodSeconds: 5}},
	}}
	w.Release.Status.Candidate = &v1alpha1.CandidateStatus{Colour: v1alpha1.Green, Digest: "sha256:2", Halted: &v1alpha1.HaltedStatus{Reason: v1alpha1.ReasonAborted}}
	text := DiffOf(w).Text(Style{})
	for _, want := range []string{
		"marked irreversible", "given up (Aborted) and cannot be approved", "~ irreversible: false -> true",
		"~ afterSwitch[live].periodSeconds: 5 -> 9", "tested by smoke; those of what serves are not on record",
		"what serves could not be read", "does not stand in its colour", "the digest covers those that are in force",
		"not computed here", "the id of the cluster is not known", "the Deployment of green could not be read",
	} {
		if !strings.Contains(strings.ReplaceAll(text, "\n  ", "; "), want) && !strings.Contains(text, want) {
			t.Errorf("it says\n%s\nwant %q", text, want)
		}
	}
	if _, same, _ := strings.Cut(text, "The same as what serves\n"); strings.Contains(strings.SplitN(same, "\n", 2)[0], "Checks") {
		t.Errorf("checks that are not the same are said to be:\n%s", text)
	}
}

// Copyright The Countersign Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/yuin/goldmark"
	"github.com/yuin/goldmark/ast"
	"github.com/yuin/goldmark/text"
)

const root = "../.."

// Every block of commands in README.md and docs/ is run, or says why it is not.
func TestEveryBlockIsMarked(t *testing.T) {
	documents, err := read(root)
	if err != nil {
		t.Fatal(err)
	}
	commands := 0
	for _, d := range documents {
		if err := d.complain(); err != nil {
			t.Error(err)
		}
		for _, p := range d.parts {
			if p.mark.kind != run && p.mark.kind != refused && p.mark.kind != prepare {
				continue
			}
			steps, err := stepsOf(p, nil)
			if err != nil {
				t.Errorf("%s:%v", d.name, err)
			}
			commands += len(steps)
		}
	}
	if commands < 20 {
		t.Errorf("found %d commands, which cannot be all", commands)
	}
}

func TestMarks(t *testing.T) {
	const fence = "```\nkubectl get pods\n```\n"
	for name, c := range map[string]struct {
		source string
		wants  string // the complaint
	}{
		"run":                       {"<!-- run -->\n" + fence, ""},
		"run with values":           {"<!-- run: with pods=nodes -->\n" + fence, ""},
		"refused":                   {"<!-- run: refused -->\n" + fence, ""},
		"output":                    {"<!-- run -->\n" + fence + "<!-- output -->\n" + fence, ""},
		"not run":                   {"<!-- not run: it takes a day -->\n" + fence, ""},
		"another language":          {"```yaml\nkind: Release\n```\n", ""},
		"no mark":                   {fence, "not marked"},
		"no mark in a list":         {"- item\n\n  ```\n  kubectl get pods\n  ```\n", "not marked"},
		"the mark is elsewhere":     {"<!-- run -->\n\ntext\n\n" + fence, "not marked"},
		"a mark is for one block":   {"<!-- run -->\n" + fence + fence, "not marked"},
		"another comment is closer": {"<!-- run -->\n\n<!-- a remark -->\n" + fence, "not marked"},
		"no reason":                 {"<!-- not run: -->\n" + fence, "needs a reason"},
		"another word":              {"<!-- run: maybe -->\n" + fence, "is no mark"},
		"output of nothing":         {"<!-- output -->\n" + fence, "follows no block"},
		"nothing to prepare":        {"<!-- prepare\n-->\n", "without commands"},
	} {
		t.Run(name, func(t *testing.T) {
			d, err := parse("page.md", []byte(c.source))
			if err == nil {
				err = d.complain()
			}
			if c.wants == "" && err != nil || c.wants != "" && (err == nil || !strings.Contains(err.Error(), c.wants)) {
				t.Errorf("%v, want %q", err, c.wants)
			}
		})
	}
}

func TestWhatIsShownIsWhatWasPrinted(t *testing.T) {
	for name, c := range map[string]struct {
		shown, printed string
		whole, fits    bool
	}{
		"the same":              {"a b\n", "a b\n", true, true},
		"another word":          {"a b\n", "a c\n", true, false},
		"more was printed":      {"a b\n", "x\na b\n", true, false},
		"the end":               {"a b\n", "x\na b\n", false, true},
		"the end of a word":     {"b\n", "ab\n", false, false},
		"not the end":           {"a b\n", "a b\nx\n", false, false},
		"nothing was printed":   {"a\n", "", false, false},
		"left out":              {"a … c\n", "a bb c\n", true, true},
		"left out at the end":   {"a …\n", "b c\n", true, false},
		"width":                 {"A   B\n1   2\n", "A  B\n1  2\n", true, true},
		"digests":               {"x=sha256:8416…;\n", "x=sha256:" + strings.Repeat("ab", 32) + ";\n", true, true},
		"no digest":             {"x=sha256:8416…;\n", "x=;\n", true, false},
		"ages":                  {"shop  Stable  4s\n", "shop  Stable  3m12s\n", true, true},
		"no age":                {"20 seconds of it\n", "30 seconds of it\n", true, false},
		"times":                 {"at 2026-11-24T10:00:00Z\n", "at 2027-01-02T11:12:13Z\n", true, true},
		"Pods":                  {"Pod shop-green-56f7c9ff6-96cvl answered\n", "Pod shop-green-7bd4f8c49d-abcde answered\n", true, true},
		"a Pod of another kind": {"Pod shop-green-56f7c9ff6-96cvl answered\n", "Pod shop-blue-56f7c9ff6-96cvl answered\n", true, false},
	} {
		t.Run(name, func(t *testing.T) {
			if got := fits(c.shown, c.printed, c.whole); got != c.fits {
				t.Errorf("%v, want %v", got, c.fits)
			}
		})
	}
}

// What a step does not allow is a failure, so that no run passes by itself.
func TestJudge(t *testing.T) {
	shown := "Stable\n"
	for name, c := range map[string]struct {
		step step
		out  string
		code int
		good bool
	}{
		"it ends well":                 {step{}, "", 0, true},
		"it fails":                     {step{}, "no such file\n", 1, false},
		"it is refused":                {step{refused: true}, "Error from server (Forbidden): …\n", 1, true},
		"it is not refused":            {step{refused: true}, "annotated\n", 0, false},
		"it only warns":                {step{refused: true}, "Warning: Forbidden soon\n", 0, false},
		"it fails for another reason":  {step{refused: true}, "command not found\n", 127, false},
		"it prints what is shown":      {step{shown: &shown}, "x\nStable\n", 0, true},
		"it prints something else":     {step{shown: &shown}, "Halted\n", 0, false},
		"it prints it, and more":       {step{shown: &shown, whole: true}, "x\nStable\n", 0, false},
		"it is refused with the words": {step{refused: true, shown: &shown}, "Forbidden: Stable\n", 1, true},
		"it is refused otherwise":      {step{refused: true, shown: &shown}, "Forbidden: Halted\n", 1, false},
	} {
		t.Run(name, func(t *testing.T) {
			if err := c.step.judge(c.out, c.code, ""); (err == nil) != c.good {
				t.Errorf("%v, want good: %v", err, c.good)
			}
		})
	}
}

func TestSplit(t *testing.T) {
	steps, err := split("# a remark\na=1\nfor x in 1 2; do\n  echo $x\ndone\n\nkubectl get \\\n  pods\ncat <<END\ntext\nEND\n", 1)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, s := range steps {
		got = append(got, fmt.Sprintf("%d %s", s.line, s.command))
	}
	want := []string{"2 a=1", "3 for x in 1 2; do\n  echo $x\ndone", "7 kubectl get \\\n  pods", "9 cat <<END\ntext\nEND"}
	if strings.Join(got, "|") != strings.Join(want, "|") {
		t.Errorf("%q, want %q", got, want)
	}
	if _, err := split("for x in 1 2; do\n", 1); err == nil {
		t.Error("a loop without an end is a command")
	}
}

// What one command sets is there in the next, and how each ends is known.
func TestShell(t *testing.T) {
	sh, err := newShell(t.Context(), t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	defer sh.close()
	for _, c := range []struct {
		command, out string
		code         int
	}{
		{"a=1", "", 0},
		{"echo $a; echo 2 >&2", "1\n2\n", 0},
		{"false | cat", "", 1},
		{"(exit 7)", "", 7},
	} {
		if out, code, err := sh.run(t.Context(), c.command); err != nil || out != c.out || code != c.code {
			t.Errorf("%s: %q %d %v, want %q %d", c.command, out, code, err, c.out, c.code)
		}
	}
	if _, _, err := sh.run(t.Context(), "exit 0"); err == nil {
		t.Error("a command that ends the shell went well")
	}
}

// Links within the repository lead somewhere.
func TestLinks(t *testing.T) {
	names, err := filepath.Glob(root + "/docs/*.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"README.md", "CONTRIBUTING.md", "ARCHITECTURE.md", "SECURITY.md"} {
		names = append(names, filepath.Join(root, name))
	}
	found := 0
	for _, name := range names {
		source, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		for _, link := range links(source) {
			if strings.Contains(link, "://") || strings.HasPrefix(link, "mailto:") {
				continue
			}
			found++
			file, anchor, _ := strings.Cut(link, "#")
			target := name
			if file != "" {
				target = filepath.Join(filepath.Dir(name), file)
			}
			if _, err := os.Stat(target); err != nil {
				t.Errorf("%s links to %s, which does not exist", name, link)
				continue
			}
			if anchor != "" && !hasHeading(t, target, anchor) {
				t.Errorf("%s links to %s, which has no such heading", name, link)
			}
		}
	}
	if found < 30 {
		t.Errorf("found %d links, which cannot be all", found)
	}
}

// Every page can be found from where people begin.
func TestEveryPageIsInTheIndex(t *testing.T) {
	reached := map[string]bool{}
	for _, from := range []string{"README.md", "docs/README.md"} {
		source, err := os.ReadFile(filepath.Join(root, from))
		if err != nil {
			t.Fatal(err)
		}
		for _, link := range links(source) {
			file, _, _ := strings.Cut(link, "#")
			reached[filepath.Join(filepath.Dir(from), file)] = true
		}
	}
	pages, err := filepath.Glob(root + "/docs/*.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, page := range pages {
		if page := "docs/" + filepath.Base(page); page != "docs/README.md" && !reached[page] {
			t.Errorf("neither README.md nor docs/README.md links to %s", page)
		}
	}
}

func links(source []byte) []string {
	var all []string
	_ = ast.Walk(goldmark.DefaultParser().Parse(text.NewReader(source)), func(n ast.Node, entering bool) (ast.WalkStatus, error) {
		if l, ok := n.(*ast.Link); ok && entering {
			all = append(all, string(l.Destination))
		}
		return ast.WalkContinue, nil
	})
	return all
}

// inAnchor is what a heading keeps in its anchor, where pages are shown.
var inAnchor = regexp.MustCompile(`[^a-z0-9_ -]`)

func hasHeading(t *testing.T, file, anchor string) bool {
	source, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.SplitSeq(string(source), "\n") {
		if heading := strings.TrimLeft(line, "#"); heading != line {
			words := inAnchor.ReplaceAllString(strings.ToLower(strings.TrimSpace(heading)), "")
			if strings.ReplaceAll(words, " ", "-") == anchor {
				return true
			}
		}
	}
	return false
}

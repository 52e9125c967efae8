// Copyright The Countersign Authors.
// SPDX-License-Identifier: Apache-2.0

// Command reasons writes docs/troubleshooting.md: each reason of a condition, what
// it means and what to do next, from the comments of api/v1alpha1/conditions.go.
//
//	go run ./hack/reference/reasons docs/troubleshooting.md
package main

import (
	"bytes"
	"cmp"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"maps"
	"os"
	"slices"
	"strconv"
	"strings"
)

const source = "api/v1alpha1/conditions.go"

func main() {
	if len(os.Args) != 2 {
		fmt.Fprintln(os.Stderr, "usage: go run ./hack/reference/reasons FILE")
		os.Exit(2)
	}
	if err := write(source, os.Args[1]); err != nil {
		fmt.Fprintln(os.Stderr, "reasons:", err)
		os.Exit(1)
	}
}

// entry is a condition or a reason, as its comment has it.
type entry struct {
	value string
	means string
	on    []string // Stalled=True
	next  string
	run   string
}

func write(from, to string) error {
	conditions, reasons, err := read(from)
	if err != nil {
		return err
	}
	return os.WriteFile(to, page(conditions, reasons), 0o644)
}

// read finds the constants whose names begin with Condition and Reason.
func read(file string) (conditions, reasons []entry, err error) {
	f, err := parser.ParseFile(token.NewFileSet(), file, nil, parser.ParseComments)
	if err != nil {
		return nil, nil, err
	}
	for _, d := range f.Decls {
		group, ok := d.(*ast.GenDecl)
		if !ok {
			continue
		}
		for _, s := range group.Specs {
			spec, ok := s.(*ast.ValueSpec)
			if !ok || len(spec.Values) != 1 {
				continue
			}
			name := spec.Names[0].Name
			value, err := strconv.Unquote(spec.Values[0].(*ast.BasicLit).Value)
			if err != nil {
				return nil, nil, err
			}
			e, err := parse(name, value, spec.Doc.Text())
			if err != nil {
				return nil, nil, err
			}
			if strings.HasPrefix(name, "Condition") {
				conditions = append(conditions, e)
				continue
			}
			if len(e.on) == 0 || e.next == "" || e.run == "" {
				return nil, nil, fmt.Errorf("%s: %s wants lines that begin with On:, Next: and Run: in its comment", file, name)
			}
			reasons = append(reasons, e)
		}
	}
	slices.SortFunc(reasons, func(a, b entry) int { return cmp.Compare(a.value, b.value) })
	return conditions, reasons, nil
}

// parse reads a comment: a sentence, and lines that begin with a word and a colon.
func parse(name, value, comment string) (entry, error) {
	e := entry{value: value}
	fields := map[string]string{}
	field := "means"
	for line := range strings.SplitSeq(strings.TrimSpace(comment), "\n") {
		word, rest, ok := strings.Cut(line, ": ")
		if ok && (word == "On" || word == "Next" || word == "Run") {
			field, line = word, rest
		}
		fields[field] = strings.TrimSpace(fields[field] + " " + strings.TrimSpace(line))
	}
	means, ok := strings.CutPrefix(fields["means"], name+": ")
	if !ok {
		return entry{}, fmt.Errorf("the comment of %s does not begin with %q", name, name+": ")
	}
	e.means, e.next, e.run = means, fields["Next"], fields["Run"]
	if on := strings.TrimSuffix(fields["On"], "."); on != "" {
		e.on = strings.Split(on, ", ")
	}
	return e, nil
}

const introduction = `# Troubleshooting

This page is made from the comments of [conditions.go](../api/v1alpha1/conditions.go):
` + "`make generate`" + `. Tests hold it to what the operator says.

Begin with what the Release says itself. The messages of its conditions name what it
waits for and the command to run, with the names filled in:

<!-- prepare
. hack/docs/stage.sh
stage trouble
release v1
-->
<!-- run -->
` + "```" + `
kubectl get release shop
kubectl get release shop -o jsonpath='{range .status.conditions[*]}{.type}={.status} {.reason}: {.message}{"\n"}{end}'
kubectl events --for release/shop
` + "```" + `

<!-- prepare
kubectl() { case "$*" in *--watch*) ;; *) command kubectl --context admin "$@" || { echo "kubectl $*"; exit 1; } ;; esac; }
commands=$(grep -oE '^.kubectl (get|describe) .*.$' docs/troubleshooting.md | cut -c2- | sed -e 's/.$//' -e 's/RELEASE-COLOUR\|DEPLOYMENT/shop-blue/g' -e 's/RELEASE\|SERVICE/shop/g' -e 's/NAMESPACE/trouble/g' | sort -u)
test "$(wc -l <<<"$commands")" -gt 15 && (eval "$commands")
unset -f kubectl
-->

[kubectl countersign](plugin.md) status says the same in whole sentences, and doctor
whether the gate holds. Which checks failed and why is in [checks.md](checks.md#when-it-does-not-pass).
In the commands below put your names in the place of words in capital letters.

`

func page(conditions, reasons []entry) []byte {
	var b bytes.Buffer
	b.WriteString(introduction)
	b.WriteString("## Conditions\n\n| condition | | reasons |\n|---|---|---|\n")
	for _, c := range conditions {
		byStatus := map[string][]string{}
		for _, r := range reasons {
			for _, on := range r.on {
				if kind, status, _ := strings.Cut(on, "="); kind == c.value {
					byStatus[status] = append(byStatus[status], fmt.Sprintf("[%s](#%s)", r.value, strings.ToLower(r.value)))
				}
			}
		}
		var cells []string
		for _, status := range slices.Sorted(maps.Keys(byStatus)) {
			cells = append(cells, status+": "+strings.Join(byStatus[status], ", "))
		}
		fmt.Fprintf(&b, "| `%s` | %s | %s |\n", c.value, upper(c.means), strings.Join(cells, "<br>"))
	}
	b.WriteString("\n## Reasons\n")
	for _, r := range reasons {
		fmt.Fprintf(&b, "\n### %s\n\n%s Shown by `%s`.\n\n**Next**: %s\n`%s`\n",
			r.value, upper(r.means), strings.Join(r.on, "`, `"), r.next, r.run)
	}
	return b.Bytes()
}

// upper begins a sentence.
func upper(s string) string {
	for _, name := range []string{"spec."} { // names stay as they are
		if strings.HasPrefix(s, name) {
			return s
		}
	}
	return strings.ToUpper(s[:1]) + s[1:]
}

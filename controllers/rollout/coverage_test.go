// Copyright The Countersign Authors.
// SPDX-License-Identifier: Apache-2.0

package rollout_test

import (
	"flag"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// covered is what the scenarios have seen said.
type covered struct {
	mu      sync.Mutex
	reasons map[string]bool // of conditions, such as "Serving on Ready=True"
	notices map[string]bool
}

var coverage = covered{reasons: map[string]bool{}, notices: map[string]bool{}}

func TestMain(m *testing.M) {
	code := m.Run()
	coverage.report(&code)
	os.Exit(code)
}

func (c *covered) condition(of metav1.Condition) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.reasons[fmt.Sprintf("%s on %s=%s", of.Reason, of.Type, of.Status)] = true
}

func (c *covered) notice(reason string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.notices[reason] = true
}

// report fails a full run in which some reason that is declared was never
// given, or one was given that is not declared.
func (c *covered) report(code *int) {
	if *code != 0 || flag.Lookup("test.run").Value.String() != "" || flag.Lookup("test.fuzz").Value.String() != "" {
		return
	}
	for what, problems := range map[string][]string{
		"reason": compare(reasons("../../api/v1alpha1/conditions.go"), c.reasons),
		"notice": compare(constants("decision.go", "Notice"), c.notices),
	} {
		for _, p := range problems {
			fmt.Printf("FAIL: %s %s\n", what, p)
			*code = 1
		}
	}
}

func compare(declared, given map[string]bool) (problems []string) {
	for name := range declared {
		if !given[name] {
			problems = append(problems, name+" is declared, and no scenario gives it")
		}
	}
	for name := range given {
		if !declared[name] {
			problems = append(problems, name+" is given, and it is not declared")
		}
	}
	slices.Sort(problems)
	return problems
}

// reasons are the constants of a file whose names begin with Reason, each on the
// conditions that its comment names in the line "On:".
func reasons(file string) map[string]bool {
	f, err := parser.ParseFile(token.NewFileSet(), file, nil, parser.ParseComments)
	if err != nil {
		panic(err)
	}
	values := map[string]bool{}
	ast.Inspect(f, func(n ast.Node) bool {
		spec, ok := n.(*ast.ValueSpec)
		if !ok || !strings.HasPrefix(spec.Names[0].Name, "Reason") {
			return true
		}
		for on := range strings.SplitSeq(onLine.FindStringSubmatch(spec.Doc.Text())[1], ",") {
			values[strings.TrimPrefix(spec.Names[0].Name, "Reason")+" on "+strings.TrimSpace(on)] = true
		}
		return true
	})
	return values
}

// onLine goes on until the next line of its kind.
var onLine = regexp.MustCompile(`(?s)\nOn: (.*?)\.\n`)

// constants are the values of the string constants of a file whose names begin
// with prefix.
func constants(file, prefix string) map[string]bool {
	f, err := parser.ParseFile(token.NewFileSet(), file, nil, 0)
	if err != nil {
		panic(err)
	}
	values := map[string]bool{}
	ast.Inspect(f, func(n ast.Node) bool {
		spec, ok := n.(*ast.ValueSpec)
		if !ok {
			return true
		}
		for i, name := range spec.Names {
			if !strings.HasPrefix(name.Name, prefix) || i >= len(spec.Values) {
				continue
			}
			if lit, ok := spec.Values[i].(*ast.BasicLit); ok && lit.Kind == token.STRING {
				if v, err := strconv.Unquote(lit.Value); err == nil {
					values[v] = true
				}
			}
		}
		return true
	})
	return values
}

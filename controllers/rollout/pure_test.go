// Copyright The Countersign Authors.
// SPDX-License-Identifier: Apache-2.0

package rollout_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// pure are the packages that decide. What they may import is listed: values,
// text, and one another. What can read the world, keep time, draw lots or write
// a log is not on the list.
var pure = map[string][]string{
	"approval":  {"cmp", "encoding/json", "errors", "fmt", "math", "slices", "strings", "time"},
	"digest":    {"bytes", "crypto/sha256", "encoding/hex", "encoding/json", "errors", "fmt", "maps", "slices", "strconv", "strings", "unicode/utf8"},
	"snapshot":  {"cmp", "crypto/hmac", "crypto/sha256", "encoding/binary", "encoding/hex", "fmt", "hash", "maps", "slices", "strings"},
	"speccheck": {"fmt", "maps", "regexp", "slices", "strings"},
	"jobcheck":  {"crypto/sha256", "encoding/hex", "fmt", "strings"},
	"rollout":   {"cmp", "fmt", "maps", "math", "slices", "strings", "time"},
}

var values = []string{
	"github.com/countersign/countersign/api/v1alpha1",
	"github.com/countersign/countersign/controllers/approval",
	"github.com/countersign/countersign/controllers/digest",
	"github.com/countersign/countersign/controllers/jobcheck",
	"github.com/countersign/countersign/controllers/snapshot",
	"github.com/countersign/countersign/controllers/speccheck",
	"github.com/gowebpki/jcs",
	"github.com/robfig/cron/v3",
	"k8s.io/api/core/v1", "k8s.io/apimachinery/pkg/api/meta", "k8s.io/apimachinery/pkg/apis/meta/v1", "k8s.io/apimachinery/pkg/util/intstr",
	"sigs.k8s.io/json",
}

func TestWhatDecidesIsPure(t *testing.T) {
	for name, standard := range pure {
		files, err := filepath.Glob("../" + name + "/*.go")
		if err != nil || len(files) < 2 {
			t.Fatalf("%s has %d files: %v", name, len(files), err)
		}
		for _, file := range files {
			if strings.HasSuffix(file, "_test.go") {
				continue
			}
			f, err := parser.ParseFile(token.NewFileSet(), file, nil, 0)
			if err != nil {
				t.Fatal(err)
			}
			for _, problem := range impurities(f, append(slices.Clone(values), standard...)) {
				t.Errorf("%s: %s", file, problem)
			}
		}
	}
}

func impurities(f *ast.File, allowed []string) (problems []string) {
	for _, spec := range f.Imports {
		path, err := strconv.Unquote(spec.Path.Value)
		if err != nil || !slices.Contains(allowed, path) {
			problems = append(problems, "it imports "+path)
		}
	}
	for _, decl := range f.Decls {
		switch d := decl.(type) {
		case *ast.GenDecl:
			if d.Tok == token.VAR {
				problems = append(problems, "it has a package variable")
			}
		case *ast.FuncDecl:
			if d.Recv == nil && d.Name.Name == "init" {
				problems = append(problems, "it has an init function")
			}
		}
	}
	ast.Inspect(f, func(n ast.Node) bool {
		if sel, ok := n.(*ast.SelectorExpr); ok {
			if x, ok := sel.X.(*ast.Ident); ok && slices.Contains(clocks, x.Name+"."+sel.Sel.Name) {
				problems = append(problems, "it asks "+x.Name+"."+sel.Sel.Name)
			}
		}
		if _, ok := n.(*ast.GoStmt); ok {
			problems = append(problems, "it starts a goroutine")
		}
		return true
	})
	return problems
}

var clocks = []string{
	"time.Now", "time.Since", "time.Until", "time.After", "time.AfterFunc", "time.Sleep", "time.NewTimer", "time.NewTicker", "time.Tick",
	"metav1.Now", "metav1.NowMicro", "fmt.Print", "fmt.Println", "fmt.Printf",
}

// The test above has to find what it looks for.
func TestImpurityIsFound(t *testing.T) {
	const source = `package p
import ("net/http"; "time")
var client = http.DefaultClient
func init() {}
func f() time.Time { go init(); return time.Now() }`
	f, err := parser.ParseFile(token.NewFileSet(), "p.go", source, 0)
	if err != nil {
		t.Fatal(err)
	}
	if got := impurities(f, []string{"time"}); len(got) != 5 {
		t.Errorf("found %q, want five", got)
	}
}

// Copyright The Countersign Authors.
// SPDX-License-Identifier: Apache-2.0

package rows

import (
	"io"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"
)

var naming = Naming{Marker: regexp.MustCompile(`row(\d\d)[ _]`)}

func TestOtherOutputIsShown(t *testing.T) {
	var shown strings.Builder
	if _, err := naming.Read(strings.NewReader("# broken\nx.go:1: no\n"), &shown); err != nil || shown.String() != "# broken\nx.go:1: no\n" {
		t.Errorf("shown %q, %v", shown.String(), err)
	}
}

func TestProgress(t *testing.T) {
	var told strings.Builder
	events := `{"Action":"run","Package":"p","Test":"TestX/row07_a"}
{"Action":"output","Package":"p","Test":"TestX/row07_a"}
{"Action":"pass","Package":"p","Test":"TestX/row07_a"}
{"Action":"pass","Package":"p","Test":"TestX"}
{"Action":"skip","Package":"p","Test":"TestX/row08_b"}
{"Action":"fail","Package":"p"}
`
	if _, err := naming.follow(strings.NewReader(events), io.Discard, progress{&told, time.Now()}.about); err != nil {
		t.Fatal(err)
	}
	if want := "   0s pass TestX/row07_a of p\n   0s skip TestX/row08_b of p\n   0s fail package p\n"; told.String() != want {
		t.Errorf("told is\n%swant\n%s", told.String(), want)
	}
}

func TestSources(t *testing.T) {
	root := t.TempDir()
	for name, text := range map[string]string{
		"a/a_test.go": "row07 row07 row08 ", "b/b_test.go": "row07 ", "b/b.go": "row09 ", ".git/c_test.go": "row10 ", "hack/rows/d_test.go": "row11 ",
	} {
		path := filepath.Join(root, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	files, err := naming.Sources(root)
	want := map[int][]string{7: {"a/a_test.go", "b/b_test.go"}, 8: {"a/a_test.go"}}
	if err != nil || !maps.EqualFunc(files, want, slices.Equal) {
		t.Errorf("the sources are %v, %v; want %v", files, err, want)
	}
	if got := packages(files); !slices.Equal(got, []string{"./a/", "./b/"}) {
		t.Errorf("the packages are %v", got)
	}
}

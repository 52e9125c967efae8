// Copyright The Countersign Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"io"
	"slices"
	"strings"
	"testing"
)

func TestTableIsWhole(t *testing.T) {
	all := table()
	if len(all) != 30 {
		t.Fatalf("there are %d rows, want 30", len(all))
	}
	for i, r := range all {
		if r.number != i+1 || r.there == "" || r.whose == "" || r.here == "" {
			t.Errorf("row %d says not enough: %+v", i+1, r)
		}
	}
}

func TestReport(t *testing.T) {
	all := []row{{number: 1, here: "it goes back"}, {number: 2, here: "it waits"}}
	for _, tc := range []struct {
		name, events string
		closed       bool
		says         string
	}{
		{"passed", `{"Action":"pass","Test":"TestX/D01_D02_a"}`, true, "D01 PASS it goes back\nD02 PASS it waits\n2 rows: 2 passed, 0 failed, 0 open\n"},
		{"not run", `{"Action":"pass","Test":"TestX/D01_a"}`, false, "D02 OPEN no test has shown that it waits\n2 rows: 1 passed, 0 failed, 1 open\n"},
		{"skipped", `{"Action":"skip","Test":"TestX/D01_a"}`, false, "D01 OPEN"},
		{"failed once", `{"Action":"pass","Test":"TestX/D01_a"}` + "\n" + `{"Action":"fail","Package":"p","Test":"TestX/sec/01_D01_b"}`, false, "D01 FAIL p TestX/sec/01_D01_b\n"},
		{"does not build", `{"Action":"pass","Test":"TestX/D01_D02_a"}` + "\n" + `{"Action":"fail","Package":"p"}`, false, "failed besides: p\n"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			found, err := naming.Read(strings.NewReader(tc.events), io.Discard)
			if err != nil {
				t.Fatal(err)
			}
			var out strings.Builder
			closed, err := report(&out, all, found)
			if err != nil {
				t.Fatal(err)
			}
			if closed != tc.closed || !strings.Contains(out.String(), tc.says) {
				t.Errorf("closed=%t, want %t:\n%swant it to say %q", closed, tc.closed, out.String(), tc.says)
			}
		})
	}
}

func TestDocument(t *testing.T) {
	read := func(string) ([]byte, error) {
		return []byte(`"sec/49 D01 a \"b\"": nil, t.Run("D01 "+name), "D01: no name", "D02 other" // D01 in words`), nil
	}
	var out strings.Builder
	if err := document(&out, []row{{1, "there", "XY#1", "here"}, {2, "there", "XY#2", "here"}}, map[int][]string{1: {"x_test.go"}}, read); err != nil {
		t.Fatal(err)
	}
	want := "| D01 | there | XY#1 | here | x_test.go<br>• a \"b\" |\n| D02 | there | XY#2 | here | **open** |\n"
	if !strings.HasSuffix(out.String(), want) {
		t.Errorf("it ends\n%s\nwant\n%s", out.String(), want)
	}
}

func TestNaming(t *testing.T) {
	for text, want := range map[string][]int{
		"TestX/sec/49_D23_somebody": {23}, "D09 D10 a D09 b": {9, 10}, `row: "sec/22 D20"`: {20}, "D12: in words": nil, "(D03, D16)": nil, "D1 a": nil, "D123 a": nil,
	} {
		if got := naming.In(text); !slices.Equal(got, want) {
			t.Errorf("the rows in %q are %v, want %v", text, got, want)
		}
	}
}

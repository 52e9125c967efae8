// Copyright The Countersign Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"io"
	"os"
	"slices"
	"strings"
	"testing"
)

func TestTableIsWhole(t *testing.T) {
	rows := table()
	var numbers []int
	for _, r := range rows {
		numbers = append(numbers, r.number)
		if r.attacker == "" || r.attack == "" || r.refused == "" || r.defence == "" {
			t.Errorf("row %d says not enough: %+v", r.number, r)
		}
	}
	slices.Sort(numbers)
	for i := range 65 {
		if i >= len(numbers) || numbers[i] != i+1 {
			t.Fatalf("the rows are %v, want 1 to 65", numbers)
		}
	}
}

func TestAcceptedRisksAreSaid(t *testing.T) {
	said, err := os.ReadFile("../../SECURITY.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range table() {
		if r.accepted != "" && !strings.Contains(string(said), "### "+r.accepted+"\n") {
			t.Errorf("row %d is accepted under %q, which is no heading of SECURITY.md", r.number, r.accepted)
		}
	}
}

func TestReport(t *testing.T) {
	rows := []row{{number: 1, refused: "it is refused"}, {number: 2, refused: "so is this", accepted: "Nodes"}}
	for _, tc := range []struct {
		name, events string
		closed       bool
		says         string
	}{
		{"passed", `{"Action":"pass","Test":"TestX/sec/01_refused:_a/update"}`, true,
			"sec/01 PASS it is refused\nsec/02 ACCEPTED SECURITY.md, Nodes\n2 rows: 1 tested, 1 accepted risk, 0 open\n"},
		{"not run", `{"Action":"pass","Test":"TestX"}`, false, "sec/01 OPEN no test has shown that it is refused\n"},
		{"failed once", `{"Action":"pass","Test":"TestX/sec/01_a"}` + "\n" + `{"Action":"fail","Package":"p","Test":"TestX/sec/01_b"}`, false,
			"sec/01 FAIL p TestX/sec/01_b\n"},
		{"an accepted one failed", `{"Action":"pass","Test":"TestX/sec/01_a"}` + "\n" + `{"Action":"fail","Package":"p","Test":"TestX/sec/02_b"}`, false,
			"sec/02 FAIL p TestX/sec/02_b\n"},
		{"two in one", `{"Action":"fail","Package":"p","Test":"TestX/sec/02_sec/01_b"}`, false, "sec/01 FAIL p TestX/sec/02_sec/01_b\n"},
		{"does not build", `{"Action":"pass","Test":"TestX/sec/01_a"}` + "\n" + `{"Action":"fail","Package":"p"}`, false, "failed besides: p\n"},
		{"skipped", `{"Action":"skip","Test":"TestX/sec/01_a"}`, false, "1 open\n"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			found, err := naming.Read(strings.NewReader(tc.events), io.Discard)
			if err != nil {
				t.Fatal(err)
			}
			var out strings.Builder
			closed, err := report(&out, rows, found)
			if err != nil {
				t.Fatal(err)
			}
			if closed != tc.closed || !strings.Contains(out.String(), tc.says) {
				t.Errorf("closed=%t, want %t:\n%swant it to say %q", closed, tc.closed, out.String(), tc.says)
			}
		})
	}
}

func TestNaming(t *testing.T) {
	for text, want := range map[string][]int{
		"TestX/sec/12_sec/13_refused": {12, 13}, "sec/12 sec/12": {12}, "sec/123": nil, "sec/1": nil, "": nil,
	} {
		if got := naming.In(text); !slices.Equal(got, want) {
			t.Errorf("the rows in %q are %v, want %v", text, got, want)
		}
	}
}
